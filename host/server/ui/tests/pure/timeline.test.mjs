// The layout of timelines, up to a million rows.

import assert from "node:assert/strict";
import { test } from "node:test";

import { hit, order, raster, read, ticks, weights } from "../../app/lib/timeline.js";

const STATES = ["Completed", "Failed", "Running", "Pending"];
const answer = (rows) => ({
  states: STATES, total: rows.length, from: 0, to: 100, now: 100,
  rows: { row: rows.map((row) => row[0]), start: rows.map((row) => row[1]), end: rows.map((row) => row[2]), state: rows.map((row) => row[3]), attempt: rows.map(() => 1) },
});

test("rows that have not begun are left out, and those that go on end now", () => {
  const data = read(answer([[0, 0, 10, 0], [1, 5, null, 2], [2, null, null, 3]]));
  assert.deepEqual([...data.row], [0, 1]);
  assert.deepEqual([...data.end], [10, 100]);
  assert.equal(data.waiting, 1);
});

test("rows are ordered by number, start and duration", () => {
  const data = read(answer([[2, 0, 10, 0], [0, 50, 100, 0], [1, 20, 21, 0]]));
  assert.deepEqual([...order(data, "row").line], [2, 0, 1]);
  assert.deepEqual([...order(data, "start").line], [0, 2, 1]);
  assert.deepEqual([...order(data, "took").line], [1, 0, 2]);
});

test("in one pixel, what needs attention wins", () => {
  const data = read(answer([[0, 0, 100, 0], [1, 0, 100, 1], [2, 0, 100, 0]]));
  const view = { from: 0, to: 100, width: 4, height: 1, weight: weights(STATES) };
  assert.deepEqual([...raster(data, order(data, "row"), view)], [1, 1, 1, 1]);
});

test("every row is somewhere in the picture", () => {
  const rows = 1_000_000;
  const data = {
    isPacked: false, start: Float64Array.from({ length: rows }, (_, at) => at / 10), end: Float64Array.from({ length: rows }, (_, at) => at / 10 + 5),
    state: Uint8Array.from({ length: rows }, (_, at) => (at === 777_777 ? 1 : 0)), row: Uint32Array.from({ length: rows }, (_, at) => at), states: STATES,
  };
  const lines = order(data, "row");
  const pixels = raster(data, lines, { from: 0, to: 100_005, width: 1600, height: 900, weight: weights(STATES) });
  assert.ok(pixels.includes(1), "the one failure is not to be seen");
  assert.equal(hit(data, lines, { from: 0, to: 100_005, width: 1600, height: rows }, (1600 * 77_780) / 100_005, 777_777.5), 777_777);
});

test("times of an axis are round", () => {
  assert.deepEqual(ticks(0, 100, 5), [0, 20, 40, 60, 80, 100]);
  assert.ok(ticks(0, 1e9, 6).length <= 7);
  const day = 864e5;
  assert.deepEqual(ticks(0, 30 * day, 6), [0, 5, 10, 15, 20, 25, 30].map((days) => days * day));
  assert.deepEqual(ticks(0, 1000 * day, 6).slice(0, 3), [0, 200 * day, 400 * day]);
});
