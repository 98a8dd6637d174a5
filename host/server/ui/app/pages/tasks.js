// Tasks of named components, and the place where new ones are dropped.

import { loadTasks, tasks, tasksError } from "../lib/resource.js";
import { href } from "../lib/router.js";
import { html, useEffect, useState } from "../lib/view.js";
import { Loading, Panel, Text, Trouble } from "../parts/basics.js";
import { Icon } from "../parts/icon.js";
import { Upload } from "../parts/upload.js";

/** The tasks by the names of their components. */
function byName(items) {
  const found = new Map();
  for (const item of items) {
    const name = item.task.slice(0, item.task.indexOf("#"));
    if (!found.has(name)) found.set(name, []);
    found.get(name).push(item);
  }
  return [...found];
}

const Component = ({ name, items, isOpen }) => html`<${Panel} flush title=${name} right=${html`<a href=${href(`/components/${name}`)}>${items[0].version}</a>`}>
  <div class="scroll"><table aria-label="Tasks of ${name}"><tbody>${items.slice(0, isOpen ? items.length : 8).map(
    (item) => html`<tr class="go" key=${item.task}>
      <td style=${{ width: "100%" }}><div class="pair"><a class="plain" href=${href(`/tasks/${encodeURIComponent(item.task)}`)}><strong><${Text}>${item.task.slice(name.length + 1)}<//></strong></a> <span class="mono muted"><${Text}>${item.signature}<//></span></div></td>
      <td class="num"><a class="button" href=${href(`/tasks/${encodeURIComponent(item.task)}`)} aria-label="Run ${item.task}">Run …</a></td>
    </tr>`,
  )}</tbody></table></div>
<//>`;

export default function Tasks() {
  const [filter, setFilter] = useState("");
  const [isAdding, setAdding] = useState(false);
  const [open, setOpen] = useState(new Set());
  useEffect(() => void loadTasks(), []);
  const isEmpty = tasks.value?.length === 0;
  const wanted = filter.toLowerCase();
  const found = (tasks.value ?? []).filter((item) => `${item.task} ${item.signature}`.toLowerCase().includes(wanted));
  return html`<div class="page">
    <div class="head"><h1 style=${{ marginRight: "auto" }}>Tasks</h1>
      ${isEmpty ? null : html`<input type="search" placeholder="Filter" aria-label="Filter tasks" value=${filter} onInput=${(event) => setFilter(event.target.value)} style=${{ flex: "1 1 90px", minWidth: 0, maxWidth: "220px" }} />
      <button type="button" class="primary" aria-expanded=${isAdding} onClick=${() => setAdding(!isAdding)}><${Icon} name="plus" />Add a component</button>`}</div>
    ${isAdding || isEmpty ? html`<${Panel} title="Add a component"><${Upload} /><//>` : null}
    <${Trouble} error=${tasksError.value} retry=${() => loadTasks({ again: true })} />
    ${tasks.value === null && !tasksError.value ? html`<${Panel}><${Loading} rows=${6} /><//>` : null}
    ${tasks.value?.length && !found.length ? html`<${Panel}><div class="empty">No task matches.</div><//>` : null}
    ${byName(found).map(([name, items]) => html`<div key=${name}><${Component} name=${name} items=${items} isOpen=${open.has(name) || wanted !== ""} />
      ${items.length > 8 && !open.has(name) && !wanted ? html`<p style=${{ marginTop: "6px" }}><button type="button" class="link" onClick=${() => setOpen(new Set([...open, name]))}>${items.length - 8} more tasks of ${name}</button></p>` : null}</div>`)}
  </div>`;
}
