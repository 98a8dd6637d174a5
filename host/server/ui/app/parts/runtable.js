// Lists of runs. Rows keep their places while they change.

import { word } from "../lib/filter.js";
import { names } from "../lib/resource.js";
import { href } from "../lib/router.js";
import { hasEnded } from "../lib/states.js";
import { showText, taskName } from "../lib/text.js";
import { cx, html, useLater, useMemo } from "../lib/view.js";
import { State, Took, When } from "./basics.js";

/** The least height of a row, in pixels. */
const LOWEST = 32;

// Rows are many: what they are made of are functions, and few are components of their own.

function tagsOf(tags) {
  const shown = tags.filter((tag) => !tag.startsWith("map:"));
  const map = tags.find((tag) => tag.startsWith("map:"));
  return html`<span class="tags">
    ${map ? html`<a class="tag" href=${href(`/maps/${map.slice(4)}`)} title=${map}>map</a>` : null}
    ${shown.slice(0, 3).map((tag) => html`<a class="tag" href=${href("/runs", { q: word("tag", tag) })}>${showText(tag)}</a>`)}
    ${shown.length > 3 ? html`<span class="faint">+${shown.length - 3}</span>` : null}
  </span>`;
}

/** A row is drawn again only if it has changed: there may be a thousand events a second. */
function Row({ run, at, selected, onSelect, slim }) {
  const isSelected = selected?.has(run.run);
  return useMemo(() => html`<tr class=${cx("go", at && "at")} aria-selected=${selected ? Boolean(isSelected) : undefined} data-run=${run.run}>
    ${selected
      ? html`<td class="c-pick"><input type="checkbox" checked=${isSelected} onChange=${() => onSelect(run.run)} aria-label="Select ${run.name || run.run}" /></td>`
      : null}
    <td class="c-state">${State(run)}</td>
    <td class="c-name" title=${run.error ?? undefined}>
      <a class="plain" href=${href(`/runs/${run.run}`)}>${showText(run.name || run.run)}</a>${run.error ? html` <span class="why">${showText(run.error)}</span>` : null}
    </td>
    ${slim ? null : html`<td class="c-task rare mono"><span class="muted" title=${run.task}>${showText(run.function ?? taskName(run.task, names.value))}</span></td>`}
    ${slim ? null : html`<td class="c-queue muted">${run.queue}</td>`}
    <td class="c-when muted"><${When} at=${run.created} /></td>
    <td class="c-took num"><${Took} from=${run.started} to=${run.ended} isOver=${hasEnded(run.state)} /></td>
    ${slim ? null : html`<td class="c-tries num muted">${run.attempt_count > 1 ? run.attempt_count : ""}</td>`}
    ${slim ? null : html`<td class="c-tags">${tagsOf(run.tags)}</td>`}
  </tr>`, [run, at, isSelected, onSelect, slim, names.value]);
}

/**
 * A table of runs. `at` is the row that keys act on, `selected` the ids that are chosen (without it, none can be), `slim` is for narrow
 * places. The rows that a screen shows are drawn first.
 */
export function RunTable({ runs, at, selected, onSelect, onSelectAll, slim, label = "Runs" }) {
  const drawn = useLater() ? runs : runs.slice(0, Math.ceil(innerHeight / LOWEST));
  const isAll = selected && runs.length > 0 && runs.every((run) => selected.has(run.run));
  return html`<div class="scroll"><table class="fixed runs" aria-label=${label}>
    <thead><tr>
      ${selected ? html`<th style=${{ width: "38px" }}><input type="checkbox" checked=${isAll} onChange=${onSelectAll} aria-label="Select all on this page" /></th>` : null}
      <th style=${{ width: "148px" }}>State</th>
      <th>Name</th>
      ${slim ? null : html`<th class="rare" style=${{ width: "19%" }}>Task</th><th class="c-queue" style=${{ width: "84px" }}>Queue</th>`}
      <th style=${{ width: "106px" }}>Submitted</th>
      <th class="num" style=${{ width: "100px" }}>Took</th>
      ${slim ? null : html`<th class="c-tries num" style=${{ width: "56px" }}>Tries</th><th class="c-tags" style=${{ width: "11%" }}>Tags</th>`}
    </tr></thead>
    <tbody>${drawn.map(
      (run, index) => html`<${Row} key=${run.run} run=${run} at=${index === at} selected=${selected} onSelect=${onSelect} slim=${slim} />`,
    )}</tbody>
  </table></div>`;
}
