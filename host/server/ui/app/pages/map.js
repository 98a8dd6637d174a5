// A map: how far it is, when its rows executed, which failed and why.

import { get, has, may, part, withQuery } from "../lib/api.js";
import { word } from "../lib/filter.js";
import { GROUPS, byGroup, groups } from "../lib/states.js";
import { loadTasks, names, useLive, useResource, useRunList } from "../lib/resource.js";
import { go, href, setQuery } from "../lib/router.js";
import { count, duration } from "../lib/time.js";
import { read } from "../lib/timeline.js";
import { taskName } from "../lib/text.js";
import { html, useEffect, useMemo, useRef } from "../lib/view.js";
import { Copy, Loading, Panel, Text, Trouble, attempt } from "../parts/basics.js";
import { BatchProgress, act, actOnAll } from "../parts/bulk.js";
import { Gantt } from "../parts/gantt.js";
import { RunTable } from "../parts/runtable.js";

/** How much time is looked back at for the rate, in ms. */
const WINDOW = 30_000;

/** How many end in a second, from the counts that were seen. */
function useRate(done, at) {
  const seen = useRef(/** @type {{done: number, at: number}[]} */ ([]));
  useEffect(() => {
    if (done === null) return;
    seen.current = [...seen.current.filter((one) => at - one.at < WINDOW), { done, at }];
  }, [done, at]);
  const first = seen.current[0];
  if (!first || at - first.at < 1500 || done === null) return null;
  return (1000 * (done - first.done)) / (at - first.at);
}

function Progress({ map }) {
  const sums = byGroup(map.states);
  const total = map.total || 1;
  const done = map.total - map.unfinished;
  const rate = useRate(done, Math.floor(performance.now()));
  return html`<div aria-live="off">
    <div class="meter" style=${{ height: "12px" }} role="img" aria-label=${GROUPS.filter(({ group }) => sums[group]).map(({ group, word }) => `${sums[group]} ${word}`).join(", ")}>
      ${GROUPS.map(({ group, tone }) => html`<i data-tone=${tone} style=${{ width: `${(100 * sums[group]) / total}%` }}></i>`)}</div>
    <div class="legend" style=${{ marginTop: "8px" }}>
      ${GROUPS.filter(({ group }) => sums[group]).map(({ group, tone, word }) => html`<span data-tone=${tone}><i class="dot"></i>${word} <strong>${count(sums[group])}</strong></span>`)}
      ${map.unfinished && rate ? html`<span>${rate.toFixed(rate < 10 ? 1 : 0)} a second, about ${duration((1000 * map.unfinished) / rate)} left</span>` : null}
    </div>
  </div>`;
}

function Timeline({ map, isOver }) {
  const { data, error, reload } = useResource(`/maps/${part(map)}/timeline`);
  useLive(() => !isOver, reload, 3000);
  const wasOver = useRef(isOver);
  useEffect(() => {
    if (isOver && !wasOver.current) reload();
    wasOver.current = isOver;
  }, [isOver]);
  const ready = useMemo(() => data && read(data), [data]);
  const open = (row) => attempt(async () => {
    const { items } = await get(`/maps/${part(map)}/rows?from=${row}&limit=1`);
    if (items[0]) go(`/runs/${items[0].run}`);
  });
  return html`<${Panel} title="Timeline">
    <${Trouble} error=${data ? null : error} retry=${reload} />
    ${ready ? (ready.start.length ? html`<${Gantt} data=${ready} onOpen=${open} />` : html`<div class="empty">No row has begun.</div>`) : error ? null : html`<div style=${{ height: "360px" }}><${Loading} rows=${6} /></div>`}
  <//>`;
}

function Failures({ map, version, onDone }) {
  const { data, error, reload } = useResource(withQuery("/runs", { map, state: "failed,crashed", limit: 200 }));
  const last = useRef(version);
  useEffect(() => {
    if (last.current !== version) reload();
    last.current = version;
  }, [version]);
  const found = data ? groups(data.items) : [];
  if (data && !found.length) return null;
  const retry = async () => {
    if (has("batches")) await actOnAll("retry", `${word("tag", `map:${map}`)} state:failed,crashed`, onDone);
    else if (await act("retry", data?.items ?? [])) reload();
  };
  return html`<${Panel} flush title="Failures by error" right=${data ? html`<button type="button" disabled=${!may("run")} onClick=${retry}>Retry failed rows</button>` : null}>
    ${error && !data ? html`<div class="body"><${Trouble} error=${error} retry=${reload} /></div>` : null}
    ${data === null && !error ? html`<${Loading} rows=${2} />` : null}
    ${found.length ? html`<table aria-label="Failures by error"><tbody>${found.slice(0, 20).map(
      (group) => html`<tr key=${group.key}><td class="num" style=${{ width: "70px" }}><strong>${group.runs.length}</strong>${data?.next ? "+" : ""}</td>
        <td style=${{ color: "var(--bad)", overflowWrap: "anywhere" }}><${Text}>${group.error}<//></td>
        <td class="num"><a href=${href(`/runs/${group.runs[0].run}`)}>one of them</a></td></tr>`,
    )}</tbody></table>` : null}
  <//>`;
}

export default function Map({ map: id, query }) {
  const { data: map, error, reload } = useResource(`/maps/${part(id)}`);
  const state = query.get("state") ?? "";
  const before = query.get("before");
  const list = useRunList(withQuery("/runs", { map: id, state, limit: 50, before }));
  useEffect(() => void loadTasks(), []);
  const isOver = map !== null && map.unfinished === 0;
  useLive(() => !isOver, reload);
  const done = () => {
    reload();
    list.reload();
  };
  const failed = map ? byGroup(map.states).failed : 0;
  const runs = list.items ?? [];
  const task = runs[0]?.task;
  const older = list.next && new URLSearchParams(list.next.split("?")[1]).get("before");
  if (error && !map) return html`<div class="page"><h1>Map</h1><${Trouble} error=${error} retry=${reload} /></div>`;
  return html`<div class="page">
    <div class="head"><div class="words"><h1>Map${task ? html` of <span class="mono" style=${{ fontSize: "18px" }}>${taskName(task, names.value)}</span>` : ""}</h1>
      <p class="sub"><span class="mono faint">${id}<${Copy} text=${id} label="Copy the id" /></span>${map ? html`<span>${count(map.total)} ${map.total === 1 ? "row" : "rows"}</span>` : null}</p></div>
      <div class="actions">
        ${map && !isOver && has("batches") ? html`<button type="button" class="danger" disabled=${!may("cancel")} onClick=${() => actOnAll("cancel", word("tag", `map:${id}`), done)}>Cancel the rest</button>` : null}
        <a class="button" href=${href("/runs", { q: word("tag", `map:${id}`) })}>As a list of runs</a></div></div>
    ${map ? html`<${Progress} map=${map} />` : html`<div style=${{ minHeight: "46px" }}><${Loading} rows=${2} /></div>`}
    <${BatchProgress} />
    ${has("timelines") && map ? html`<${Timeline} map=${id} isOver=${isOver} />` : null}
    ${failed ? html`<${Failures} map=${id} version=${failed} onDone=${done} />` : null}
    <${Panel} flush title="Rows" right=${html`<select aria-label="State of the rows" value=${state} onChange=${(event) => setQuery({ state: event.target.value, before: undefined })}>
        <option value="">All states</option><option value="failed,crashed">Failed</option><option value="completed">Completed</option><option value="running">Running</option><option value="scheduled,pending">Waiting</option></select>`}>
      ${list.items === null ? (list.error ? html`<div class="body"><${Trouble} error=${list.error} retry=${list.reload} /></div>` : html`<${Loading} rows=${6} />`) : runs.length ? html`<${RunTable} runs=${runs} slim label="Rows" />` : html`<div class="empty">${older ? "None of the rows looked at so far is in such a state. Earlier ones may be." : "No row is in such a state."}</div>`}
    <//>
    ${older ? html`<div class="filterbar"><button type="button" onClick=${() => setQuery({ before: older })}>Earlier rows</button></div>` : null}
  </div>`;
}
