// The address, without the path that a proxy may have put before it, and the page that belongs to it.

import { signal } from "../vendor/signals.js";

const root = new URL("./", document.baseURI).pathname;

const read = () => ({
  path: "/" + location.pathname.slice(root.length),
  query: new URLSearchParams(location.search),
});

/** The address: its path below the root, and its query. */
export const address = signal(read());

/** The link to a path of this dashboard, with the members of `query` that are not empty. */
export function href(path, query = {}) {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(pairs).toString();
  return root + path.replace(/^\//, "") + (text ? `?${text}` : "");
}

/** Shows a path. With `replace`, the step back leads past the present one. */
export function go(path, query, { replace = false } = {}) {
  const to = href(path, query);
  if (to === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", to);
  address.value = read();
  if (!replace) scrollTo(0, 0);
}

/** Changes members of the query; `undefined` takes one out. */
export function setQuery(changes, options) {
  const query = Object.fromEntries(address.value.query);
  go(address.value.path, { ...query, ...changes }, options);
}

addEventListener("popstate", () => {
  address.value = read();
});

// Links to own pages change the page without loading it again.
addEventListener("click", (event) => {
  const link = event.target instanceof Element ? /** @type {HTMLAnchorElement | null} */ (event.target.closest("a[href]")) : null;
  const isPlain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  if (!link || !isPlain || link.target || link.hasAttribute("download") || event.defaultPrevented) return;
  const url = new URL(link.href);
  const isOwn = url.origin === location.origin && url.pathname.startsWith(root) && !url.pathname.startsWith(root + "api/");
  if (!isOwn || url.hash) return;
  event.preventDefault();
  if (url.pathname + url.search === location.pathname + location.search) return;
  history.pushState(null, "", url);
  address.value = read();
  scrollTo(0, 0);
});

/** @type {PageOf[]} */
const PAGES = [
  { name: "overview", pattern: /^\/$/, title: () => "Overview" },
  { name: "runs", pattern: /^\/runs$/, title: () => "Runs" },
  {
    name: "run", pattern: /^\/runs\/([^/]+)(?:\/([a-z]+))?$/, params: ["run", "tab"], key: (params) => params.run,
    title: ({ run }) => `Run ${run.slice(-12)}`,
  },
  { name: "map", pattern: /^\/maps\/([^/]+)$/, params: ["map"], title: ({ map }) => `Map ${map.slice(-12)}` },
  { name: "tasks", pattern: /^\/tasks$/, title: () => "Tasks" },
  { name: "task", pattern: /^\/tasks\/([^/]+)$/, params: ["task"], title: ({ task }) => task },
  { name: "component", pattern: /^\/components\/([^/]+)$/, params: ["component"], title: ({ component }) => component.slice(0, 40) },
  { name: "queues", pattern: /^\/queues$/, title: () => "Queues and workers" },
  { name: "schedules", pattern: /^\/schedules$/, title: () => "Schedules" },
  { name: "cache", pattern: /^\/cache$/, title: () => "Cache" },
  { name: "system", pattern: /^\/system$/, title: () => "System" },
];
/** @type {Omit<PageOf, "pattern">} */
const NONE = { name: "none", title: () => "No such page" };

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The files of pages that are there, and what loads others. */
const loaded = {};
let open;

/** Gives the function that loads the file of a page. */
export const begin = (load) => {
  open = load;
};

const load = (name) => async () => (loaded[name] ??= await open(name));

/** The page of a path, with the parameters in it. */
export function find(path) {
  for (const page of PAGES) {
    const found = page.pattern.exec(path);
    if (!found) continue;
    const pairs = (page.params ?? []).map((name, index) => [name, found[index + 1] && decode(found[index + 1])]);
    const params = Object.fromEntries(pairs);
    return { ...page, params, key: page.key?.(params), load: load(page.name), file: loaded[page.name] };
  }
  return { ...NONE, params: {}, key: undefined, load: load(NONE.name), file: loaded[NONE.name] };
}
