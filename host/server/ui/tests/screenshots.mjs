// Takes the screenshots of the README: node host/server/ui/tests/screenshots.mjs

import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { browse, guests, open, root, serve, settled } from "./browser/setup.mjs";
import { seed } from "./seed.mjs";

const server = await serve();
const browser = await browse();
try {
  const made = await seed(server.base, server.token, guests(), { rows: 40, hostile: false });
  const out = join(root, "docs/images");
  mkdirSync(out, { recursive: true });
  const shots = [
    ["runs", "/runs", "light"],
    ["form", `/tasks/lab.models%23train-model?args=${encodeURIComponent('{"dataset":{"name":"iris"},"model-config":{"name":"tree","hyper":{"rate":0.1,"layers":[64,32]}}}')}`, "light"],
    ["run", `/runs/${made.trap.run}`, "dark"],
  ];
  for (const [name, address, theme] of shots) {
    const page = await open(browser, server, { width: 1120, height: 700, theme });
    await page.to(address);
    await page.getByRole("button", { name: "Live" }).waitFor();
    if (name === "form") await page.getByText("The arguments fit").waitFor();
    await settled(page);
    const path = join(out, `${name}.png`);
    await page.screenshot({ path });
    // Smaller, where there is pngquant.
    spawnSync("pngquant", ["--force", "--ext", ".png", "--speed", "1", path]);
    await page.context().close();
  }
} finally {
  await browser.close();
  await server.stop();
}
