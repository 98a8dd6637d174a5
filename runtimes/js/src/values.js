// JavaScript values as data of the interface: JSON, and objects with one `$` member for what JSON does not have.

import { parse, isSafeNumber } from 'lossless-json';

// Far more than data needs, and less than the stack has room for.
const MAX_DEPTH = 200;

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
  if (!isSafeNumber(digits, { approx: true })) throw new NoData(`the number ${digits} is out of range`);
  return Number(digits);
}

function text(value, path, depth) {
  if (depth > MAX_DEPTH) throw new NoData(`${short(path)}: nested deeper than ${MAX_DEPTH}, or contains itself`);
  const inside = (item, key) => text(item, `${path}[${key}]`, depth + 1);
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
      throw new NoData(`${short(path)}: a ${typeof value} is no data`);
  }
}

function objectText(value, path, depth, inside) {
  if (Array.isArray(value)) return `[${value.map(inside).join(',')}]`;
  if (value instanceof ArrayBuffer) return bytes(new Uint8Array(value));
  if (value instanceof Uint8Array) return bytes(value);
  if (ArrayBuffer.isView(value)) return `[${Array.from(value, inside).join(',')}]`;
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw new NoData(`${short(path)}: the date is invalid`);
    return `{"$datetime":"${value.toISOString()}"}`;
  }
  // The order of a set means nothing, so equal sets have equal texts.
  if (value instanceof Set) return `{"$set":[${Array.from(value, inside).sort().join(',')}]}`;
  if (value instanceof Map) return pairs(value, inside);
  if (typeof value.then === 'function') throw new NoData(`${short(path)}: a promise is no data: async functions are not supported yet`);
  if (typeof value.next === 'function') throw new NoData(`${short(path)}: an iterator is no data: return an array`);
  if (typeof value.toJSON === 'function') return text(value.toJSON(), path, depth + 1);
  const entries = Object.entries(value).filter(([, item]) => item !== undefined && typeof item !== 'function');
  if (entries.some(([key]) => key.startsWith('$'))) return pairs(entries, inside);
  return `{${entries.map(([key, item]) => `${text(key, path, depth + 1)}:${inside(item, key)}`).join(',')}}`;
}

function pairs(entries, inside) {
  return `{"$object":[${Array.from(entries, ([key, item]) => `[${inside(key, 'key')},${inside(item, String(key))}]`).join(',')}]}`;
}

function untagged(value) {
  if (Array.isArray(value)) return value.map(untagged);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value);
  if (entries.length !== 1 || !entries[0][0].startsWith('$')) {
    return Object.fromEntries(entries.map(([key, item]) => [key, untagged(item)]));
  }
  const [tag, item] = entries[0];
  const decoder = TAGS[tag];
  if (!decoder) throw new NoData(`the tag ${tag}: expected one of ${Object.keys(TAGS).join(', ')}`);
  try {
    return decoder(item);
  } catch (error) {
    throw new NoData(`the tag ${tag} with ${short(JSON.stringify(item) ?? '')}: ${error.message}`);
  }
}

const TAGS = {
  $float: (name) => {
    if (!['NaN', 'Infinity', '-Infinity'].includes(name)) throw new TypeError('expected NaN, Infinity or -Infinity');
    return Number(name);
  },
  $bytes: (base64) => unbase64(base64),
  $tuple: (items) => items.map(untagged),
  $set: (items) => new Set(items.map(untagged)),
  $frozenset: (items) => new Set(items.map(untagged)),
  $object: (items) => new Map(items.map(([key, item]) => [untagged(key), untagged(item)])),
  $datetime: (iso) => {
    const date = new Date(iso);
    if (Number.isNaN(date.getTime())) throw new TypeError('expected a date and time');
    return date;
  },
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
    throw new TypeError('expected base64');
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
