// The other forms of the arguments: as JSON, and as WAVE, which the command takes. All hold the value of the form.

import { parseJson, typeText } from "../lib/form.js";
import { html, useState } from "../lib/view.js";

/** `onChange(value)` is called with every text that is JSON of an object or a list. */
export function JsonForm({ args, onChange }) {
  const [text, setText] = useState(() => JSON.stringify(args, null, 2));
  const [problem, setProblem] = useState(null);
  const change = (changed) => {
    setText(changed);
    const { value, error } = parseJson(changed);
    setProblem(error ?? (value === null || typeof value !== "object" ? "expected an object with the names of the parameters" : null));
    if (!error && value !== null && typeof value === "object") onChange(value);
  };
  return html`<div class="field"><label class="label" for="as-json">Arguments as JSON</label>
    <textarea id="as-json" class="mono" rows=${Math.min(24, text.split("\n").length + 1)} value=${text} onInput=${(event) => change(event.target.value)} spellcheck="false" aria-invalid=${Boolean(problem)}></textarea>
    ${problem ? html`<span class="wrong" role="alert">${problem}</span>` : html`<span class="muted">64-bit integers stay exact.</span>`}</div>`;
}

/** What is wrong with the text of a parameter, in the words of the server. */
const wrongOf = (errors, name) => errors.filter(({ path }) => path[0] === name).map(({ path, message }) => [...path.slice(1), message].join(": "));

/** A text for each parameter. `errors` come from the server, which reads them. */
export const WaveForm = ({ params, texts, errors, onChange }) => html`<div style=${{ display: "grid", gap: "14px" }}>
  ${params.map(({ name, type }) => {
    const text = texts[name] ?? "";
    const wrong = wrongOf(errors, name);
    return html`<div class="field" key=${name}><label class="label" for=${`wave-${name}`}><span>${name}</span> <span class="type">${typeText(type).slice(0, 60)}</span></label>
      <textarea id=${`wave-${name}`} class="mono" rows=${Math.min(12, Math.max(1, Math.ceil(text.length / 90), text.split("\n").length))} style=${{ minHeight: "30px", maxHeight: "300px", fieldSizing: "content" }} value=${text} onInput=${(event) => onChange(name, event.target.value)}
        spellcheck="false" aria-invalid=${wrong.length > 0} aria-describedby=${wrong.length ? `wave-${name}-wrong` : undefined}></textarea>
      ${wrong.length ? html`<span class="wrong" role="alert" id=${`wave-${name}-wrong`}>${wrong.join("; ")}</span>` : null}</div>`;
  })}
  <span class="muted">As <code>hostel run</code> takes them. The server reads them, and the form follows.</span>
</div>`;
