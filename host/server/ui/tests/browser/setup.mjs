// A real server with a data directory of its own, and a real browser.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "../../../../..");
const tools = createRequire(join(root, "target/ui-tests/package.json"));
const { chromium } = tools("playwright-core");

/** The source of axe, which is evaluated in pages. */
export const axe = readFileSync(tools.resolve("axe-core/axe.min.js"), "utf8");

/** The longest time that a test waits for something, in ms. The machine may be busy. */
export const PATIENCE = 30_000;

/** The directory of the built guests. */
export function guests() {
  const base = process.env.GUESTS ?? join(root, "target/guests");
  const toolchains = existsSync(base) ? readdirSync(base) : [];
  const found = [base, ...toolchains.map((name) => join(base, name, "wasm32-wasip2/release"))].find((dir) => existsSync(join(dir, "arith.wasm")));
  if (!found) throw new Error(`there are no built guests in ${base}: run cargo test --workspace --no-run first`);
  return found;
}

/** Starts a server: `{base, login, token, dir, stop}`. */
export async function serve({ workers = 2 } = {}) {
  const dir = mkdtempSync(join(tmpdir(), "hostel-ui-"));
  const program = process.env.HOSTEL ?? join(root, "target/debug/hostel");
  const child = spawn(program, ["serve", "--quiet", "--addr", "127.0.0.1:0", "--data-dir", dir, "--drain", "1s", "--workers", String(workers)], { stdio: ["ignore", "pipe", "inherit"] });
  const login = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${program} serve printed no address in ${PATIENCE} ms`)), PATIENCE);
    createInterface({ input: child.stdout }).once("line", (line) => (clearTimeout(timer), resolve(line.trim())));
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`${program} serve ended with ${code}`)));
  });
  const stop = () =>
    new Promise((resolve) => {
      child.removeAllListeners("exit");
      const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
      child.once("exit", () => {
        clearTimeout(timer);
        rmSync(dir, { recursive: true, force: true });
        resolve();
      });
      child.kill("SIGTERM");
    });
  const token = readFileSync(join(dir, "token"), "utf8").trim();
  return { base: new URL(login).origin, login, token, dir, stop };
}

/** Starts the browser. */
export const browse = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });

/** A page that is logged in. Messages of the console and errors are in `page.messages`, requests to the API in `page.requests`. */
export async function open(browser, server, { width = 1280, height = 860, theme = "light", session = true } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.messages = [];
  page.requests = [];
  page.on("console", (message) => page.messages.push(message.text()));
  page.on("pageerror", (error) => page.messages.push(String(error)));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.pathname.startsWith("/api/v1/")) page.requests.push(url.pathname.slice(7) + url.search);
  });
  if (session) {
    const info = await (await fetch(`${server.base}/api/v1/info`, { headers: { Authorization: `Bearer ${server.token}` } })).json();
    // A session of another build would be renewed by each page.
    const [, build] = /assets\/([^/]+)\//.exec(await (await fetch(`${server.base}/`)).text());
    const value = { token: server.token, name: info.token.name, scopes: info.token.scopes, version: info.version, features: info.features, build };
    await page.addInitScript((text) => localStorage.setItem("hostel.session", text), JSON.stringify(value));
  }
  page.to = async (path) => {
    page.requests.length = 0;
    await page.goto(server.base + path);
    await settled(page);
  };
  return page;
}

/** Waits until nothing of the page is loading. */
export const settled = (page) => page.waitForFunction(() => document.querySelector("main h1") && !document.querySelector("[role=status][aria-label=Loading]"));
