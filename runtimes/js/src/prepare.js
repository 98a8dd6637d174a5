// What the engine lacks: live random numbers, and a console. Both ask the host only when they are used.

import { getStderr } from 'wasi:cli/stderr@0.2.6';
import { getStdout } from 'wasi:cli/stdout@0.2.6';
import { getRandomU64 } from 'wasi:random/random@0.2.6';

// The engine's own would give the same numbers in every run, for its seed is in the component.
// The bindings give the 64 bits as a number, which may have been rounded up to 2^64.
Math.random = () => Math.min(Number(getRandomU64()) / 2 ** 64, 1 - 2 ** -53);

// WASI takes this much at once.
const MOST = 4096;

function write(getStream, parts) {
  const bytes = utf8(`${parts.map(shown).join(' ')}\n`);
  const stream = getStream();
  for (let at = 0; at < bytes.length; at += MOST) {
    stream.blockingWriteAndFlush(bytes.subarray(at, at + MOST));
  }
}

/** A value as `console` prints it. */
export function shown(value) {
  if (typeof value === 'string') return value;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (typeof value !== 'object' || value === null) return typeof value === 'bigint' ? `${value}n` : String(value);
  try {
    return JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? `${item}n` : item)) ?? String(value);
  } catch {
    return String(value);
  }
}

function utf8(text) {
  const bytes = [];
  for (const character of text.toWellFormed()) {
    const code = character.codePointAt(0);
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63));
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    else bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
  }
  return new Uint8Array(bytes);
}

const out = (...parts) => write(getStdout, parts);
const err = (...parts) => write(getStderr, parts);
globalThis.console = { log: out, info: out, debug: out, warn: err, error: err, trace: err };
