// Small drawings: marks of states, and what buttons show. Each is 16 by 16 and has the colour of its text.

import { html } from "../lib/view.js";

const STROKES = {
  clock: "M8 2.2a5.8 5.8 0 1 0 0 11.6A5.8 5.8 0 1 0 8 2.2M8 4.8V8l2.2 1.6",
  ring: "M8 2.8a5.2 5.2 0 1 0 0 10.4A5.2 5.2 0 1 0 8 2.8",
  bars: "M3.5 13V9M8 13V3M12.5 13V6",
  again: "M13 8a5 5 0 1 1-1.6-3.7M13 2.2v3h-3",
  check: "M3 8.6l3.2 3.2L13 4.6",
  cross: "M4 4l8 8M12 4l-8 8",
  glass: "M4 2.5h8M4 13.5h8M4.8 2.5c0 3.5 6.4 7.5 6.4 11M11.2 2.5c0 3.5-6.4 7.5-6.4 11",
  up: "M8 13.5V3M4 7l4-4 4 4M3 13.5h10",
  back: "M6.5 3L3 6.5 6.5 10M3 6.5h6.2a3.8 3.8 0 0 1 0 7.6H7",
  stack: "M8 2.4l5.6 2.8L8 8 2.4 5.2zM2.4 8L8 10.8 13.6 8M2.4 10.8L8 13.6l5.6-2.8",
  overview: "M2.5 13.5h11M4 13V8.5M8 13V3M12 13V6",
  runs: "M2.5 4h11M2.5 8h11M2.5 12h7",
  tasks: "M8 2l5.2 3v6L8 14l-5.2-3V5zM2.8 5L8 8l5.2-3M8 8v6",
  queues: "M2.5 4.5h8M2.5 8h11M2.5 11.5h5M12.5 3v3",
  schedules: "M2.8 3.8h10.4v9.4H2.8zM2.8 6.8h10.4M5.5 2.2v3M10.5 2.2v3",
  system: "M2.5 4.5h7M12.5 4.5h1M2.5 11.5h1M6.5 11.5h7M11 3v3M5 10v3",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 1 0 0-9M10.4 10.4L14 14",
  sun: "M8 5a3 3 0 1 0 0 6 3 3 0 1 0 0-6M8 1.5v1.4M8 13.1v1.4M1.5 8h1.4M13.1 8h1.4M3.4 3.4l1 1M11.6 11.6l1 1M3.4 12.6l1-1M11.6 4.4l1-1",
  moon: "M13 9.5A5.5 5.5 0 1 1 6.5 3a4.6 4.6 0 0 0 6.5 6.5z",
  half: "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 1 0 0-11M8 2.5v11M8 5h3.6M8 8h5.4M8 11h3.6",
  help: "M5.8 6a2.2 2.2 0 1 1 3.3 1.9c-.8.5-1.1.9-1.1 1.8M8 12.2v.3",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  down: "M8 2.5v8M4.5 7.5L8 11l3.5-3.5M3 13.5h10",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  upload: "M8 11V3M4.5 6L8 2.5 11.5 6M3 13.5h10",
};
const FILLS = {
  play: "M5 3.2v9.6L12.6 8z",
  pause: "M4.5 3h2.4v10H4.5zM9.1 3h2.4v10H9.1z",
  stop: "M4 4h8v8H4z",
  bolt: "M9 1.5L3.5 9H7l-1 5.5L12.5 7H8.6z",
};

/** A drawing by its name. It says nothing to screen readers: a text beside it does. */
export function Icon({ name, class: extra }) {
  const fill = FILLS[name];
  return html`<svg viewBox="0 0 16 16" class=${extra} aria-hidden="true" focusable="false">
    ${fill
      ? html`<path d=${fill} fill="currentColor" />`
      : html`<path d=${STROKES[name] ?? STROKES.ring} fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" />`}
  </svg>`;
}

/** The mark of this program. */
export const Mark = () => html`<svg viewBox="0 0 16 16" aria-hidden="true" focusable="false">
  <rect width="16" height="16" rx="3.5" fill="var(--accent)" />
  <path d="M4.6 4v8M11.4 4v8M4.6 8.6h6.8" stroke="var(--on-accent)" stroke-width="1.9" stroke-linecap="round" fill="none" />
</svg>`;
