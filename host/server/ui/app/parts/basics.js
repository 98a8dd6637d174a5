// Parts that every page uses: states, instants, things to copy, messages; and how the reader wants to see them.

import { Problem, keep, kept } from "../lib/api.js";
import { isActive, look } from "../lib/states.js";
import { clock, distance, duration, full } from "../lib/time.js";
import { showText } from "../lib/text.js";
import { computed, cx, effect, html, signal, useEffect, useRef, useState } from "../lib/view.js";
import { Icon } from "./icon.js";

/** Whether instants are shown in UTC. */
export const utc = signal(kept("utc") === "yes");

export function setUtc(value) {
  utc.value = value;
  keep("utc", value && "yes");
}

const NEXT = { system: "light", light: "dark", dark: "system" };
const ICONS = { system: "half", light: "sun", dark: "moon" };

/** The theme. Charts draw again when it changes. */
export const theme = signal(kept("theme") ?? "system");

function setTheme(value) {
  const chosen = value === "system" ? "" : value;
  theme.value = value;
  document.documentElement.style.colorScheme = chosen;
  keep("theme", chosen);
}

/** How often the system's theme has changed. */
export const systemTheme = signal(0);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  systemTheme.value += 1;
});

export const ThemeButton = () => html`<button type="button" class="quiet icon" onClick=${() => setTheme(NEXT[theme.value])}
  title="Theme: ${theme.value}. Change it" aria-label="Theme: ${theme.value}">
  <${Icon} name=${ICONS[theme.value]} />
</button>`;

/** The time, once a second, by one timer for all. It stands still while the page is hidden. */
export const now = signal(Date.now());
setInterval(() => {
  if (document.visibilityState !== "hidden") now.value = Date.now();
}, 1000);

/** For instants as a clock shows them, which need not be drawn each second. */
const minute = computed(() => now.value - (now.value % 60_000));

/** A state: colour, shape and word. */
export function State({ state }) {
  const { tone, shape, word } = look(state);
  return html`<span class="state" data-tone=${tone}>${Icon({ name: shape, class: isActive(state) && "moving" })}${word}</span>`;
}

/** An instant; the whole of it in its title. */
export function When({ at, far, millis }) {
  if (!at) return null;
  const text = far ? distance(at, now.value) : clock(at, { utc: utc.value, now: minute.value, millis });
  return html`<time datetime=${at} title=${full(at, { utc: utc.value })} class="nowrap">${text}</time>`;
}

/** How long something has taken, or takes so far. */
export function Took({ from, to, isOver }) {
  if (!from) return null;
  if (!to && isOver) return null;
  const end = to ? new Date(to).getTime() : now.value;
  return html`<span class="nowrap">${duration(Math.max(0, end - new Date(from).getTime()))}</span>`;
}

/** A text of a guest or of another client, with what would deceive the reader made visible. */
export const Text = ({ children }) => showText(Array.isArray(children) ? children.join("") : String(children ?? ""));

/** A button that copies a text; without the clipboard, as on plain HTTP, the old way. */
export function Copy({ text, label = "Copy" }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    await copyText(text);
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  };
  return html`<button type="button" class="quiet icon" onClick=${copy} title=${label} aria-label=${done ? "Copied" : label}>
    <${Icon} name=${done ? "check" : "copy"} />
  </button>`;
}

export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "visually-hidden";
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

/** A command to copy. */
export const Command = ({ children, label }) => html`<div class="copyable">
  <pre class="code" tabindex="0" aria-label=${label ?? "Command"}>${children}</pre>
  <${Copy} text=${String(children)} label="Copy the command" />
</div>`;

/** A problem, with what to do. */
export function Trouble({ error, retry }) {
  if (!error) return null;
  const { hint, candidates } = error instanceof Problem ? error : {};
  return html`<div class="note" data-tone="bad" role="alert">
    <p><${Text}>${error.message}<//></p>
    ${candidates?.length ? html`<p class="muted">Did you mean ${candidates.slice(0, 5).join(", ")}?</p>` : null}
    ${hint ? html`<p class="muted"><${Text}>${hint}<//></p>` : null}
    ${retry ? html`<p><button type="button" onClick=${retry}>Try again</button></p>` : null}
  </div>`;
}

const LINES = [62, 88, 45, 76, 54, 81];

/** Holds the place of what is being loaded. It is never taken for an empty list. */
export const Loading = ({ rows = 4 }) => html`<div class="bars" role="status" aria-label="Loading">
  ${LINES.slice(0, rows).map((width) => html`<i style=${{ width: `${width}%` }}></i>`)}
</div>`;

/** Messages that go away by themselves. */
const toasts = signal(/** @type {{id: number, text: string, tone: string}[]} */ ([]));
let lastToast = 0;

export function toast(text, tone = "good") {
  const id = ++lastToast;
  toasts.value = [...toasts.value.slice(-3), { id, text, tone }];
  setTimeout(() => {
    toasts.value = toasts.value.filter((one) => one.id !== id);
  }, tone === "bad" ? 9000 : 4000);
}

export const Toasts = () => html`<div class="toasts" role="status" aria-live="polite">
  ${toasts.value.map(({ id, text, tone }) => html`<div key=${id} class="note" data-tone=${tone}><${Text}>${text}<//></div>`)}
</div>`;

/** Does something and says how it went. */
export async function attempt(action, success) {
  try {
    const result = await action();
    if (success) toast(typeof success === "function" ? success(result) : success);
    return result;
  } catch (error) {
    toast(error.hint ? `${error.message} (${error.hint})` : error.message, "bad");
    return undefined;
  }
}

/** The dialog that is open: a function that renders it, or `null`. */
export const dialog = signal(null);

/** The one dialog. It returns the focus to what opened it. */
export function Dialogs() {
  const element = useRef(null);
  const content = dialog.value;
  useEffect(() => {
    if (content && !element.current.open) {
      element.current.showModal();
      element.current.querySelector("[data-first]")?.focus();
    }
    if (!content && element.current.open) element.current.close();
  }, [content]);
  const onClick = (event) => {
    if (event.target === element.current) dialog.value = null;
  };
  return html`<dialog ref=${element} onClose=${() => (dialog.value = null)} onClick=${onClick} aria-label=${content?.label ?? "Dialog"}>
    ${content?.render()}
  </dialog>`;
}

/**
 * Asks before something is done: what it is, and what it leads to. Answers `true` or `false`.
 * @param {{title: string, text: string, action: string, danger?: boolean}} question
 */
export function confirm({ title, text, action, danger }) {
  return new Promise((resolve) => {
    const answer = (value) => {
      resolve(value);
      dialog.value = null;
    };
    const render = () => html`<form method="dialog" onSubmit=${(event) => (event.preventDefault(), answer(true))}>
      <h2>${title}</h2>
      <div class="muted">${text}</div>
      <div class="buttons">
        <button type="button" onClick=${() => answer(false)}>Cancel</button>
        <button class=${danger ? "danger" : "primary"} data-first>${action}</button>
      </div>
    </form>`;
    dialog.value = { label: title, render };
    const stop = effect(() => {
      if (dialog.value === null) {
        resolve(false);
        queueMicrotask(() => stop());
      }
    });
  });
}

export const Panel = ({ title, right, children, class: extra, flush }) => html`<section class=${cx("panel", extra)} aria-label=${title}>
  ${title ? html`<header><h2>${title}</h2>${right ? html`<div class="right">${right}</div>` : null}</header>` : null}
  ${flush ? children : html`<div class="body">${children}</div>`}
</section>`;
