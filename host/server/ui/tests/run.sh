#!/usr/bin/env bash
# Checks the types of the dashboard, and runs its tests: those of its pure modules, and those in a browser against the built program.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bash "$here/setup.sh"
cd "$here"
node types.mjs
node --test --test-reporter=spec pure/*.test.mjs
node --test --test-reporter=spec --test-concurrency=1 --test-timeout=900000 browser/*.test.mjs
