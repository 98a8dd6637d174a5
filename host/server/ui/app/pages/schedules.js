// What runs again and again: when, in which zone, and what happened last.

import { may, part, send } from "../lib/api.js";
import { word } from "../lib/filter.js";
import { useLive, useResource } from "../lib/resource.js";
import { href } from "../lib/router.js";
import { html } from "../lib/view.js";
import { Loading, Panel, Text, Trouble, When, attempt, confirm } from "../parts/basics.js";
import { Icon } from "../parts/icon.js";

const MISSED = { last: "makes up for the last missed time", all: "makes up for every missed time", none: "leaves out missed times" };
const OVERLAP = { allow: "starts beside an earlier run", skip: "left out while an earlier run goes on", "queue-one": "waits for the earlier run", "cancel-running": "cancels an earlier run" };

function Row({ schedule, reload }) {
  const at = `/schedules/${part(schedule.name)}`;
  const isAllowed = may("run");
  const act = (action, done) => async () => {
    await attempt(action, done);
    reload();
  };
  const remove = async () => {
    if (await confirm({ title: `Remove the schedule ${schedule.name}`, text: "It will no longer run. Its runs stay.", action: "Remove", danger: true })) await act(() => send("DELETE", at), "Removed")();
  };
  return html`<tr>
    <td style=${{ overflowWrap: "anywhere", minWidth: "170px" }}><strong><${Text}>${schedule.name}<//></strong><div><a class="mono" href=${href(`/tasks/${encodeURIComponent(schedule.task)}`)}><${Text}>${schedule.task}<//></a></div></td>
    <td style=${{ minWidth: "120px" }}>${schedule.description ?? ""}<div class="mono faint">${schedule.cron ?? ""}</div></td>
    <td class="nowrap">${schedule.paused ? html`<span class="state" data-tone="warn"><${Icon} name="pause" />Paused</span>` : schedule.next_at ? html`<${When} at=${schedule.next_at} /><div class="muted"><${When} at=${schedule.next_at} far /></div>` : html`<span class="muted">never</span>`}</td>
    <td class="nowrap muted">${schedule.last_at ? html`<${When} at=${schedule.last_at} />` : "not yet"}<div><a href=${href("/runs", { q: word("schedule", schedule.name) })}>its runs</a></div></td>
    <td class="rare muted">${OVERLAP[schedule.overlap] ?? schedule.overlap}; ${MISSED[schedule.missed] ?? schedule.missed}</td>
    <td class="num">
      <button type="button" disabled=${!isAllowed} onClick=${act(() => send("POST", `${at}/run`), (answer) => `Submitted ${answer.run}`)}>Run now</button>${" "}
      ${schedule.paused ? html`<button type="button" disabled=${!isAllowed} onClick=${act(() => send("POST", `${at}/resume`), "Resumed")}>Resume</button>` : html`<button type="button" disabled=${!isAllowed} onClick=${act(() => send("POST", `${at}/pause`), "Paused")}>Pause</button>`}
      <button type="button" class="quiet" disabled=${!isAllowed} onClick=${remove} aria-label="Remove ${schedule.name}">Remove</button></td>
  </tr>`;
}

export default function Schedules() {
  const { data, error, reload } = useResource("/schedules?limit=500");
  useLive((event) => event.kind === "Born", reload, 3000);
  return html`<div class="page">
    <h1>Schedules</h1>
    <${Trouble} error=${data ? null : error} retry=${reload} />
    <${Panel} flush>
      ${data === null ? (error ? null : html`<${Loading} />`) : data.items.length
        ? html`<div class="scroll"><table aria-label="Schedules"><thead><tr><th>Schedule</th><th>When</th><th>Next</th><th>Last</th><th class="rare">If late</th><th></th></tr></thead><tbody>${data.items.map((schedule) => html`<${Row} key=${schedule.name} schedule=${schedule} reload=${reload} />`)}</tbody></table></div>`
        : html`<div class="empty"><p>Nothing is scheduled.</p><p>The command line adds a schedule: <code>hostel schedule add nightly acme.math#add 40 2 --cron '30 2 * * *' --zone Europe/Berlin</code></p></div>`}
    <//>
  </div>`;
}
