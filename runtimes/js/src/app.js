// The component: what `hostel:runtime/language` asks, answered for JavaScript.

import { call } from './calling.js';
import { describe } from './describing.js';
import './prepare.js';

export const language = {
  describe: (file, source) => failing(() => describe(source)),
  call: (file, source, name, positional, named) => failing(() => call(file, source, name, positional, named)),
};

// The bindings throw what becomes the error of a `result`.
function failing(action) {
  try {
    return action();
  } catch (failed) {
    throw failed.failure ?? { tag: 'thrown', val: { class: 'InternalError', message: String(failed), traceback: String(failed.stack) } };
  }
}
