// A component: its versions, what it offers, what it may ask for, and how versions differ.

import { may, part, send } from "../lib/api.js";
import { loadTasks, useResource } from "../lib/resource.js";
import { go, href } from "../lib/router.js";
import { bytes, count } from "../lib/time.js";
import { gate, isPrerelease } from "../lib/versions.js";
import { html, useState } from "../lib/view.js";
import { Copy, Loading, Panel, Text, Trouble, When, attempt, confirm } from "../parts/basics.js";
import { Demands, Exports } from "../parts/diff.js";
import { Icon } from "../parts/icon.js";

function Diff({ newer, older }) {
  const { data, error } = useResource(`/components/${part(older.digest)}/diff?with=${part(newer.digest)}`);
  return html`<${Panel} title="From ${older.version} to ${newer.version}">
    <${Trouble} error=${error} />
    ${data ? html`<div class="grid"><div class="w6"><h3>What it asks for</h3><${Demands} diff=${data} /></div><div class="w6"><h3>What it offers</h3><${Exports} diff=${data} /></div></div>` : error ? null : html`<${Loading} rows=${3} />`}
  <//>`;
}

/** The gate: a version that asks for more waits until someone accepts it. */
function Gate({ waiting, current, older, reload }) {
  const text = isPrerelease(waiting.version) ? `Then runs can use ${waiting.name}@${waiting.version}.` : `Then "${waiting.name}" resolves to ${waiting.version}.`;
  const accept = async () => {
    if (!(await confirm({ title: `Accept what ${waiting.version} asks for`, text, action: "Accept" }))) return;
    await attempt(() => send("PUT", `/names/${part(waiting.name)}/versions/${part(waiting.version)}`, { digest: waiting.digest, accept_capabilities: true }), `${waiting.version} is accepted`);
    await Promise.all([reload(), loadTasks({ again: true })]);
  };
  return html`<div class="note" data-tone="warn">
    <p><strong>${waiting.version} asks for more than ${older ? older.version : "was accepted"}</strong>, and waits for someone to accept that. ${current ? `Until then, "${waiting.name}" resolves to ${current.version}.` : ""}</p>
    <p class="actions" style=${{ marginTop: "8px" }}><button type="button" class="primary" disabled=${!may("components")} onClick=${accept}>Accept ${waiting.version}</button></p>
  </div>`;
}

function Versions({ versions, compared, setCompared, reload }) {
  const remove = async (version) => {
    if (!(await confirm({ title: `Remove ${version.name}@${version.version}`, text: "The name no longer has this version. The component stays as long as another name or an unfinished run uses it.", action: "Remove", danger: true }))) return;
    await attempt(() => send("DELETE", `/names/${part(version.name)}/versions/${part(version.version)}`), "Removed");
    reload();
  };
  return html`<${Panel} flush title="Versions"><div class="scroll"><table><thead><tr><th>Version</th><th>State</th><th>Digest</th><th>Registered</th><th>By</th><th></th></tr></thead>
    <tbody>${versions.map((version, at) => {
      const older = versions[at + 1];
      return html`<tr key=${version.version}><td><strong>${version.version}</strong></td>
        <td>${version.accepted ? html`<span class="state" data-tone="good"><${Icon} name="check" />accepted</span>` : html`<span class="state" data-tone="warn"><${Icon} name="clock" />waits</span>`}</td>
        <td class="mono muted">${version.digest.slice(7, 19)}<${Copy} text=${version.digest} label="Copy the digest of ${version.version}" /></td>
        <td class="muted"><${When} at=${version.registered_at} /></td><td class="muted"><${Text}>${version.registered_by}<//></td>
        <td class="num">${older ? html`<button type="button" class="quiet" aria-pressed=${compared === at} onClick=${() => setCompared(compared === at ? null : at)}>Compare with ${older.version}</button>` : null}
          <button type="button" class="quiet" disabled=${!may("components")} onClick=${() => remove(version)} aria-label="Remove ${version.version}">Remove</button></td></tr>`;
    })}</tbody></table></div><//>`;
}

function Surface({ surface, reference }) {
  const asked = new Map();
  const { runs, more, used, denied } = surface.observed;
  const these = `${more ? "the newest " : ""}${runs} ${runs === 1 ? "run" : "runs"}`;
  for (const { capability, name } of surface.imports) asked.set(capability, [...(asked.get(capability) ?? []), name]);
  return html`<div class="grid">
    <${Panel} flush title="Tasks" class="w8">${surface.tasks.length
      ? html`<div class="scroll"><table><tbody>${surface.tasks.map((task) => {
          const ref = `${reference}#${task.export}`;
          return html`<tr><td style=${{ overflowWrap: "anywhere" }}><a class="plain" href=${href(`/tasks/${encodeURIComponent(ref)}`)}><strong><${Text}>${task.export}<//></strong></a>
            <div class="mono muted"><${Text}>(${task.params.map((param) => `${param.name}: ${param.type}`).join(", ")})${task.result ? ` -> ${task.result}` : ""}<//></div></td>
            <td class="num"><a class="button" href=${href(`/tasks/${encodeURIComponent(ref)}`)} aria-label="Run ${task.export}">Run …</a></td></tr>`;
        })}</tbody></table></div>`
      : html`<div class="empty">It offers no task.</div>`}
      ${surface.not_callable.length ? html`<div class="body"><h3>Not callable</h3><ul>${surface.not_callable.map((one) => html`<li><code><${Text}>${one.export}<//></code> <span class="muted">${one.because}</span></li>`)}</ul></div>` : null}
    <//>
    <${Panel} title="May ask for" class="w4">${surface.capabilities.length
      ? html`<p class="muted">It gets none of this without a grant or an option of the run.</p><ul>${surface.capabilities.map(
          (capability) => html`<li style=${{ marginTop: "6px" }}><strong>${capability}</strong>${capability in used ? html` <span class="muted">${used[capability] ? `used by ${count(used[capability])} of ${these}` : "never used"}</span>` : null}<div class="mono faint" style=${{ fontSize: "11.5px", overflowWrap: "anywhere" }}>${(asked.get(capability) ?? []).join(" · ")}</div></li>`,
        )}</ul>`
      : html`<p>Nothing: it computes from its arguments alone.</p>`}
      ${Object.entries(denied).map(([kind, n]) => html`<p class="muted" style=${{ marginTop: "10px" }}>${n} of ${these} asked for ${kind} without a grant.</p>`)}
      <p class="muted" style=${{ marginTop: "10px" }}>Cached: ${surface.cached}.</p><//>
  </div>`;
}

/** The component in WIT, read when it is unfolded. */
function Wit({ digest }) {
  const [isOpen, setOpen] = useState(false);
  const { data, error } = useResource(isOpen ? `/components/${part(digest)}/wit` : null);
  return html`<${Panel} title="WIT"><details onToggle=${(event) => setOpen(event.target.open)}><summary class="muted">Its imports, exports and types as text</summary>
    <${Trouble} error=${error} />
    ${data?.wit ? html`<div class="copyable"><pre class="code" tabindex="0" aria-label="WIT" style=${{ maxHeight: "70vh" }}><${Text}>${data.wit}<//></pre><${Copy} text=${data.wit} /></div>` : data ? html`<p>It has none: <${Text}>${data.no_wit_because}<//>.</p>` : isOpen && !error ? html`<${Loading} />` : null}
  </details><//>`;
}

export default function Component({ component }) {
  const isDigest = component.startsWith("sha256:");
  const listed = useResource(isDigest ? null : `/names/${part(component)}`);
  const [compared, setCompared] = useState(null);
  const versions = listed.data?.items ?? [];
  const { current, waiting, older } = gate(versions);
  const digest = isDigest ? component : (current ?? waiting ?? versions[0])?.digest;
  const surface = useResource(digest ? `/components/${part(digest)}/surface?observed=true` : null);
  const remove = async () => {
    if (await confirm({ title: "Remove this component", text: "Its bytes are removed. This is refused while a name or an unfinished run uses it.", action: "Remove", danger: true })) {
      if ((await attempt(() => send("DELETE", `/components/${part(component)}`), "Removed")) !== undefined) go("/tasks");
    }
  };
  const shown = compared === null ? { newer: waiting, older } : { newer: versions[compared], older: versions[compared + 1] };
  return html`<div class="page">
    <div class="head"><div class="words"><p class="crumbs"><a href=${href("/tasks")}>Tasks</a></p><h1 class=${isDigest ? "mono" : undefined}>${isDigest ? component.slice(0, 31) : component}</h1>
      <p class="sub">${surface.data ? html`<span>${bytes(surface.data.size_bytes)}</span><span class="mono faint">${surface.data.digest.slice(0, 19)}<${Copy} text=${surface.data.digest} label="Copy the digest" /></span>` : null}</p></div>
      <div class="actions">${digest ? html`<a class="button" href=${href("/runs", { q: `task:${digest}` })}>Its runs</a>` : null}${isDigest && may("components") ? html`<button type="button" class="quiet" onClick=${remove}>Remove</button>` : null}</div></div>
    <${Trouble} error=${listed.error ?? surface.error} retry=${listed.reload} />
    ${waiting ? html`<${Gate} waiting=${waiting} current=${current} older=${older} reload=${listed.reload} />` : null}
    ${shown.newer && shown.older ? html`<${Diff} key=${`${shown.newer.version} ${shown.older.version}`} ...${shown} />` : null}
    ${surface.data ? html`<${Surface} surface=${surface.data} reference=${isDigest ? component : current ? component : digest} />` : surface.error || listed.error ? null : html`<${Panel}><${Loading} /><//>`}
    ${surface.data?.runnable === false ? html`<div class="note" data-tone="warn">This host cannot run it: ${surface.data.not_runnable_because}</div>` : null}
    ${digest ? html`<${Wit} key=${digest} digest=${digest} />` : null}
    ${versions.length ? html`<${Versions} versions=${versions} compared=${compared} setCompared=${setCompared} reload=${listed.reload} />` : null}
  </div>`;
}
