// How much a browser loads, if the proxy compresses it.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { brotliCompressSync } from "node:zlib";

/** The most bytes of all files together, compressed one by one. */
const MOST = 90 << 10;

test("all files together are small", () => {
  const app = fileURLToPath(new URL("../../app", import.meta.url));
  const files = readdirSync(app, { recursive: true }).filter((name) => /\.(js|css|svg|html)$/.test(name));
  const bytes = files.map((name) => brotliCompressSync(readFileSync(join(app, name))).length);
  const total = bytes.reduce((sum, one) => sum + one, 0);
  assert.ok(files.length > 40 && total <= MOST, `${files.length} files have ${total} bytes: expected at most ${MOST}`);
});
