// Server-sent events out of a body that goes on.

/** The most characters of an event that has no end. */
const MOST = 1 << 20;

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

/** Calls `take` with each event of a body until it ends. */
export async function lines(body, take, signal) {
  const push = parser();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  while (!signal.aborted) {
    const { done, value } = await reader.read();
    if (done) return;
    push(decoder.decode(value, { stream: true })).forEach(take);
  }
}
