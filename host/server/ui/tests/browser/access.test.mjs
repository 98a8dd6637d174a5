// Pages for everyone: axe on all of them, in both themes and two widths; and texts of guests that would like to be something else.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { HOSTILE, seed } from "../seed.mjs";
import { axe, browse, guests, open, serve, settled } from "./setup.mjs";

let server, browser, made;

before(async () => {
  server = await serve();
  made = await seed(server.base, server.token, guests(), { rows: 40 });
  browser = await browse();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const pages = () => [
  "/", "/runs", "/runs?q=state%3Afailed", `/runs/${made.record.run}`, `/runs/${made.trap.run}/attempts`, `/runs/${made.record.run}/inputs`, `/runs/${made.say.run}/logs`,
  `/runs/${made.record.run}/receipt`, `/runs/${made.record.run}/cache`, `/runs/${made.record.run}/events`, `/maps/${made.map.map}`, "/tasks", "/tasks/acme.shapes%23many-parameters", "/components/acme.text",
  "/queues", "/schedules", "/cache", "/system",
];

for (const theme of ["light", "dark"]) {
  for (const width of [390, 1280]) {
    test(`axe finds nothing: ${theme}, ${width} px`, async () => {
      const page = await open(browser, server, { theme, width, height: 844 });
      for (const path of pages()) {
        await page.to(path);
        await page.evaluate(axe);
        const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], resultTypes: ["violations"] }));
        const found = violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} ${node.any[0]?.message ?? ""}`).join("\n   ")}`);
        assert.deepEqual(found, [], path);
        const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wider <= 0, `${path} is ${wider} px wider than the window`);
      }
      assert.deepEqual(page.messages, []);
      await page.context().close();
    });
  }
}

test("texts of guests are texts everywhere", async () => {
  const page = await open(browser, server);
  let dialogs = 0;
  page.on("dialog", (dialog) => {
    dialogs += 1;
    dialog.dismiss();
  });
  const shown = ["/runs", "/", `/runs/${made.hostile.run}`, `/runs/${made.hostile.run}/logs`, `/runs/${made.hostile.run}/inputs`, `/runs/${made.hostileText.run}`, `/runs/${made.hostileText.run}/inputs`, `/runs/${made.hostileError.run}`, `/runs/${made.hostileError.run}/attempts`, `/runs/${made.hostileError.run}/logs`];
  for (const path of shown) {
    await page.to(path);
    assert.equal(await page.locator("main img, main script, main i:not(.dot, [data-tone], .bars i), main b:not(.figure b)").count(), 0, path);
    const text = await page.locator("body").innerText();
    assert.ok(!/[\u202a-\u202e\u0000\u0007\u001b]/.test(text), `${path} shows a deceptive character`);
  }
  await page.to(`/runs/${made.hostileText.run}`);
  const text = await page.locator(".value").first().innerText();
  assert.ok(text.includes(HOSTILE.slice(0, 40)) && text.includes("\\u{202e}"), text);
  assert.equal(dialogs, 0);
  assert.deepEqual(page.messages, []);
  await page.context().close();
});

test("a line of ten million bytes does not stop the page", async () => {
  const response = await fetch(`${server.base}/api/v1/runs?wait=60s`, {
    method: "POST", headers: { Authorization: `Bearer ${server.token}`, "Content-Type": "application/json" },
    body: JSON.stringify({ task: "ops.logs#long-line", args: { bytes: 10_000_000 } }),
  });
  const { run } = await response.json();
  const page = await open(browser, server);
  await page.to(`/runs/${run}/logs`);
  await page.locator(".log .line").first().waitFor();
  const longest = await page.evaluate(() => Math.max(...[...document.querySelectorAll(".log .line")].map((line) => line.textContent.length)));
  assert.ok(longest < 2000, `${longest}`);
  assert.deepEqual(page.messages, []);
  await page.context().close();
});

test("a token that may only read is offered nothing else", async () => {
  const made = await fetch(`${server.base}/api/v1/tokens`, { method: "POST", headers: { Authorization: `Bearer ${server.token}`, "Content-Type": "application/json" }, body: JSON.stringify({ name: "guest", scopes: ["read"] }) });
  const { token } = await made.json();
  const page = await open(browser, { ...server, token });
  await page.to("/runs?q=state%3Afailed");
  await page.getByLabel("Select all on this page").check();
  assert.ok(await page.getByRole("toolbar").getByRole("button", { name: "Retry", exact: true }).isDisabled());
  await page.locator("table.runs tbody a").first().click();
  await settled(page);
  assert.equal(await page.getByRole("button", { name: "Retry" }).count(), 0);
  assert.match(await page.locator("main").innerText(), /no scope read:values/);
  assert.deepEqual(page.messages, []);
  await page.context().close();
});
