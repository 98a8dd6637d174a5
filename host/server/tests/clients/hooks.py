"""How schemathesis sends bodies that are no JSON."""

import schemathesis

schemathesis.serializer.alias("application/wasm", "application/octet-stream")
schemathesis.serializer.alias("application/jsonl", "text/plain")
