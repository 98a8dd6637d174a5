// JavaScript values as data of the interface: JSON, and objects with one `$` member for what JSON does not have.

import { parse, isSafeNumber } from 'lossless-json';

// How many levels of JSON may be around a value. The host reads 127 levels, with those that it puts around a result.
const MAX_DEPTH = 120;

// The most elements of an array: more would not fit into a result. An array may have very many that nobody has set.
const MAX_ELEMENTS = 1 << 24;

export class NoData extends Error {}

/** The value of a data text. Integers beyond 2^53 are BigInts. */
export function decode(text) {
  let value;
  try {
    value = parse(text, undefined, number);
  } catch (error) {
    throw new NoData(error.message);
  }
  return untagged(value);
}

/** The data text of a value. */
export function encode(value) {
  return text(value, 'result', 0);
}

function number(digits) {
  if (/^-?\d+$/.test(digits) && !Number.isSafeInteger(Number(digits))) return BigInt(digits);
  if (!isSafeNumber(digits, { approx: true })) throw new NoData(`the number ${short(digits)} is out of range`);
  return Number(digits);
}

// `depth` counts levels of JSON, of which a value with a tag has several.
function text(value, path, depth) {
  if (depth > MAX_DEPTH) throw new NoData(`${short(path)}: nested deeper than ${MAX_DEPTH} levels of JSON, or contains itself`);
  const inside = (item, key, levels = 1) => text(item, `${path}[${key}]`, depth + levels);
  switch (typeof value) {
    case 'undefined':
      return 'null';
    case 'boolean':
    case 'bigint':
      return String(value);
    case 'number':
      if (Object.is(value, -0)) return '-0.0';
      return Number.isFinite(value) ? String(value) : `{"$float":"${value}"}`;
    case 'string':
      if (!value.isWellFormed()) throw new NoData(`${short(path)}: the text has half of a surrogate pair, which is no Unicode text`);
      return JSON.stringify(value);
    case 'object':
      return value === null ? 'null' : objectText(value, path, depth, inside);
    default:
      throw cannotBe(typeof value, path);
  }
}

function objectText(value, path, depth, inside) {
  if (value.length > MAX_ELEMENTS && Array.isArray(value)) throw new NoData(`${short(path)}: an array of ${value.length} elements is too large to be data`);
  // Not its own `map`, which leaves out holes.
  if (Array.isArray(value)) return `[${Array.from(value, (item, key) => inside(item, key)).join(',')}]`;
  if (value instanceof ArrayBuffer) return bytes(new Uint8Array(value));
  if (value instanceof Uint8Array) return bytes(value);
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return `[${Array.from(value, (item, key) => inside(item, key)).join(',')}]`;
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw new NoData(`${short(path)}: the date is invalid`);
    return `{"$datetime":"${value.toISOString()}"}`;
  }
  // The order of a set means nothing, so equal sets have equal texts.
  if (value instanceof Set) return `{"$set":[${Array.from(value, (item, key) => inside(item, key, 2)).sort().join(',')}]}`;
  if (value instanceof Map) return pairs(value, inside);
  if (BOXES.some((kind) => value instanceof kind)) return text(value.valueOf(), path, depth + 1);
  if (typeof value.then === 'function') throw cannotBe('promise', path, ': await it');
  if (typeof value.next === 'function') throw cannotBe('iterator', path, ': return an array');
  if (typeof value.toJSON === 'function') return text(value.toJSON(), path, depth + 1);
  const found = OPAQUE.find(([kind]) => value instanceof kind);
  if (found) throw cannotBe(value.constructor?.name || found[0].name, path, found[1]);
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  if (entries.some(([key]) => key.startsWith('$'))) return pairs(entries, inside);
  return `{${entries.map(([key, item]) => `${text(key, path, depth + 1)}:${inside(item, key)}`).join(',')}}`;
}

// Objects that hold one of the simple values.
const BOXES = [Boolean, Number, String, BigInt];

// Objects whose content is not in their members.
const OPAQUE = [];

/** Refuses objects of a class, with a hint. */
export function opaque(kind, hint = '') {
  OPAQUE.push([kind, hint]);
}

[Error, RegExp, DataView, ...['WeakMap', 'WeakSet', 'WeakRef', 'SharedArrayBuffer', 'FinalizationRegistry', 'Symbol'].flatMap((name) => globalThis[name] ?? [])].forEach((kind) => opaque(kind));

function cannotBe(kind, path, hint = '') {
  return new NoData(`${short(path)}: ${/^[aeiou]/i.test(kind) ? 'an' : 'a'} ${short(String(kind))} cannot be data${hint}`);
}

function pairs(entries, inside) {
  return `{"$object":[${Array.from(entries, ([key, item]) => `[${inside(key, 'key', 3)},${inside(item, String(key), 3)}]`).join(',')}]}`;
}

function untagged(value) {
  if (Array.isArray(value)) return value.map(untagged);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value);
  if (entries.length !== 1 || !entries[0][0].startsWith('$')) {
    return Object.fromEntries(entries.map(([key, item]) => [key, untagged(item)]));
  }
  const [tag, item] = entries[0];
  if (!Object.hasOwn(TAGS, tag)) throw new NoData(unknown(tag));
  const [expected, decoder] = TAGS[tag];
  const decoded = decoder(item);
  if (decoded === undefined) throw new NoData(`the tag ${tag}: expected ${expected}, found ${short(shown(item))}`);
  return decoded;
}

// JSON of what has been parsed, in which integers may be BigInts.
function shown(item) {
  if (typeof item === 'bigint') return String(item);
  if (Array.isArray(item)) return `[${item.map(shown).join(',')}]`;
  if (item === null || typeof item !== 'object') return JSON.stringify(item);
  return `{${Object.entries(item).map(([key, inner]) => `${JSON.stringify(key)}:${shown(inner)}`).join(',')}}`;
}

function unknown(tag) {
  const known = Object.keys(TAGS).join(', ');
  return `there is no tag ${short(tag)} in JavaScript: expected one of ${known}; an object with such a member is {"$object": [[KEY, VALUE]]}`;
}

const items = (make) => (found) => (Array.isArray(found) ? make(found.map(untagged)) : undefined);
const isPair = (found) => Array.isArray(found) && found.length === 2;

// For each tag what is expected in it, in the same words as in Python, and its value; `undefined` if it does not fit.
const TAGS = {
  $float: ['"NaN", "Infinity" or "-Infinity"', (name) => (['NaN', 'Infinity', '-Infinity'].includes(name) ? Number(name) : undefined)],
  $bytes: ['a string in base64 with padding', unbase64],
  $tuple: ['an array', items((found) => found)],
  $set: ['an array', items((found) => new Set(found))],
  $frozenset: ['an array', items((found) => new Set(found))],
  $object: [
    'an array of pairs [KEY, VALUE]',
    (found) => (Array.isArray(found) && found.every(isPair) ? new Map(found.map((pair) => pair.map(untagged))) : undefined),
  ],
  $datetime: [
    'a date and time as a string, such as "2026-01-31T12:30:00+00:00"',
    (iso) => {
      const date = new Date(typeof iso === 'string' ? iso : NaN);
      return Number.isNaN(date.getTime()) ? undefined : date;
    },
  ],
};

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

function bytes(array) {
  const parts = [];
  for (let at = 0; at < array.length; at += 3) {
    const left = array.length - at;
    const bits = (array[at] << 16) | ((array[at + 1] ?? 0) << 8) | (array[at + 2] ?? 0);
    parts.push(DIGITS[bits >> 18] + DIGITS[(bits >> 12) & 63] + (left > 1 ? DIGITS[(bits >> 6) & 63] : '=') + (left > 2 ? DIGITS[bits & 63] : '='));
  }
  return `{"$bytes":"${parts.join('')}"}`;
}

function unbase64(text) {
  if (typeof text !== 'string' || !/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) {
    return undefined;
  }
  const digits = text.replace(/=+$/, '');
  const array = new Uint8Array(Math.floor((digits.length * 3) / 4));
  let bits = 0;
  let count = 0;
  let at = 0;
  for (const digit of digits) {
    bits = ((bits << 6) | DIGITS.indexOf(digit)) & 0xffffff;
    count += 6;
    if (count >= 8) {
      count -= 8;
      array[at] = (bits >> count) & 0xff;
      at += 1;
    }
  }
  return array;
}

function short(text) {
  return text.length <= 100 ? text : `${text.slice(0, 99)}…`;
}
