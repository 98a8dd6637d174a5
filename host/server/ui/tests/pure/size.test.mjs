// How much a browser loads, if the proxy compresses it.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { brotliCompressSync } from "node:zlib";

const app = fileURLToPath(new URL("../../app", import.meta.url));

/** The most bytes of all files together, compressed one by one. A browser that visits every page loads so many, once. */
const ALL = 90 << 10;
/** The most bytes that the first page loads, whichever it is. */
const FIRST = 60 << 10;

const files = readdirSync(app, { recursive: true }).filter((name) => /\.(js|css|svg|html)$/.test(name));
const size = new Map(files.map((name) => [name, brotliCompressSync(readFileSync(join(app, name))).length]));
const sum = (names) => [...names].reduce((total, name) => total + (size.get(name) ?? 0), 0);

/** A module and all that it imports before it runs. */
function closure(name, found = new Set()) {
  if (found.has(name)) return found;
  found.add(name);
  const text = readFileSync(join(app, name), "utf8");
  for (const [, path] of text.matchAll(/(?:^|;)\s*(?:import|export)\b[^;"()]*"(\.[^"]+)"/gm)) closure(join(dirname(name), path), found);
  return found;
}

test("all files together are small", () => {
  const total = sum(files);
  assert.ok(files.length > 40 && total <= ALL, `${files.length} files have ${total} bytes: expected at most ${ALL}`);
});

test("every page alone is smaller", () => {
  const pages = files.filter((name) => name.startsWith("pages/"));
  assert.ok(pages.length > 10);
  const rest = files.filter((name) => !name.endsWith(".js"));
  // The server joins what several pages import to the script that every page loads.
  const all = pages.flatMap((page) => [...closure(page)]);
  const shared = [...closure("main.js"), ...all.filter((name, at) => all.indexOf(name) !== at)];
  for (const page of pages) {
    const loaded = new Set([...shared, ...closure(page)]);
    assert.ok(loaded.has("vendor/preact.js") && [...loaded].every((name) => size.has(name)));
    const total = sum(loaded) + sum(rest) + sum(["first.js"]);
    assert.ok(total <= FIRST, `${page} loads ${total} bytes: expected at most ${FIRST}`);
  }
});
