#!/usr/bin/env bash
# Installs what the browser tests need: Debian's chromium, and a few packages of npm in target/ui-tests. It exits with 75 if
# they cannot be installed.
set -euo pipefail
not_installed() { printf '%s\n' "$*" >&2; exit 75; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../../.." && pwd)

if ! command -v chromium >/dev/null && [ -z "${CHROMIUM:-}" ]; then
    [ "$(id -u)" = 0 ] || not_installed "there is no chromium: install it (Debian: apt-get install chromium), or set CHROMIUM to its path"
    timeout 5m apt-get update -qq || not_installed "apt-get cannot update its lists"
    DEBIAN_FRONTEND=noninteractive timeout 10m apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core ||
        not_installed "apt-get cannot install chromium"
fi

tools="$root/target/ui-tests"
mkdir -p "$tools"
cmp -s "$here/package-lock.json" "$tools/package-lock.json" && [ -d "$tools/node_modules" ] && exit 0
cp "$here/package.json" "$here/package-lock.json" "$tools/"
(cd "$tools" && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 timeout 5m npm ci --no-audit --no-fund --ignore-scripts) ||
    not_installed "npm cannot install what package-lock.json names"
