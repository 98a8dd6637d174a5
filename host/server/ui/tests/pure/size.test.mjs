// How much a browser loads, if the proxy compresses it.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { brotliCompressSync } from "node:zlib";

import { app, closure, page as expected } from "../preload.mjs";

/** The most bytes of all files together, compressed one by one. A browser that visits every page loads so many, once. */
const ALL = 90 << 10;
/** The most bytes that the first page loads, whichever it is. */
const FIRST = 60 << 10;

const files = readdirSync(app, { recursive: true }).filter((name) => /\.(js|css|svg|html)$/.test(name));
const size = new Map(files.map((name) => [name, brotliCompressSync(readFileSync(join(app, name))).length]));
const sum = (names) => [...names].reduce((total, name) => total + (size.get(name) ?? 0), 0);

test("all files together are small", () => {
  const total = sum(files);
  assert.ok(files.length > 40 && total <= ALL, `${files.length} files have ${total} bytes: expected at most ${ALL}`);
});

test("every page alone is smaller", () => {
  const pages = files.filter((name) => name.startsWith("pages/"));
  assert.ok(pages.length > 10);
  const rest = files.filter((name) => !name.endsWith(".js"));
  for (const page of pages) {
    const loaded = closure(page, closure("main.js"));
    assert.ok(loaded.has("vendor/preact.js") && [...loaded].every((name) => size.has(name)));
    const total = sum(loaded) + sum(rest) + sum(["first.js"]);
    assert.ok(total <= FIRST, `${page} loads ${total} bytes: expected at most ${FIRST}`);
  }
});

test("the page asks at once for what it needs", () => {
  assert.equal(readFileSync(join(app, "index.html"), "utf8"), expected(), "write app/index.html again: node host/server/ui/tests/preload.mjs");
});
