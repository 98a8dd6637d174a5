// Pages of a log, of a server that finds no line in most of them.

import assert from "node:assert/strict";
import { test } from "node:test";

/** What the modules need of a browser. */
Object.assign(globalThis, { document: { baseURI: "http://hostel/" }, localStorage: { getItem: () => null } });
const { append, firstError, nextPage } = await import("../../app/lib/logs.js");

/** A server that looks at a hundred lines for each page. Answers which lines were asked for. */
function serve(lines, matches) {
  const asked = [];
  globalThis.fetch = async (url) => {
    const from = Number(url.searchParams.get("from") ?? 0);
    asked.push(from);
    const next = Math.min(lines, from + 100);
    const items = Array.from({ length: next - from }, (_, at) => ({ line: from + at })).filter(({ line }) => matches.includes(line));
    return new Response(JSON.stringify({ items, next, more: next < lines }));
  };
  return asked;
}

test("pages without a line are passed over", async () => {
  const asked = serve(1000, [420]);
  assert.deepEqual(await nextPage("run", { from: 0 }), { items: [{ line: 420 }], next: 500, more: true });
  assert.deepEqual(asked, [0, 100, 200, 300, 400]);
  assert.deepEqual(await nextPage("run", { from: 500 }), { items: [], next: 1000, more: false });
});

test("nothing more is asked for when another filter is chosen", async () => {
  const asked = serve(1000, []);
  assert.equal((await nextPage("run", { from: 0 }, () => asked.length < 2)).more, true);
  assert.deepEqual(asked, [0, 100]);
});

test("the first error may be far down, or nowhere", async () => {
  serve(100_000, [99_999]);
  assert.equal(await firstError("run"), 99_999);
  serve(1000, []);
  assert.equal(await firstError("run"), null);
});

test("no line is there twice", () => {
  const lines = [{ line: 3 }, { line: 7 }];
  assert.deepEqual(append(lines, [{ line: 3 }, { line: 7 }, { line: 8 }]), [...lines, { line: 8 }]);
});
