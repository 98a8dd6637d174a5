// What can be done with runs: one after the other, or all that match as a batch of the server.

import { get, has, may, part, send } from "../lib/api.js";
import { hasEnded, look } from "../lib/states.js";
import { again } from "../lib/stream.js";
import { count } from "../lib/time.js";
import { html, signal } from "../lib/view.js";
import { attempt, confirm, toast } from "./basics.js";

/** The actions: the scope that each needs, how it is sent, and what it leads to. */
export const ACTIONS = {
  cancel: { word: "Cancel", scope: "cancel", method: "POST", end: "/cancel", says: "Runs that have not started end at once. Those that execute are asked to stop, and are cancelled when their guests have stopped." },
  retry: { word: "Retry", scope: "run", method: "POST", end: "/retry", says: "Each gets new attempts under its id, with the same arguments. Earlier attempts are kept." },
  seen: { word: "Mark as seen", scope: "cancel", method: "POST", end: "/seen", says: "They no longer need attention. Nothing else changes." },
  delete: { word: "Delete", scope: "cancel", method: "DELETE", end: "", says: "Their records, events and logs are removed. This cannot be undone.", danger: true },
};

/** Whether an action makes sense for a run of a list. */
export function fits(action, run) {
  const ended = hasEnded(run.state);
  if (action === "cancel") return !ended && run.state !== "Cancelling";
  if (action === "retry") return ["failed", "cancelled"].includes(look(run.state).group) && run.state !== "RolledBack" && !run.queue.startsWith("hostel.");
  if (action === "seen") return run.needs_attention;
  return ended;
}

/** How many requests are on their way at once. */
const AT_ONCE = 4;

/**
 * Does it to each run. Answers how many refused, and the last reason.
 * @returns {Promise<{failed: number, problem: Error | null}>}
 */
export async function actOn(name, runs) {
  const { method, end } = ACTIONS[name];
  const waiting = [...runs];
  let failed = 0;
  /** @type {Error | null} */
  let problem = null;
  const work = async () => {
    for (let run = waiting.shift(); run; run = waiting.shift()) {
      try {
        await send(method, `/runs/${part(run.run)}${end}`);
      } catch (error) {
        failed += 1;
        problem = error;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { failed, problem };
}

const number = (n, more) => `${count(n)}${more ? " or more" : ""} ${n === 1 && !more ? "run" : "runs"}`;

/** Asks, and does it with those of the runs that it fits. Answers whether it was done. */
export async function act(name, runs) {
  const action = ACTIONS[name];
  const fitting = runs.filter((run) => fits(name, run));
  const left = runs.length - fitting.length;
  const text = `${action.says}${left ? ` ${number(left)} of those selected ${left === 1 ? "is" : "are"} in a state that this does not fit, and stay as they are.` : ""}`;
  if (!fitting.length || !(await confirm({ title: `${action.word}: ${number(fitting.length)}`, text, action: `${action.word} ${number(fitting.length)}`, danger: action.danger }))) return false;
  const { failed, problem } = await actOn(name, fitting);
  if (failed) toast(`${failed} of ${fitting.length} were refused: ${problem?.message}`, "bad");
  else toast(`${action.word}: done for ${number(fitting.length)}`);
  return true;
}

/** The batch that goes on, if this page has begun one. */
export const batch = signal(null);

/** Reads how far the batch is until it has ended, or another one is shown; not while nobody looks. */
async function follow(id, onEnd) {
  const isShown = () => batch.value?.batch === id;
  await again(async (soon) => {
    if (document.visibilityState === "hidden") return true;
    try {
      const found = await get(`/batches/${id}`);
      if (isShown()) batch.value = found;
      soon();
    } catch (error) {
      if (error.status >= 400 && error.status < 500 && error.status !== 429) {
        if (isShown()) batch.value = null;
        toast(error.message, "bad");
      }
    }
    return isShown() && batch.value.state === "running";
  });
  onEnd?.();
}

/** Asks how many match, and does it with all of them. `onEnd` is called when the batch has ended. */
export async function actOnAll(name, filter, onEnd) {
  const action = ACTIONS[name];
  const all = filter || "since:2000-01-01";
  const found = await attempt(() => send("POST", "/batches", { action: name, filter: all, dry_run: true }));
  if (!found) return;
  const runs = number(found.matched, found.more);
  if (!found.matched) {
    toast(`${action.word}: no run that matches can be acted on`, "wait");
    return;
  }
  const text = `${action.says} It is done for the ${runs} that match now; runs that arrive later are left out.`;
  if (!(await confirm({ title: `${action.word} all that match`, text, action: `${action.word} ${runs}`, danger: action.danger }))) return;
  const begun = await attempt(() => send("POST", "/batches", { action: name, filter: all }));
  if (!begun) return;
  batch.value = begun;
  follow(begun.batch, onEnd);
}

/** How far the batch is. */
export function BatchProgress() {
  const one = batch.value;
  if (!one) return null;
  const total = one.matched ?? one.done + one.failed;
  const share = total ? (100 * (one.done + one.failed)) / total : 100;
  return html`<div class="note" role="status">
    <p><strong>${ACTIONS[one.action]?.word ?? one.action}</strong>: ${count(one.done)} of ${count(total)}${one.failed ? `, ${count(one.failed)} refused` : ""} (${one.state})
      ${one.state === "running" ? null : html` <button type="button" class="link" onClick=${() => (batch.value = null)}>Close</button>`}</p>
    <div class="meter" style=${{ marginTop: "6px" }}><i data-tone="run" style=${{ width: `${share}%` }}></i></div>
  </div>`;
}

/** The bar above a list of runs with a selection. */
export const Selection = ({ runs, isAll, filter, onDone, onBatch, onClear }) => html`<div class="filterbar" role="toolbar" aria-label="Selected runs">
  <strong>${runs.length} selected</strong>
  ${Object.entries(ACTIONS).map(([name, action]) => {
    const fitting = runs.filter((run) => fits(name, run)).length;
    return html`<button type="button" class=${action.danger && "danger"} disabled=${!fitting || !may(action.scope)} onClick=${async () => (await act(name, runs)) && onDone()}>
      ${action.word}${fitting && fitting !== runs.length ? ` ${fitting}` : ""}
    </button>`;
  })}
  ${isAll && has("batches")
    ? html`<span class="muted">or all that match:</span>${Object.entries(ACTIONS).map(
        ([name, action]) => html`<button type="button" class="link" aria-label=${`${action.word} all that match`} disabled=${!may(action.scope)} onClick=${() => actOnAll(name, filter, onBatch)}>${action.word.toLowerCase()}</button>`,
      )}`
    : null}
  <button type="button" class="quiet" onClick=${onClear}>Clear</button>
</div>`;
