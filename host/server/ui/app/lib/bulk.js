// The same for many runs: one after the other, or all that match a filter as a batch of the server.

import { part, send } from "./api.js";
import { hasEnded, look } from "./states.js";

/** What can be done with runs: the scope it needs, how it is sent, and what it leads to. */
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

/** How many runs a batch would act on: `{matched, more}`. */
export const preview = (action, filter) => send("POST", "/batches", { action, filter, dry_run: true });

/** Begins a batch. */
export const begin = (action, filter) => send("POST", "/batches", { action, filter });
