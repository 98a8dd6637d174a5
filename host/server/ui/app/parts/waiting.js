// Why a run has not started, or not ended, in a sentence for each reason.

import { word } from "../lib/filter.js";
import { href } from "../lib/router.js";
import { html } from "../lib/view.js";
import { Text, When } from "./basics.js";

const filter = (scope) => {
  const [kind, ...rest] = scope.split(" ");
  return word(kind, rest.join(" "));
};
const Scope = ({ scope }) => html`<a href=${href("/runs", { q: filter(scope) })}><${Text}>${scope}<//></a>`;

const SENTENCES = {
  due: ({ at }) => html`It is due <${When} at=${at} far />, at <${When} at=${at} />.`,
  retry: ({ at, after_attempt: tries }) => html`Attempt ${tries} failed. The next one is due <${When} at=${at} far />, at <${When} at=${at} />.`,
  paused: ({ scope, until, reason }) => html`<${Scope} scope=${scope} /> is paused${until ? html` until <${When} at=${until} />` : ""}${reason ? html`: <${Text}>${reason}<//>` : ""}. <a href=${href("/queues")}>Resume it</a>`,
  slot: ({ scope, held_by: holders, max_running: most }) => html`All ${most === 1 ? "" : `${most} `}slots of <${Scope} scope=${scope} /> are taken${holders.length
      ? html` by ${holders.slice(0, 5).map((run, at) => html`${at ? ", " : ""}<a class="mono" href=${href(`/runs/${run}`)}>${run.slice(-12)}</a>`)}${holders.length > 5 ? ` and ${holders.length - 5} more` : ""}`
      : ""}.`,
  rate: ({ scope }) => html`The rate of <${Scope} scope=${scope} /> lets it start soon.`,
  "no-worker": ({ queue }) => html`No worker has claimed it. A worker that serves the queue <code>${queue}</code> does as soon as it has room; <a href=${href("/queues")}>see which there are</a>.`,
  worker: ({ worker, stops }) => (stops ? html`The worker <code>${worker}</code> is stopping it.` : null),
};

/** What the run waits for; nothing, if it executes or has ended. */
export function Waiting({ run }) {
  const sentences = (run.waiting_for ?? []).map((one) => SENTENCES[one.kind]?.(one)).filter(Boolean);
  if (!sentences.length) return null;
  return html`<div class="note" data-tone="wait" aria-live="polite">${sentences.map((text, at) => html`<p key=${at}>${text}</p>`)}</div>`;
}
