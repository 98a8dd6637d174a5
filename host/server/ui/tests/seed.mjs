// Fills a server with components and runs that are worth looking at. The tests and the screenshots use it.

import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** A client of the API. It throws what is no success. */
export function client(base, token) {
  return async (method, path, body, type = "application/json") => {
    const isJson = type === "application/json";
    const response = await fetch(`${base}/api/v1${path}`, {
      method,
      headers: { Authorization: `Bearer ${token}`, ...(body === undefined ? {} : { "Content-Type": type }) },
      body: body === undefined ? undefined : isJson ? JSON.stringify(body) : body,
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : null;
  };
}

/** Uploads a guest and names it. */
export async function push(call, guests, file, name, version, accept = true) {
  const { digest } = await call("POST", "/components", await readFile(join(guests, file)), "application/wasm");
  return call("PUT", `/names/${name}/versions/${version}`, { digest, accept_capabilities: accept });
}


/** Components, runs in all states, a map, limits, schedules. */
export async function seed(base, token, guests, { rows = 300, hostile = true } = {}) {
  const call = client(base, token);
  const files = { "acme.math": "arith.wasm", "acme.shapes": "shapes.wasm", "acme.text": "text.wasm", "lab.models": "models.wasm", "lab.flaky": "flaky.wasm", "ops.reporter": "reporter.wasm", "ops.logs": "log_flood.wasm", "ops.puppet": "puppet.wasm", "ops.panic": "panic.wasm" };
  for (const [name, file] of Object.entries(files)) await push(call, guests, file, name, "1.0.0");
  // A newer version that asks for more, and is not accepted.
  await push(call, guests, "hostile.wasm", "acme.text", "1.1.0", false).catch(() => {});
  const run = (body, wait = "30s") => call("POST", `/runs${wait ? `?wait=${wait}` : ""}`, body);
  const made = {};
  made.map = await call("POST", "/maps?wait=30s", {
    task: "acme.math#pow", options: { name: "power-{exponent}" }, rows: Array.from({ length: rows }, (_, at) => ({ base: at + 2, exponent: (at % 9) + 1 })),
  });
  made.sum = await run({ task: "acme.math#add", args: { a: 40, b: 2 }, tags: ["nightly"] });
  made.large = await run({ task: "acme.shapes#echo-u64", args: ["18446744073709551615"] });
  made.record = await run({ task: "lab.models#train-model", args: { dataset: { name: "iris" }, "model-config": { name: "tree", hyper: { rate: 0.1, layers: [64, 32, 16] } } }, tags: ["lab", "iris"] });
  made.words = await run({ task: "acme.text#word-count", args: { text: "to be or not to be" }, tags: ["nightly"] });
  made.bytes = await run({ task: "acme.shapes#echo-bytes", args: [{ base64: Buffer.from("some bytes that are a text").toString("base64") }] });
  made.failed = await run({ task: "acme.text#greet", args: { name: "" } });
  made.retried = await run({ task: "lab.flaky#fail-until", args: { attempt: 3, how: "error" }, options: { retries: 3 } });
  made.trap = await run({ task: "ops.panic#boom", args: { message: "index out of range: the len is 3 but the index is 7" }, tags: ["nightly"] });
  made.trapTwice = await run({ task: "ops.panic#boom", args: { message: "index out of range: the len is 3 but the index is 9" } });
  made.logs = await run({ task: "ops.logs#flood", args: { lines: 3000 } });
  made.say = await run({ task: "ops.reporter#say", args: { level: "error", message: "disk \u001b[31malmost full\u001b[0m", fields: [["disk", "sda1"], ["free", "3%"]] } });
  if (hostile) made.hostile = await run({ task: "ops.reporter#say", args: { level: "warn", message: HOSTILE, fields: [["<b>name</b>", HOSTILE]] }, tags: ["<i>tag</i>"] });
  if (hostile) made.hostileText = await run({ task: "acme.shapes#echo-string", args: [HOSTILE] });
  if (hostile) made.hostileError = await run({ task: "ops.panic#boom", args: { message: HOSTILE } });
  made.due = await run({ task: "acme.math#add", args: [1, 2], in: "6h", tags: ["nightly"] }, null);
  await call("PUT", `/limits/${encodeURIComponent("queue:mail")}`, { max_running: 2, rate: "10/1s" });
  await call("PUT", `/limits/${encodeURIComponent("tag:iris")}`, { max_running: 1 });
  await call("POST", "/queues/mail/pause", { reason: "the mail server is being moved", for: "2h" });
  made.paused = await run({ task: "acme.text#greet", args: { name: "Ada" }, queue: "mail" }, null);
  made.spin = await run({ task: "ops.puppet#play", args: { script: SLEEP }, tags: ["iris"] }, null);
  made.blocked = await run({ task: "acme.math#add", args: [3, 4], tags: ["iris"] }, null);
  await call("PUT", "/schedules/nightly", { task: "acme.text#word-count", args: { text: "good night" }, cron: "30 2 * * *", zone: "Europe/Berlin", tags: ["nightly"] });
  await call("PUT", "/schedules/pulse", { task: "acme.math#add", args: [1, 1], every: "10m", overlap: "skip" });
  return made;
}

/** A text that would like to be something else. */
export const HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script> \u202etxet desrever\u202c a\u0000b\u0007 \u001b[2J{{7*7}}";

/** The script of a guest that sleeps. */
export const SLEEP = "sleep 600000";

