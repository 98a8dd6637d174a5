// The files that a page asks for at once: what main.js imports, and what most pages import. Without the links in index.html a browser finds
// them one after the other. `node preload.mjs` writes the links; a test compares them.

import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const app = fileURLToPath(new URL("../app", import.meta.url));

/** At least so many pages import what is asked for at once. */
const PAGES = 3;

/** A module and all that it imports before it runs. */
export function closure(name, found = new Set()) {
  if (found.has(name)) return found;
  found.add(name);
  const text = readFileSync(join(app, name), "utf8");
  for (const [, path] of text.matchAll(/(?:^|;)\s*(?:import|export)\b[^;"()]*"(\.[^"]+)"/gm)) closure(join(dirname(name), path), found);
  return found;
}

/** index.html as it has to be. */
export function page() {
  const main = closure("main.js");
  const pages = readdirSync(join(app, "pages")).map((name) => closure(`pages/${name}`));
  const all = new Set([...main, ...pages.flatMap((names) => [...names])]);
  const wanted = [...all].filter((name) => name !== "main.js" && (main.has(name) || pages.filter((names) => names.has(name)).length >= PAGES));
  const text = readFileSync(join(app, "index.html"), "utf8").replace(/<link rel="modulepreload".*\n/g, "");
  const links = wanted.map((name) => `<link rel="modulepreload" href="assets/{hash}/${name}">\n`).join("");
  return text.replace('<script type="module"', `${links}<script type="module"`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(join(app, "index.html"), page());
