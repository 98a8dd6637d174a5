// Who uses the dashboard: a token, kept by the browser for this origin, and what it may do.

import { signal } from "../vendor/signals.js";

const KEY = "hostel.session";

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "null");
  } catch {
    return null;
  }
}

/** `{token, name, scopes, version, features}`, or `null` before the login. */
export const session = signal(read());

/** Keeps a session, or forgets it. */
export function setSession(value) {
  session.value = value;
  try {
    if (value) localStorage.setItem(KEY, JSON.stringify(value));
    else localStorage.removeItem(KEY);
  } catch {
    // Without storage the session lasts as long as the page.
  }
}

/** Whether the token has a scope, at least for some runs, as with `run queue:nightly`. */
export const may = (scope) => (session.value?.scopes ?? []).some((own) => ["admin", scope].includes(own.split(" ")[0]));

/** Whether the server has a feature. */
export const has = (feature) => (session.value?.features ?? []).includes(feature);

/** Which files this page is made of: another word after the server was updated. */
export const build = new URL(import.meta.url).pathname.split("/assets/")[1]?.split("/")[0];
