// Options of a run that a form has: what the API takes beside the arguments.

import { html } from "../lib/view.js";

/** `flag` is the option of `hostel run`; `of` says whether it is one of the task's or of the request. */
export const OPTIONS = [
  { name: "queue", word: "Queue", of: "request", hint: "default" },
  { name: "tags", word: "Tags", of: "request", hint: "nightly, lab" },
  { name: "priority", word: "Priority", of: "request", hint: "0", number: true },
  { name: "in", word: "Start in", of: "request", hint: "at once; 10m" },
  { name: "unique", word: "Unique key", of: "request", hint: "none" },
  { name: "timeout", word: "Timeout", of: "task", hint: "none; 30s", flag: "--timeout" },
  { name: "retries", word: "Retries", of: "task", hint: "0", number: true, flag: "--retries" },
  { name: "cache", word: "Cache", of: "task", choices: ["auto", "none", "inputs"], flag: "--cache" },
  { name: "name", word: "Name", of: "task", hint: "made from the task", flag: "--name" },
];

/** The members of a request for these options. */
export function optionsOf(options) {
  const request = {};
  const task = {};
  for (const { name, of, number } of OPTIONS) {
    const text = (options[name] ?? "").trim();
    if (text === "") continue;
    const value = number && /^-?\d+$/.test(text) ? Number(text) : text;
    if (name === "tags") request.tags = text.split(",").map((tag) => tag.trim()).filter(Boolean);
    else (of === "task" ? task : request)[name] = value;
  }
  return Object.keys(task).length ? { ...request, options: task } : request;
}

export const RunOptions = ({ options, setOptions }) => html`<div class="options">${OPTIONS.map(({ name, word, hint, choices, number }) => {
  const set = (event) => setOptions((old) => ({ ...old, [name]: event.target.value }));
  return html`<div class="field"><label class="label" for=${`o-${name}`}>${word}</label>
    ${choices
      ? html`<select id=${`o-${name}`} value=${options[name] ?? ""} onChange=${set}><option value="">as the task has it</option>${choices.map((one) => html`<option value=${one}>${one}</option>`)}</select>`
      : html`<input id=${`o-${name}`} value=${options[name] ?? ""} onInput=${set} placeholder=${hint} inputmode=${number ? "numeric" : undefined} autocomplete="off" spellcheck="false" />`}
  </div>`;
})}</div>`;
