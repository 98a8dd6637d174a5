// Starts the dashboard.

import { Frame } from "./parts/frame.js";
import { renewSession } from "./lib/api.js";
import { html, render } from "./lib/view.js";

const root = /** @type {HTMLElement} */ (document.getElementById("app"));
root.textContent = "";
renewSession();
render(html`<${Frame} />`, root);
