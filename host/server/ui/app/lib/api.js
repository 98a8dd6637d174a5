// The API: JSON, a token, and problems; and the session that the browser keeps.

import { signal } from "../vendor/signals.js";

/** An answer that is a problem (RFC 9457), or no answer at all. */
export class Problem extends Error {
  constructor(body) {
    super(body.detail ?? body.title ?? "the server answered with an error");
    this.status = body.status ?? 0;
    this.code = body.code ?? "unreachable";
    this.hint = body.hint;
    this.errors = body.errors ?? [];
    this.candidates = body.candidates ?? [];
    this.body = body;
  }
}

const address = (path) => new URL(`api/v1${path}`, document.baseURI);

/** For so long after the page began, answers to early requests are new enough, in ms. */
const EARLY = 5000;

function begun(method, path, signal, token) {
  const early = method === "GET" && token === atFirst && performance.now() < EARLY && globalThis.asked?.get(path);
  if (!early) return null;
  globalThis.asked?.delete(path);
  signal?.addEventListener("abort", () => early.stop.abort());
  return early.response;
}

/**
 * Sends a request and returns the response, or throws a `Problem`.
 * @param {string} method
 * @param {string} path
 * @param {Options} [options]
 */
export async function request(method, path, { body, type, headers, signal, token } = {}) {
  const authorization = token ?? session.value?.token;
  let response;
  try {
    response = await (begun(method, path, signal, authorization) ?? fetch(address(path), {
      method,
      body,
      signal,
      cache: "no-store",
      credentials: "omit",
      headers: {
        "Accept-Integers": "string",
        ...(authorization ? { Authorization: `Bearer ${authorization}` } : {}),
        ...(type ? { "Content-Type": type } : {}),
        ...headers,
      },
    }));
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({ detail: "the server does not answer", hint: "is `hostel serve` still running?" });
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  if (response.status === 401 && token === undefined) setSession(null);
  throw new Problem({ status: response.status, ...problem });
}

async function json(response) {
  if (response.parsed) return response.parsed;
  const text = await response.text();
  return text === "" ? null : JSON.parse(text);
}

/**
 * `GET`, as JSON.
 * @template {string} const P
 * @param {P} path
 * @param {Options} [options]
 * @returns {Promise<Answer<P>>}
 */
export const get = async (path, options) => json(await request("GET", path, options));

/** Any method with a JSON body. */
export const send = async (method, path, body, options = {}) =>
  json(
    await request(method, path, {
      ...options,
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body), type: "application/json" }),
    }),
  );

/**
 * A path with a query, without its empty members.
 * @template {string} const P
 * @param {P} path
 * @param {Record<string, unknown>} query
 * @returns {P | `${P}?${string}`}
 */
export function withQuery(path, query) {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return pairs.length ? `${path}?${new URLSearchParams(pairs.map(([key, value]) => [key, String(value)]))}` : path;
}

/** A text as one part of a path. */
export const part = (text) => encodeURIComponent(text);

/** The address of a page of a list (`next`) as a path for `get`. */
export const ofApi = (next) => (next ? next.replace(/^\/api\/v1/, "") : null);

/** The text that the browser keeps for this origin under a name, if there is one. */
export function kept(name) {
  try {
    return localStorage.getItem(`hostel.${name}`);
  } catch {
    return null;
  }
}

/** Keeps a text, or forgets it if it is empty. */
export function keep(name, text) {
  try {
    if (text) localStorage.setItem(`hostel.${name}`, text);
    else localStorage.removeItem(`hostel.${name}`);
  } catch {
    // Without storage it lasts as long as the page.
  }
}

function read() {
  try {
    return JSON.parse(kept("session") ?? "null");
  } catch {
    return null;
  }
}

/** `{token, name, scopes, version, features}`, or `null` before the login. */
export const session = signal(read());

/** The token with which requests were sent before the modules came. */
const atFirst = session.value?.token;

/** Keeps a session, or forgets it. */
export function setSession(value) {
  session.value = value;
  keep("session", value && JSON.stringify(value));
}

/** Whether the token has a scope, at least for some runs, as with `run queue:nightly`. */
export const may = (scope) => (session.value?.scopes ?? []).some((own) => ["admin", scope].includes(own.split(" ")[0]));

/** Whether the server has a feature. */
export const has = (feature) => (session.value?.features ?? []).includes(feature);

/** Which files this page is made of: another word after the server was updated. */
export const build = new URL(import.meta.url).pathname.split("/assets/")[1]?.split("/")[0];

/** Exchanges a one-time code for the token, and keeps the session. */
export async function logIn(code) {
  const { token } = await send("POST", "/login", { code }, { token: "" });
  await enter(token);
}

/** Begins a session with a token. */
export async function enter(token) {
  const info = await get("/info", { token });
  setSession({ token, name: info.token.name, scopes: [...info.token.scopes, ...(info.token.restricted ?? [])], version: info.version, features: info.features, build });
}

/** Reads again what the server can do, if it was updated since the login. */
export async function renewSession() {
  if (session.value && session.value.build !== build) await enter(session.value.token).catch(() => {});
}
