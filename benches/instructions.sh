#!/usr/bin/env bash
# Counts the instructions of one attempt, with valgrind: (those of 12,000 attempts - those of 2,000) / 10,000.
#   bash benches/instructions.sh                 a table of all kinds
#   bash benches/instructions.sh profile KIND GUEST   where they go, by function
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v valgrind >/dev/null || { echo "there is no valgrind: install it (Debian: apt-get install valgrind)" >&2; exit 1; }
program=$(cargo bench --locked -p hostel-benches --bench attempts --no-run --message-format json |
    sed -n 's/.*"executable":"\([^"]*attempts[^"]*\)".*/\1/p' | tail -1)

# The instructions of so many attempts; $4 is where to leave the profile.
counted() {
    valgrind --tool=callgrind --callgrind-out-file="$4" "$program" "$1" "$2" "$3" 2>&1 |
        sed -n 's/.*Collected : //p'
}

if [ "${1:-}" = profile ]; then
    out=$(mktemp)
    counted "$2" "$3" 12000 "$out" >/dev/null
    callgrind_annotate --threshold=90 "$out"
    rm -f "$out"
    exit
fi

printf '| kind | guest | instructions of an attempt |\n|---|---|---|\n'
for guest in tiny rust; do
    for kind in bare run keyed; do
        few=$(counted "$kind" "$guest" 2000 /dev/null)
        many=$(counted "$kind" "$guest" 12000 /dev/null)
        printf '| %s | %s | %s |\n' "$kind" "$guest" $(((many - few) / 10000))
    done
done
