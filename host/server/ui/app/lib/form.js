// Values while they are typed: drafts, from and to JSON. Integers are texts, so that none is rounded.

/** Types nested deeper than this are edited as JSON. */
export const DEEPEST = 8;

const INTEGERS = { u8: [0n, 255n], u16: [0n, 65535n], u32: [0n, 4294967295n], u64: [0n, 18446744073709551615n], s8: [-128n, 127n], s16: [-32768n, 32767n], s32: [-2147483648n, 2147483647n], s64: [-9223372036854775808n, 9223372036854775807n] };

export const isInteger = (kind) => kind in INTEGERS;

/** The type in WIT. */
export function typeText(type) {
  if (!type) return "_";
  switch (type.kind) {
    case "bytes": return "list<u8>";
    case "list": return `list<${typeText(type.element)}>`;
    case "fixed-list": return `list<${typeText(type.element)}, ${type.length}>`;
    case "map": return `map<${typeText(type.key)}, ${typeText(type.value)}>`;
    case "tuple": return `tuple<${type.elements.map(typeText).join(", ")}>`;
    case "option": return `option<${typeText(type.some)}>`;
    case "result": return type.ok || type.err ? `result<${[typeText(type.ok), ...(type.err ? [typeText(type.err)] : [])].join(", ")}>` : "result";
    case "record": return `record { ${type.fields.map((field) => `${field.name}: ${typeText(field.type)}`).join(", ")} }`;
    case "variant": return `variant { ${type.cases.map((one) => (one.type ? `${one.name}(${typeText(one.type)})` : one.name)).join(", ")} }`;
    case "enum": return `enum { ${type.cases.join(", ")} }`;
    case "flags": return `flags { ${type.names.join(", ")} }`;
    default: return type.kind;
  }
}

/** Whether a value of the type is typed as JSON: maps, `data` of scripts, and what is nested deep. */
export const isRaw = (type, depth) => type.kind === "map" || type.kind === "data" || depth > DEEPEST;

/** Steps into a value, as the server writes them in paths. Into an option there is none. */
export const step = {
  field: (name) => `field ${JSON.stringify(name)}`,
  element: (at) => `element ${at}`,
  case: (name) => `case ${JSON.stringify(name)}`,
};

/** What a form shows before anything is typed. */
export function empty(type, depth = 0) {
  if (!type) return null;
  if (isRaw(type, depth)) return { raw: "" };
  switch (type.kind) {
    case "bool": return false;
    case "bytes": return { how: "text", text: "" };
    case "list": return { items: [] };
    case "fixed-list": return { items: Array.from({ length: Number(type.length) }, () => empty(type.element, depth + 1)) };
    case "tuple": return { items: type.elements.map((element) => empty(element, depth + 1)) };
    case "record": return Object.fromEntries(type.fields.map((field) => [field.name, empty(field.type, depth + 1)]));
    case "variant": return { case: type.cases[0]?.name ?? "", payloads: {} };
    case "enum": return "";
    case "option": return { some: false, value: undefined };
    case "result": return { which: "ok", payloads: {} };
    case "flags": return [];
    default: return "";
  }
}

/** What went wrong at a place of the form. */
const wrong = (errors, path, message) => {
  errors.push({ path, message });
  return undefined;
};

/** The JSON of a draft; problems are added to `errors`, each with its path as the server writes paths. */
export function toJson(type, draft, path = [], errors = [], depth = 0) {
  if (!type) return null;
  if (isRaw(type, depth)) {
    const read = parseJson(draft.raw);
    return read.error ? wrong(errors, path, `expected JSON for ${typeText(type)}: ${read.error}`) : read.value;
  }
  const inner = (of, value, ...steps) => toJson(of, value, [...path, ...steps], errors, depth + 1);
  switch (type.kind) {
    case "bool": return draft;
    case "f32": case "f64": return float(draft, path, errors, type.kind);
    case "char": return [...draft].length === 1 ? draft : wrong(errors, path, "expected one character");
    case "string": return draft;
    case "bytes": return bytes(draft, path, errors);
    case "list": case "fixed-list": return draft.items.map((item, at) => inner(type.element, item, step.element(at)));
    case "tuple": return draft.items.map((item, at) => inner(type.elements[at], item, step.element(at)));
    case "record": return Object.fromEntries(type.fields.map((field) => [field.name, inner(field.type, draft[field.name], step.field(field.name))]));
    case "variant": {
      const one = type.cases.find((other) => other.name === draft.case);
      if (!one) return wrong(errors, path, "expected one of the cases");
      return one.type ? { [one.name]: inner(one.type, draft.payloads[one.name] ?? empty(one.type, depth + 1), step.case(one.name)) } : one.name;
    }
    case "enum": return type.cases.includes(draft) ? draft : wrong(errors, path, "expected one of the cases");
    case "option": {
      if (!draft.some) return null;
      const value = inner(type.some, draft.value ?? empty(type.some, depth + 1));
      return type.some.kind === "option" ? { some: value } : value;
    }
    case "result": {
      const of = type[draft.which];
      return { [draft.which]: of ? inner(of, draft.payloads[draft.which] ?? empty(of, depth + 1), draft.which) : null };
    }
    case "flags": return type.names.filter((name) => draft.includes(name));
    default: return isInteger(type.kind) ? integer(draft, path, errors, type.kind) : wrong(errors, path, `this page does not know the type ${type.kind}`);
  }
}

function integer(draft, path, errors, kind) {
  const text = draft.trim().replace(/^\+/, "").replace(/(\d)[_\u2009](?=\d)/g, "$1");
  if (!/^-?\d+$/.test(text)) return wrong(errors, path, text === "" ? `expected ${kind}` : `expected ${kind}, found "${draft.slice(0, 40)}"`);
  const value = BigInt(text);
  const [least, most] = INTEGERS[kind];
  if (value < least || value > most) return wrong(errors, path, `expected ${kind}: ${least} to ${most}`);
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}

const SPECIAL = { nan: "NaN", infinity: "Infinity", inf: "Infinity", "-infinity": "-Infinity", "-inf": "-Infinity", "∞": "Infinity", "-∞": "-Infinity" };

function float(draft, path, errors, kind) {
  const text = draft.trim();
  const special = SPECIAL[text.toLowerCase()];
  if (special) return special;
  const value = Number(text);
  if (text === "" || Number.isNaN(value) || !/^[-+]?[\d.]/.test(text) || /^[-+]?0[xob]/i.test(text)) return wrong(errors, path, `expected ${kind}: a number, NaN, Infinity or -Infinity`);
  return Number.isFinite(value) ? value : wrong(errors, path, `expected ${kind}: the number is too large`);
}

function bytes(draft, path, errors) {
  if (draft.how === "text") return { base64: toBase64(new TextEncoder().encode(draft.text)) };
  if (draft.how === "base64") {
    const text = draft.text.replace(/\s/g, "");
    return isBase64(text) ? { base64: text } : wrong(errors, path, "expected base64 with padding");
  }
  const digits = draft.text.replace(/\s|0x|,/g, "");
  if (!/^([0-9a-fA-F]{2})*$/.test(digits)) return wrong(errors, path, "expected two hexadecimal digits for each byte");
  return { base64: toBase64(Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))) };
}

const isBase64 = (text) => text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);

/** Bytes as base64. */
export function toBase64(data) {
  let text = "";
  for (let at = 0; at < data.length; at += 0x8000) text += String.fromCharCode(...data.subarray(at, at + 0x8000));
  return btoa(text);
}

/** The draft of a JSON value as the server writes it; parts that do not fit are left empty. */
export function fromJson(type, value, depth = 0) {
  if (!type) return null;
  if (isRaw(type, depth)) return { raw: value === undefined ? "" : JSON.stringify(value, null, 2) };
  const none = () => empty(type, depth);
  const inner = (of, part) => fromJson(of, part, depth + 1);
  if (value === undefined) return none();
  const isObject = value !== null && typeof value === "object" && !Array.isArray(value);
  switch (type.kind) {
    case "bool": return value === true;
    case "string": case "char": return typeof value === "string" ? value : none();
    case "enum": return type.cases.includes(value) ? value : none();
    case "bytes": return bytesDraft(value) ?? none();
    case "list": return Array.isArray(value) ? { items: value.map((item) => inner(type.element, item)) } : none();
    case "fixed-list": return { items: none().items.map((_, at) => inner(type.element, value?.[at])) };
    case "tuple": return { items: type.elements.map((element, at) => inner(element, value?.[at])) };
    case "record": return Object.fromEntries(type.fields.map((field) => [field.name, inner(field.type, isObject ? value[field.name] : undefined)]));
    case "variant": {
      const name = isObject ? Object.keys(value)[0] : value;
      const one = type.cases.find((other) => other.name === name);
      if (!one) return none();
      return { case: name, payloads: one.type ? { [name]: inner(one.type, isObject ? value[name] : undefined) } : {} };
    }
    case "option": {
      if (value === null) return none();
      return { some: true, value: inner(type.some, type.some.kind === "option" && isObject ? value.some : value) };
    }
    case "result": {
      const which = isObject && "err" in value ? "err" : "ok";
      return { which, payloads: type[which] ? { [which]: inner(type[which], isObject ? value[which] : undefined) } : {} };
    }
    case "flags": return Array.isArray(value) ? type.names.filter((name) => value.includes(name)) : none();
    default: return typeof value === "number" || typeof value === "string" ? String(value) : none();
  }
}

function bytesDraft(value) {
  let base64 = value?.base64;
  if (Array.isArray(value)) base64 = toBase64(Uint8Array.from(value));
  if (typeof base64 !== "string" || !isBase64(base64)) return null;
  const data = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  try {
    return { how: "text", text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data) };
  } catch {
    return { how: "base64", text: base64 };
  }
}

const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Reads JSON; integers that JavaScript would round become texts, as the API takes them. */
export function parseJson(text) {
  const exact = text.replace(TOKEN, (token) => (/^-?\d{16,}$/.test(token) && !Number.isSafeInteger(Number(token)) ? `"${token}"` : token));
  try {
    return { value: JSON.parse(exact) };
  } catch (error) {
    return { error: error.message };
  }
}

/** Rows out of pasted text: a JSON array, JSON Lines, or plain lines, which are texts unless all are JSON texts. */
export function pastedItems(text, type) {
  const whole = parseJson(text);
  const isText = type?.kind === "string" || type?.kind === "char";
  const fits = (value) => !isText || typeof value === "string";
  if (Array.isArray(whole.value) && whole.value.every(fits)) return whole.value;
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  if (isText && !lines.every((line) => line.trim().startsWith('"'))) return lines;
  const read = lines.map((line) => parseJson(line));
  return read.every((one) => one.error === undefined) ? read.map((one) => one.value) : lines;
}
