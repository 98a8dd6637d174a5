// Which page belongs to an address. Files of pages are loaded when they are first shown.

/** @typedef {{name: string, pattern: RegExp, params?: string[], key?: (params: Record<string, string>) => string, load: () => Promise<{default: unknown}>, title: (params: Record<string, string>) => string}} PageOf */

/** @type {PageOf[]} */
const PAGES = [
  { name: "overview", pattern: /^\/$/, load: () => import("../pages/overview.js"), title: () => "Overview" },
  { name: "runs", pattern: /^\/runs$/, load: () => import("../pages/runs.js"), title: () => "Runs" },
  {
    name: "run", pattern: /^\/runs\/([^/]+)(?:\/([a-z]+))?$/, params: ["run", "tab"], key: (params) => params.run,
    load: () => import("../pages/run.js"), title: ({ run }) => `Run ${run.slice(-12)}`,
  },
  { name: "map", pattern: /^\/maps\/([^/]+)$/, params: ["map"], load: () => import("../pages/map.js"), title: ({ map }) => `Map ${map.slice(-12)}` },
  { name: "tasks", pattern: /^\/tasks$/, load: () => import("../pages/tasks.js"), title: () => "Tasks" },
  { name: "task", pattern: /^\/tasks\/([^/]+)$/, params: ["task"], load: () => import("../pages/task.js"), title: ({ task }) => task },
  { name: "component", pattern: /^\/components\/([^/]+)$/, params: ["component"], load: () => import("../pages/component.js"), title: ({ component }) => component.slice(0, 40) },
  { name: "queues", pattern: /^\/queues$/, load: () => import("../pages/queues.js"), title: () => "Queues and workers" },
  { name: "schedules", pattern: /^\/schedules$/, load: () => import("../pages/schedules.js"), title: () => "Schedules" },
  { name: "cache", pattern: /^\/cache$/, load: () => import("../pages/cache.js"), title: () => "Cache" },
  { name: "system", pattern: /^\/system$/, load: () => import("../pages/system.js"), title: () => "System" },
];
/** @type {Omit<PageOf, "pattern">} */
const NONE = { name: "none", load: () => import("../pages/none.js"), title: () => "No such page" };

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The page of a path, with the parameters in it. */
export function find(path) {
  for (const page of PAGES) {
    const found = page.pattern.exec(path);
    if (!found) continue;
    const pairs = (page.params ?? []).map((name, index) => [name, found[index + 1] && decode(found[index + 1])]);
    const params = Object.fromEntries(pairs);
    return { ...page, params, key: page.key?.(params) };
  }
  return { ...NONE, params: {}, key: undefined };
}
