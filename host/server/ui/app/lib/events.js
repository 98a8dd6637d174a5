// What happens to runs, live: one stream for the page, closed while the page is hidden or paused.

import { effect, signal } from "../vendor/signals.js";
import { request, session } from "./api.js";
import { again, events } from "./stream.js";

/** Whether the reader wants live changes. */
export const live = signal(true);

/** `off`, `connecting`, `on`, or `lost`. */
export const connection = signal("off");

/** The most events that wait for the next frame; beyond that, listeners reload. */
const MOST_WAITING = 5000;
/** How long pages wait for the stream before they load, in ms, so that nothing happens unnoticed in between. */
const FIRST = 1000;

const listeners = new Set();
let after = null;
let waiting = [];
let isGap = false;
let isPlanned = false;
/** Whether pages may show what was true before the stream began. */
let isBehind = false;

/**
 * Calls `listener(events, isGap)` at most once a frame. With `isGap`, events were missed: read everything again.
 * Returns a function that ends it.
 */
export function onEvents(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/**
 * Resolves when the stream has begun, or there is none.
 * @returns {Promise<void>}
 */
export function ready() {
  if (connection.value !== "connecting") return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      isBehind = true;
      resolve();
    }, FIRST);
    const stop = effect(() => {
      if (connection.value === "connecting") return;
      clearTimeout(timer);
      resolve();
      queueMicrotask(() => stop());
    });
  });
}

function deliver() {
  isPlanned = false;
  const [events, gap] = [waiting, isGap];
  waiting = [];
  isGap = false;
  for (const listener of listeners) listener(events, gap);
}

function plan() {
  if (isPlanned) return;
  isPlanned = true;
  requestAnimationFrame(deliver);
}

function take({ event, id, data }) {
  if (id) after = id;
  if (event === "gap") isGap = true;
  else if (event === "bye") return;
  else if (waiting.length < MOST_WAITING) waiting.push(JSON.parse(data));
  else isGap = true;
  plan();
}

async function follow(signal, onOpen) {
  const path = after === null ? "/events" : `/events?after=${after}`;
  const response = await request("GET", path, { signal });
  onOpen();
  await events(response.body, take, signal);
}

function keepUp(signal) {
  connection.value = "connecting";
  return again(async (soon) => {
    try {
      await follow(signal, () => {
        connection.value = "on";
        soon();
        if (!isBehind) return;
        isBehind = false;
        isGap = true;
        plan();
      });
    } catch (error) {
      if (signal.aborted || error.status === 401) return false;
    }
    if (signal.aborted) return false;
    // Without the number of an event the stream cannot go on where it was lost.
    if (after === null) isBehind = true;
    connection.value = "lost";
    return true;
  }, signal);
}

const isVisible = signal(document.visibilityState !== "hidden");
document.addEventListener("visibilitychange", () => {
  isVisible.value = document.visibilityState !== "hidden";
});

let wasOpen = false;
effect(() => {
  if (!live.value || !isVisible.value || !session.value) {
    connection.value = "off";
    return undefined;
  }
  // What happened while the page was hidden may be much: it is read again, not replayed.
  if (wasOpen) {
    after = null;
    isBehind = true;
  }
  wasOpen = true;
  const stop = new AbortController();
  keepUp(stop.signal);
  return () => stop.abort();
});
