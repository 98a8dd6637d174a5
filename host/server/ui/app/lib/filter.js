// Filters of runs as text: `state:failed tag:nightly name:"two words"`, and as chips.

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The keys. */
export const KEYS = ["state", "task", "tag", "queue", "schedule", "name", "error", "in", "since", "until"];

/** Splits a filter into its words; quotes keep blanks. */
export function words(text) {
  const found = [];
  let word = "";
  let isQuoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === "\\" && isQuoted && at + 1 < text.length) {
      word += char + text[at + 1];
      at += 1;
    } else if (char === '"') {
      isQuoted = !isQuoted;
      word += char;
    } else if (/\s/.test(char) && !isQuoted) {
      if (word) found.push(word);
      word = "";
    } else word += char;
  }
  if (word) found.push(isQuoted ? `${word}"` : word);
  return found;
}

/** A word with a key, quoted where it has to be. */
export const word = (key, value) =>
  /^[^\s"\\]+$/.test(value) ? `${key}:${value}` : `${key}:"${value.replace(/["\\]/g, "\\$&")}"`;

/** A scope, as in `queue mail` or `tag nightly`, in its parts. */
export function parts(scope) {
  const at = scope.indexOf(" ");
  return { kind: scope.slice(0, at), name: scope.slice(at + 1) };
}

const hasKey = (text) => KEYS.some((key) => text.startsWith(`${key}:`));

/** What was typed, as a filter: words without a key are a part of the name. */
export function toFilter(text) {
  const all = words(text.trim());
  const keyed = all.filter((one) => /^[a-z]+:/.test(one) && (hasKey(one) || !one.includes("#")));
  const loose = all.filter((one) => !keyed.includes(one)).map((one) => one.replace(/^"(.*)"$/, "$1"));
  return [...keyed, ...(loose.length ? [word("name", loose.join(" "))] : [])].join(" ");
}

/** Where a search leads: to the run of an id, or to a list. */
export function toSearch(text) {
  const trimmed = text.trim();
  if (ID.test(trimmed)) return { path: `/runs/${trimmed.toLowerCase()}`, query: {} };
  return { path: "/runs", query: { q: toFilter(trimmed) } };
}

/** The filter without one of its words. */
export const without = (text, at) => words(text).filter((_, index) => index !== at).join(" ");

/** The filter with this key set; an empty value takes it out. */
export function withKey(text, key, value) {
  const rest = words(text).filter((one) => !one.startsWith(`${key}:`));
  return [...rest, ...(value ? [word(key, value)] : [])].join(" ");
}

/** The value of a key, or `""`. */
export function valueOf(text, key) {
  const found = words(text).find((one) => one.startsWith(`${key}:`));
  return found ? found.slice(key.length + 1).replace(/^"(.*)"$/, "$1").replace(/\\(.)/g, "$1") : "";
}
