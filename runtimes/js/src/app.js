// The component: what `hostel:runtime/language` asks, answered for JavaScript.

import { call } from './calling.js';
import { describe } from './describing.js';
import './prepare.js';
import './promises.js';
import './web.js';

export const language = {
  describe: (file, source) => failing(() => describe(source)),
  call: (file, source, name, positional, named) => failing(() => call(file, source, name, positional, named)),
};

// The bindings throw what becomes the error of a `result`.
function failing(action) {
  try {
    return action();
  } catch (failed) {
    throw wellFormed(failed.failure ?? { tag: 'thrown', val: { class: 'InternalError', message: String(failed), traceback: String(failed.stack) } });
  }
}

// The interface has only Unicode text, without halves of surrogate pairs.
function wellFormed(part) {
  if (typeof part === 'string') return part.toWellFormed();
  if (Array.isArray(part)) return part.map(wellFormed);
  if (part === null || typeof part !== 'object') return part;
  return Object.fromEntries(Object.entries(part).map(([key, inner]) => [key, wellFormed(inner)]));
}
