// Keys. Each does what a button or a link does, too.

import { live } from "../lib/events.js";
import { go } from "../lib/router.js";
import { html, useEffect } from "../lib/view.js";
import { dialog } from "./basics.js";

const KEYS = [
  ["/", "Search"],
  ["g o", "Overview"],
  ["g r", "Runs"],
  ["g t", "Tasks"],
  ["g q", "Queues"],
  ["g s", "Schedules"],
  ["g c", "Cache"],
  ["g y", "System"],
  ["j  k", "Next and previous row"],
  ["enter", "Open the row"],
  ["x", "Select the row"],
  ["c", "Cancel the run, or what is selected"],
  ["r", "Retry the run, or what is selected"],
  [".", "Live or paused"],
  ["?", "This list"],
];
const PLACES = { o: "/", r: "/runs", t: "/tasks", q: "/queues", s: "/schedules", c: "/cache", y: "/system" };

/** How long `g` waits for the letter after it, in ms. */
const SECOND_KEY = 1200;

const pageKeys = new Map();

/** Gives keys a meaning as long as the page is shown. */
export function usePageKeys(keys) {
  useEffect(() => {
    for (const [key, action] of Object.entries(keys)) pageKeys.set(key, action);
    return () => {
      for (const [key, action] of Object.entries(keys)) if (pageKeys.get(key) === action) pageKeys.delete(key);
    };
  });
}

export function showKeys() {
  const render = () => html`<div>
    <h2>Keys</h2>
    <div class="keys">${KEYS.map(([key, text]) => html`<span>${key.split(/ +/).map((one) => html`<kbd>${one}</kbd> `)}</span><span>${text}</span>`)}</div>
    <div class="buttons"><button type="button" data-first onClick=${() => (dialog.value = null)}>Close</button></div>
  </div>`;
  dialog.value = { label: "Keys", render };
}

const isTyping = (target) =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) && !(target instanceof HTMLInputElement && target.type === "checkbox");

/** Listens for keys. */
export function useKeys(isOn) {
  useEffect(() => {
    if (!isOn) return undefined;
    let first = 0;
    const onKey = (event) => {
      // The dialog itself is asked: that it was closed is reported a moment later.
      if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
      if (isTyping(event.target)) {
        if (event.key === "Escape") event.target.blur();
        return;
      }
      const isSecond = performance.now() - first < SECOND_KEY;
      first = 0;
      let action = null;
      if (isSecond && PLACES[event.key]) action = () => go(PLACES[event.key]);
      else if (event.key === "g") first = performance.now();
      else if (event.key === "/") action = () => document.getElementById("search")?.focus();
      else if (event.key === "?") action = showKeys;
      else if (event.key === ".") action = () => (live.value = !live.value);
      else if (pageKeys.has(event.key)) {
        const isOnControl = event.target instanceof Element && event.target.closest("a, button, summary");
        if (event.key !== "Enter" || !isOnControl) action = pageKeys.get(event.key);
      }
      if (action) {
        event.preventDefault();
        action();
      }
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [isOn]);
}
