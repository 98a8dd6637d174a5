// Limits and pauses of queues and tags, and workers.

import { may, part, send } from "../lib/api.js";
import { parts, word } from "../lib/filter.js";
import { useLive, useResource } from "../lib/resource.js";
import { href } from "../lib/router.js";
import { count, duration } from "../lib/time.js";
import { html } from "../lib/view.js";
import { Loading, Panel, Text, Trouble, When, attempt, confirm, dialog } from "../parts/basics.js";
import { Icon } from "../parts/icon.js";

const path = ({ kind, name }) => `/${kind === "queue" ? "queues" : "tags"}/${part(name)}`;

/** A form in the dialog; `send` gets its fields. */
function ask({ title, fields, action, send: submit }) {
  const render = () => html`<form onSubmit=${(event) => {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(event.target));
    dialog.value = null;
    submit(values);
  }}>
    <h2>${title}</h2>
    ${fields.map(({ name, label, hint, value, choices }) => html`<div class="field"><label class="label" for=${`d-${name}`}>${label}</label>
      ${choices ? html`<select id=${`d-${name}`} name=${name}>${choices.map((one) => html`<option>${one}</option>`)}</select>` : html`<input id=${`d-${name}`} name=${name} value=${value ?? ""} placeholder=${hint} autocomplete="off" />`}</div>`)}
    <div class="buttons"><button type="button" onClick=${() => (dialog.value = null)}>Cancel</button><button class="primary">${action}</button></div>
  </form>`;
  dialog.value = { label: title, render };
}

const pauseFields = [{ name: "for", label: "For", hint: "until someone resumes; 30m" }, { name: "reason", label: "Reason, for people" }];
const limitFields = (limit) => [
  { name: "max_running", label: "Maximum running at once", value: limit?.max_running ?? "", hint: "no limit" },
  { name: "rate", label: "Starts", value: limit?.rate_starts ? `${limit.rate_starts}/${limit.rate_per_ms / 1000}s` : "", hint: "no limit; 10/1s" },
];
const given = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value.trim() !== ""));
/** @param {Record<string, string>} values */
const limitBody = ({ max_running: most, ...rest }) => ({ ...given(rest), ...(most.trim() ? { max_running: /^\d+$/.test(most.trim()) ? Number(most) : most } : {}) });

function Row({ limit, reload }) {
  const scope = parts(limit.scope);
  const isAllowed = may("admin");
  const act = async (action, done) => {
    await attempt(action, done);
    reload();
  };
  const pause = () => ask({ title: `Pause the ${limit.scope}`, fields: pauseFields, action: "Pause", send: (values) => act(() => send("POST", `${path(scope)}/pause`, given(values)), "Paused") });
  const change = () => ask({ title: `Limit the ${limit.scope}`, fields: limitFields(limit), action: "Set", send: (values) => act(() => send("PUT", `/limits/${part(`${scope.kind}:${scope.name}`)}`, limitBody(values)), "Set") });
  const remove = async () => (await confirm({ title: `Remove the limit of the ${limit.scope}`, text: "Its runs start as soon as a worker is free.", action: "Remove", danger: true })) && act(() => send("DELETE", `/limits/${part(`${scope.kind}:${scope.name}`)}`), "Removed");
  return html`<tr>
    <td style=${{ overflowWrap: "anywhere" }}><span class="muted">${scope.kind}</span> <strong><a class="plain" href=${href("/runs", { q: `${word(scope.kind, scope.name)} state:unfinished` })}><${Text}>${scope.name}<//></a></strong>
      ${limit.paused ? html`<div class="state" data-tone="warn"><${Icon} name="pause" />Paused${limit.paused_until ? html` until <${When} at=${limit.paused_until} />` : ""}</div>${limit.reason ? html`<div class="muted"><${Text}>${limit.reason}<//></div>` : null}` : null}</td>
    <td class="num">${count(limit.running)}${limit.max_running !== undefined && limit.max_running !== null ? html`<span class="muted"> of ${count(limit.max_running)}</span>` : ""}
      ${limit.max_running ? html`<div class="meter" style=${{ width: "80px", marginLeft: "auto" }}><i data-tone="run" style=${{ width: `${Math.min(100, (100 * limit.running) / limit.max_running)}%` }}></i></div>` : null}</td>
    <td class="num">${count(limit.waiting)}</td>
    <td class="nowrap muted">${limit.rate_starts ? `${limit.rate_starts} in ${limit.rate_per_ms % 1000 ? duration(limit.rate_per_ms) : `${limit.rate_per_ms / 1000} s`}` : ""}</td>
    <td class="rare">${limit.holders.slice(0, 5).map((run) => html`<div><a class="mono" href=${href(`/runs/${run}`)}>${run.slice(-12)}</a></div>`)}${limit.holders.length > 5 ? html`<span class="muted">and more</span>` : null}</td>
    <td class="num">${limit.paused
      ? html`<button type="button" disabled=${!isAllowed} onClick=${() => act(() => send("POST", `${path(scope)}/resume`), "Resumed")}>Resume</button>`
      : html`<button type="button" disabled=${!isAllowed} onClick=${pause}>Pause …</button>`}
      ${" "}<button type="button" class="quiet" disabled=${!isAllowed} onClick=${change}>Change …</button>
      <button type="button" class="quiet" disabled=${!isAllowed} onClick=${remove} aria-label="Remove the limit of the ${limit.scope}">Remove</button></td>
  </tr>`;
}

function Workers() {
  const { data, error, reload } = useResource("/workers");
  useLive((event) => event.kind === "Started", reload, 3000);
  return html`<${Panel} flush title="Workers with claimed runs">
    ${error && !data ? html`<div class="body"><${Trouble} error=${error} retry=${reload} /></div>` : null}
    ${data === null ? (error ? null : html`<${Loading} rows=${2} />`) : data.items.length
      ? html`<div class="scroll"><table><thead><tr><th>Worker</th><th class="num">Claimed</th><th>Some of its runs</th></tr></thead>
          <tbody>${data.items.map((worker) => html`<tr key=${worker.worker}><td class="mono">${worker.worker}</td><td class="num">${count(worker.claimed)}</td>
            <td>${worker.runs.slice(0, 6).map((run, at) => html`${at ? ", " : ""}<a class="mono" href=${href(`/runs/${run}`)}>${run.slice(-12)}</a>`)}${worker.claimed > 6 ? html` <span class="muted">and ${worker.claimed - 6} more</span>` : null}</td></tr>`)}</tbody></table></div>`
      : html`<div class="empty">No worker has a run now. A worker that waits for runs is not listed.</div>`}
    ${data?.incomplete ? html`<p class="muted" style=${{ padding: "8px 14px" }}>There are more unfinished runs than are looked at: some may be missing.</p>` : null}
  <//>`;
}

export default function Queues() {
  const { data, error, reload } = useResource("/limits");
  useLive(() => true, reload, 2000);
  const add = () => ask({
    title: "Limit a queue or a tag", action: "Set",
    fields: [{ name: "kind", label: "What", choices: ["queue", "tag"] }, { name: "name", label: "Name", hint: "default" }, ...limitFields()],
    send: async ({ kind, name, ...values }) => {
      await attempt(() => send("PUT", `/limits/${part(`${kind}:${name.trim()}`)}`, limitBody(values)), "Set");
      reload();
    },
  });
  const pause = () => ask({
    title: "Pause a queue or a tag", action: "Pause",
    fields: [{ name: "kind", label: "What", choices: ["queue", "tag"] }, { name: "name", label: "Name", hint: "default" }, ...pauseFields],
    send: async ({ kind, name, ...values }) => {
      await attempt(() => send("POST", `${path({ kind, name: name.trim() })}/pause`, given(values)), "Paused");
      reload();
    },
  });
  return html`<div class="page">
    <div class="head"><h1 class="words">Queues and workers</h1><div class="actions"><button type="button" disabled=${!may("admin")} onClick=${pause}>Pause …</button><button type="button" disabled=${!may("admin")} onClick=${add}><${Icon} name="plus" />Limit …</button></div></div>
    <${Panel} flush title="Limits and pauses">
      ${error && !data ? html`<div class="body"><${Trouble} error=${error} retry=${reload} /></div>` : null}
      ${data === null ? (error ? null : html`<${Loading} />`) : data.items.length
        ? html`<div class="scroll"><table><thead><tr><th>Scope</th><th class="num">Running</th><th class="num">Kept back</th><th>Rate</th><th class="rare">Holds a slot</th><th></th></tr></thead>
            <tbody>${data.items.map((limit) => html`<${Row} key=${limit.scope} limit=${limit} reload=${reload} />`)}</tbody></table></div>`
        : html`<div class="empty">No queue and no tag is limited or paused. Runs start as soon as a worker is free.</div>`}
    <//>
    <${Workers} />
  </div>`;
}
