#!/usr/bin/env bash
# The API against its committed document, and clients that others generate from it: bash host/server/tests/clients/check.sh
#
# A real server on a loopback address. schemathesis sends it requests made from the document; a Python and a TypeScript client are
# generated, and each uploads a component, runs a function, waits and reads the result. About two minutes.
#
# What cannot be installed here is left out. The last line says what that was.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../../.."

here=$PWD/host/server/tests/clients
document=$PWD/host/server/openapi.json
work=$PWD/target/clients
hostel=${HOSTEL:-${CARGO_TARGET_DIR:-target}/debug/hostel}
# Seconds for the requests that schemathesis makes up.
budget=${SCHEMATHESIS_SECONDS:-60}

say() { printf '\n=== %s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }
unchecked=()
# What is left out, and why.
left_out() {
    unchecked+=("$1")
    say "NOT CHECKED: $1, because $2"
}

[ -x "$hostel" ] || cargo build --locked --workspace --bins
[ -x "$hostel" ] || fail "there is no $hostel: build it, or name another one with HOSTEL"
mkdir -p "$work"

# --- Tools, of versions that are known to work, each installed once.

python=$work/python/bin
if ! [ -x "$python/st" ]; then
    rm -rf "$work/python"
    if python3 -m venv "$work/python" >/dev/null 2>&1 &&
        timeout 300 "$python/pip" install --quiet --disable-pip-version-check \
            schemathesis==4.32.5 openapi-python-client==0.29.1 >"$work/pip.log" 2>&1; then
        :
    else
        rm -rf "$work/python"
    fi
fi

node=$work/node
if ! [ -d "$node/node_modules/openapi-fetch" ]; then
    rm -rf "$node"
    mkdir -p "$node"
    if command -v npm >/dev/null; then
        cp "$here/package.json" "$node"
        (cd "$node" && timeout 300 npm install --silent --no-audit --no-fund) >"$work/npm.log" 2>&1 || rm -rf "$node/node_modules"
    fi
fi

# --- A server of its own, which ends with this script.

data=$(mktemp -d "$work/data.XXXXXX")
"$hostel" serve --addr 127.0.0.1:0 --data-dir "$data" --workers 2 --drain 1s --quiet >"$data.out" 2>"$data.err" &
server=$!
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null; rm -rf "$data" "$data.out" "$data.err"' EXIT
for _ in $(seq 600); do
    grep -q '#login=' "$data.out" && break
    kill -0 $server 2>/dev/null || fail "the server has ended: $(cat "$data.err")"
    sleep 0.1
done
address=$(sed -n 's|^\(http://[^/]*\)/.*|\1|p' "$data.out")
[ -n "$address" ] || fail "the server has printed no address within a minute"
HOSTEL_TOKEN=$(cat "$data/token")
export HOSTEL_ADDRESS=$address HOSTEL_TOKEN
alive() { kill -0 $server 2>/dev/null || fail "the server has ended: $(cat "$data.err")"; }

# --- The Python client.

component=${HOSTEL_COMPONENT:-$(find target/guests -name arith.wasm -not -path '*/deps/*' 2>/dev/null | head -n 1)}
[ -n "$component" ] || fail "there is no component: build the guests (cargo test builds them), or name one with HOSTEL_COMPONENT"
export HOSTEL_COMPONENT=$component

if [ -x "$python/openapi-python-client" ]; then
    say "a Python client"
    rm -rf "$work/python-client"
    "$python/openapi-python-client" generate --path "$document" --config "$here/python-client.yaml" --meta none \
        --output-path "$work/python-client/hostel_client" >"$work/python-client.log" 2>&1 ||
        fail "no Python client can be generated: $(cat "$work/python-client.log")"
    PYTHONPATH=$work/python-client timeout 120 "$python/python" "$here/smoke.py"
else
    left_out "the Python client" "openapi-python-client cannot be installed ($(tail -n 1 "$work/pip.log" 2>/dev/null || echo "no python3 -m venv"))"
fi

# --- The TypeScript client.

if [ -d "$node/node_modules/openapi-fetch" ]; then
    say "a TypeScript client"
    cp "$here/smoke.ts" "$here/tsconfig.json" "$node"
    (
        case $HOSTEL_COMPONENT in /*) ;; *) HOSTEL_COMPONENT=$PWD/$HOSTEL_COMPONENT ;; esac
        export HOSTEL_COMPONENT
        cd "$node"
        npx --no-install openapi-typescript "$document" --output api.d.ts >"$work/typescript.log" 2>&1 ||
            fail "no TypeScript types can be generated: $(cat "$work/typescript.log")"
        npx --no-install tsc --project .
        timeout 120 node built/smoke.js
    )
else
    left_out "the TypeScript client" "openapi-typescript cannot be installed ($(tail -n 1 "$work/npm.log" 2>/dev/null || echo "there is no npm"))"
fi

# --- Requests from the document, last: they change whatever they can.

# Not the stream of events, which has no end.
if [ -x "$python/st" ]; then
    say "schemathesis, for about $budget seconds"
    # It leaves notes where it is started.
    cd "$work"
    SCHEMATHESIS_HOOKS=hooks PYTHONPATH=$here timeout $((budget * 4 + 60)) \
        "$python/st" --config-file "$here/schemathesis.toml" run "$document" --url "$address" --header "Authorization: Bearer $HOSTEL_TOKEN" \
        --phases examples,coverage,fuzzing,stateful --max-examples 20 --max-time "$budget" --generation-deterministic --no-shrink \
        --exclude-path /api/v1/events --request-timeout 70 --continue-on-failure --no-color \
        --warnings off | tee "$work/schemathesis.log"
    grep -q '[1-9][0-9]* generated' "$work/schemathesis.log" || fail "no request was sent: give it longer with SCHEMATHESIS_SECONDS"
else
    left_out "the API against its document" "schemathesis cannot be installed ($(tail -n 1 "$work/pip.log" 2>/dev/null || echo "no python3 -m venv"))"
fi
alive
if [ ${#unchecked[@]} -eq 0 ]; then
    say "the API is as its document says"
else
    printf -v list ', %s' "${unchecked[@]}"
    say "NOT CHECKED, ${#unchecked[@]} of 3: ${list:2}"
fi
