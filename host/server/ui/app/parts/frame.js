// What surrounds every page: the rail, the bar at the top, dialogs and messages; and the login, by a one-time code or a token.

import { enter, logIn, session, setSession } from "../lib/api.js";
import { connection, live } from "../lib/events.js";
import { address, find, go, href } from "../lib/router.js";
import { html, signal, useEffect, useRef, useState } from "../lib/view.js";
import { toSearch } from "../lib/filter.js";
import { Command, Dialogs, Loading, ThemeButton, Toasts, Trouble, dialog, setUtc, toast, utc } from "./basics.js";
import { Icon, Mark } from "./icon.js";
import { useKeys, showKeys } from "./keys.js";

/** Takes the code out of the address, so that it does not stay in the history. */
function takeCode() {
  const code = new URLSearchParams(location.hash.slice(1)).get("login");
  if (code) history.replaceState(null, "", location.pathname + location.search);
  return code;
}

/** The code that has not been sent. It is used even if there is a session, which may be of another token. */
const code = signal(takeCode());
addEventListener("hashchange", () => {
  code.value = takeCode() ?? code.value;
});

function Login() {
  const [state, setState] = useState(code.value ? "busy" : "ask");
  const [error, setError] = useState(null);
  const [token, setToken] = useState("");
  useEffect(() => {
    document.title = "Log in · Hostel";
    const given = code.value;
    if (!given) return;
    setState("busy");
    logIn(given)
      .catch((problem) => {
        setError(problem);
        setState("ask");
        // The page goes on with the session that it has.
        if (session.value) toast(problem.message, "bad");
      })
      // A code works once: after a logout it is not sent again.
      .finally(() => {
        if (code.value === given) code.value = null;
      });
  }, [code.value]);
  const submit = async (event) => {
    event.preventDefault();
    setState("busy");
    try {
      await enter(token.trim());
    } catch (problem) {
      setError(problem);
      setState("ask");
    }
  };
  return html`<main class="login">
    <div class="brand"><${Mark} /><span>Hostel</span></div>
    <h1>Log in</h1>
    ${state === "busy"
      ? html`<${Loading} rows=${2} />`
      : html`
          <${Trouble} error=${error} />
          <p class="muted">Open the address that <code>hostel serve</code> prints when it starts: it logs this browser in, once. Or enter a token.</p>
          <form onSubmit=${submit}>
            <input type="password" name="token" aria-label="Token" placeholder="Token" autocomplete="off" required value=${token} onInput=${(event) => setToken(event.target.value)} />
            <button class="primary">Log in</button>
          </form>
          <p class="muted">The first token is in the data directory:</p>
          <${Command}>cat "$HOME/.local/share/hostel/token"<//>
        `}
  </main>`;
}

const RAIL = [
  { path: "/", word: "Overview", icon: "overview" },
  { path: "/runs", word: "Runs", icon: "runs", also: ["/maps/"] },
  { path: "/tasks", word: "Tasks", icon: "tasks", also: ["/components/"] },
  { path: "/schedules", word: "Schedules", icon: "schedules" },
  { path: "/queues", word: "Queues", icon: "queues" },
  { path: "/cache", word: "Cache", icon: "stack" },
  { path: "/system", word: "System", icon: "system" },
];

function isAt(item, path) {
  if (item.path === "/") return path === "/";
  return path === item.path || path.startsWith(`${item.path}/`) || (item.also ?? []).some((also) => path.startsWith(also));
}

const Rail = () => html`<nav class="rail" aria-label="Pages">
  <a class="brand" href=${href("/")}><${Mark} /><span>Hostel</span></a>
  ${RAIL.map(
    (item) => html`<a class="item" href=${href(item.path)} aria-current=${isAt(item, address.value.path) ? "page" : undefined} title=${item.word}>
      <${Icon} name=${item.icon} /><span>${item.word}</span>
    </a>`,
  )}
  <p class="foot">${session.value?.version}</p>
</nav>`;

function Search() {
  const query = address.value.path === "/runs" ? (address.value.query.get("q") ?? "") : "";
  const [text, setText] = useState(query);
  useEffect(() => setText(query), [query]);
  const search = (event) => {
    event.preventDefault();
    const found = toSearch(text);
    go(found.path, found.query);
  };
  return html`<form class="search" role="search" onSubmit=${search}>
    <${Icon} name="search" />
    <input id="search" type="search" value=${text} onInput=${(event) => setText(event.target.value)} spellcheck="false" autocomplete="off"
      aria-label="Search runs" placeholder="Runs: a name, an id, or state:failed since:1h" />
    <kbd>/</kbd>
  </form>`;
}

const WORDS = { on: "Live", off: "Paused", connecting: "Connecting", lost: "Offline" };

function LiveButton() {
  const word = live.value ? WORDS[connection.value === "off" ? "connecting" : connection.value] : "Paused";
  const tone = !live.value ? "off" : connection.value === "lost" ? "bad" : connection.value === "on" ? "good" : "wait";
  return html`<button type="button" class="quiet" aria-pressed=${live.value} onClick=${() => (live.value = !live.value)}
    title=${live.value ? "Pages follow what happens. Pause them (.)" : "Pages stand still. Follow what happens (.)"}>
    <span class="state" data-tone=${tone}><${Icon} name=${live.value ? "play" : "pause"} /></span><span class="live-word">${word}</span>
  </button>`;
}

const Top = () => html`<header class="top">
  <${Search} />
  <div class="spread">
    <${LiveButton} />
    <button type="button" class="quiet wide" onClick=${() => setUtc(!utc.value)} title="Times are shown in ${utc.value ? "UTC" : "local time"}. Change it">
      ${utc.value ? "UTC" : "Local"}
    </button>
    <${ThemeButton} />
    <button type="button" class="quiet icon wide" onClick=${showKeys} title="Keys (?)" aria-label="Keys"><${Icon} name="help" /></button>
  </div>
</header>`;

/** The page of the address; its file is loaded when it is first shown. */
function Page() {
  const { path, query } = address.value;
  const [page, setPage] = useState(null);
  const main = useRef(null);
  const shown = useRef("");
  const found = find(path);
  useEffect(() => {
    if (found.file) return undefined;
    let isStale = false;
    const end = (error) => !isStale && setPage({ of: found.name, error });
    found.load().then(() => end(), end);
    return () => {
      isStale = true;
    };
  }, [found.name]);
  useEffect(() => {
    document.title = `${found.title(found.params)} · Hostel`;
    // Not for the first page, which would be laid out once more for it.
    if (shown.current) main.current?.focus({ preventScroll: true });
    shown.current = path;
  }, [path]);
  return html`<main class="main" tabindex="-1" ref=${main} style=${{ outline: "none" }}>
    ${found.file
      ? html`<${found.file.default} key=${found.key ?? path} ...${found.params} query=${query} />`
      : page?.error && page.of === found.name
        ? html`<${Trouble} error=${new Error("this part of the dashboard cannot be loaded; the server may have been updated: reload the page")} />`
        : html`<${Loading} />`}
  </main>`;
}

export function Frame() {
  const isIn = session.value !== null && code.value === null;
  useKeys(isIn);
  if (!isIn) return html`<${Login} /><${Toasts} />`;
  return html`<div class="frame"><${Rail} /><${Top} /><${Page} /></div><${Dialogs} /><${Toasts} />`;
}

/** Ends the session of this browser. The token itself stays valid. */
export function logOut() {
  dialog.value = null;
  setSession(null);
}
