// How long runs took, by what a list of them says.

/** The value below which this share of the values is (nearest rank). `sorted` has at least one. */
export const percentile = (sorted, share) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];

/**
 * How long the last attempts of these runs took: `{n, p50, p95}` in ms, or `null` if none of them was executed to its end.
 * @param {Schemas["RunHead"][]} runs
 */
export function spread(runs) {
  const took = runs.flatMap(({ started, ended }) => (started && ended ? [Math.max(0, Date.parse(ended) - Date.parse(started))] : []));
  if (!took.length) return null;
  took.sort((a, b) => a - b);
  return { n: took.length, p50: percentile(took, 0.5), p95: percentile(took, 0.95) };
}

/**
 * In how many of these receipts each kind of host call and denial occurs, the most frequent first: `[kind, {used, denied}]`.
 * @param {Schemas["Receipt"][]} receipts
 */
export function uses(receipts) {
  const found = new Map();
  const of = (kind) => {
    if (!found.has(kind)) found.set(kind, { used: 0, denied: 0 });
    return found.get(kind);
  };
  for (const { host_calls, denials } of receipts) {
    for (const [kind, times] of Object.entries(host_calls)) if (times > 0) of(kind).used += 1;
    for (const [kind, times] of Object.entries(denials)) if (times > 0) of(kind).denied += 1;
  }
  return [...found].sort(([, a], [, b]) => b.used + b.denied - a.used - a.denied);
}
