// The list of runs: filters, presets, selection, and what can be done with what is selected.

import { may, ofApi, withQuery } from "../lib/api.js";
import { toFilter, valueOf, withKey, without, words } from "../lib/filter.js";
import { loadTasks, useRunList } from "../lib/resource.js";
import { go, href, setQuery } from "../lib/router.js";
import { STATES } from "../lib/states.js";
import { html, useCallback, useEffect, useMemo, useRef, useState } from "../lib/view.js";
import { Loading, Panel, Text, Trouble, When } from "../parts/basics.js";
import { BatchProgress, Selection, act } from "../parts/bulk.js";
import { FirstRun } from "../parts/upload.js";
import { Icon } from "../parts/icon.js";
import { usePageKeys } from "../parts/keys.js";
import { RunTable } from "../parts/runtable.js";

const LIMIT = 100;

const PRESETS = [
  { word: "All", q: "" },
  { word: "In flight", q: "state:unfinished" },
  { word: "Needs attention", q: "state:attention" },
  { word: "Failed", q: "state:failed,crashed" },
  { word: "Waiting", q: "state:scheduled,pending" },
  { word: "Completed", q: "state:completed" },
  { word: "Cached", q: "state:cached" },
];

const TIMES = [["", "Any time"], ["15m", "Last 15 minutes"], ["1h", "Last hour"], ["24h", "Last day"], ["7d", "Last week"]];

const Presets = ({ q }) => html`<nav class="presets" aria-label="Presets">
  ${PRESETS.map(
    (preset) => html`<a href=${href("/runs", { q: preset.q })} aria-current=${preset.q === q ? "true" : undefined}>${preset.word}</a>`,
  )}
</nav>`;

function Filters({ q }) {
  const set = (key, value) => go("/runs", { q: withKey(q, key, value) });
  const state = valueOf(q, "state");
  const since = valueOf(q, "since");
  return html`<div class="filterbar">
    <select aria-label="State" value=${state} onChange=${(event) => set("state", event.target.value)}>
      <option value="">Any state</option>
      ${Object.entries(STATES).map(([name, { word }]) => html`<option value=${`${name}!`}>${word}</option>`)}
      ${state && !Object.keys(STATES).includes(state.replace("!", "")) ? html`<option value=${state}>${state}</option>` : null}
    </select>
    <select aria-label="Submitted" value=${since} onChange=${(event) => set("since", event.target.value)}>
      ${TIMES.map(([value, word]) => html`<option value=${value}>${word}</option>`)}
      ${since && !TIMES.some(([value]) => value === since) ? html`<option value=${since}>since ${since}</option>` : null}
    </select>
    <div class="chips">${words(q).map(
      (word, at) => html`<span class="chip"><span><${Text}>${word}<//></span>
        <button type="button" aria-label="Remove the filter ${word}" onClick=${() => go("/runs", { q: without(q, at) })}>×</button></span>`,
    )}</div>
  </div>`;
}

export default function Runs({ query }) {
  const q = query.get("q") ?? "";
  const before = query.get("before");
  const list = useRunList(withQuery("/runs", { q: toFilter(q), limit: LIMIT, before }));
  const [selected, setSelected] = useState(new Set());
  const [at, setAt] = useState(-1);
  const runs = list.items ?? [];
  // Keys may come faster than the page is drawn.
  const place = useRef(-1);
  useEffect(() => void loadTasks(), []);
  useEffect(() => {
    setSelected(new Set());
    setAt(-1);
    place.current = -1;
  }, [q, before]);

  const select = useCallback((run) =>
    setSelected((old) => {
      const changed = new Set(old);
      if (!changed.delete(run)) changed.add(run);
      return changed;
    }), []);
  const selectAll = () => setSelected((old) => (old.size >= runs.length ? new Set() : new Set(runs.map((run) => run.run))));
  const chosen = runs.filter((run) => selected.has(run.run));
  const done = () => {
    setSelected(new Set());
    list.reload();
  };
  const move = (by) => {
    const to = Math.max(0, Math.min(runs.length - 1, place.current + by));
    place.current = to;
    setAt(to);
    document.querySelectorAll("table.runs tbody tr")[to]?.scrollIntoView({ block: "nearest" });
  };
  const here = () => runs[place.current];
  const target = () => (chosen.length ? chosen : here() ? [here()] : []);
  usePageKeys({
    j: () => move(1),
    k: () => move(-1),
    Enter: () => here() && go(`/runs/${here().run}`),
    x: () => here() && select(here().run),
    c: async () => may("cancel") && (await act("cancel", target())) && done(),
    r: async () => may("run") && (await act("retry", target())) && done(),
  });
  const table = useMemo(() => html`<${RunTable} runs=${runs} at=${at} selected=${selected} onSelect=${select} onSelectAll=${selectAll} />`, [list.items, at, selected]);
  const older = list.next && new URLSearchParams(ofApi(list.next).split("?")[1]).get("before");

  return html`<div class="page">
    <div class="head"><h1>Runs</h1><${Presets} q=${q} /></div>
    <${Filters} q=${q} />
    <${BatchProgress} />
    <${Trouble} error=${list.error} retry=${list.reload} />
    ${chosen.length
      ? html`<${Selection} runs=${chosen} isAll=${chosen.length === runs.length} filter=${toFilter(q)} onDone=${done} onBatch=${list.reload} onClear=${() => setSelected(new Set())} />`
      : html`<div class="filterbar" style=${{ minHeight: "30px" }}>
          <span class="muted" aria-live="polite">${runs.length ? `${before ? "" : "Newest "}${runs.length}${list.next ? ", and older ones" : ""}` : ""}</span>
          ${before ? html`<a href=${href("/runs", { q })}>Newest</a>` : null}
          ${!before && list.newer > 0 && runs.length
            ? html`<button type="button" onClick=${list.renew}>${q ? "Show newer runs" : `Show ${list.newer} newer`}</button>`
            : null}
        </div>`}
    ${list.error && !runs.length
      ? null
      : html`<${Panel} flush>
          ${list.items === null
            ? html`<${Loading} rows=${6} />`
            : runs.length
              ? table
              : q || before
                ? html`<div class="empty"><p>${!list.next ? "No run matches." : list.data?.scanned_to ? html`No run since <${When} at=${list.data.scanned_to} /> matches. Older ones may.` : "No run matches so far. Older ones may."}</p><p><a href=${href("/runs")}>Show all runs</a></p></div>`
                : html`<${FirstRun} />`}
        <//>`}
    ${older
      ? html`<div class="filterbar"><button type="button" onClick=${() => setQuery({ before: older })}>Older <${Icon} name="down" /></button></div>`
      : null}
  </div>`;
}
