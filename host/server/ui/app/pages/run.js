// One run: how it went, why it waits, what it was given and what came out.

import { may, part } from "../lib/api.js";
import { parts, word } from "../lib/filter.js";
import { loadTasks, names, useLive, useResource } from "../lib/resource.js";
import { go, href } from "../lib/router.js";
import { hasEnded, look } from "../lib/states.js";
import { taskName } from "../lib/text.js";
import { html, useEffect, useRef } from "../lib/view.js";
import { Copy, Loading, State, Text, Took, Trouble, When, attempt, confirm } from "../parts/basics.js";
import { ACTIONS, actOn, fits } from "../parts/bulk.js";
import { Icon } from "../parts/icon.js";
import { usePageKeys } from "../parts/keys.js";
import { LogView } from "../parts/logview.js";
import { Attempts, CacheOf, Children, Events, Inputs, Receipt, Result } from "../parts/runtabs.js";

const TABS = [
  { tab: "result", word: "Result" },
  { tab: "inputs", word: "Inputs" },
  { tab: "attempts", word: "Attempts", n: (run) => run.attempt_count },
  { tab: "logs", word: "Logs" },
  { tab: "receipt", word: "Receipt" },
  { tab: "cache", word: "Cache" },
  { tab: "items", word: "Items", isFor: (run) => run.queue === "hostel.map" },
  { tab: "events", word: "Events" },
];

// Why a run has not started, or not ended, in a sentence for each reason.

const filter = (scope) => {
  const { kind, name } = parts(scope);
  return word(kind, name);
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
function Waiting({ run }) {
  const sentences = (run.waiting_for ?? []).map((one) => SENTENCES[one.kind]?.(one)).filter(Boolean);
  if (!sentences.length) return null;
  return html`<div class="note" data-tone="wait" aria-live="polite">${sentences.map((text, at) => html`<p key=${at}>${text}</p>`)}</div>`;
}

/** The states in order, each with how long it lasted. */
function Strip({ run }) {
  const steps = run.history ?? [];
  return html`<ol class="strip" aria-label="States">${steps.map(({ at, state }, index) => {
    const next = steps[index + 1];
    const isLast = !next;
    return html`<li key=${index}><${State} state=${state} /><span class="when"><${When} at=${at} millis />${isLast && hasEnded(state) ? null : html` · <${Took} from=${at} to=${next?.at} />`}</span></li>`;
  })}</ol>`;
}

function useActions(run, reload) {
  if (!run) return {};
  const act = (name, words, after = reload) => {
    const { scope, danger } = ACTIONS[name];
    if (!fits(name, run) || !may(scope)) return null;
    return async () => {
      if (words && !(await confirm({ ...words, danger }))) return;
      if ((await attempt(() => actOn(name, [run]).then(orThrow), words?.done)) !== undefined) after();
    };
  };
  const executes = look(run.state).group === "running";
  return {
    cancel: act("cancel", { title: "Cancel this run", text: executes ? "It executes: its guest is asked to stop, and the run is cancelled when it has." : "It has not started, and ends at once.", action: "Cancel the run", done: "Asked to cancel" }),
    retry: act("retry", { title: "Retry this run", text: "It gets new attempts under this id, with the same arguments and options. Earlier attempts are kept.", action: "Retry", done: "It goes back into its queue" }),
    seen: act("seen", null),
    remove: act("delete", { title: "Delete this run", text: "Its record, events and logs are removed. This cannot be undone.", action: "Delete", done: "Deleted" }, () => go("/runs")),
  };
}

/** One run was refused, or it was not. */
const orThrow = ({ problem }) => {
  if (problem) throw problem;
  return true;
};

function Head({ run, actions }) {
  const map = (run.tags ?? []).find((tag) => tag.startsWith("map:"))?.slice(4);
  const tags = (run.tags ?? []).filter((tag) => !tag.startsWith("map:"));
  const key = run.task ?? "";
  return html`<div class="head">
    <div class="words">
      <h1><${Text}>${run.name ?? run.run}<//></h1>
      <p class="sub">
        <${State} state=${run.state} />
        <a class="mono" href=${href(`/tasks/${encodeURIComponent(key)}`)} title=${key}><${Text}>${taskName(key, names.value)}<//></a>
        ${run.function ? html`<span>function <code><${Text}>${run.function}<//></code></span>` : null}
        <span class="mono faint nowrap">${run.run}<${Copy} text=${run.run} label="Copy the id" /></span>
      </p>
      <p class="sub">
        <span>queue <a href=${href("/runs", { q: word("queue", run.queue) })}>${run.queue}</a></span>
        ${run.priority ? html`<span>priority ${run.priority}</span>` : null}
        ${map ? html`<span>row of <a href=${href(`/maps/${map}`)}>map</a></span>` : null}
        ${run.parent ? html`<span>part of <a href=${href(`/runs/${run.parent}`)}>run</a></span>` : null}
        ${run.schedule ? html`<span>schedule <a href=${href("/schedules")}><${Text}>${run.schedule}<//></a></span>` : null}
        ${run.worker ? html`<span>worker <a href=${href("/queues")} class="mono">${run.worker}</a></span>` : null}
        ${run.unique_key ? html`<span>unique <code><${Text}>${run.unique_key}<//></code></span>` : null}
        ${tags.length ? html`<span class="tags">${tags.map((tag) => html`<span class="tag"><${Text}>${tag}<//></span>`)}</span>` : null}
      </p>
    </div>
    <div class="actions">
      ${actions.seen ? html`<button type="button" onClick=${actions.seen}>Mark as seen</button>` : null}
      ${actions.retry ? html`<button type="button" class="primary" onClick=${actions.retry}><${Icon} name="again" />Retry</button>` : null}
      ${actions.cancel ? html`<button type="button" class="danger" onClick=${actions.cancel}><${Icon} name="stop" />Cancel</button>` : null}
      ${may("run") && key ? html`<a class="button" href=${href(`/tasks/${encodeURIComponent(key)}`, { from: run.run })}>Run again …</a>` : null}
      ${actions.remove ? html`<button type="button" class="quiet" onClick=${actions.remove}>Delete</button>` : null}
    </div>
  </div>`;
}

export default function Run({ run: id, tab = "result", query }) {
  const { data: run, error, reload } = useResource(`/runs/${part(id)}`);
  const isOver = useRef(false);
  isOver.current = run !== null && hasEnded(run.state);
  useEffect(() => void loadTasks(), []);
  useLive((event) => event.run === id, reload, 250);
  const actions = useActions(run, reload);
  usePageKeys({ c: () => actions.cancel && actions.cancel(), r: () => actions.retry && actions.retry() });
  if (error && !run) return html`<div class="page"><h1>Run</h1><${Trouble} error=${error} retry=${reload} /></div>`;
  if (!run) return html`<div class="page"><h1 class="mono">${id}</h1><${Loading} rows=${6} /></div>`;
  const shown = TABS.some((one) => one.tab === tab) ? tab : "result";
  return html`<div class="page">
    <${Head} run=${run} actions=${actions} />
    <${Strip} run=${run} />
    <${Waiting} run=${run} />
    <nav class="tabs" aria-label="Parts of the run">${TABS.filter((one) => one.isFor?.(run) ?? true).map(
      (one) => html`<a href=${href(one.tab === "result" ? `/runs/${id}` : `/runs/${id}/${one.tab}`)} aria-current=${one.tab === shown ? "page" : undefined}>
        ${one.word}${one.n ? html` <span class="n">${one.n(run)}</span>` : null}</a>`,
    )}</nav>
    ${shown === "result" ? html`<${Result} run=${run} />` : null}
    ${shown === "inputs" ? html`<${Inputs} run=${run} />` : null}
    ${shown === "attempts" ? html`<${Attempts} run=${run} />` : null}
    ${shown === "logs" ? html`<${LogView} run=${id} isOver=${isOver.current} query=${query} attempts=${run.attempt_count} />` : null}
    ${shown === "receipt" ? html`<${Receipt} run=${run} />` : null}
    ${shown === "cache" ? html`<${CacheOf} run=${run} />` : null}
    ${shown === "items" ? html`<${Children} run=${run} />` : null}
    ${shown === "events" ? html`<${Events} run=${run} />` : null}
  </div>`;
}
