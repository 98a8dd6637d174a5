// Errors that are the same but for their numbers, ids and quoted values have one fingerprint.

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
