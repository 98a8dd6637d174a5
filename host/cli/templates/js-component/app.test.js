import assert from 'node:assert/strict';
import { test } from 'node:test';

import { hello } from './app.js';

test('hello greets by name', () => {
  assert.equal(hello('World'), 'Hello, World!');
});
