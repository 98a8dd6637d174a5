// The tabs of a run.

import { may, part, send } from "../lib/api.js";
import { names, useLive, useResource } from "../lib/resource.js";
import { href } from "../lib/router.js";
import { hasEnded, look } from "../lib/states.js";
import { bytes, count, duration } from "../lib/time.js";
import { runCommand, taskRef } from "../lib/text.js";
import { html } from "../lib/view.js";
import { Command, Copy, Loading, Panel, State, Text, Trouble, When, attempt, confirm } from "./basics.js";
import { Icon } from "./icon.js";
import { RunTable } from "./runtable.js";
import { ValueBox } from "./value.js";

const Hidden = ({ what }) => html`<p class="muted">This token has no scope <code>read:values</code>, which shows ${what}.</p>`;

/** Why something failed, with the typed value of the guest and the end of its output. */
export function Failure({ error }) {
  const [first, ...frames] = String(error.message).split("\n");
  return html`<div style=${{ display: "grid", gap: "10px" }}>
    <div class="note" data-tone="bad"><p><strong>${error.kind}</strong></p><p><${Text}>${first}<//></p></div>
    ${frames.length ? html`<pre class="code" tabindex="0"><${Text}>${frames.join("\n")}<//></pre>` : null}
    ${error.value !== undefined && error.value !== null ? html`<div><h3>The error that it returned</h3><${ValueBox} value=${error.value} /></div>` : null}
    ${error.stderr?.length ? html`<div><h3>The end of stderr</h3><pre class="code scroll" tabindex="0"><${Text}>${error.stderr.join("\n")}<//></pre></div>` : null}
  </div>`;
}

export function Result({ run }) {
  const { word } = look(run.state);
  const has = "value" in run;
  return html`<${Panel} title="Result">
    ${has
      ? run.value === null
        ? html`<p class="muted">It has completed. The value is null: there is none, or it is an option without one.</p>`
        : html`<${ValueBox} value=${run.value} />`
      : run.error
        ? html`<${Failure} error=${run.error} />`
        : hasEnded(run.state)
          ? may("read:values")
            ? html`<p class="muted">${word}: there is no value.</p>`
            : html`<${Hidden} what="results" />`
          : html`<p class="muted">There is no result yet.</p>`}
  <//>`;
}

export function Inputs({ run }) {
  const { data, error, reload } = useResource(may("read:values") ? `/runs/${part(run.run)}/inputs` : null);
  if (!may("read:values")) return html`<${Panel} title="Inputs"><${Hidden} what="inputs" /><//>`;
  if (error) return html`<${Trouble} error=${error} retry=${reload} />`;
  return html`<${Panel} title="Inputs">
      ${data === null
        ? html`<${Loading} rows=${2} />`
        : data.items.length === 0
          ? html`<p class="muted">The function has no parameters.</p>`
          : html`<dl class="facts">${data.items.map(
              (input, at) => html`<dt><code>${input.name ?? at}</code> <span class="faint mono">${input.type.length > 40 ? "" : input.type}</span></dt>
                <dd>${input.type ? html`<${ValueBox} value=${input.value} wave=${input.wave} />` : html`<span class="muted">${input.wave}</span>`}</dd>`,
            )}</dl>`}
    <//>
    ${data && data.items.every((input) => input.type)
      ? html`<div style=${{ display: "grid", gap: "6px" }}><h2>The same from the command line</h2><${Command}>${runCommand(taskRef(run.task ?? "", names.value), data.items)}<//></div>`
      : null}`;
}

export function Attempts({ run }) {
  const attempts = run.attempts ?? [];
  if (!attempts.length) return html`<${Panel}><p class="muted">${run.state === "Cached" ? "Its value came from the cache: nothing was executed." : "No attempt has begun."}</p><//>`;
  return html`<div style=${{ display: "grid", gap: "12px" }}>${[...attempts].reverse().map(
    (one) => html`<section class="panel" aria-label="Attempt ${one.number}">
      <header><h2>Attempt ${one.number}</h2><${State} state=${one.state} />
        <span class="muted"><${When} at=${one.began_at} millis />${one.duration_ms !== null && one.duration_ms !== undefined ? ` · ${duration(one.duration_ms)}` : ""}</span>
        <a class="right" href=${href(`/runs/${run.run}/logs`)}>Logs</a></header>
      ${one.error ? html`<div class="body"><${Failure} error=${one.error} /></div>` : null}
      ${one.stdout ? html`<div class="body"><h3>Output so far</h3><pre class="code" tabindex="0"><${Text}>${typeof one.stdout === "string" ? one.stdout : JSON.stringify(one.stdout)}<//></pre></div>` : null}
    </section>`,
  )}</div>`;
}

const FLOWS = [["read_bytes", "read from files"], ["written_bytes", "written to files"], ["received_bytes", "received"], ["sent_bytes", "sent"], ["input_bytes", "of inputs"], ["result_bytes", "of result"], ["log_bytes", "of log"]];

export function Receipt({ run }) {
  const receipt = run.receipt;
  if (!receipt) return html`<${Panel}><p class="muted">There is no receipt before an attempt has ended.</p><//>`;
  const calls = Object.entries(receipt.host_calls);
  const denials = Object.entries(receipt.denials);
  const figure = (value, word) => html`<div class="figure"><b>${value}</b><span>${word}</span></div>`;
  return html`<div class="grid">
    <${Panel} title="What it used" class="w6">
      <div class="figures">${figure(duration(receipt.cpu_ms), "processor time")}${figure(bytes(receipt.peak_memory_bytes), "peak memory")}
        ${FLOWS.filter(([key]) => receipt[key] > 0).map(([key, word]) => figure(bytes(receipt[key]), word))}
        ${receipt.fuel ? figure(count(receipt.fuel), "fuel") : null}</div>
    <//>
    <${Panel} title="What it was denied" class="w6">
      ${denials.length
        ? html`<ul>${denials.map(([grant, times]) => html`<li><strong style=${{ color: "var(--warn)" }}>${count(times)} ×</strong> <code>${grant}</code> <span class="muted">would be allowed by the grant <code>${grant}</code></span></li>`)}</ul>`
        : html`<p class="muted">Nothing.</p>`}
    <//>
    <${Panel} title="Calls of the host" class="w6">
      ${calls.length ? html`<dl class="facts">${calls.map(([name, times]) => html`<dt>${name}</dt><dd>${count(times)}</dd>`)}</dl>` : html`<p class="muted">None: it computed and nothing else.</p>`}
    <//>
    <${Panel} title="What it was allowed" class="w6">
      ${run.grants?.length ? html`<ul class="mono">${run.grants.map((grant) => html`<li><${Text}>${grant}<//></li>`)}</ul>` : html`<p class="muted">Nothing was granted.</p>`}
    <//>
  </div>`;
}

const LOOK_UPS = { hit: ["cache", "stack", "Its value was in the cache"], miss: ["good", "check", "It was computed"], off: ["wait", "ring", "The cache was not used"], refresh: ["run", "again", "It was computed anew"], pending: ["wait", "ring", "It has not begun"], none: ["off", "stop", "It ended without being executed"] };

/** What the cache did, why, and what is stored under the key. */
export function CacheOf({ run }) {
  const { data, error, reload } = useResource(may("read:values") ? `/runs/${part(run.run)}/cache` : null);
  const forget = async (key) => {
    if (!(await confirm({ title: "Forget this result", text: "The next run with this key computes it again. This run keeps its value.", action: "Forget", danger: true }))) return;
    await attempt(() => send("DELETE", `/cache/${part(key)}`), "Forgotten");
    reload();
  };
  if (!may("read:values")) return html`<${Panel} title="Cache"><${Hidden} what="keys and what they are made of" /><//>`;
  if (error && !data) return html`<${Trouble} error=${error} retry=${reload} />`;
  if (data === null) return html`<${Panel} title="Cache"><${Loading} /><//>`;
  const [tone, shape, word] = LOOK_UPS[data.look_up] ?? ["wait", "ring", data.look_up];
  return html`<${Panel} title="Cache" right=${data.entries.length ? html`<button type="button" disabled=${!may("admin")} onClick=${() => forget(data.key)}>Forget</button>` : null}>
    <p class="state" data-tone=${tone}><${Icon} name=${shape} />${word}</p>
    <p style=${{ margin: "6px 0 12px" }}><${Text}>${data.text}<//></p>
    <dl class="facts"><dt>Policy</dt><dd>${data.policy}</dd>
      <dt>Key</dt><dd class="mono">${data.key ? html`${data.key}<${Copy} text=${data.key} label="Copy the key" />` : "none"}</dd>
      ${data.producer ? html`<dt>Computed by</dt><dd class="mono"><a href=${href(`/runs/${data.producer}`)}>${data.producer}</a></dd>` : null}</dl>
    <h3 style=${{ marginTop: "14px" }}>Stored under the key</h3>
    ${data.entries.length
      ? html`<ul>${data.entries.map((entry) => html`<li>${bytes(entry.value_bytes)}, made <${When} at=${entry.created_at} /> by <a class="mono" href=${href(`/runs/${entry.run}`)}>${entry.run.slice(-12)}</a> in ${duration(entry.took_ms)}${entry.reads.length ? html`<ul class="mono muted" style=${{ paddingLeft: "16px" }}>${entry.reads.slice(0, 20).map((read) => html`<li><${Text}>${read.path}<//> (${read.what})</li>`)}</ul>` : null}</li>`)}</ul>`
      : html`<p class="muted">Nothing.</p>`}
  <//>`;
}

/** The recorded items of a map of the command line. */
export function Children({ run }) {
  const { data, error, reload } = useResource(`/runs/${part(run.run)}/children`);
  if (error && !data) return html`<${Trouble} error=${error} retry=${reload} />`;
  return html`<${Panel} flush title="Recorded items">
    ${data === null ? html`<${Loading} />` : data.items.length ? html`<${RunTable} runs=${data.items} slim label="Recorded items" />` : html`<div class="empty">No item was recorded: those that did not complete are.</div>`}
    ${data?.more ? html`<p class="muted" style=${{ padding: "8px 14px" }}>There may be more.</p>` : null}
  <//>`;
}

export function Events({ run }) {
  const { data, error, reload } = useResource(`/runs/${part(run.run)}/events`);
  useLive((event) => event.run === run.run, reload);
  if (error && !data) return html`<${Trouble} error=${error} retry=${reload} />`;
  return html`<${Panel} flush title="What the journal has">
    ${data === null
      ? html`<${Loading} />`
      : html`<div class="scroll"><table><thead><tr><th class="num" style=${{ width: "70px" }}>Version</th><th style=${{ width: "200px" }}>At</th><th>Event</th></tr></thead>
          <tbody>${data.items.map((event) => html`<tr><td class="num faint">${event.version}</td><td class="muted"><${When} at=${event.at} millis /></td><td class="mono">${event.kind}</td></tr>`)}</tbody></table></div>`}
  <//>`;
}
