// The files that a page asks for at once: all that it imports. Without the links in index.html a browser finds them one after the other. A
// link that only some pages need names them as its class, and the server leaves it out of others. `node preload.mjs` writes the links; a
// test compares them.

import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const app = fileURLToPath(new URL("../app", import.meta.url));

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
  const pages = readdirSync(join(app, "pages")).filter((file) => file !== "none.js").map((file) => ({ name: file.replace(".js", ""), files: closure(`pages/${file}`) }));
  const all = new Set([...main, ...pages.flatMap(({ files }) => [...files])]);
  all.delete("main.js");
  const link = (file) => {
    const names = pages.filter(({ files }) => files.has(file)).map(({ name }) => name);
    const only = main.has(file) ? "" : ` class="${names.join(" ")}"`;
    return `<link rel="modulepreload" href="assets/{hash}/${file}"${only}>\n`;
  };
  const text = readFileSync(join(app, "index.html"), "utf8").replace(/<link rel="modulepreload".*\n/g, "");
  return text.replace('<script type="module"', `${[...all].map(link).join("")}<script type="module"`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(join(app, "index.html"), page());
