// States as they look: a colour, a shape and a word; and errors that differ only in numbers, ids and quoted values.

/** By name: `tone` is the colour, `shape` the mark, `word` the text, `group` how filters and charts sum them up. */
export const STATES = {
  Scheduled: { tone: "wait", shape: "clock", word: "Scheduled", group: "waiting" },
  AwaitingRetry: { tone: "warn", shape: "again", word: "Awaiting retry", group: "waiting" },
  Pending: { tone: "wait", shape: "ring", word: "Pending", group: "waiting" },
  AwaitingConcurrencySlot: { tone: "wait", shape: "bars", word: "Awaiting slot", group: "waiting" },
  Running: { tone: "run", shape: "play", word: "Running", group: "running" },
  Retrying: { tone: "run", shape: "again", word: "Retrying", group: "running" },
  Cancelling: { tone: "warn", shape: "stop", word: "Cancelling", group: "running" },
  Completed: { tone: "good", shape: "check", word: "Completed", group: "done" },
  Cached: { tone: "cache", shape: "stack", word: "Cached", group: "cached" },
  Failed: { tone: "bad", shape: "cross", word: "Failed", group: "failed" },
  TimedOut: { tone: "bad", shape: "glass", word: "Timed out", group: "failed" },
  UpstreamFailed: { tone: "warn", shape: "up", word: "Upstream failed", group: "failed" },
  Crashed: { tone: "bad", shape: "bolt", word: "Crashed", group: "failed" },
  Cancelled: { tone: "off", shape: "stop", word: "Cancelled", group: "cancelled" },
  RolledBack: { tone: "off", shape: "back", word: "Rolled back", group: "cancelled" },
};

/** What a state looks like; one that this version does not know is shown by its name. */
export const look = (state) => STATES[state] ?? { tone: "wait", shape: "ring", word: String(state), group: "waiting" };

const ENDED = ["done", "cached", "failed", "cancelled"];

/** Whether a run in this state has ended. */
export const hasEnded = (state) => ENDED.includes(look(state).group);

/** Whether a run in this state executes. */
export const isActive = (state) => look(state).group === "running";

/** The groups, in the order of charts. */
export const GROUPS = [
  { group: "done", tone: "good", word: "Completed" },
  { group: "cached", tone: "cache", word: "Cached" },
  { group: "failed", tone: "bad", word: "Failed" },
  { group: "cancelled", tone: "off", word: "Cancelled" },
  { group: "running", tone: "run", word: "Running" },
  { group: "waiting", tone: "wait", word: "Waiting" },
];

/** Sums counts by state into counts by group. */
export function byGroup(states) {
  const sums = Object.fromEntries(GROUPS.map(({ group }) => [group, 0]));
  for (const [state, n] of Object.entries(states)) sums[look(state).group] += Number(n);
  return sums;
}

const PARTS = [
  [/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi, "<id>"],
  [/\b(?:sha256:)?[0-9a-f]{16,}\b/gi, "<digest>"],
  [/"(?:[^"\\]|\\.)*"/g, "<text>"],
  [/\b0x[0-9a-f]+\b/gi, "<number>"],
  [/-?\b\d+(?:[._]\d+)*/g, "<number>"],
];

/** The text with what varies left out. */
export const fingerprint = (error) => PARTS.reduce((text, [pattern, word]) => text.replace(pattern, word), error.split("\n")[0].slice(0, 500));

/** Groups runs by their task, the function of a script, and the fingerprint of their error, the largest group first. */
export function groups(runs) {
  const found = new Map();
  for (const run of runs) {
    const print = fingerprint(run.error ?? run.state);
    const key = `${run.task}\n${run.function ?? ""}\n${print}`;
    const group = found.get(key) ?? { key, task: run.task, function: run.function, error: run.error ?? "", runs: [] };
    group.runs.push(run);
    found.set(key, group);
  }
  return [...found.values()].sort((a, b) => b.runs.length - a.runs.length);
}
