// An address that leads nowhere.

import { address, href } from "../lib/router.js";
import { html } from "../lib/view.js";

export default () => html`<div class="page"><h1>No such page</h1>
  <p class="muted"><code>${address.value.path}</code> leads nowhere: it may be mistyped, or of another version. <a href=${href("/")}>Overview</a>, <a href=${href("/runs")}>runs</a>, <a href=${href("/tasks")}>tasks</a>.</p>
</div>`;
