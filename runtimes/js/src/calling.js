// One function of a source, called.

import { analyse, callable, describe, mistake } from './describing.js';
import { Failed } from './failure.js';
import { shown } from './prepare.js';
import { drain } from './promises.js';
import { decode, encode, NoData } from './values.js';
import { step } from './waiting.js';

// Both are for people, who do not read more. A message is in bytes of UTF-8, a traceback in units of UTF-16.
const MAX_MESSAGE = 4 * 1024;
const MAX_TRACEBACK = 64 * 1024;

/** The result of a function as data. */
export function call(file, source, name, positional, named) {
  const values = positional.map((text, index) => argument(text, `argument ${index + 1}`));
  const byName = named.map(([key, text]) => [key, argument(text, `argument \`${key}\``)]);
  const analysed = analyse(source);
  const local = callable(analysed).get(name);
  if (local === undefined) throw new Failed('no-function', describe(source).map((found) => found.name));
  let result;
  try {
    const target = evaluate(analysed.script, local, source);
    if (typeof target !== 'function') throw new Failed('no-function', describe(source).map((found) => found.name));
    result = settled(target(...placed(values, byName, analysed.functions.get(local))), name);
  } catch (error) {
    throw error instanceof Failed ? error : thrown(file, error);
  }
  try {
    return encode(result);
  } catch (error) {
    throw error instanceof NoData ? new Failed('no-data', error.message) : thrown(file, error);
  }
}

/** The value of a promise, or what is no promise. Timers and requests that are left then are dropped. */
function settled(result, name) {
  let outcome;
  if (typeof result?.then === 'function') {
    Promise.resolve(result).then(
      (value) => (outcome = { value }),
      (error) => (outcome = { error }),
    );
  } else {
    outcome = { value: result };
  }
  drain();
  while (outcome === undefined && step()) drain();
  if (outcome === undefined) throw new Unsettled(`the promise that ${name} returned is never settled: nothing is left that could do it`);
  if ('error' in outcome) throw outcome.error;
  return outcome.value;
}

class Unsettled extends Error {
  name = 'UnsettledPromise';
}

function evaluate(script, local, source) {
  try {
    // On the first line, so that lines keep their numbers. The names of a strict script are its own.
    return (0, eval)(`"use strict";${script}\n;${local}`);
  } catch (error) {
    if (error instanceof SyntaxError && !/<input>:\d+:\d+\)\n/.test(error.stack ?? '')) {
      // The parser knows more of the language than the engine.
      const [, line = 1] = /<input>:(\d+)/.exec(error.stack ?? '') ?? [];
      throw mistake(source, error.message, { line: Number(line), column: 0 });
    }
    throw error;
  }
}

/** All arguments by their positions. */
function placed(values, byName, entry) {
  const params = entry?.node.params ?? [];
  const names = params.map((param) => (param.type === 'AssignmentPattern' ? param.left : param)).map((target) => target.name);
  const isRest = params.at(-1)?.type === 'RestElement';
  if (entry && !isRest && values.length > params.length) {
    throw new Failed('arguments', `too many arguments: expected at most ${params.length}, found ${values.length}`);
  }
  const all = [...values];
  for (const [key, value] of byName) {
    const at = names.indexOf(key);
    if (at < 0) throw new Failed('arguments', `got an unexpected argument \`${key}\``);
    if (at < values.length || at in all) throw new Failed('arguments', `multiple values for argument \`${key}\``);
    all[at] = value;
  }
  const required = params.findLastIndex((param) => param.type !== 'AssignmentPattern' && param.type !== 'RestElement');
  for (let at = 0; at <= required; at += 1) {
    if (!(at in all) && params[at].type !== 'AssignmentPattern') {
      throw new Failed('arguments', `missing a required argument: \`${names[at] ?? `arg${at}`}\``);
    }
  }
  return all;
}

function argument(text, what) {
  try {
    return decode(text);
  } catch (error) {
    throw new Failed('arguments', `${what}: ${error.message}`);
  }
}

function thrown(file, error) {
  const isError = error instanceof Error;
  const message = cut(safely(() => isError ? String(error.message) : shown(error)) ?? '(its text cannot be made)');
  const name = cut(isError ? (safely(() => String(error.name)) ?? 'Error') : typeof error);
  const stack = isError ? safely(() => error.stack) : undefined;
  const frames = (typeof stack === 'string' ? stack : '').split('\n').filter((line) => line.includes('<input>'));
  const trace = frames.map((line) => line.replaceAll('<input>', file)).filter((line) => !line.includes('at <eval>') || frames.length === 1);
  const traceback = [`${name}: ${message}`, ...trace].join('\n').slice(0, MAX_TRACEBACK);
  return new Failed('thrown', { class: name, message, traceback });
}

/** The text, which ends with `…` if it was longer than a message may be. */
function cut(text) {
  const dots = 3;
  let bytes = 0;
  let fitting = 0;
  for (const character of text) {
    const code = character.codePointAt(0);
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (bytes > MAX_MESSAGE) return `${text.slice(0, fitting)}…`;
    if (bytes <= MAX_MESSAGE - dots) fitting += character.length;
  }
  return text;
}

function safely(action) {
  try {
    return action();
  } catch {
    return undefined;
  }
}
