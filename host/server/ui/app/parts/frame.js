// What surrounds every page: the rail, the bar at the top, keys, dialogs and messages.

import { connection, live } from "../lib/events.js";
import { find } from "../lib/pages.js";
import { address, go, href } from "../lib/router.js";
import { session, setSession } from "../lib/session.js";
import { html, useEffect, useRef, useState } from "../lib/view.js";
import { toSearch } from "../lib/filter.js";
import { Dialogs, Loading, Toasts, Trouble, dialog, setUtc, utc } from "./basics.js";
import { Icon, Mark } from "./icon.js";
import { useKeys, showKeys } from "./keys.js";
import { Login, code } from "./login.js";
import { ThemeButton } from "./theme.js";

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
  const found = find(path);
  useEffect(() => {
    let isStale = false;
    found.load().then(
      (module) => !isStale && setPage({ of: found.name, component: module.default }),
      (error) => !isStale && setPage({ of: found.name, error }),
    );
    return () => {
      isStale = true;
    };
  }, [found.name]);
  useEffect(() => {
    document.title = `${found.title(found.params)} · Hostel`;
    main.current?.focus({ preventScroll: true });
  }, [path]);
  const isReady = page?.of === found.name;
  return html`<main class="main" tabindex="-1" ref=${main} style=${{ outline: "none" }}>
    ${isReady && page.error
      ? html`<${Trouble} error=${new Error("this part of the dashboard cannot be loaded; the server may have been updated: reload the page")} />`
      : isReady
        ? html`<${page.component} key=${found.key ?? path} ...${found.params} query=${query} />`
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
