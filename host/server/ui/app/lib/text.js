// Texts that others chose, so that they cannot deceive; what programs print in colour; and command lines that do what the page does.

// Control characters apart from tab and line feed, marks of direction, characters without a width, and line separators.
const DECEPTIVE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]|[\udb40][\udc00-\udfff]/g;

/** The text with deceptive characters as escapes: `\u{202e}`. */
export const showText = (text) =>
  text.replace(DECEPTIVE, (found) => `\\u{${found.codePointAt(0).toString(16)}}`);

/** An id or a digest, short enough for a table. */
export const shortDigest = (digest) => digest.replace(/^sha256:/, "").slice(0, 12);

/** A task's key for people: names stand for digests where they are known, and other digests are short. */
export const taskName = (key, names) => named(key, names, shortDigest);

/** The same for a command: other digests are whole. */
export const taskRef = (key, names) => named(key, names, (digest) => digest);

function named(key, names, without) {
  const at = key.indexOf("#");
  const [component, exported] = at < 0 ? [key, ""] : [key.slice(0, at), key.slice(at + 1)];
  const name = names?.get(component) ?? (component.startsWith("sha256:") ? without(component) : component);
  return exported ? `${name}#${exported}` : name;
}

// Escape sequences (ECMA-48). Those of colours make tones, and others are left out.
// eslint-disable-next-line no-control-regex
const SEQUENCE = /\u001b\[([0-?]*)[ -/]*([@-~])|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|\u001b[@-Z\\-_]/g;

const TONES = { 31: "bad", 32: "good", 33: "warn", 34: "run", 35: "off", 36: "cache", 90: "wait", 91: "bad", 92: "good", 93: "warn", 94: "run", 95: "off", 96: "cache" };

/** Splits a text into `{text, tone, bold}`. */
export function pieces(text) {
  if (!text.includes("\u001b")) return [{ text }];
  const found = [];
  let style = {};
  let from = 0;
  for (const match of text.matchAll(SEQUENCE)) {
    if (match.index > from) found.push({ text: text.slice(from, match.index), ...style });
    from = match.index + match[0].length;
    if (match[2] === "m" && /^[\d;]*$/.test(match[1])) style = next(style, match[1]);
  }
  if (from < text.length) found.push({ text: text.slice(from), ...style });
  return found;
}

function next(style, codes) {
  let { tone, bold } = style;
  const numbers = codes === "" ? [0] : codes.split(";").map(Number);
  for (let at = 0; at < numbers.length; at += 1) {
    const code = numbers[at];
    if (code === 0) [tone, bold] = [undefined, undefined];
    else if (code === 1) bold = true;
    else if (code === 22) bold = undefined;
    else if (code === 39) tone = undefined;
    else if (code === 38 || code === 48) at += numbers[at + 1] === 5 ? 2 : 4;
    else if (TONES[code]) tone = TONES[code];
  }
  return { tone, bold };
}

/** The text without escape sequences. */
export const plain = (text) => (text.includes("\u001b") ? text.replace(SEQUENCE, "") : text);

/** A word for a POSIX shell. */
export const quote = (text) => (/^[A-Za-z0-9_./:=@%+,#-]+$/.test(text) && !text.startsWith("#") ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** `hostel run` with these inputs, which have WAVE texts. */
export const runCommand = (task, inputs, options = []) =>
  ["hostel", "run", ...options.map(quote), quote(task), ...inputs.map((input) => quote(input.wave))].join(" ");

/** `curl` for a request with a JSON body. */
export const curl = (base, path, body) =>
  [`curl -sS -H "Authorization: Bearer $TOKEN" \\`, `  --json ${quote(JSON.stringify(body))} \\`, `  ${quote(`${base}api/v1${path}`)}`].join("\n");
