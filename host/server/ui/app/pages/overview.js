// What happens, and what needs attention.

import { loadTasks, names, useLive, useResource } from "../lib/resource.js";
import { STATES, groups, isActive, look } from "../lib/states.js";
import { go, href } from "../lib/router.js";
import { has, may } from "../lib/api.js";
import { taskName } from "../lib/text.js";
import { html, useEffect } from "../lib/view.js";
import { Loading, Panel, Text, Took, Trouble, When } from "../parts/basics.js";
import { act } from "../parts/bulk.js";
import { FirstRun } from "../parts/upload.js";
import { Histogram, Legend } from "../parts/histogram.js";
import { RunTable } from "../parts/runtable.js";

const SPANS = { hour: { word: "Hour", since: "1h", bucket: "1m" }, day: { word: "Day", since: "24h", bucket: "15m" }, week: { word: "Week", since: "7d", bucket: "2h" } };

/** How many runs that need attention are looked at. */
const LOOKED_AT = 200;

/** The states of a group, as a filter. */
const statesOf = (group) => Object.entries(STATES).filter(([, state]) => state.group === group).map(([name]) => `${name}!`).join(",");

function OverTime({ span, counts: { data, error, reload } }) {
  const { since } = SPANS[span];
  const choose = (from, until) => go("/runs", { q: `since:${new Date(from).toISOString()} until:${new Date(until).toISOString()}` });
  const right = html`<nav class="presets" aria-label="Time">${Object.entries(SPANS).map(
    ([name, { word }]) => html`<a href=${href("/", { span: name })} aria-current=${name === span ? "true" : undefined}>${word}</a>`,
  )}</nav>`;
  return html`<${Panel} title="Runs over time" right=${right}>
    <${Trouble} error=${data ? null : error} retry=${reload} />
    ${data
      ? html`<${Histogram} counts=${data} onChoose=${choose} /><div style=${{ minHeight: "22px", marginTop: "8px" }}><${Legend} states=${data.states} link=${(group) => href("/runs", { q: `state:${statesOf(group)} since:${since}` })} /></div>`
      : error ? null : html`<div style=${{ height: "142px" }}><${Loading} rows=${4} /></div>`}
  <//>`;
}

function Attention({ list: { data, error, reload } }) {
  useLive((event) => ["Failed", "TimedOut", "Crashed", "UpstreamFailed"].includes(event.state) || event.kind === "RetryRequested", reload);
  const found = data ? groups(data.items) : [];
  const done = async (name, runs) => (await act(name, runs)) && reload();
  return html`<${Panel} title="Needs attention" flush right=${data?.items.length ? html`<a href=${href("/runs", { q: "state:attention" })}>${data.items.length}${data.next ? " or more" : ""} ${data.items.length === 1 ? "run" : "runs"}</a>` : null}>
    ${error && !data ? html`<div class="body"><${Trouble} error=${error} retry=${reload} /></div>` : null}
    ${!data && !error ? html`<${Loading} />` : null}
    ${data && !found.length ? html`<div class="empty">Nothing needs attention.</div>` : null}
    ${found.length
      ? html`<div class="scroll"><table aria-label="Runs that need attention, by task and error"><tbody>${found.slice(0, 12).map(
          (group) => html`<tr key=${group.key}>
            <td style=${{ width: "56px" }} class="num"><strong>${group.runs.length}</strong></td>
            <td style=${{ overflowWrap: "anywhere", minWidth: "150px" }}><span class="mono">${group.function ?? taskName(group.task, names.value)}</span>
              <div style=${{ color: "var(--bad)" }}><${Text}>${group.error || look(group.runs[0].state).word}<//></div>
              <div class="muted">last <a href=${href(`/runs/${group.runs[0].run}`)}><${Text}>${group.runs[0].name || group.runs[0].run}<//></a>, <${When} at=${group.runs[0].ended ?? group.runs[0].created} far /></div></td>
            <td class="num" style=${{ whiteSpace: "normal" }}>
              <button type="button" disabled=${!may("run") || !group.runs.some((run) => !run.queue.startsWith("hostel."))} onClick=${() => done("retry", group.runs)}>Retry ${group.runs.length > 1 ? "all" : ""}</button>${" "}
              <button type="button" disabled=${!may("cancel")} onClick=${() => done("seen", group.runs)}>Seen</button></td>
          </tr>`,
        )}</tbody></table></div>`
      : null}
  <//>`;
}

function Unfinished({ list }) {
  const runs = list.data?.items ?? [];
  const active = runs.filter((run) => isActive(run.state));
  const waiting = runs.filter((run) => !isActive(run.state));
  const due = waiting.filter((run) => run.state !== "Scheduled");
  const oldest = due.at(-1);
  return html`<${Panel} title="Running now" flush right=${active.length ? html`<a href=${href("/runs", { q: "state:running" })}>all</a>` : null}>
      ${list.data === null ? (list.error ? html`<div class="body"><${Trouble} error=${list.error} /></div>` : html`<${Loading} rows=${3} />`) : active.length ? html`<${RunTable} runs=${active.slice(0, 8)} slim label="Running now" />` : html`<div class="empty">No run executes.</div>`}
    <//>
    <${Panel} title="Waiting" flush right=${waiting.length ? html`<a href=${href("/runs", { q: "state:scheduled,pending" })}>${waiting.length}${list.data.next ? " or more" : ""}</a>` : null}>
      ${list.data === null ? html`<${Loading} rows=${3} />` : waiting.length
        ? html`<${RunTable} runs=${waiting.slice(0, 8)} slim label="Waiting" />${oldest ? html`<p class="muted" style=${{ padding: "8px 14px" }}>The oldest of these that is due has waited for <${Took} from=${oldest.due} />.</p>` : null}`
        : html`<div class="empty">No run waits.</div>`}
    <//>`;
}

export default function Overview({ query }) {
  const span = query.get("span") in SPANS ? query.get("span") : "day";
  const { since, bucket } = SPANS[span];
  const counts = useResource(has("counts") ? `/counts?since=${since}&bucket=${bucket}` : null);
  const attention = useResource(`/runs?state=attention&limit=${LOOKED_AT}`);
  const unfinished = useResource("/runs?state=unfinished&limit=100");
  // Where nothing happens, there may have been nothing so far: then the page is about the first run.
  const isQuiet = [attention, unfinished].every((list) => list.data?.items.length === 0) && (!has("counts") || counts.data?.total === 0);
  const any = useResource(isQuiet ? "/runs?limit=1" : null);
  useEffect(() => void loadTasks(), []);
  useLive(() => true, unfinished.reload);
  useLive(() => has("counts"), counts.reload, 5000);
  const isFresh = isQuiet && any.data?.items.length === 0;
  return html`<div class="page">
    <h1>Overview</h1>
    ${isFresh
      ? html`<${Panel} flush><${FirstRun} /><//>`
      : html`${has("counts") ? html`<${OverTime} span=${span} counts=${counts} />` : null}
          <div class="grid"><div class="w6" style=${{ minWidth: 0 }}><${Attention} list=${attention} /></div>
            <div class="w6" style=${{ display: "grid", gap: "20px", alignContent: "start", minWidth: 0 }}><${Unfinished} list=${unfinished} /></div></div>`}
  </div>`;
}
