// What promises wait for beside each other: timers, and what the host makes ready.
//
// The time of timers is that of waiting: it stands still while the script computes. So a script with timers reads no clock, and its
// result may be cached.

import { now, subscribeDuration } from 'wasi:clocks/monotonic-clock@0.2.6';
import { poll } from 'wasi:io/poll@0.2.6';

import { drain } from './promises.js';

const MAX_TIMERS = 10_000;

// As elsewhere: 1 ms to almost 25 days.
const MAX_DELAY = 2 ** 31 - 1;

const NANOS = 1_000_000;

/** Timers in the order in which they end. */
const timers = [];

/** What the host makes ready, with what is called then. */
const waiting = [];

let time = 0;
let lastId = 0;

/** A promise that is kept when the host's `pollable` is ready, which is dropped then. */
export function ready(pollable) {
  return new Promise((resolve) => waiting.push({ pollable, resolve }));
}

/** Waits for the next timer, or until something is ready, and runs what has waited for it. `false` if there is neither. */
export function step() {
  if (waiting.length === 0 && timers.length === 0) return false;
  if (waiting.length === 0) {
    sleep(timers[0].end - time);
    time = timers[0].end;
  } else {
    wait(timers[0]);
    drain();
  }
  // Those that callbacks add end later.
  while (timers.length > 0 && timers[0].end <= time) {
    const timer = timers.shift();
    if (timer.period !== undefined) add({ ...timer, end: time + timer.period });
    timer.callback(...timer.values);
    drain();
  }
  return true;
}

function sleep(delay) {
  const timer = subscribeDuration(Math.ceil(delay * NANOS));
  timer.block();
  timer[Symbol.dispose]();
}

/** Waits until something is ready, or until the timer ends. */
function wait(first) {
  const began = now();
  const timer = first && subscribeDuration(Math.ceil((first.end - time) * NANOS));
  const asked = waiting.map(({ pollable }) => pollable);
  if (timer) asked.push(timer);
  const found = new Set(poll(asked));
  timer?.[Symbol.dispose]();
  const passed = time + (now() - began) / NANOS;
  time = timer && found.has(asked.length - 1) ? first.end : Math.min(passed, first?.end ?? passed);
  const done = waiting.filter((_, index) => found.has(index));
  const left = waiting.filter((_, index) => !found.has(index));
  waiting.splice(0, waiting.length, ...left);
  for (const { pollable, resolve } of done) {
    pollable[Symbol.dispose]();
    resolve();
  }
}

function add(timer) {
  let [low, high] = [0, timers.length];
  // After those that end at the same time.
  while (low < high) {
    const middle = (low + high) >> 1;
    if (timers[middle].end <= timer.end) low = middle + 1;
    else high = middle;
  }
  timers.splice(low, 0, timer);
}

function set(callback, delay, values, isRepeated) {
  if (typeof callback !== 'function') throw new TypeError('the callback of a timer is a function');
  if (timers.length >= MAX_TIMERS) throw new RangeError(`more than ${MAX_TIMERS} timers at once`);
  const milliseconds = Math.min(Math.max(Math.trunc(Number(delay)) || 0, 1), MAX_DELAY);
  lastId += 1;
  add({ id: lastId, callback, values, end: time + milliseconds, period: isRepeated ? milliseconds : undefined });
  return lastId;
}

function clear(id) {
  const at = timers.findIndex((timer) => timer.id === id);
  if (at >= 0) timers.splice(at, 1);
}

globalThis.setTimeout = (callback, delay, ...values) => set(callback, delay, values, false);
globalThis.setInterval = (callback, delay, ...values) => set(callback, delay, values, true);
globalThis.clearTimeout = clear;
globalThis.clearInterval = clear;
