#!/usr/bin/env bash
# Installs what the browser tests need: Debian's chromium, and a few packages of npm in target/ui-tests.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../../.." && pwd)

if ! command -v chromium >/dev/null && [ -z "${CHROMIUM:-}" ]; then
    [ "$(id -u)" = 0 ] || { echo "there is no chromium: install it (Debian: apt-get install chromium), or set CHROMIUM to its path" >&2; exit 1; }
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core
fi

tools="$root/target/ui-tests"
mkdir -p "$tools"
cmp -s "$here/package-lock.json" "$tools/package-lock.json" && [ -d "$tools/node_modules" ] && exit 0
cp "$here/package.json" "$here/package-lock.json" "$tools/"
(cd "$tools" && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund --ignore-scripts)
