// Colours that programs print, as pieces of text with a tone. Other escape sequences (ECMA-48) are left out, private ones, too.

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
