// Measures the dashboard on a data directory with many runs. It prints tables; nothing is asserted, and CI does not run it.
//
//   HOSTEL=target/release/hostel node host/server/ui/tests/figures.mjs DATA_DIR [MAP]
//
// DATA_DIR is served as it is, and gets more runs: take a copy. MAP is the id of a map in it. `fill` makes such a directory first, with a
// map of so many rows, which two workers execute (a release build needs about three minutes for a million):
//
//   HOSTEL=target/release/hostel node host/server/ui/tests/figures.mjs fill DATA_DIR 1000000
//
// A release build serves the files that it was built with.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { brotliCompressSync } from "node:zlib";

import { percentile } from "../app/lib/time.js";
import { PATIENCE, browse, guests, open, root } from "./browser/setup.mjs";
import { client, push } from "./seed.mjs";

/** How often each page is loaded; the median is printed. */
const ROUNDS = 7;
/** How long a page rests between two loads, in ms. */
const REST = 300;
/** How long frames are looked at, in ms. */
const LOOK = 10_000;
/** How often rows are submitted while frames are looked at, in ms, and how many: each has three events, so 1,000 events a second. */
const BEAT = 100;
const ROWS = 33;

async function serve(dir, workers) {
  const child = spawn(process.env.HOSTEL ?? join(root, "target/debug/hostel"), ["serve", "--quiet", "--addr", "127.0.0.1:0", "--data-dir", dir, "--drain", "1s", "--workers", String(workers)], { stdio: ["ignore", "pipe", "inherit"] });
  const login = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the server printed no address in ${PATIENCE} ms`)), PATIENCE);
    createInterface({ input: child.stdout }).once("line", (line) => (clearTimeout(timer), resolve(line)));
    child.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
  });
  const stop = () => new Promise((resolve) => (child.removeAllListeners("exit"), child.once("exit", resolve), child.kill("SIGTERM")));
  const base = new URL(login).origin;
  const token = readFileSync(join(dir, "token"), "utf8").trim();
  return { base, token, stop, call: client(base, token) };
}

const sort = (values) => [...values].sort((a, b) => a - b);
const ms = (value) => value.toFixed(value < 10 ? 1 : 0);

/** Writes in the page when it is usable: its heading is there, and nothing is loading but the timeline of a map; and when that is there. */
function watch() {
  const look = () => {
    const loading = [...document.querySelectorAll("[role=status][aria-label=Loading]")];
    const isThere = document.querySelector("#app:not([hidden]) main h1") !== null;
    if (isThere && loading.every((one) => one.closest("[aria-label=Timeline]"))) requestAnimationFrame(() => (window.usableAt ??= performance.now()));
    if (isThere && !loading.length) requestAnimationFrame(() => ((window.doneAt = performance.now()), window.tellDone("")));
    else requestAnimationFrame(look);
  };
  addEventListener("DOMContentLoaded", look);
}

async function loads(browser, server, path) {
  const first = [];
  const again = [];
  const anew = [];
  const done = [];
  const work = [];
  let files = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const page = await open(browser, server);
    const bodies = [];
    if (round === 0) page.on("response", (response) => response.url().includes("/assets/") && bodies.push(response.body().catch(() => Buffer.alloc(0))));
    await page.addInitScript(watch);
    const protocol = await page.context().newCDPSession(page);
    await protocol.send("Performance.enable");
    // The page says when it is complete: to be asked costs it a tenth of the time that is measured.
    await protocol.send("Runtime.enable");
    await protocol.send("Runtime.addBinding", { name: "tellDone" });
    for (const times of [first, again, anew]) {
      // The browser is open, and has no file of the dashboard any more.
      if (times === anew) {
        await protocol.send("Network.clearBrowserCache");
        await protocol.send("Network.setCacheDisabled", { cacheDisabled: true });
      }
      const told = new Promise((resolve) => protocol.once("Runtime.bindingCalled", resolve));
      await protocol.send("Page.navigate", { url: server.base + path });
      await told;
      if (times === again) work.push((await protocol.send("Performance.getMetrics")).metrics.find(({ name }) => name === "TaskDuration").value * 1000);
      // What a page draws after it is usable is not drawn in the time of the next one.
      await page.waitForTimeout(REST);
      times.push(await page.evaluate(() => window.usableAt));
      if (times !== anew) done.push(await page.evaluate(() => window.doneAt));
      if (bodies.length && !files) files = (await Promise.all(bodies)).reduce((sum, body) => sum + brotliCompressSync(body).length, 0);
    }
    await page.context().close();
  }
  return { first: percentile(sort(first), 0.5), anew: percentile(sort(anew), 0.5), again: percentile(sort(again), 0.5), done: percentile(sort(done), 0.5), work: percentile(sort(work), 0.5), files };
}

/** Submits rows in a steady beat until it is stopped. Answers how many events that made. */
function storm(server) {
  let isOver = false;
  const begun = performance.now();
  const work = (async () => {
    let rows = 0;
    for (let beat = 0; !isOver; beat += 1) {
      await server.call("POST", "/maps", { task: "acme.math#add", rows: Array.from({ length: ROWS }, (_, at) => ({ a: beat * ROWS + at, b: Math.floor(Math.random() * 2 ** 30) })) });
      rows += ROWS;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, begun + (beat + 1) * BEAT - performance.now())));
    }
    return (3000 * rows) / (performance.now() - begun);
  })();
  return async () => ((isOver = true), await work);
}

/** Intervals between frames, and how long the page worked for each. */
async function frames(browser, server, path) {
  const page = await open(browser, server);
  await page.to(path);
  const protocol = await page.context().newCDPSession(page);
  await protocol.send("Performance.enable");
  const busy = async () => (await protocol.send("Performance.getMetrics")).metrics.find(({ name }) => name === "TaskDuration").value * 1000;
  const before = await busy();
  const { intervals, long } = await page.evaluate((look) => new Promise((resolve) => {
    const intervals = [];
    const long = [];
    new PerformanceObserver((list) => long.push(...list.getEntries().map((entry) => entry.duration))).observe({ type: "longtask" });
    const end = performance.now() + look;
    let last = performance.now();
    const step = (now) => {
      intervals.push(now - last);
      last = now;
      if (now < end) requestAnimationFrame(step);
      else resolve({ intervals, long });
    };
    requestAnimationFrame(step);
  }), LOOK);
  const spent = (await busy()) - before;
  await page.context().close();
  const sorted = sort(intervals.slice(1));
  return { work: spent / sorted.length, p50: percentile(sorted, 0.5), p95: percentile(sorted, 0.95), p99: percentile(sorted, 0.99), long: long.length, longest: Math.max(0, ...long) };
}

/** Requests of a page in five seconds after it was hidden, while events come. */
async function hidden(browser, server) {
  const page = await open(browser, server);
  await page.to("/");
  await page.evaluate(() => {
    Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await page.waitForTimeout(1500);
  page.requests.length = 0;
  await page.waitForTimeout(5000);
  const found = page.requests.length;
  await page.context().close();
  return found;
}

async function fill(dir, rows) {
  const server = await serve(dir, 2);
  await push(server.call, guests(), "arith.wasm", "acme.math", "1.0.0");
  async function* lines() {
    yield `${JSON.stringify({ task: "acme.math#add" })}\n`;
    for (let from = 0; from < rows; from += 1000) yield Array.from({ length: Math.min(1000, rows - from) }, (_, at) => `{"a":${from + at},"b":1}\n`).join("");
  }
  const body = ReadableStream.from(lines()).pipeThrough(new TextEncoderStream());
  const answer = await fetch(`${server.base}/api/v1/maps`, { method: "POST", headers: { Authorization: `Bearer ${server.token}`, "Content-Type": "application/jsonl" }, body, duplex: "half" });
  if (!answer.ok) throw new Error(await answer.text());
  console.log(`map ${(await answer.json()).map}`);
  for (;;) {
    const { states } = await server.call("GET", "/counts?since=24h&bucket=1h");
    if ((states.Completed ?? 0) >= rows) break;
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
  await server.stop();
}

async function measure(dir, map) {
  const server = await serve(dir, 2);
  const browser = await browse();
  try {
    const [run] = (await server.call("GET", "/runs?limit=1")).items;
    const pages = { overview: "/", runs: "/runs", "a run": `/runs/${run.run}`, ...(map ? { "a map": `/maps/${map}` } : {}) };
    const { total } = await server.call("GET", "/counts?since=7d&bucket=1h");
    console.log(`${total} runs`);
    for (const [name, path] of Object.entries(pages)) {
      const { first, again, anew, done, work, files } = await loads(browser, server, path);
      console.log(`${name}: usable after ${ms(first)} ms in a new browser, ${ms(anew)} ms without a cache in an open one, ${ms(again)} ms with a cache, complete after ${ms(done)} ms, ${ms(work)} ms of work in all; ${(files / 1024).toFixed(0)} KiB of files, compressed`);
    }
    const stop = storm(server);
    const isHidden = await hidden(browser, server);
    for (const name of ["overview", "runs"]) {
      const { work, p50, p95, p99, long, longest } = await frames(browser, server, pages[name]);
      console.log(`${name} in a storm: ${ms(work)} ms of work a frame; frames every ${ms(p50)} ms, p95 ${ms(p95)}, p99 ${ms(p99)}; ${long} tasks over 50 ms, the longest ${ms(longest)} ms`);
    }
    console.log(`storm: ${Math.round(await stop())} events a second; a hidden page sent ${isHidden} requests in 5 s`);
  } finally {
    await browser.close();
    await server.stop();
  }
}

const [first, ...rest] = process.argv.slice(2);
if (first === "fill") await fill(rest[0], Number(rest[1]));
else await measure(first, rest[0]);
