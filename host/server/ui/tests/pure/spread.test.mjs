// How long runs took.

import assert from "node:assert/strict";
import { test } from "node:test";

import { percentile, spread } from "../../app/lib/time.js";

const run = (ms) => ({ started: "2026-11-30T00:00:00.000Z", ended: new Date(Date.parse("2026-11-30T00:00:00Z") + ms).toISOString() });

test("percentiles are values that occurred", () => {
  assert.equal(percentile([7], 0.5), 7);
  assert.equal(percentile([1, 2], 0.5), 1);
  assert.equal(percentile([1, 2, 3], 0.5), 2);
  assert.equal(percentile([1, 2, 3, 4], 0.95), 4);
  assert.equal(percentile(Array.from({ length: 100 }, (_, at) => at + 1), 0.95), 95);
});

test("runs that were not executed to their end do not count", () => {
  assert.equal(spread([]), null);
  assert.equal(spread([{ started: null, ended: run(1).ended }, { started: run(1).started }]), null);
  assert.deepEqual(spread([run(30), { ended: run(1).ended }, run(10), run(20)]), { n: 3, p50: 20, p95: 30 });
});
