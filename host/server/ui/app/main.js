// Starts the dashboard.

import { Frame } from "./parts/frame.js";
import { renewSession } from "./lib/api.js";
import { address, begin, find } from "./lib/router.js";
import { html, render } from "./lib/view.js";

/** How long nothing is painted while answers are awaited, in ms. */
const SOON = 100;

const root = /** @type {HTMLElement} */ (document.getElementById("app"));
root.textContent = "";
// The first frame has the answers, if they come soon: the page is laid out and painted once.
root.hidden = Boolean(globalThis.answered);
const soon = new Promise((resolve) => setTimeout(resolve, SOON));
Promise.race([globalThis.answered, soon]).then(() => (root.hidden = false));
renewSession();
// Here, where the path is the same when the server has joined the modules.
begin((name) => import(`./pages/${name}.js`));
// The frame says if the file of the page cannot be loaded.
find(address.value.path).load().catch(() => {}).then(() => render(html`<${Frame} />`, root));
