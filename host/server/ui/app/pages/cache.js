// Stored results: how many, how large, and of which tasks.

import { may, part, send } from "../lib/api.js";
import { loadTasks, names, useResource } from "../lib/resource.js";
import { href, setQuery } from "../lib/router.js";
import { bytes, count, duration } from "../lib/time.js";
import { taskName } from "../lib/text.js";
import { html, useEffect } from "../lib/view.js";
import { Loading, Panel, Text, Trouble, When, attempt, confirm } from "../parts/basics.js";

const Figures = ({ stats }) => html`<div class="figures">
  ${[[count(stats.entries), "results"], [bytes(stats.bytes), "of results"], [bytes(stats.disk_bytes), "on disk"], ...(stats.damaged ? [[count(stats.damaged), "damaged"]] : [])].map(
    ([value, word]) => html`<div class="figure"><b>${value}</b><span>${word}</span></div>`,
  )}
  ${stats.oldest ? html`<div class="figure"><b><${When} at=${stats.oldest} far /></b><span>the oldest</span></div>` : null}
</div>`;

export default function Cache({ query }) {
  const task = query.get("task");
  const stats = useResource("/cache/stats");
  const list = useResource(`/cache?limit=100${task ? `&task=${encodeURIComponent(task)}` : ""}`);
  useEffect(() => void loadTasks(), []);
  const forget = async (entry) => {
    if (!(await confirm({ title: "Forget this result", text: "The next run with this key computes it again.", action: "Forget", danger: true }))) return;
    await attempt(() => send("DELETE", `/cache/${part(entry.key)}`), "Forgotten");
    list.reload();
    stats.reload();
  };
  return html`<div class="page">
    <div class="head"><h1 class="words">Cache</h1><button type="button" onClick=${() => (list.reload(), stats.reload())}>Look again</button></div>
    <${Trouble} error=${stats.error} retry=${stats.reload} />
    ${stats.data ? html`<${Figures} stats=${stats.data} />` : stats.error ? null : html`<div style=${{ minHeight: "46px" }}><${Loading} rows=${2} /></div>`}
    <${Panel} flush title="By task">${stats.data === null ? html`<${Loading} rows=${3} />` : stats.data.tasks.length
      ? html`<div class="scroll"><table><thead><tr><th>Task</th><th class="num">Results</th><th class="num">Size</th><th class="num">Took to compute</th></tr></thead>
          <tbody>${stats.data.tasks.slice(0, 50).map((one) => html`<tr><td class="mono"><button type="button" class="link" aria-pressed=${task === one.task} onClick=${() => setQuery({ task: task === one.task ? undefined : one.task })}><${Text}>${taskName(one.task, names.value)}<//></button></td>
            <td class="num">${count(one.entries)}</td><td class="num">${bytes(one.bytes)}</td><td class="num">${duration(one.took_ms)}</td></tr>`)}</tbody></table></div>`
      : html`<div class="empty">Nothing is stored. Results of pure runs are stored automatically.</div>`}<//>
    <${Panel} flush title=${task ? `Results of ${taskName(task, names.value)}` : "Results"} right=${task ? html`<button type="button" class="link" onClick=${() => setQuery({ task: undefined })}>of all tasks</button>` : null}>
      ${list.error ? html`<div class="body"><${Trouble} error=${list.error} retry=${list.reload} /></div>` : null}
      ${list.data === null ? (list.error ? null : html`<${Loading} />`) : list.data.items.length
        ? html`<div class="scroll"><table><thead><tr><th>Task</th><th class="rare">Key</th><th>Made by</th><th>Made</th><th>Last used</th><th class="num">Took</th><th class="num">Value</th><th></th></tr></thead>
            <tbody>${list.data.items.map((entry) => html`<tr key=${entry.key + entry.created_at}><td class="mono"><${Text}>${taskName(entry.task, names.value)}<//></td><td class="rare mono faint" title=${entry.key}>${entry.key.slice(0, 12)}</td>
              <td class="mono"><a href=${href(`/runs/${entry.run}`)}>${entry.run.slice(-12)}</a></td><td class="muted"><${When} at=${entry.created_at} /></td><td class="muted"><${When} at=${entry.used_at} far /></td>
              <td class="num">${duration(entry.took_ms)}</td><td class="num">${bytes(entry.value_bytes)}</td><td class="num"><button type="button" class="quiet" disabled=${!may("admin")} onClick=${() => forget(entry)}>Forget</button></td></tr>`)}</tbody></table></div>`
        : html`<div class="empty">There are none.</div>`}
      ${list.data?.more ? html`<p class="muted" style=${{ padding: "8px 14px" }}>The first 100. <code>hostel cache ls</code> has all.</p>` : null}
    <//>
  </div>`;
}
