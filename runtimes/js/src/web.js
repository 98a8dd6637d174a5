// `fetch`: requests through the host, which knows HTTPS and checks the grants.

import { handle } from 'wasi:http/outgoing-handler@0.2.6';
import { Fields, OutgoingBody, OutgoingRequest } from 'wasi:http/types@0.2.6';

import { bytesOf, fromUtf8, toUtf8 } from './texts.js';
import { URL, URLSearchParams } from 'whatwg-url';

import { Headers } from './headers.js';
import { run } from './promises.js';
import { opaque } from './values.js';
import { ready } from './waiting.js';

// The host takes this much at once, and gives this much.
const PART = 4096;
const READ = 64 * 1024;

// As the standard says.
const MAX_REDIRECTS = 20;
const REDIRECTS = [301, 302, 303, 307, 308];
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'];

// The host sets them, or has no use for them.
const NOT_SENT = ['connection', 'content-length', 'host', 'transfer-encoding', 'keep-alive', 'proxy-connection', 'upgrade', 'te'];

// What describes a body, and goes with it.
const OF_BODIES = ['content-encoding', 'content-language', 'content-location', 'content-type', 'content-length'];

const OPTIONS = ['method', 'headers', 'body', 'redirect'];

class Response {
  #content;
  #parts;

  constructor(parts, content) {
    this.#parts = parts;
    this.#content = content;
  }

  get status() {
    return this.#parts.status;
  }

  get ok() {
    return this.status >= 200 && this.status <= 299;
  }

  /** Always empty: the host does not pass it. */
  get statusText() {
    return '';
  }

  get headers() {
    return this.#parts.headers;
  }

  get url() {
    return this.#parts.url;
  }

  get redirected() {
    return this.#parts.redirected;
  }

  get bodyUsed() {
    return this.#content === undefined;
  }

  bytes() {
    const content = this.#content;
    this.#content = undefined;
    if (content === undefined) return Promise.reject(new TypeError('the body of the response was read before'));
    return run(content());
  }

  arrayBuffer() {
    return this.bytes().then((bytes) => bytes.buffer);
  }

  text() {
    return this.bytes().then((bytes) => fromUtf8(bytes));
  }

  json() {
    return this.text().then((text) => JSON.parse(text));
  }

  get [Symbol.toStringTag]() {
    return 'Response';
  }
}

/** The response to a request. It is sent at once; each await in it lets others go on. */
function* fetched(input, init) {
  const request = requested(input, init);
  for (let redirects = 0; ; redirects += 1) {
    const response = yield* sent(request);
    const { status, headers } = response;
    const location = headers.get('location');
    if (!REDIRECTS.includes(status) || location === null || request.redirect === 'manual') {
      return new Response({ status, headers, url: shown(request.url), redirected: redirects > 0 }, response.content);
    }
    response.drop();
    if (request.redirect === 'error') throw new TypeError(`${request.url.host} answers with a redirect, which the option redirect refuses`);
    if (redirects === MAX_REDIRECTS) throw new TypeError(`more than ${MAX_REDIRECTS} redirects`);
    redirect(request, status, location);
  }
}

/** Makes a request that of what it is redirected to. */
function redirect(request, status, location) {
  const { url, method, headers } = request;
  let next;
  try {
    next = checkedUrl(new URL(location, url));
  } catch (error) {
    throw new TypeError(`${url.host} redirects to ${JSON.stringify(location.slice(0, 200))}: ${error.message}`);
  }
  if (next.hash === '') next.hash = url.hash;
  if ((status === 303 && method !== 'GET' && method !== 'HEAD') || (status <= 302 && method === 'POST')) {
    request.method = 'GET';
    request.body = undefined;
    OF_BODIES.forEach((name) => headers.delete(name));
  }
  // What is meant for one host is not shown to another.
  if (next.origin !== url.origin) ['authorization', 'cookie'].forEach((name) => headers.delete(name));
  request.url = next;
}

function requested(input, init = {}) {
  if (init === null || typeof init !== 'object') throw new TypeError('expected the options of fetch as an object');
  const unknown = Object.keys(init).find((name) => init[name] !== undefined && !OPTIONS.includes(name));
  if (unknown !== undefined) throw new TypeError(`fetch has no option ${unknown}: expected one of ${OPTIONS.join(', ')}`);
  const url = checkedUrl(new URL(String(input)));
  const given = String(init.method ?? 'GET');
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(given) || /^(?:CONNECT|TRACE|TRACK)$/i.test(given)) throw new TypeError(`invalid method ${JSON.stringify(given.slice(0, 100))}`);
  const upper = given.toUpperCase();
  const method = METHODS.includes(upper) && upper !== 'PATCH' ? upper : given;
  const redirect = init.redirect ?? 'follow';
  if (!['follow', 'error', 'manual'].includes(redirect)) throw new TypeError(`invalid redirect ${JSON.stringify(redirect)}: expected follow, error or manual`);
  const headers = new Headers(init.headers);
  const { bytes, type } = bodyOf(init.body);
  if (bytes !== undefined && (method === 'GET' || method === 'HEAD')) throw new TypeError(`a request with the method ${method} has no body`);
  if (type !== undefined && !headers.has('content-type')) headers.set('content-type', type);
  return { url, method, redirect, headers, body: bytes };
}

function checkedUrl(url) {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new TypeError(`expected a URL with http or https, found ${url.protocol}`);
  if (url.username !== '' || url.password !== '') throw new TypeError('a URL with a user or a password cannot be fetched: send the header authorization');
  return url;
}

function bodyOf(body) {
  if (body === undefined || body === null) return {};
  if (typeof body === 'string') return { bytes: toUtf8(body), type: 'text/plain;charset=UTF-8' };
  if (body instanceof URLSearchParams) return { bytes: toUtf8(body.toString()), type: 'application/x-www-form-urlencoded;charset=UTF-8' };
  const bytes = bytesOf(body);
  if (bytes === undefined) throw new TypeError('expected a body as a string, bytes or URLSearchParams (an object: JSON.stringify makes a string of it)');
  // As it is now, whatever the script does to it later.
  return { bytes: bytes.slice() };
}

/** Sends a request, and waits for the head of the response. */
function* sent({ url, method, headers, body }) {
  const future = begun(url, method, headers, body);
  yield ready(future.subscribe());
  // It is ready, and nobody has taken it.
  const { tag, val } = future.get().val;
  future[Symbol.dispose]();
  if (tag === 'err') throw failure(val, url.host);
  const fields = val.headers();
  const received = new Headers();
  for (const [name, value] of fields.entries()) received.append(name, latin1(value));
  fields[Symbol.dispose]();
  const drop = () => val[Symbol.dispose]();
  return { status: val.status(), headers: received, content: () => content(val, url.host), drop };
}

function begun(url, method, headers, body) {
  const pairs = [...headers].filter(([name]) => !NOT_SENT.includes(name)).map(([name, value]) => [name, bytesOfLatin1(value)]);
  if (!headers.has('user-agent')) pairs.push(['user-agent', bytesOfLatin1('hostel-js')]);
  if (!headers.has('accept')) pairs.push(['accept', bytesOfLatin1('*/*')]);
  const length = body?.length ?? (['POST', 'PUT'].includes(method) ? 0 : undefined);
  if (length !== undefined) pairs.push(['content-length', bytesOfLatin1(String(length))]);
  try {
    const request = new OutgoingRequest(Fields.fromList(pairs));
    request.setMethod(METHODS.includes(method) ? { tag: method.toLowerCase() } : { tag: 'other', val: method });
    request.setScheme({ tag: url.protocol === 'https:' ? 'HTTPS' : 'HTTP' });
    request.setAuthority(url.host);
    request.setPathWithQuery(url.pathname + url.search);
    const outgoing = request.body();
    const future = handle(request, null);
    send(outgoing, body ?? new Uint8Array());
    return future;
  } catch (error) {
    throw failure(error, url.host);
  }
}

function send(outgoing, bytes) {
  try {
    const stream = outgoing.write();
    for (let at = 0; at < bytes.length; at += PART) stream.blockingWriteAndFlush(bytes.subarray(at, at + PART));
    stream[Symbol.dispose]();
    OutgoingBody.finish(outgoing, null);
  } catch {
    // The response says why.
  }
}

/** All bytes of the body of a response. How many there may be is limited by the memory of the sandbox. */
function* content(response, host) {
  const body = response.consume();
  const stream = body.stream();
  const parts = [];
  let length = 0;
  for (;;) {
    let part;
    try {
      part = stream.read(READ);
    } catch (error) {
      if (tagOf(error) === 'closed') break;
      throw new TypeError(`the response of ${host} ended early`);
    }
    if (part.length > 0) {
      parts.push(part);
      length += part.length;
    } else {
      yield ready(stream.subscribe());
    }
  }
  // Each lives as long as those that it was made from.
  [stream, body, response].forEach((resource) => resource[Symbol.dispose]());
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const tagOf = (error) => error?.tag ?? error?.payload?.tag;

/** The error that a script sees. */
function failure(error, host) {
  const tag = tagOf(error);
  if (tag === undefined) {
    // The bindings give an error of the host without a reason as a payload that is undefined.
    const isOfHost = !(error instanceof Error) || 'payload' in error;
    return isOfHost ? new TypeError(`the request to ${host} cannot be made: its method or its address is too long`) : error;
  }
  switch (tag) {
    case 'HTTP-request-denied':
    case 'destination-IP-prohibited':
      return new TypeError(`HTTP requests to ${host} are not granted (--http ${host} grants them)`);
    case 'DNS-timeout':
    case 'DNS-error':
    case 'destination-not-found':
      return new TypeError(`the name of ${host} is not known`);
    case 'connection-limit-reached':
      return new TypeError(`the request to ${host} is one too many at once`);
    default:
      return new TypeError(`the request to ${host} failed: ${String(tag).replaceAll('-', ' ')}`);
  }
}

function shown(url) {
  const whole = new URL(url.href);
  whole.hash = '';
  return whole.href;
}

function bytesOfLatin1(text) {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function latin1(bytes) {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
}

opaque(Response, ': await its text(), json() or bytes()');
opaque(Headers, ': Object.fromEntries makes an object of them');

Object.assign(globalThis, { URL, URLSearchParams, fetch: (input, init) => run(fetched(input, init)) });
