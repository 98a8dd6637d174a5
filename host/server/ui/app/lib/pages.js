// Which page belongs to an address. Files of pages are loaded when they are first shown.

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

const load = (name) => () => import(`../pages/${name}.js`);

/** The page of a path, with the parameters in it. */
export function find(path) {
  for (const page of PAGES) {
    const found = page.pattern.exec(path);
    if (!found) continue;
    const pairs = (page.params ?? []).map((name, index) => [name, found[index + 1] && decode(found[index + 1])]);
    const params = Object.fromEntries(pairs);
    return { ...page, params, key: page.key?.(params), load: load(page.name) };
  }
  return { ...NONE, params: {}, key: undefined, load: load(NONE.name) };
}
