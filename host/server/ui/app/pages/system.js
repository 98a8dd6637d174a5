// The server: version, limits, tokens, and this browser's session.

import { may, part, send, session } from "../lib/api.js";
import { useResource } from "../lib/resource.js";
import { bytes, count, duration } from "../lib/time.js";
import { html, useState } from "../lib/view.js";
import { Command, Loading, Panel, Text, Trouble, When, attempt, confirm } from "../parts/basics.js";
import { logOut } from "../parts/frame.js";

const SCOPES = [["read", "components, tasks, runs, schedules, limits, events"], ["read:values", "inputs, results, logs"], ["run", "submit and retry runs, change schedules"], ["components", "add and remove components"], ["cancel", "cancel, remove and mark runs"], ["admin", "everything"]];

function NewToken({ onMade }) {
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState(["read"]);
  const [made, setMade] = useState(null);
  const [error, setError] = useState(null);
  const make = async (event) => {
    event.preventDefault();
    setError(null);
    try {
      setMade(await send("POST", "/tokens", { name: name.trim(), scopes }));
      setName("");
      onMade();
    } catch (problem) {
      setError(problem);
    }
  };
  return html`<form onSubmit=${make} style=${{ display: "grid", gap: "10px" }}>
    <div class="field"><label class="label" for="token-name">Name of a new token</label><input id="token-name" class="text" value=${name} onInput=${(event) => setName(event.target.value)} required autocomplete="off" /></div>
    <div role="group" aria-label="Scopes" style=${{ display: "grid", gap: "2px" }}>${SCOPES.map(
      ([scope, text]) => html`<label class="check"><input type="checkbox" checked=${scopes.includes(scope)} onChange=${(event) => setScopes(event.target.checked ? [...scopes, scope] : scopes.filter((one) => one !== scope))} /><code>${scope}</code><span class="muted">${text}</span></label>`,
    )}</div>
    <${Trouble} error=${error} />
    <div><button class="primary" disabled=${scopes.length === 0}>Make it</button></div>
    ${made ? html`<div class="note" data-tone="good"><p>The token of <strong>${made.name}</strong>. It is shown this once:</p><${Command} label="Token">${made.token}<//></div>` : null}
  </form>`;
}

function Tokens() {
  const { data, error, reload } = useResource("/tokens");
  const remove = async (token) => {
    if (!(await confirm({ title: `Remove the token ${token.name}`, text: "Requests with it are refused from then on.", action: "Remove", danger: true }))) return;
    await attempt(() => send("DELETE", `/tokens/${part(token.name)}`), "Removed");
    reload();
  };
  return html`<${Panel} flush title="Tokens" class="w6">
    ${error ? html`<div class="body"><${Trouble} error=${error} /></div>` : null}
    ${data === null ? (error ? null : html`<${Loading} rows=${2} />`) : html`<div class="scroll"><table><tbody>${data.items.map(
      (token) => html`<tr key=${token.name}><td><strong><${Text}>${token.name}<//></strong></td><td class="mono muted">${[...token.scopes, ...(token.restricted ?? [])].join(", ")}</td><td class="muted">${token.created_at ? html`<${When} at=${token.created_at} />` : "the first"}</td>
        <td class="num">${token.created_at ? html`<button type="button" class="quiet" onClick=${() => remove(token)} aria-label="Remove ${token.name}">Remove</button>` : null}</td></tr>`,
    )}</tbody></table></div>`}
    <div class="body"><${NewToken} onMade=${reload} /></div>
  <//>`;
}

const WORDS = { json_bytes: "JSON body", component_bytes: "Component", blob_bytes: "Uploaded value", large_answers: "Answers with large values", large_answers_bytes: "Their values", head_bytes: "Head of a request", head_ms: "Time for a head", chunk_ms: "Time between parts of a body", body_ms: "Time for a body", body_bytes_per_second: "Bytes of a body a second", connections: "Connections", streams: "Streams", list: "Items of a page", wait_ms: "Wait", map_rows: "Rows of a map", submits_per_second: "Runs a second", uploads_per_minute: "Uploads a minute" };

/** @type {[string, (value: number) => string][]} */
const UNITS = [["_bytes", bytes], ["_ms", duration]];

function limitText(name, value) {
  if (value === null) return "no limit";
  const unit = UNITS.find(([end]) => name.endsWith(end));
  return unit ? unit[1](value) : count(value);
}

const LICENCES = [["Preact", "MIT"], ["htm", "Apache-2.0"], ["@preact/signals", "MIT"]];

export default function System() {
  const { data: info, error, reload } = useResource("/info");
  return html`<div class="page">
    <div class="head"><h1 class="words">System</h1></div>
    <${Trouble} error=${info ? null : error} retry=${reload} />
    <div class="grid">
      <${Panel} title="Server" class="w6">${info
        ? html`<dl class="facts"><dt>Version</dt><dd>${info.version}</dd><dt>Since</dt><dd><${When} at=${info.started_at} /> (<${When} at=${info.started_at} far />)</dd>
            <dt>Executes runs</dt><dd>${info.executes ? "yes" : "no: workers do"}</dd>${info.draining ? html`<dt>Ending</dt><dd>it takes no more work</dd>` : null}
            <dt>Features</dt><dd class="muted">${info.features.join(", ")}</dd></dl>`
        : error ? null : html`<${Loading} />`}<//>
      <${Panel} title="This browser" class="w6"><dl class="facts"><dt>Token</dt><dd>${session.value?.name}</dd><dt>May</dt><dd class="mono">${(session.value?.scopes ?? []).join(", ")}</dd></dl>
        <p class="actions" style=${{ marginTop: "12px" }}><button type="button" onClick=${logOut}>Log out</button></p><//>
      <${Panel} title="Limits" class="w6">${info ? html`<dl class="facts">${Object.entries(info.limits).map(([name, value]) => html`<dt>${WORDS[name] ?? name.replaceAll("_", " ")}</dt><dd>${limitText(name, value)}</dd>`)}</dl>` : html`<${Loading} />`}<//>
      ${may("admin") ? html`<${Tokens} />` : null}
      <${Panel} title="The dashboard is made with" class="w6"><dl class="facts">${LICENCES.map(([name, licence]) => html`<dt>${name}</dt><dd>${licence}</dd>`)}</dl><//>
    </div>
  </div>`;
}
