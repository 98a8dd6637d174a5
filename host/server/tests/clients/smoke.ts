// Uploads a component, runs a function of it, waits, and reads the result, with types that were generated from the document.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import createClient from "openapi-fetch";
import type { paths } from "./api.js";

const setting = (name: string): string => {
  const value = process.env[name];
  assert(value, `the variable ${name} is missing`);
  return value;
};

const api = createClient<paths>({
  baseUrl: setting("HOSTEL_ADDRESS"),
  headers: { Authorization: `Bearer ${setting("HOSTEL_TOKEN")}` },
});

const component = await readFile(setting("HOSTEL_COMPONENT"));
const digest = `sha256:${createHash("sha256").update(component).digest("hex")}`;

const pushed = await api.PUT("/api/v1/components/{component}", {
  params: { path: { component: digest } },
  body: component as unknown as string,
  bodySerializer: (bytes) => bytes as unknown as BodyInit,
  headers: { "Content-Type": "application/wasm" },
});
assert([200, 201].includes(pushed.response.status), JSON.stringify(pushed.error));

const ran = await api.POST("/api/v1/runs", {
  params: { query: { wait: "60s" } },
  body: { task: `${digest}#add`, args: { a: 41, b: 1 } },
});
assert(ran.data, JSON.stringify(ran.error));
assert.equal(ran.data.state, "Completed");

const result = await api.GET("/api/v1/runs/{run}/result", { params: { path: { run: ran.data.run } } });
assert(typeof result.data === "object", "it is JSON, for no other form was asked for");
assert.equal(result.data.value, 42);

const refused = await api.POST("/api/v1/runs", { body: { task: `${digest}#add`, args: { a: "x", b: 2 } } });
assert.equal(refused.error?.status, 422);
assert.deepEqual(refused.error?.errors?.[0]?.path, ["a"]);

const counts = await api.GET("/api/v1/counts", {});
assert((counts.data?.total ?? 0) >= 1);

console.log("uploaded, ran, waited and read 42");
