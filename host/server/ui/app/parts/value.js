// Values as trees: children are made when they are opened, and every text is a text node.

import { bytes as size } from "../lib/time.js";
import { showText } from "../lib/text.js";
import { html, useMemo, useState } from "../lib/view.js";
import { Copy } from "./basics.js";

/** How many items of a list are shown at once. */
const PAGE = 200;
/** The most characters of a text that is shown whole. */
const TEXT = 2000;
/** Up to so many levels are open at first, if they are small. */
const OPEN = 3;

/** A value as the API answers it. */
export const Value = ({ value, depth = 0 }) => html`<span class="value">${node(value, depth)}</span>`;

function node(value, depth) {
  if (value === null) return html`<span class="w">null</span>`;
  if (typeof value === "boolean") return html`<span class="w">${String(value)}</span>`;
  if (typeof value === "number") return html`<span class="n">${String(value)}</span>`;
  if (typeof value === "string") return html`<${LongText} text=${value} />`;
  if (Array.isArray(value)) return html`<${Branch} entries=${value.map((item, at) => [at, item])} kind="list" depth=${depth} />`;
  if (typeof value.base64 === "string" && Object.keys(value).length === 1) return html`<${Bytes} base64=${value.base64} />`;
  return html`<${Branch} entries=${Object.entries(value)} kind="record" depth=${depth} />`;
}

const isLeaf = (value) => value === null || typeof value !== "object";

function Branch({ entries, kind, depth }) {
  const [shown, setShown] = useState(PAGE);
  const isSmall = entries.length <= 20;
  const [isOpen, setOpen] = useState(depth < OPEN && isSmall);
  const word = kind === "list" ? `${entries.length} ${entries.length === 1 ? "item" : "items"}` : `{${entries.slice(0, 4).map(([key]) => key).join(", ")}${entries.length > 4 ? ", …" : ""}}`;
  if (entries.length === 0) return html`<span class="w">${kind === "list" ? "[]" : "{}"}</span>`;
  if (kind === "list" && entries.length <= 12 && entries.every(([, item]) => typeof item === "number" || typeof item === "boolean"))
    return html`<span>[${entries.map(([, item], at) => html`${at ? ", " : ""}<span class="n">${String(item)}</span>`)}]</span>`;
  return html`<details open=${isOpen} onToggle=${(event) => setOpen(event.currentTarget.open)}>
    <summary>${showText(word)}</summary>
    ${isOpen
      ? html`<div class="in">
          ${entries.slice(0, shown).map(
            ([key, item]) => html`<div key=${key} style=${isLeaf(item) ? undefined : { display: "flex", gap: "6px" }}><span class="k">${showText(String(key))}:${" "}</span>${isLeaf(item) ? node(item, depth + 1) : html`<div style=${{ minWidth: 0 }}>${node(item, depth + 1)}</div>`}</div>`,
          )}
          ${entries.length > shown ? html`<button type="button" class="link" onClick=${() => setShown(shown + PAGE)}>${Math.min(PAGE, entries.length - shown)} more of ${entries.length - shown}</button>` : null}
        </div>`
      : null}
  </details>`;
}

function LongText({ text }) {
  const [isWhole, setWhole] = useState(false);
  const isLong = text.length > TEXT;
  return html`<span class="s">"${showText(isWhole || !isLong ? text : text.slice(0, TEXT))}"</span>${isLong
      ? html` <button type="button" class="link" onClick=${() => setWhole(!isWhole)}>${isWhole ? "less" : `all ${text.length} characters`}</button>`
      : null}`;
}

/** @type {[string, number[]][]} */
const IMAGES = [
  ["image/png", [0x89, 0x50, 0x4e, 0x47]],
  ["image/jpeg", [0xff, 0xd8, 0xff]],
  ["image/gif", [0x47, 0x49, 0x46, 0x38]],
];

function decode(base64) {
  try {
    return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  } catch {
    return null;
  }
}

function asText(data) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(data);
  } catch {
    return null;
  }
}

/** At most so many bytes are shown as hexadecimal digits. */
const HEX = 4096;

function hex(data) {
  const rows = [];
  for (let at = 0; at < Math.min(data.length, HEX); at += 16) {
    const row = [...data.subarray(at, at + 16)];
    const digits = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = row.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·")).join("");
    rows.push(`${at.toString(16).padStart(6, "0")}  ${digits.padEnd(47)}  ${text}`);
  }
  return rows.join("\n") + (data.length > HEX ? `\n… ${data.length - HEX} more bytes` : "");
}

/** Bytes as text, hexadecimal digits or an image, and to download. */
export function Bytes({ base64 }) {
  const data = useMemo(() => decode(base64), [base64]);
  const text = useMemo(() => data && asText(data), [data]);
  const [how, setHow] = useState(text === null ? "hex" : "text");
  if (!data) return html`<${LongText} text=${base64} />`;
  const image = IMAGES.find(([, magic]) => magic.every((byte, at) => data[at] === byte));
  const save = () => download(new Blob([data], { type: "application/octet-stream" }), "value.bin");
  const tab = (name, word) => html`<button type="button" class="quiet" aria-pressed=${how === name} onClick=${() => setHow(name)}>${word}</button>`;
  return html`<div>
    <span class="k">${size(data.length)}</span>
    ${text === null ? null : tab("text", "Text")} ${tab("hex", "Hex")} ${image ? tab("image", "Image") : null}
    <button type="button" class="quiet" onClick=${save}>Download</button>
    ${how === "image" && image ? html`<div><img alt="the value as an image" style=${{ maxWidth: "100%" }} src=${`data:${image[0]};base64,${base64}`} /></div>` : null}
    ${how === "text" && text !== null ? html`<pre class="code s">${showText(text.slice(0, 20_000))}</pre>` : null}
    ${how === "hex" ? html`<pre class="code scroll" style=${{ whiteSpace: "pre" }} tabindex="0">${hex(data)}</pre>` : null}
  </div>`;
}

/** Saves a blob as a file. */
export function download(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** A value with its other forms to copy. */
export const ValueBox = ({ value, wave }) => html`<div>
  <div style=${{ float: "right" }}><${Copy} text=${wave ?? JSON.stringify(value, null, 2)} label=${wave ? "Copy as WAVE" : "Copy as JSON"} /></div>
  <${Value} value=${value} />
</div>`;
