// Fields for values, one kind for each kind of type. What was typed stays when one looks elsewhere.

import { empty, fromJson, isInteger, isRaw, parseJson, pastedItems, step, toBase64, typeText } from "../lib/form.js";
import { bytes as size } from "../lib/time.js";
import { html, useRef, useState } from "../lib/view.js";
import { attempt, toast } from "./basics.js";
import { Icon } from "./icon.js";

/** A file that becomes a value has at most so many bytes: it is sent as a part of JSON. */
const FILE_BYTES = 700 << 10;
/** Up to so many cases are shown side by side. */
const FEW = 5;

/** The path of a place as one text, to find its problem. */
export const key = (path) => path.join("\u0000");

/** A value with its label. `errors` has messages by `key(path)`. */
export function Field({ label, type, draft, onChange, path, errors, depth = 0, within = "" }) {
  const id = `f-${path.join("-").replace(/[^\w-]/g, "_")}${within}`;
  // The path of an option is that of its value, which shows the problem if it is there.
  const problem = type.kind === "option" && draft.some ? undefined : errors.get(key(path));
  const isGroup = ["record", "tuple", "list", "fixed-list", "variant", "option", "result", "flags"].includes(type.kind) || type.kind === "bytes" || (type.kind === "enum" && type.cases.length <= FEW);
  const text = typeText(type);
  const words = html`<span>${label}</span> <span class="type">${text.length > 60 ? type.kind : text}</span>`;
  const message = problem ? html`<span class="wrong" id=${`${id}-wrong`} role="alert">${problem}</span>` : null;
  const input = html`<${Input} type=${type} draft=${draft} onChange=${onChange} path=${path} errors=${errors} depth=${depth} id=${id} problem=${problem} label=${label} />`;
  if (isGroup && !isRaw(type, depth)) {
    return html`<div class="field" role="group" aria-labelledby=${`${id}-label`}><span class="label" id=${`${id}-label`}>${words}</span>${input}${message}</div>`;
  }
  return html`<div class="field"><label class="label" for=${id}>${words}</label>${input}${message}</div>`;
}

function Input(props) {
  const { type, depth } = props;
  if (isRaw(type, depth)) return html`<${Raw} ...${props} />`;
  if (isInteger(type.kind) || type.kind === "f32" || type.kind === "f64") return html`<${Numeric} ...${props} />`;
  const of = { bool: Switch, char: Text, string: Text, bytes: Bytes, list: List, "fixed-list": Items, tuple: Items, record: Fields, variant: Variant, enum: Enum, option: Option, result: Result, flags: Flags };
  const part = of[type.kind];
  return part ? html`<${part} ...${props} />` : html`<span class="wrong">this page does not know the type ${type.kind}</span>`;
}

const marks = ({ id, problem }) => ({ id, "aria-invalid": problem ? "true" : undefined, "aria-describedby": problem ? `${id}-wrong` : undefined });

const Numeric = (props) => html`<input ...${marks(props)} class="mono" style=${{ width: "230px", maxWidth: "100%" }} inputmode=${props.type.kind[0] === "f" ? "decimal" : "numeric"}
  value=${props.draft} onInput=${(event) => props.onChange(event.target.value)} autocomplete="off" spellcheck="false" />`;

const Switch = (props) => html`<label class="check"><input type="checkbox" ...${marks(props)} aria-label=${props.label} checked=${props.draft} onChange=${(event) => props.onChange(event.target.checked)} />${props.draft ? "true" : "false"}</label>`;

function Text(props) {
  const { type, draft, onChange } = props;
  if (type.kind === "char") return html`<input ...${marks(props)} style=${{ width: "64px" }} value=${draft} onInput=${(event) => onChange(event.target.value)} autocomplete="off" />`;
  const rows = Math.min(12, Math.max(1, draft.split("\n").length));
  return html`<div class="row"><textarea ...${marks(props)} rows=${rows} style=${{ maxWidth: "720px", minHeight: "30px" }} value=${draft} onInput=${(event) => onChange(event.target.value)} spellcheck="false"></textarea>
    <${FromFile} onFile=${async (file) => onChange(await file.text())} /></div>`;
}

function FromFile({ onFile, word = "File" }) {
  const input = useRef(null);
  const take = (file) => {
    if (!file) return;
    if (file.size > FILE_BYTES) toast(`${file.name} has ${size(file.size)}: a file in a form has at most ${size(FILE_BYTES)}`, "bad");
    else attempt(() => onFile(file));
  };
  return html`<button type="button" class="quiet" onClick=${() => input.current.click()}>${word} …</button>
    <input ref=${input} type="file" hidden aria-label="From a file" onChange=${(event) => take(event.target.files[0])} />`;
}

function Bytes(props) {
  const { draft, onChange, label } = props;
  const fromFile = async (file) => onChange({ how: "base64", text: toBase64(new Uint8Array(await file.arrayBuffer())) });
  return html`<div class="row" style=${{ flexWrap: "wrap" }}>
    <select aria-label="How ${label} is typed" value=${draft.how} onChange=${(event) => onChange({ ...draft, how: event.target.value })}>
      <option value="text">as text</option><option value="hex">as hex</option><option value="base64">as base64</option>
    </select>
    <textarea ...${marks(props)} aria-label=${label} rows="1" class="mono grow" style=${{ maxWidth: "560px", minHeight: "30px" }} value=${draft.text} onInput=${(event) => onChange({ ...draft, text: event.target.value })} spellcheck="false"></textarea>
    <${FromFile} onFile=${fromFile} />
  </div>`;
}

const at = (list, index, value) => list.map((item, other) => (other === index ? value : item));

function Items({ type, draft, onChange, path, errors, depth }) {
  return html`<fieldset>${draft.items.map((item, index) => html`<${Field} key=${index} label=${String(index)} type=${type.elements?.[index] ?? type.element} draft=${item}
    onChange=${(value) => onChange({ items: at(draft.items, index, value) })} path=${[...path, step.element(index)]} errors=${errors} depth=${depth + 1} />`)}</fieldset>`;
}

function List({ type, draft, onChange, path, errors, depth }) {
  const { items } = draft;
  const [isPasting, setPasting] = useState(false);
  const set = (changed) => onChange({ items: changed });
  const move = (index, by) => {
    const changed = [...items];
    [changed[index], changed[index + by]] = [changed[index + by], changed[index]];
    set(changed);
  };
  const add = () => set([...items, empty(type.element, depth + 1)]);
  const paste = (event) => {
    const found = pastedItems(event.target.closest("div.pasted").querySelector("textarea").value, type.element);
    set([...items, ...found.map((value) => fromJson(type.element, value, depth + 1))]);
    setPasting(false);
  };
  return html`<fieldset>
    ${items.map(
      (item, index) => html`<div class="row" key=${index}>
        <${Field} label=${String(index)} type=${type.element} draft=${item} onChange=${(value) => set(at(items, index, value))} path=${[...path, step.element(index)]} errors=${errors} depth=${depth + 1} />
        <span class="nowrap" style=${{ paddingTop: "22px" }}>
          <button type="button" class="quiet icon" disabled=${index === 0} onClick=${() => move(index, -1)} aria-label="Move item ${index} up" title="Move up">↑</button>
          <button type="button" class="quiet icon" onClick=${() => set([...items.slice(0, index + 1), structuredClone(item), ...items.slice(index + 1)])} aria-label="Copy item ${index}" title="Copy"><${Icon} name="copy" /></button>
          <button type="button" class="quiet icon" onClick=${() => set(items.filter((_, other) => other !== index))} aria-label="Remove item ${index}" title="Remove"><${Icon} name="minus" /></button>
        </span>
      </div>`,
    )}
    ${isPasting
      ? html`<div class="pasted"><textarea rows="5" class="mono" aria-label="Items to add" placeholder="A JSON array, JSON Lines, or a line for each item"></textarea>
          <div class="actions"><button type="button" onClick=${paste}>Add these</button><button type="button" class="quiet" onClick=${() => setPasting(false)}>Cancel</button></div></div>`
      : html`<div class="actions"><button type="button" onClick=${add}><${Icon} name="plus" />Add an item</button><button type="button" class="quiet" onClick=${() => setPasting(true)}>Paste …</button>
          <span class="muted" style=${{ alignSelf: "center" }}>${items.length} ${items.length === 1 ? "item" : "items"}</span></div>`}
  </fieldset>`;
}

const Fields = ({ type, draft, onChange, path, errors, depth }) => html`<fieldset>${type.fields.map(
  (field) => html`<${Field} key=${field.name} label=${field.name} type=${field.type} draft=${draft[field.name]} onChange=${(value) => onChange({ ...draft, [field.name]: value })} path=${[...path, step.field(field.name)]} errors=${errors} depth=${depth + 1} />`,
)}</fieldset>`;

/** One of several, side by side if they are few. */
function Choice({ id, label, value, cases, onChange }) {
  if (cases.length > FEW) {
    return html`<select id=${id} aria-label=${label} value=${value} onChange=${(event) => onChange(event.target.value)} style=${{ maxWidth: "320px" }}>
      ${value === "" ? html`<option value="">choose …</option>` : null}${cases.map((name) => html`<option value=${name}>${name}</option>`)}</select>`;
  }
  return html`<div class="choice" role="radiogroup" aria-label=${label}>${cases.map(
    (name) => html`<label><input type="radio" name=${id} checked=${value === name} onChange=${() => onChange(name)} />${name}</label>`,
  )}</div>`;
}

const Enum = (props) => html`<${Choice} id=${props.id} label=${props.label} value=${props.draft} cases=${props.type.cases} onChange=${props.onChange} />`;

function Payload({ of, name, to, draft, onChange, path, errors, depth, label }) {
  if (!of) return null;
  const value = draft.payloads[name] ?? empty(of, depth + 1);
  return html`<fieldset><${Field} label=${label ?? name} type=${of} draft=${value} onChange=${(changed) => onChange({ ...draft, payloads: { ...draft.payloads, [name]: changed } })} path=${[...path, to]} errors=${errors} depth=${depth + 1} /></fieldset>`;
}

function Variant(props) {
  const { type, draft, onChange, id, label } = props;
  const of = type.cases.find((one) => one.name === draft.case)?.type;
  return html`<${Choice} id=${id} label=${label} value=${draft.case} cases=${type.cases.map((one) => one.name)} onChange=${(name) => onChange({ ...draft, case: name })} />
    <${Payload} ...${props} of=${of} name=${draft.case} to=${step.case(draft.case)} label=${draft.case} />`;
}

function Result(props) {
  const { type, draft, onChange, id, label } = props;
  return html`<${Choice} id=${id} label=${label} value=${draft.which} cases=${["ok", "err"]} onChange=${(which) => onChange({ ...draft, which })} />
    <${Payload} ...${props} of=${type[draft.which]} name=${draft.which} to=${draft.which} label=${draft.which} />`;
}

/** None is a choice that one sees, and no empty text. */
function Option({ type, draft, onChange, path, errors, depth, id, label }) {
  const value = draft.value ?? empty(type.some, depth + 1);
  return html`<${Choice} id=${id} label=${label} value=${draft.some ? "some" : "none"} cases=${["none", "some"]} onChange=${(which) => onChange({ ...draft, some: which === "some", value })} />
    ${draft.some ? html`<fieldset><${Field} label="value" type=${type.some} draft=${value} onChange=${(changed) => onChange({ some: true, value: changed })} path=${path} within="-some" errors=${errors} depth=${depth + 1} /></fieldset>` : null}`;
}

const Flags = ({ type, draft, onChange }) => html`<div class="choice">${type.names.map(
  (name) => html`<label><input type="checkbox" checked=${draft.includes(name)} onChange=${(event) => onChange(event.target.checked ? [...draft, name] : draft.filter((other) => other !== name))} />${name}</label>`,
)}</div>`;

const Raw = (props) => html`<textarea ...${marks(props)} class="mono" rows="4" value=${props.draft.raw} onInput=${(event) => props.onChange({ raw: event.target.value })} placeholder="JSON" spellcheck="false"></textarea>`;

/** All arguments as JSON. `onChange(value)` is called with every text that is JSON of an object or a list. */
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

const wrongOf = (errors, name) => errors.filter(({ path }) => path[0] === name).map(({ path, message }) => [...path.slice(1), message].join(": "));

/** The arguments as WAVE: a text for each parameter. `errors` come from the server, which reads them. */
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

/** Options of a run. `flag` is the option of `hostel run`; `of` says whether it is one of the task's or of the request. */
export const OPTIONS = [
  { name: "queue", word: "Queue", of: "request", hint: "default" },
  { name: "tags", word: "Tags", of: "request", hint: "nightly, lab" },
  { name: "priority", word: "Priority", of: "request", hint: "0", number: true },
  { name: "in", word: "Start in", of: "request", hint: "at once; 10m" },
  { name: "unique", word: "Unique key", of: "request", hint: "none" },
  { name: "timeout", word: "Timeout", of: "task", hint: "none; 30s", flag: "--timeout" },
  { name: "retries", word: "Retries", of: "task", hint: "0", number: true, flag: "--retries" },
  { name: "cache", word: "Cache", of: "task", choices: ["auto", "none", "inputs"], flag: "--cache" },
  { name: "name", word: "Name", of: "task", hint: "made from the task", flag: "--name" },
];

/** The members of a request for these options. */
export function optionsOf(options) {
  const request = {};
  const task = {};
  for (const { name, of, number } of OPTIONS) {
    const text = (options[name] ?? "").trim();
    if (text === "") continue;
    const value = number && /^-?\d+$/.test(text) ? Number(text) : text;
    if (name === "tags") request.tags = text.split(",").map((tag) => tag.trim()).filter(Boolean);
    else (of === "task" ? task : request)[name] = value;
  }
  return Object.keys(task).length ? { ...request, options: task } : request;
}

export const RunOptions = ({ options, setOptions }) => html`<div class="options">${OPTIONS.map(({ name, word, hint, choices, number }) => {
  const set = (event) => setOptions((old) => ({ ...old, [name]: event.target.value }));
  return html`<div class="field"><label class="label" for=${`o-${name}`}>${word}</label>
    ${choices
      ? html`<select id=${`o-${name}`} value=${options[name] ?? ""} onChange=${set}><option value="">as the task has it</option>${choices.map((one) => html`<option value=${one}>${one}</option>`)}</select>`
      : html`<input id=${`o-${name}`} value=${options[name] ?? ""} onInput=${set} placeholder=${hint} inputmode=${number ? "numeric" : undefined} autocomplete="off" spellcheck="false" />`}
  </div>`;
})}</div>`;
