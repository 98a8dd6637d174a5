// The tabs of a run.

import { part } from "../lib/api.js";
import { useLive, useResource } from "../lib/resource.js";
import { href } from "../lib/router.js";
import { may } from "../lib/session.js";
import { hasEnded, look } from "../lib/states.js";
import { bytes, count, duration } from "../lib/time.js";
import { runCommand } from "../lib/command.js";
import { names } from "../lib/names.js";
import { taskName } from "../lib/text.js";
import { html } from "../lib/view.js";
import { Command, Loading, Panel, State, Text, Trouble, When } from "./basics.js";
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
  const name = taskName(run.task ?? "", names.value);
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
      ? html`<div style=${{ display: "grid", gap: "6px" }}><h2>The same from the command line</h2><${Command}>${runCommand(name, data.items)}<//></div>`
      : null}`;
}

export function Attempts({ run }) {
  const attempts = run.attempts ?? [];
  if (!attempts.length) return html`<${Panel}><p class="muted">${run.state === "Cached" ? "Its value came from the cache: nothing was executed." : "No attempt has begun."}</p><//>`;
  return html`<div style=${{ display: "grid", gap: "12px" }}>${[...attempts].reverse().map(
    (attempt) => html`<section class="panel" aria-label="Attempt ${attempt.number}">
      <header><h2>Attempt ${attempt.number}</h2><${State} state=${attempt.state} />
        <span class="muted"><${When} at=${attempt.began_at} millis />${attempt.duration_ms !== null && attempt.duration_ms !== undefined ? ` · ${duration(attempt.duration_ms)}` : ""}</span>
        <a class="right" href=${href(`/runs/${run.run}/logs`)}>Logs</a></header>
      ${attempt.error ? html`<div class="body"><${Failure} error=${attempt.error} /></div>` : null}
      ${attempt.stdout ? html`<div class="body"><h3>Output so far</h3><pre class="code" tabindex="0"><${Text}>${typeof attempt.stdout === "string" ? attempt.stdout : JSON.stringify(attempt.stdout)}<//></pre></div>` : null}
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

/** What is known without a report: whether the value was cached. */
export function CacheOf({ run }) {
  return html`<${Panel} title="Cache"><p>${run.state === "Cached"
    ? "The value came from the cache; nothing was executed."
    : run.state === "Completed"
      ? "It was computed."
      : "There is no value."}</p>
    <p class="muted">Stored results are on the page <a href=${href("/cache")}>Cache</a>.</p><//>`;
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
