// The times of a map's rows, ready to be painted: typed arrays, an order, and what is under a point.

import { look } from "./states.js";

/** Brings the columns of the API into typed arrays. Rows that have not begun are left out. */
export function read(answer) {
  const isPacked = Boolean(answer.lanes);
  const columns = answer.lanes ?? answer.rows;
  const all = columns.start.length;
  const begun = [];
  for (let at = 0; at < all; at += 1) if (columns.start[at] !== null) begun.push(at);
  const start = Float64Array.from(begun, (at) => columns.start[at]);
  const end = Float64Array.from(begun, (at) => columns.end[at] ?? answer.now);
  const state = Uint8Array.from(begun, (at) => columns.state[at]);
  const row = Uint32Array.from(begun, (at) => (isPacked ? columns.lane[at] : columns.row[at]));
  const count = isPacked ? Uint32Array.from(begun, (at) => columns.count[at]) : null;
  return { isPacked, start, end, state, row, count, total: answer.total, states: answer.states, from: answer.from, to: Math.max(answer.to, answer.from + 1), now: answer.now, waiting: all - begun.length };
}

const WEIGHTS = { bad: 5, warn: 4, run: 3, off: 2, cache: 1, good: 0, wait: 0 };

/** How much a state's tone wins over others in one pixel. */
export const weights = (states) => Uint8Array.from(states, (state) => WEIGHTS[look(state).tone] ?? 0);

/** The line of each bar, by its row, its start or its length (lanes stay as they are), and how many lines there are. */
export function order(data, by) {
  const { start, end, row, isPacked } = data;
  const n = start.length;
  if (isPacked) {
    let lines = 0;
    for (let at = 0; at < n; at += 1) lines = Math.max(lines, row[at] + 1);
    return { line: row, lines };
  }
  const places = Uint32Array.from({ length: n }, (_, at) => at);
  if (by === "start") places.sort((a, b) => start[a] - start[b] || row[a] - row[b]);
  else if (by === "took") places.sort((a, b) => end[b] - start[b] - (end[a] - start[a]) || row[a] - row[b]);
  else places.sort((a, b) => row[a] - row[b]);
  const line = new Uint32Array(n);
  places.forEach((at, place) => {
    line[at] = place;
  });
  return { line, lines: n, places };
}

/** The tone of the bar that matters most in each pixel; 255 where there is none. */
export function raster(data, { line, lines }, { from, to, width, height, weight }) {
  const pixels = new Uint8Array(width * height).fill(255);
  const across = width / (to - from);
  const down = height / Math.max(1, lines);
  const { start, end, state } = data;
  for (let at = 0; at < start.length; at += 1) {
    if (end[at] < from || start[at] > to) continue;
    const left = Math.max(0, Math.floor((start[at] - from) * across));
    const right = Math.min(width - 1, Math.floor((end[at] - from) * across));
    const top = Math.min(height - 1, Math.floor(line[at] * down));
    const bottom = Math.min(height - 1, Math.max(top, Math.ceil((line[at] + 1) * down) - 2));
    for (let y = top; y <= bottom; y += 1) {
      const base = y * width;
      for (let x = left; x <= right; x += 1) {
        const old = pixels[base + x];
        if (old === 255 || weight[state[at]] > weight[old]) pixels[base + x] = state[at];
      }
    }
  }
  return pixels;
}

/** The bar under a point, or -1. */
export function hit(data, { line, lines }, { from, to, width, height }, x, y) {
  const time = from + ((to - from) * x) / width;
  const slack = (to - from) / width;
  const wanted = Math.floor((y / height) * Math.max(1, lines));
  for (let at = 0; at < line.length; at += 1) {
    if (line[at] === wanted && data.start[at] - slack <= time && data.end[at] + slack >= time) return at;
  }
  return -1;
}

const DAY = 864e5;

/** One, two or five days, or ten, a hundred … times as many: at least `ms`. */
function days(ms) {
  const power = 10 ** Math.floor(Math.log10(ms / DAY));
  return DAY * power * ([1, 2, 5].find((one) => one * power * DAY >= ms) ?? 10);
}

/** Round times for an axis: at most `most` of them between two times. */
export function ticks(from, to, most) {
  const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 3e4, 6e4, 12e4, 3e5, 6e5, 18e5, 36e5, 72e5, 216e5, 432e5, DAY];
  const step = steps.find((one) => (to - from) / one <= most) ?? days((to - from) / most);
  const found = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) found.push(at);
  return found;
}
