import assert from 'node:assert/strict';
import { test } from 'node:test';

import { hello } from './tasks.js';

test('hello greets by name', () => {
  assert.equal(hello('World'), 'Hello, World!');
});
