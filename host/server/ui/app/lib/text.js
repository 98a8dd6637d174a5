// Texts that others chose, so that they cannot deceive: what reorders or hides other characters is shown as an escape.

// Control characters apart from tab and line feed, marks of direction, characters without a width, and line separators.
const DECEPTIVE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]|[\udb40][\udc00-\udfff]/g;

/** The text with deceptive characters as escapes: `\u{202e}`. */
export const showText = (text) =>
  text.replace(DECEPTIVE, (found) => `\\u{${found.codePointAt(0).toString(16)}}`);

/** An id or a digest, short enough for a table. */
export const shortDigest = (digest) => digest.replace(/^sha256:/, "").slice(0, 12);

/** A task's key as people read it: names stand for digests where they are known, and other digests are short. */
export const taskName = (key, names) => named(key, names, shortDigest);

/** A task's key as a command takes it: names stand for digests where they are known, and other digests are whole. */
export const taskRef = (key, names) => named(key, names, (digest) => digest);

function named(key, names, without) {
  const at = key.indexOf("#");
  const [component, exported] = at < 0 ? [key, ""] : [key.slice(0, at), key.slice(at + 1)];
  const name = names?.get(component) ?? (component.startsWith("sha256:") ? without(component) : component);
  return exported ? `${name}#${exported}` : name;
}
