// Answers that go on: lines and server-sent events out of their bodies.

/** The most characters of an event that has no end. */
const MOST = 1 << 20;
/** How long after its end an answer is asked for again, in ms; it doubles up to the second number. */
const AGAIN = [500, 15_000];

/** Splits text into events: `push(text)` returns those that are complete. */
export function parser() {
  let rest = "";
  return (text) => {
    rest += text;
    const blocks = rest.split("\n\n");
    rest = blocks.pop() ?? "";
    if (rest.length > MOST) rest = "";
    return blocks.map(read).filter((event) => event !== null);
  };
}

function read(block) {
  const event = { event: "message", id: "", data: "" };
  let hasData = false;
  for (const line of block.split("\n")) {
    if (line === "" || line.startsWith(":")) continue;
    const at = line.indexOf(":");
    const name = at < 0 ? line : line.slice(0, at);
    const value = at < 0 ? "" : line.slice(at + 1).replace(/^ /, "");
    if (name === "data") {
      event.data += (hasData ? "\n" : "") + value;
      hasData = true;
    } else if (name === "id" || name === "event") event[name] = value;
  }
  return hasData ? event : null;
}

/** Calls `take` with each piece of the text of a body, until it ends. */
async function pieces(body, take, signal) {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  while (!signal?.aborted) {
    const { done, value } = await reader.read();
    if (done) return;
    take(decoder.decode(value, { stream: true }));
  }
}

/** Calls `take` with each event of a body. */
export const events = (body, take, signal) => {
  const push = parser();
  return pieces(body, (text) => push(text).forEach(take), signal);
};

/** Calls `take` with batches of lines of a body that is JSON Lines. */
export function jsonLines(body, take, signal) {
  let rest = "";
  const push = (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    const items = lines.filter(Boolean).map((line) => JSON.parse(line));
    if (items.length) take(items);
  };
  return pieces(body, push, signal);
}

/** Calls `follow(soon)` again and again, for as long as it answers `true`. After `soon()`, the next pause is short. */
export async function again(follow, signal) {
  let pause = AGAIN[0];
  const soon = () => {
    pause = AGAIN[0];
  };
  while (!signal?.aborted && (await follow(soon)) && !signal?.aborted) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(pause * 2, AGAIN[1]);
  }
}
