// What each page is for.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { client, seed } from "../seed.mjs";
import { PATIENCE, browse, guests, open, serve, settled } from "./setup.mjs";

let server, browser, made, call;

before(async () => {
  server = await serve();
  made = await seed(server.base, server.token, guests(), { rows: 40 });
  call = client(server.base, server.token);
  browser = await browse();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A page, and what has to hold after each test. */
async function on(path, work, options) {
  const page = await open(browser, server, options);
  await page.to(path);
  await work(page);
  assert.deepEqual(page.messages, [], "messages in the console");
  await page.context().close();
}

const text = (page, selector = "main") => page.locator(selector).innerText();

test("the address that the server prints logs in, once", async () => {
  const page = await open(browser, server, { session: false });
  await page.goto(server.login);
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  assert.ok(!page.url().includes("login"), page.url());
  assert.deepEqual(page.messages, []);
  await page.context().close();
  const second = await open(browser, server, { session: false });
  await second.goto(server.login);
  await second.getByRole("alert").waitFor();
  await second.getByLabel("Token").fill(server.token);
  await second.getByRole("button", { name: "Log in" }).click();
  await second.getByRole("heading", { name: "Overview" }).waitFor();
  await second.context().close();
});

test("a code that was used is not sent again", async () => {
  const fresh = await serve();
  const page = await open(browser, fresh, { session: false });
  await page.goto(fresh.login);
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  await page.to("/system");
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByLabel("Token").waitFor();
  assert.equal(await page.getByRole("alert").count(), 0);
  assert.equal(page.requests.filter((request) => request.startsWith("/login")).length, 0);
  await page.context().close();
  // A code counts though there is a session, and the session stays if the code is used up.
  const second = await open(browser, fresh);
  await second.goto(fresh.login);
  await second.getByText(/code/).first().waitFor();
  await second.getByRole("heading", { name: "Overview" }).waitFor();
  assert.ok(!second.url().includes("login"), second.url());
  await second.context().close();
  await fresh.stop();
});

test("every page asks for little", async () => {
  const pages = ["/", "/runs", `/runs/${made.trap.run}`, `/runs/${made.logs.run}/logs`, `/runs/${made.sum.run}/inputs`, `/maps/${made.map.map}`, "/tasks", "/tasks/acme.math%23add", "/components/acme.text", "/queues", "/schedules", "/cache", "/system"];
  const page = await open(browser, server);
  for (const path of pages) {
    await page.to(path);
    // The stream of events goes on, and names are read once for a session.
    const asked = page.requests.filter((request) => !request.startsWith("/events") && request !== "/tasks?limit=500");
    assert.ok(asked.length <= 3, `${path} asks for ${asked.join(" ")}`);
    assert.ok(page.requests.length > 0, `${path} asks for nothing`);
  }
  assert.deepEqual(page.messages, []);
  await page.context().close();
});

test("the list of runs filters, and keeps its filter", () =>
  on("/runs", async (page) => {
    await page.locator("#search").fill("state:failed tag:nightly");
    await page.locator("#search").press("Enter");
    await page.waitForURL(/q=/);
    await settled(page);
    await page.waitForFunction(() => document.querySelectorAll("table.runs tbody tr").length === 1);
    await page.locator("table.runs tbody a").first().click();
    await page.getByRole("heading", { name: /boom/ }).waitFor();
    await page.goBack();
    await settled(page);
    assert.equal(await page.locator("#search").inputValue(), "state:failed tag:nightly");
    await page.getByRole("button", { name: "Remove the filter tag:nightly" }).click();
    await page.waitForFunction(() => document.querySelectorAll("table.runs tbody tr").length > 1);
  }));

test("a wrong filter says what is expected", async () => {
  const page = await open(browser, server);
  await page.to("/runs?q=stat%3Afailed");
  assert.match(await page.getByRole("alert").innerText(), /stat/);
  await page.context().close();
});

test("the page of a run shows why it failed, and retries it", () =>
  on(`/runs/${made.failed.run}`, async (page) => {
    assert.match(await text(page), /the name is empty/);
    await page.getByRole("button", { name: "Retry" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Retry" }).click();
    await page.getByRole("link", { name: /Attempts 2/ }).waitFor();
  }));

test("a run follows what happens", () =>
  on("/runs?q=tag%3Alive", async (page) => {
    const { run } = await call("POST", "/runs", { task: "ops.puppet#play", args: { script: "sleep 600001" }, tags: ["live"] });
    await page.locator(`tr[data-run="${run}"]`).getByText("Running").waitFor();
    await call("POST", `/runs/${run}/cancel`);
    await page.locator(`tr[data-run="${run}"]`).getByText("Cancelled").waitFor();
  }));

test("paused pages stand still", async () => {
  const witness = await open(browser, server);
  await witness.to("/runs");
  await witness.getByRole("button", { name: "Live" }).waitFor();
  await on("/runs", async (page) => {
    await page.getByRole("button", { name: /Live|Connecting/ }).click();
    await page.getByRole("button", { name: "Paused" }).waitFor();
    await call("POST", "/runs?wait=30s", { task: "acme.math#add", args: [1, 1] });
    // A page that is live has it by now.
    await witness.getByRole("button", { name: /newer/ }).waitFor();
    assert.equal(await page.getByRole("button", { name: /newer/ }).count(), 0);
  });
  await witness.context().close();
});

test("selected runs are cancelled after a question", () =>
  on("/runs?q=tag%3Abulk", async (page) => {
    for (let at = 0; at < 3; at += 1) await call("POST", "/runs", { task: "acme.math#add", args: [at, 1], in: "1h", tags: ["bulk"] });
    await page.waitForFunction(() => document.querySelectorAll("table.runs tbody tr").length > 0);
    await page.reload();
    await settled(page);
    await page.getByLabel("Select all on this page").check();
    await page.getByRole("toolbar").getByRole("button", { name: "Cancel", exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Cancel 3 runs" }).click();
    await page.waitForFunction(() => [...document.querySelectorAll("table.runs tbody tr")].every((row) => row.textContent.includes("Cancelled")));
  }));

test("everything that matches is cancelled as a batch", async () => {
  for (let at = 0; at < 5; at += 1) await call("POST", "/runs", { task: "acme.math#add", args: [at, 2], in: "1h", tags: ["many"] });
  await on("/runs?q=tag%3Amany", async (page) => {
    await page.getByLabel("Select all on this page").check();
    await page.getByRole("toolbar").getByRole("button", { name: "Cancel all that match" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Cancel 5 runs" }).click();
    await page.getByText("5 of 5").waitFor();
    await page.waitForFunction(() => [...document.querySelectorAll("table.runs tbody tr")].every((row) => row.textContent.includes("Cancelled")));
  });
});

test("the histogram says how many runs there were, and leads to them", () =>
  on("/", async (page) => {
    await page.locator(".legend").getByText("Completed").click();
    await page.waitForURL(/since/);
    await settled(page);
    assert.ok((await page.locator("table.runs tbody tr").count()) > 10);
  }));

test("the timeline of a map is drawn", () =>
  on(`/maps/${made.map.map}`, async (page) => {
    const canvas = page.getByRole("img", { name: /When the rows executed/ });
    await canvas.waitFor();
    await page.waitForFunction(() => {
      const canvas = document.querySelector(".gantt canvas");
      const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, Math.max(1, canvas.height - 60)).data;
      return pixels.some((value, at) => at % 4 === 3 && value === 255);
    });
    await page.getByLabel("Order of the rows").selectOption("took");
    await page.getByRole("button", { name: "Show a shorter time" }).click();
    await page.getByRole("button", { name: "Whole time" }).click();
  }));

test("the cache of a run says what it did, and why", () =>
  on(`/runs/${made.sum.run}/cache`, async (page) => {
    await page.getByText(/It was computed|Its value was in the cache/).waitFor();
    await page.getByText("Stored under the key").waitFor();
  }));

test("keys move, open and search", () =>
  on("/runs?q=state%3Acompleted", async (page) => {
    await page.keyboard.press("j");
    await page.keyboard.press("x");
    await page.getByText("1 selected").waitFor();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1 }).waitFor();
    await page.waitForURL(/\/runs\/[0-9a-f-]{36}$/);
    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    await page.keyboard.press("g");
    await page.keyboard.press("t");
    await page.getByRole("heading", { name: "Tasks" }).waitFor();
    await page.keyboard.press("/");
    assert.equal(await page.evaluate(() => document.activeElement.id), "search");
  }));

test("the form runs a function with exact integers", () =>
  on("/tasks/acme.shapes%23echo-u64", async (page) => {
    await page.getByLabel("value").fill("18446744073709551616");
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.getByText("expected u64: 0 to 18446744073709551615", { exact: true }).waitFor();
    await page.getByLabel("value").fill("18446744073709551615");
    await page.getByText("The arguments fit").waitFor();
    assert.match(await text(page), /hostel run acme.shapes#echo-u64 18446744073709551615/);
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.waitForURL(/\/runs\//);
    await page.locator(".value").getByText("18446744073709551615").waitFor();
  }));

test("the form has fields for what is nested", () =>
  on("/tasks/lab.models%23train-model", async (page) => {
    const group = (name) => page.getByRole("group", { name: new RegExp(`^${name}`) });
    await group("dataset").getByLabel("name").fill("iris");
    await group("model-config").getByLabel("name").fill("tree");
    await page.getByRole("radio", { name: "some" }).check();
    await page.getByLabel(/^rate/).fill("0.5");
    await page.getByRole("button", { name: "Add an item" }).click();
    await page.getByLabel(/^0/).fill("64");
    await page.getByText("The arguments fit").waitFor();
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.waitForURL(/\/runs\//);
    await page.locator(".state").getByText("Completed").first().waitFor();
    await page.getByRole("link", { name: "Inputs" }).click();
    await page.getByText("hostel run").waitFor();
    assert.match(await text(page), /layers/);
    await page.getByRole("link", { name: "Run again" }).click();
    await group("dataset").getByLabel("name").waitFor();
    assert.equal(await group("dataset").getByLabel("name").inputValue(), "iris");
  }));

test("form, WAVE and JSON hold one value", () =>
  on("/tasks/lab.models%23train-model", async (page) => {
    const group = (name) => page.getByRole("group", { name: new RegExp(`^${name}`) });
    const tab = (name) => page.getByRole("tab", { name }).click();
    const fits = () => page.getByText("The arguments fit").waitFor();
    // The form is not complete: what has no text keeps what it has.
    await group("dataset").getByLabel("name").fill("iris");
    await tab("WAVE");
    const wave = page.getByLabel(/^model-config/);
    await wave.fill('{name: "tree", hyper: {rate: 0.5, layers: [64, 32]');
    await page.getByText("line 1, column 51: expected `,` or `}`").waitFor();
    await wave.fill('{name: "tree", hyper: {rate: 0.5, layers: [64, 32]}}');
    await fits();
    assert.equal(await page.getByLabel(/^dataset/).inputValue(), '{name: "iris"}');
    await tab("JSON");
    const json = page.getByLabel("Arguments as JSON");
    assert.deepEqual(JSON.parse(await json.inputValue())["model-config"].hyper, { rate: 0.5, layers: [64, 32] });
    await json.fill((await json.inputValue()).replace("0.5", "0.25"));
    await fits();
    await tab("WAVE");
    await page.waitForFunction(() => [...document.querySelectorAll("textarea")].some((area) => area.value.includes("rate: 0.25")));
    await tab("Form");
    assert.equal(await page.getByLabel(/^rate/).inputValue(), "0.25");
    // A text that is no value does not run, and is not forgotten elsewhere.
    await tab("WAVE");
    await page.getByLabel(/^dataset/).fill("{name: 7}");
    await page.getByText("expected string, found number 7").first().waitFor();
    await tab("Form");
    await page.getByText("The WAVE text of dataset is not a value").waitFor();
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.getByRole("alert").getByText("expected string").first().waitFor();
    assert.match(page.url(), /\/tasks\//);
    await group("dataset").getByLabel("name").fill("moons");
    await fits();
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.waitForURL(/\/runs\//);
    await page.locator(".state").getByText("Completed").first().waitFor();
    // The browser reports what the server refused: two texts, one of them twice.
    page.messages = page.messages.filter((message) => !message.includes("status of 422"));
  }));

test("a map runs over a list, and its page shows it", () =>
  on("/tasks/acme.math%23add", async (page) => {
    await page.getByLabel("b", { exact: false }).last().waitFor();
    await page.locator("#over").selectOption("a");
    await page.getByLabel("Values to map over").fill("1\n2\n3");
    await page.locator("#f-b").fill("10");
    await page.getByRole("button", { name: "Run the map" }).click();
    await page.waitForURL(/\/maps\//);
    await page.locator(".legend").getByText(/Completed 3|Completed/).first().waitFor();
    await page.waitForFunction(() => document.querySelectorAll("table.runs tbody tr").length === 3);
  }));

test("a component is uploaded and named", () =>
  on("/tasks", async (page) => {
    await page.getByRole("button", { name: "Add a component" }).click();
    await page.getByLabel("Component", { exact: true }).setInputFiles(join(guests(), "calculator.wasm"));
    await page.getByLabel("Name").fill("new.calculator");
    await page.getByRole("button", { name: "Name it" }).click();
    await page.getByRole("heading", { name: "new.calculator" }).waitFor();
    await page.getByText("accepted").first().waitFor();
  }));

test("a version that asks for more waits until it is accepted", () =>
  on("/components/acme.text", async (page) => {
    await page.getByText("1.1.0 asks for more than 1.0.0").waitFor();
    await page.getByLabel("What it asks for").getByText("+").first().waitFor();
    await page.getByRole("button", { name: "Accept 1.1.0" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Accept" }).click();
    await page.getByText("1.1.0 asks for more than 1.0.0").waitFor({ state: "detached" });
  }));

test("logs begin with line 0, filter on the server, and find errors", () =>
  on(`/runs/${made.logs.run}/logs`, async (page) => {
    await page.getByText("out 1", { exact: true }).waitFor();
    await page.getByLabel("Only lines with").fill("out 2999");
    await page.waitForFunction(() => document.querySelectorAll(".log .line").length === 1);
    await page.getByLabel("Only lines with").fill("");
    await page.getByText("out 1", { exact: true }).waitFor();
    await page.getByRole("button", { name: "To the end" }).click();
    await page.locator(".log").getByText("err 3000").waitFor();
    assert.ok((await page.locator(".log .line").count()) < 200, "lines out of view are in the page");
  }));

test("a log that is followed has its last line when the run ends", async () => {
  const { run } = await call("POST", "/runs", { task: "ops.puppet#play", args: { script: "print begun\nsleep 3000\nprint last words" } });
  await on(`/runs/${run}/logs`, async (page) => {
    await page.locator(".log").getByText("begun").waitFor();
    await page.locator(".log").getByText("last words").waitFor();
    await page.locator(".strip").getByText("Completed").waitFor();
    assert.equal(await page.locator(".log .line").count(), 2);
  });
});

test("a line of a log has an address", () =>
  on(`/runs/${made.logs.run}/logs?line=4000`, async (page) => {
    await page.locator(".log .line.here").waitFor();
    assert.match(await page.locator(".log .line.here").innerText(), /4000/);
  }));

test("what waits says why", async () => {
  await on(`/runs/${made.paused.run}`, async (page) => page.getByText("the mail server is being moved").waitFor());
  await on(`/runs/${made.due.run}`, async (page) => page.getByText(/It is due/).waitFor());
});

test("queues are paused and resumed", () =>
  on("/queues", async (page) => {
    await page.getByText("the mail server is being moved").waitFor();
    await page.getByRole("button", { name: "Resume" }).click();
    await page.getByText("the mail server is being moved").waitFor({ state: "detached" });
  }));

test("a schedule runs now", () =>
  on("/schedules", async (page) => {
    await page.getByText("At 02:30 (Europe/Berlin)").waitFor();
    await page.getByRole("row", { name: /pulse/ }).getByRole("button", { name: "Run now" }).click();
    await page.getByText(/Submitted/).waitFor();
  }));

test("failures are grouped and marked as seen", () =>
  on("/", async (page) => {
    const table = page.getByLabel("Runs that need attention, by task and error");
    await table.getByText("ops.panic#boom").waitFor();
    const row = table.locator("tr", { hasText: "ops.panic#boom" });
    await row.getByRole("button", { name: "Seen" }).click();
    await page.getByRole("dialog").getByRole("button", { name: /Mark as seen/ }).click();
    await row.waitFor({ state: "detached" });
  }));

test("a token is made and removed", () =>
  on("/system", async (page) => {
    await page.getByLabel("Name of a new token").fill("reader");
    await page.getByRole("button", { name: "Make it" }).click();
    await page.getByText("It is shown this once").waitFor();
    await page.getByRole("button", { name: "Remove reader" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await page.getByRole("button", { name: "Remove reader" }).waitFor({ state: "detached" });
  }));

test("a stored result is forgotten", () =>
  on("/cache", async (page) => {
    const before = await page.locator("main tbody tr").count();
    await page.getByRole("button", { name: "Forget" }).first().click();
    await page.getByRole("dialog").getByRole("button", { name: "Forget" }).click();
    await page.getByText("Forgotten").waitFor();
    assert.ok(before > 1);
  }));

test("an address that leads nowhere says so", async () => {
  const page = await open(browser, server);
  await page.to(`/runs/00000000-0000-4000-8000-000000000000`);
  assert.match(await page.getByRole("alert").innerText(), /no run/);
  await page.context().close();
});

test("the first page of a fresh server teaches the first commands", async () => {
  const fresh = await serve();
  try {
    const page = await open(browser, fresh);
    await page.to("/");
    await page.getByText("No runs yet").waitFor({ timeout: PATIENCE });
    await page.getByText("hostel run math.wasm#add 40 2").waitFor();
    assert.deepEqual(page.messages, []);
    await page.context().close();
  } finally {
    await fresh.stop();
  }
});

test("a component shows signatures", () => on("/components/ops.reporter", (page) => page.getByText("(n: u64) -> u64").waitFor()));

test("a component shows its WIT when it is unfolded", () =>
  on("/components/acme.math", async (page) => {
    assert.ok(!page.requests.some((request) => request.endsWith("/wit")), page.requests.join(" "));
    await page.getByText("Its imports, exports and types as text").click();
    await page.getByLabel("WIT", { exact: true }).getByText("export add: func(a: s64, b: s64) -> s64;").waitFor();
  }));

test("an unknown address has links to pages", () =>
  on("/", async (page) => {
    await page.evaluate(() => {
      history.pushState(null, "", "nowhere/at-all");
      dispatchEvent(new PopStateEvent("popstate"));
    });
    await page.getByRole("heading", { name: "No such page" }).waitFor();
    assert.match(await text(page), /\/nowhere\/at-all leads nowhere/);
    await page.locator("main").getByRole("link", { name: "runs" }).click();
    await page.getByRole("heading", { name: "Runs" }).waitFor();
  }));

test("a component says what its runs have used", async () => {
  await call("POST", "/runs?wait=30s", { task: "ops.puppet#play", args: { script: "look-up host.example" } });
  await on("/components/ops.puppet", async (page) => {
    await page.getByText(/1 of \d+ runs? asked for lookup without a grant/).waitFor();
    const found = await text(page);
    assert.match(found, /network used by 1 of \d+ runs?\n/);
    assert.match(found, /files never used\n/);
  });
});

test("a map that is not there says so, and lists no rows", async () => {
  const page = await open(browser, server);
  await page.to("/maps/00000000-0000-4000-8000-000000000000");
  assert.match(await page.getByRole("alert").innerText(), /no runs of the map/);
  assert.equal(await page.getByRole("heading", { name: "Rows" }).count(), 0);
  await page.context().close();
});

test("a list draws the rows in view first, and all of them", async () => {
  await call("POST", "/maps?wait=30s", { task: "acme.math#add", rows: Array.from({ length: 120 }, (_, at) => [at, 1]) });
  await on("/runs", (page) => page.waitForFunction(() => document.querySelectorAll("table.runs tbody tr").length === 100));
});

test("a task says how long its runs took", () =>
  on("/tasks/acme.math%23pow", async (page) => {
    await page.getByText(/p50 .+, p95 .+ of \d+ completed runs/).waitFor();
  }));
