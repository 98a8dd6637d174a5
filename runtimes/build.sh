#!/usr/bin/env bash
# Builds the language runtimes: OUTPUT_DIR=DIR bash runtimes/build.sh [python] [js]
#
# Without names it builds both. OUTPUT_DIR is target/runtimes unless it is set. Python needs python3 with venv, and PyPI (or a wheel
# cache); JavaScript needs Node and npm. A runtime is built again only if its sources or this script have changed. Builds are not
# reproducible: two builds have two digests, so they share no cached results.
#
# It exits with 75 if the tools cannot be installed, and with another status other than 0 if a build fails.
set -euo pipefail

# A relative directory is one of the caller's.
case ${OUTPUT_DIR:=} in
    "" | /*) ;;
    *) OUTPUT_DIR=$PWD/$OUTPUT_DIR ;;
esac
cd "$(dirname "${BASH_SOURCE[0]}")"
[ -n "$OUTPUT_DIR" ] || OUTPUT_DIR=$(dirname "$PWD")/target/runtimes
mkdir -p "$OUTPUT_DIR"

COMPONENTIZE_PY=0.25.1

fail() { printf '%s\n' "$*" >&2; exit 1; }
not_installed() { printf '%s\n' "$*" >&2; exit 75; }

# The digest of everything that a runtime is made from.
recipe() { find wit "$1" build.sh -type f -not -path '*/node_modules/*' -not -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1; }

is_current() { [ -f "$OUTPUT_DIR/$1.wasm" ] && [ "$(cat "$OUTPUT_DIR/$1.recipe" 2>/dev/null)" = "$(recipe "$1")" ]; }

built() {
    recipe "$1" > "$OUTPUT_DIR/$1.recipe"
    printf 'runtimes: %s/%s.wasm\n' "$OUTPUT_DIR" "$1"
}

build_python() {
    command -v python3 >/dev/null || not_installed "the Python runtime needs python3: install it (Debian: apt-get install python3 python3-venv)"
    local tools=$OUTPUT_DIR/python-tools-$COMPONENTIZE_PY
    if [ ! -x "$tools/bin/componentize-py" ]; then
        python3 -m venv "$tools" || not_installed "the Python runtime needs venv (Debian: apt-get install python3-venv)"
        timeout 5m "$tools/bin/pip" --quiet install "componentize-py==$COMPONENTIZE_PY" || not_installed "pip cannot install componentize-py $COMPONENTIZE_PY"
    fi
    # The first step writes a file for the second one beside the sources: see python/library.py.
    local sources=$OUTPUT_DIR/python-sources
    rm -rf "$sources"
    cp -r python "$sources"
    for step in library app; do
        "$tools/bin/componentize-py" -d wit -w python componentize -p "$sources" "$step" -o "$OUTPUT_DIR/python.new"
    done
    rm -rf "$sources"
    mv "$OUTPUT_DIR/python.new" "$OUTPUT_DIR/python.wasm"
}

build_js() {
    command -v npm >/dev/null || not_installed "the JavaScript runtime needs Node 20 or later with npm (Debian: apt-get install nodejs npm)"
    local tools=$OUTPUT_DIR/js-tools
    mkdir -p "$tools"
    cp js/package.json js/package-lock.json "$tools/"
    (cd "$tools" && timeout 5m npm ci --silent --no-audit --no-fund) || not_installed "npm cannot install the tools of the JavaScript runtime"
    rm -rf "$tools/wit" "$tools/src"
    cp -r js/src js/rename.mjs wit "$tools/"
    local bin=$tools/node_modules/.bin
    (cd "$tools" && "$bin/esbuild" src/app.js --bundle --format=esm --platform=neutral --main-fields=module,main '--external:wasi:*' \
        --log-level=warning --outfile=bundle.js)
    # See js/rename.mjs.
    (cd "$tools" && node rename.mjs wasi: wasj: bundle.js wit/*.wit wit/deps/*.wit)
    (cd "$tools" && "$bin/jco" componentize bundle.js -w wit --backend qjs --backend-qjs-disable-async -n javascript -o "$OUTPUT_DIR/js.new")
    node js/rename.mjs wasj: wasi: "$OUTPUT_DIR/js.new"
    mv "$OUTPUT_DIR/js.new" "$OUTPUT_DIR/js.wasm"
}

[ $# -gt 0 ] || set -- python js
for name; do
    case $name in
        python | js) ;;
        *) fail "there is no runtime $name: expected python or js" ;;
    esac
    if is_current "$name"; then continue; fi
    # Plain statements: bash ignores `set -e` in all that is called on a side of && or ||.
    rm -f "$OUTPUT_DIR/$name.new" "$OUTPUT_DIR/$name.recipe"
    "build_$name"
    built "$name"
done
