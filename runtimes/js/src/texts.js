// Text as UTF-8 and back, which the engine lacks.

// Bytes that become text at once. The engine's own functions take them as arguments, or as a text that is three times as long.
const PART = 32 * 1024;

/** The text as UTF-8; halves of surrogate pairs become U+FFFD. */
export function toUtf8(text) {
  // Each character is one byte.
  const encoded = unescape(encodeURIComponent(String(text).toWellFormed()));
  const bytes = new Uint8Array(encoded.length);
  for (let at = 0; at < encoded.length; at += 1) bytes[at] = encoded.charCodeAt(at);
  return bytes;
}

/** The text of UTF-8; `undefined` if it is not UTF-8. */
function strictly(bytes) {
  const parts = [];
  let at = 0;
  while (at < bytes.length) {
    let end = Math.min(at + PART, bytes.length);
    // Not within a character, which has at most three bytes after its first.
    while (end < bytes.length && end > at + PART - 4 && (bytes[end] & 0xc0) === 0x80) end -= 1;
    const encoded = String.fromCharCode.apply(null, bytes.subarray(at, end));
    try {
      parts.push(decodeURIComponent(escape(encoded)));
    } catch {
      return undefined;
    }
    at = end;
  }
  return parts.join('');
}

// For each first byte of a longer character: how many bytes follow, and the range of the next one, as in Unicode's table 3-7.
function following(first) {
  if (first >= 0xc2 && first <= 0xdf) return [1, 0x80, 0xbf];
  if (first === 0xe0) return [2, 0xa0, 0xbf];
  if (first === 0xed) return [2, 0x80, 0x9f];
  if (first >= 0xe1 && first <= 0xef) return [2, 0x80, 0xbf];
  if (first === 0xf0) return [3, 0x90, 0xbf];
  if (first === 0xf4) return [3, 0x80, 0x8f];
  if (first >= 0xf1 && first <= 0xf3) return [3, 0x80, 0xbf];
  return undefined;
}

/** The text of bytes in which some are not UTF-8: each wrong sequence becomes U+FFFD, as the Encoding Standard says. */
function loosely(bytes) {
  const parts = [];
  let at = 0;
  while (at < bytes.length) {
    const first = bytes[at];
    at += 1;
    if (first < 0x80) {
      parts.push(String.fromCharCode(first));
      continue;
    }
    const rule = following(first);
    let [left, low, high] = rule ?? [0, 0, 0];
    let code = first & (0x3f >> left);
    while (left > 0 && bytes[at] >= low && bytes[at] <= high) {
      code = (code << 6) | (bytes[at] & 0x3f);
      [low, high] = [0x80, 0xbf];
      at += 1;
      left -= 1;
    }
    parts.push(rule && left === 0 ? String.fromCodePoint(code) : '\ufffd');
  }
  return parts.join('');
}

/** The text of UTF-8, without the mark at its beginning. */
export function fromUtf8(bytes, { isFatal = false, keepsMark = false } = {}) {
  const hasMark = !keepsMark && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  const content = hasMark ? bytes.subarray(3) : bytes;
  const text = strictly(content);
  if (text !== undefined) return text;
  if (isFatal) throw new TypeError('the bytes are not UTF-8');
  return loosely(content);
}

/** The bytes of a buffer or of a view of one; `undefined` of anything else. */
export function bytesOf(value) {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : undefined;
}

class TextEncoder {
  get encoding() {
    return 'utf-8';
  }

  encode(text = '') {
    return toUtf8(text);
  }
}

class TextDecoder {
  #options;

  constructor(label = 'utf-8', { fatal = false, ignoreBOM = false } = {}) {
    if (!/^\s*(?:unicode-1-1-)?utf-?8\s*$/i.test(label)) throw new RangeError(`the encoding ${label} is not supported: expected utf-8`);
    this.#options = { isFatal: Boolean(fatal), keepsMark: Boolean(ignoreBOM) };
  }

  get encoding() {
    return 'utf-8';
  }

  get fatal() {
    return this.#options.isFatal;
  }

  get ignoreBOM() {
    return this.#options.keepsMark;
  }

  decode(input = new Uint8Array(), { stream = false } = {}) {
    if (stream) throw new TypeError('decoding in parts is not supported: put the parts together first');
    const bytes = bytesOf(input);
    if (bytes === undefined) throw new TypeError('expected an ArrayBuffer or a view of one');
    return fromUtf8(bytes, this.#options);
  }
}

globalThis.TextEncoder = TextEncoder;
globalThis.TextDecoder = TextDecoder;
