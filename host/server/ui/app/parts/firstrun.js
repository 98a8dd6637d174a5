// What to do first, for a data directory without runs.

import { html } from "../lib/view.js";
import { Command } from "./basics.js";
import { Upload } from "./upload.js";

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
