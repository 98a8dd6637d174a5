// A place where a component can be dropped, and what to do first, without runs.

import { may, part, request, send } from "../lib/api.js";
import { loadTasks } from "../lib/resource.js";
import { go, href } from "../lib/router.js";
import { bytes } from "../lib/time.js";
import { cx, html, useRef, useState } from "../lib/view.js";
import { Command, Text, Trouble, toast } from "./basics.js";
import { Demands, Exports } from "./diff.js";
import { Icon } from "./icon.js";

const isName = /^[a-z][a-z0-9-]*(\.[a-z0-9-]+)*$/;

/** A name that a file suggests. */
const suggested = (file) => {
  const name = file.replace(/\.[^.]*$/, "").toLowerCase().replace(/[^a-z0-9.]+/g, "-").replace(/^[^a-z]+|[-.]+$/g, "");
  return name || "component";
};

export function Upload() {
  const [state, setState] = useState(/** @type {{step: string, file?: File, pushed?: Schemas["Pushed"], error?: any}} */ ({ step: "wait" }));
  const [isOver, setOver] = useState(false);
  const input = useRef(null);
  const take = async (file) => {
    if (!file) return;
    setState({ step: "send", file });
    try {
      const response = await request("POST", "/components", { body: file, type: "application/wasm" });
      setState({ step: "name", file, pushed: await response.json() });
    } catch (error) {
      setState({ step: "wait", error });
    }
  };
  const drop = (event) => {
    event.preventDefault();
    setOver(false);
    take(event.dataTransfer.files[0]);
  };
  if (state.step === "name") return html`<${Name} ...${state} onEnd=${() => setState({ step: "wait" })} />`;
  const isAllowed = may("components");
  return html`<div style=${{ display: "grid", gap: "8px" }}>
    <${Trouble} error=${state.error} />
    <div class=${cx("drop", isOver && "over")} onDragOver=${(event) => (event.preventDefault(), setOver(true))} onDragLeave=${() => setOver(false)} onDrop=${drop}>
      ${state.step === "send" && state.file
        ? html`<span role="status">${state.file.name}, ${bytes(state.file.size)}: checking and compiling …</span>`
        : html`<button type="button" onClick=${() => input.current.click()} disabled=${!isAllowed}><${Icon} name="upload" />Choose a .wasm file</button>
            <span> or drop it here</span>
            ${isAllowed ? null : html`<p>This token has no scope components.</p>`}`}
      <input ref=${input} type="file" accept=".wasm,application/wasm" hidden aria-label="Component" onChange=${(event) => take(event.target.files[0])} />
    </div>
  </div>`;
}

/** The second step: a name, under which tasks are found and versions compared. */
function Name({ file, pushed, onEnd }) {
  const [name, setName] = useState(suggested(file.name));
  const [version, setVersion] = useState("");
  const [result, setResult] = useState(null);
  const [error, setError] = useState(null);
  const push = async (event, accept = false) => {
    event?.preventDefault();
    setError(null);
    const body = { digest: pushed.digest, accept_capabilities: accept };
    try {
      const answer = version.trim()
        ? await send("PUT", `/names/${part(name)}/versions/${part(version.trim())}`, body)
        : await send("POST", `/names/${part(name)}`, body);
      await loadTasks({ again: true });
      toast(`${answer.component} is there`);
      return go(`/components/${name}`);
    } catch (problem) {
      if (problem.body?.diff) return setResult(problem.body);
      return setError(problem);
    }
  };
  if (result) {
    return html`<div class="note" data-tone="warn">
      <p><strong>This version asks for more than ${result.pushed?.compared_with ?? "the one before"}.</strong> Until someone accepts that, the name resolves to the earlier one.</p>
      <${Demands} diff=${result.diff} />
      <${Exports} diff=${result.diff} />
      <p class="actions"><button type="button" class="primary" onClick=${() => push(null, true)}>Accept and use it</button>
        <button type="button" onClick=${() => go(`/components/${name}`)}>Keep the earlier one</button></p>
      <${Trouble} error=${error} />
    </div>`;
  }
  return html`<form onSubmit=${push} style=${{ display: "grid", gap: "10px" }}>
    <p>${pushed.new ? "Stored" : "It was stored before"}: <a class="mono" href=${href(`/components/${pushed.digest}`)}>${pushed.digest.slice(0, 23)}…</a>. Give it a name:</p>
    <div class="row" style=${{ flexWrap: "wrap" }}>
      <label class="field">Name<input value=${name} onInput=${(event) => setName(event.target.value)} required spellcheck="false" aria-invalid=${!isName.test(name)} /></label>
      <label class="field">Version<input value=${version} onInput=${(event) => setVersion(event.target.value)} placeholder="the next one" spellcheck="false" /></label>
    </div>
    <${Trouble} error=${error} />
    <div class="actions"><button class="primary">Name it</button><button type="button" onClick=${onEnd}>Leave it without a name</button></div>
    <p class="muted"><${Text}>${file.name}<//>, ${bytes(file.size)}</p>
  </form>`;
}

/** What a data directory without runs begins with. */
export const FirstRun = () => html`<div class="empty" style=${{ textAlign: "left", maxWidth: "680px", margin: "0 auto" }}>
  <h2 style=${{ color: "var(--ink)" }}>No runs yet</h2>
  <p>A component is a WebAssembly file whose functions run as tasks. Drop one here:</p>
  <div style=${{ margin: "12px 0" }}><${Upload} /></div>
  <p style=${{ marginBottom: "8px" }}>Or begin on the command line:</p>
  <div style=${{ display: "grid", gap: "6px" }}>
    <${Command}>hostel inspect math.wasm<//>
    <${Command}>hostel run math.wasm#add 40 2<//>
    <${Command}>hostel delay math.wasm#add 40 2<//>
  </div>
</div>`;
