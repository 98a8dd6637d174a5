// The headers of requests and responses.

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

// The standard's white space around a value, and what is never in one.
const AROUND = /^[\t\n\r ]+|[\t\n\r ]+$/g;
const NOT_IN_VALUE = /[\0\n\r]|[^\0-\xff]/;

export class Headers {
  #values = new Map();

  constructor(init) {
    if (init === undefined || init === null) return;
    if (typeof init !== 'object') throw new TypeError('expected headers as an object, or as pairs of names and values');
    const pairs = typeof init[Symbol.iterator] === 'function' ? init : Object.entries(init);
    for (const pair of pairs) {
      const [name, value, ...more] = pair;
      if (value === undefined || more.length > 0) throw new TypeError('expected a header as a pair of a name and a value');
      this.append(name, value);
    }
  }

  append(name, value) {
    const key = lower(name);
    this.#values.set(key, [...(this.#values.get(key) ?? []), checked(key, value)]);
  }

  set(name, value) {
    const key = lower(name);
    this.#values.set(key, [checked(key, value)]);
  }

  delete(name) {
    this.#values.delete(lower(name));
  }

  has(name) {
    return this.#values.has(lower(name));
  }

  get(name) {
    return this.#values.get(lower(name))?.join(', ') ?? null;
  }

  getSetCookie() {
    return [...(this.#values.get('set-cookie') ?? [])];
  }

  *entries() {
    for (const name of [...this.#values.keys()].sort()) {
      // Cookies have commas of their own.
      if (name === 'set-cookie') for (const value of this.#values.get(name)) yield [name, value];
      else yield [name, this.get(name)];
    }
  }

  *keys() {
    for (const [name] of this.entries()) yield name;
  }

  *values() {
    for (const [, value] of this.entries()) yield value;
  }

  forEach(action, self) {
    for (const [name, value] of this.entries()) action.call(self, value, name, this);
  }

  [Symbol.iterator]() {
    return this.entries();
  }

  get [Symbol.toStringTag]() {
    return 'Headers';
  }
}

function lower(name) {
  const text = String(name);
  if (!NAME.test(text)) throw new TypeError(`invalid header name ${JSON.stringify(text.slice(0, 100))}`);
  return text.toLowerCase();
}

function checked(name, value) {
  const text = String(value).replace(AROUND, '');
  if (NOT_IN_VALUE.test(text)) throw new TypeError(`the value of the header ${name} has a character that headers cannot have`);
  return text;
}

globalThis.Headers = Headers;
