// What the engine lacks: live random numbers, and a console. Both ask the host only when they are used.

import { getStderr } from 'wasi:cli/stderr@0.2.6';
import { getStdout } from 'wasi:cli/stdout@0.2.6';
import { getRandomU64 } from 'wasi:random/random@0.2.6';

import { toUtf8 } from './texts.js';

// The engine's own would give the same numbers in every run, for its seed is in the component.
// The bindings give the 64 bits as a number, which may have been rounded up to 2^64.
Math.random = () => Math.min(Number(getRandomU64()) / 2 ** 64, 1 - 2 ** -53);

// WASI takes this much at once.
const MOST = 4096;

function write(getStream, parts) {
  const bytes = toUtf8(`${parts.map(shown).join(' ')}\n`);
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

const out = (...parts) => write(getStdout, parts);
const err = (...parts) => write(getStderr, parts);
globalThis.console = { log: out, info: out, debug: out, warn: err, error: err, trace: err };
