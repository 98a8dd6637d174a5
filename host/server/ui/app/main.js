// Starts the dashboard.

import { Frame } from "./parts/frame.js";
import { renewSession } from "./lib/api.js";
import { address, find } from "./lib/router.js";
import { html, render } from "./lib/view.js";

const root = /** @type {HTMLElement} */ (document.getElementById("app"));
root.textContent = "";
renewSession();
// The file of the page comes while the frame is drawn. The frame says if it cannot be loaded.
find(address.value.path).load().catch(() => {});
render(html`<${Frame} />`, root);
