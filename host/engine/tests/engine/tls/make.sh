#!/usr/bin/env bash
# Makes the certificates of the tests: a root that nobody trusts elsewhere, and a server's for localhost and 127.0.0.1. Both
# are valid for a hundred years. The key of the root is not kept.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -subj '/CN=Root of the tests of Hostel' \
    -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign' -keyout "$scratch/root.key" -out root.pem
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=localhost' -keyout localhost.key -out "$scratch/request.pem"
printf 'basicConstraints=critical,CA:FALSE\nsubjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' > "$scratch/extensions"
openssl x509 -req -in "$scratch/request.pem" -CA root.pem -CAkey "$scratch/root.key" -days 36500 -extfile "$scratch/extensions" \
    -out localhost.pem
