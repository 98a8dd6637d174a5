// How two versions differ: what they ask for, and what they offer.

import { html } from "../lib/view.js";
import { Text } from "./basics.js";

const demand = (one) => (one.grant ? `grant ${one.grant}` : one.capability);
const imports = (one) => (one.imports?.length ? ` (${one.imports.join(", ")})` : "");

/** What one asks for and the other does not. */
export function Demands({ diff }) {
  const { more = [], less = [] } = diff ?? {};
  if (!more.length && !less.length) return html`<p class="muted">It asks for the same.</p>`;
  const line = (sign, tone) => (one) => html`<li data-tone=${tone} style=${{ color: "var(--tone)" }}><strong>${sign}</strong> <${Text}>${demand(one)}<//><span class="muted"><${Text}>${imports(one)}<//></span></li>`;
  return html`<ul aria-label="What it asks for">${more.map(line("+", "bad"))}${less.map(line("−", "good"))}</ul>`;
}

/** Functions that were added, removed or changed. */
export function Exports({ diff }) {
  const exports = diff?.exports ?? [];
  if (!exports.length) return html`<p class="muted">It offers the same functions.</p>`;
  return html`<ul class="mono" aria-label="Functions that changed">${exports.map((one) => {
    const [sign, tone] = one.old === null ? ["+", "good"] : one.new === null ? ["−", "bad"] : ["~", "warn"];
    return html`<li><strong data-tone=${tone} style=${{ color: "var(--tone)" }}>${sign}</strong> <${Text}>${one.export}<//>
      ${one.old !== null ? html`<div class="muted" style=${{ paddingLeft: "18px" }}>− <${Text}>${one.old}<//></div>` : null}
      ${one.new !== null ? html`<div style=${{ paddingLeft: "18px" }}>+ <${Text}>${one.new}<//></div>` : null}</li>`;
  })}</ul>`;
}
