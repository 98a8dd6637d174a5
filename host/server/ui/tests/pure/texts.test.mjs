// Filters, times, logs' colours, errors' fingerprints, events and command lines.

import assert from "node:assert/strict";
import { test } from "node:test";

import { pieces, plain, quote, runCommand, showText, taskName, taskRef } from "../../app/lib/text.js";
import { toFilter, toSearch, valueOf, withKey, without, word, words } from "../../app/lib/filter.js";
import { gate } from "../../app/lib/versions.js";
import { STATES, byGroup, fingerprint, groups, hasEnded, look } from "../../app/lib/states.js";
import { parser } from "../../app/lib/stream.js";
import { bytes, clock, count, distance, duration, full } from "../../app/lib/time.js";

test("filters are split into words as the server does", () => {
  assert.deepEqual(words('state:failed  name:"two words" tag:"a \\"b\\""'), ["state:failed", 'name:"two words"', 'tag:"a \\"b\\""']);
  assert.deepEqual(words('name:"open'), ['name:"open"']);
  assert.deepEqual(words(""), []);
  assert.equal(word("tag", "plain"), "tag:plain");
  assert.equal(word("tag", 'a "b" \\'), 'tag:"a \\"b\\" \\\\"');
  assert.equal(valueOf('name:"a \\"b\\"" state:failed', "name"), 'a "b"');
});

test("words without a key are a part of the name", () => {
  assert.equal(toFilter("train model"), 'name:"train model"');
  assert.equal(toFilter("state:failed train"), "state:failed name:train");
  assert.equal(toFilter("stat:failed"), "stat:failed");
  assert.equal(toFilter("in:text=a#b"), "in:text=a#b");
  assert.equal(toFilter("task:sha256:ab#add"), "task:sha256:ab#add");
});

test("an id leads to its run", () => {
  assert.deepEqual(toSearch(" 01A227a3-bf8d-74ea-902d-08c41636443e "), { path: "/runs/01a227a3-bf8d-74ea-902d-08c41636443e", query: {} });
  assert.deepEqual(toSearch("x"), { path: "/runs", query: { q: "name:x" } });
});

test("filters are changed word by word", () => {
  assert.equal(withKey("state:failed tag:a", "state", "running"), "tag:a state:running");
  assert.equal(withKey("state:failed tag:a", "state", ""), "tag:a");
  assert.equal(without("state:failed tag:a", 0), "tag:a");
});

test("a version waits if it is newer than the one that is used", () => {
  const versions = (...texts) => texts.map((text) => ({ version: text.replace("?", ""), accepted: !text.endsWith("?") }));
  const found = (...texts) => {
    const { current, waiting, older } = gate(versions(...texts));
    return [current, waiting, older].map((one) => one?.version);
  };
  assert.deepEqual(found("1.1.0?", "1.0.0"), ["1.0.0", "1.1.0", "1.0.0"]);
  assert.deepEqual(found("1.2.0?", "1.1.0?", "1.0.0"), ["1.0.0", "1.2.0", "1.0.0"]);
  // Nobody needs what is older than the one that is used.
  assert.deepEqual(found("2.0.0", "1.1.0?", "1.0.0"), ["2.0.0", undefined, undefined]);
  assert.deepEqual(found("2.0.0?", "2.0.0-rc.1", "1.0.0"), ["1.0.0", "2.0.0", "2.0.0-rc.1"]);
  assert.deepEqual(found("1.0.0+a-b"), ["1.0.0+a-b", undefined, undefined]);
  assert.deepEqual(found("1.0.0?"), [undefined, "1.0.0", undefined]);
  assert.deepEqual(found(), [undefined, undefined, undefined]);
});

test("durations are short and never wrong by a unit", () => {
  const cases = { 0: "0 ms", 0.003: "<0.01 ms", 0.5: "0.50 ms", 3.2: "3.2 ms", 999: "999 ms", 999.7: "1.00 s", 1250: "1.25 s", 59_949: "59.9 s", 60_000: "1 m 00 s", 3_599_000: "59 m 59 s", 3_600_000: "1 h 00 m", 86_400_000: "1 d 0 h" };
  for (const [ms, expected] of Object.entries(cases)) assert.equal(duration(Number(ms)), expected);
  assert.equal(duration(null), "");
});

test("instants", () => {
  const at = "2026-11-29T14:09:32.557Z";
  const now = Date.parse("2026-11-29T18:00:00Z");
  assert.equal(clock(at, { utc: true, now }), "14:09:32");
  assert.equal(clock(at, { utc: true, now, millis: true }), "14:09:32.557");
  assert.equal(clock(at, { utc: true, now: now + 86_400_000 }), "29 Nov 14:09");
  assert.equal(clock(at, { utc: true, now: now + 400 * 86_400_000 }), "2026-11-29 14:09");
  assert.equal(full(at, { utc: true }), "2026-11-29 14:09:32.557 UTC");
  assert.equal(clock("nonsense"), "nonsense");
  assert.equal(distance(at, Date.parse(at) + 61_000), "1 m ago");
  assert.equal(distance(at, Date.parse(at) - 3_700_000), "in 1 h");
  assert.equal(bytes(1023), "1023 B");
  assert.equal(bytes(1536), "1.5 KiB");
  assert.equal(count(1234567), "1\u2009234\u2009567");
});

test("deceptive characters are escapes", () => {
  assert.equal(showText("a\u202eb\u0000c\u001b[2J\u200b"), "a\\u{202e}b\\u{0}c\\u{1b}[2J\\u{200b}");
  assert.equal(showText("tab\tline\nümlaut 𝒳 日本"), "tab\tline\nümlaut 𝒳 日本");
});

test("colours of terminals become tones, and other sequences nothing", () => {
  assert.deepEqual(pieces("plain"), [{ text: "plain" }]);
  assert.deepEqual(pieces("\u001b[31mred\u001b[0m no").map(({ text, tone }) => [text, tone]), [["red", "bad"], [" no", undefined]]);
  assert.equal(plain("\u001b[2Ja\u001b[38;5;200mb\u001b]0;title\u0007c"), "abc");
  assert.deepEqual(pieces("\u001b[38;2;1;2;3mx")[0].tone, undefined);
  // Private ones: the cursor, keyboards, and colours with colons.
  assert.equal(plain("\u001b[?25la\u001b[?2004hb\u001b[>4;2mc\u001b[38:5:1md\u001b[1 qe"), "abcde");
  assert.ok(pieces("\u001b[>31mx").every(({ tone }) => tone === undefined));
});

test("errors that differ in numbers are one group", () => {
  assert.equal(fingerprint("index 9 of 0x1f"), fingerprint("index 10 of 0x2a"));
  assert.notEqual(fingerprint("index out of range"), fingerprint("division by zero"));
  const run = (run, error) => ({ run, task: "t", error });
  assert.deepEqual(groups([run(1, "a 1"), run(2, "b"), run(3, "a 2")]).map((group) => group.runs.length), [2, 1]);
});

test("events come in pieces", () => {
  const push = parser();
  assert.deepEqual(push(":\n\nid: 7\nda"), []);
  assert.deepEqual(push('ta: {"a":1}\n\nevent: gap\nid: 9\ndata: {}\n\n'), [{ event: "message", id: "7", data: '{"a":1}' }, { event: "gap", id: "9", data: "{}" }]);
  assert.deepEqual(push("data: a\ndata: b\n\n")[0].data, "a\nb");
});

test("states that are not known are shown by their names", () => {
  assert.equal(look("Sleeping").word, "Sleeping");
  assert.ok(hasEnded("Completed") && !hasEnded("Running") && !hasEnded("Sleeping"));
  assert.equal(byGroup({ Failed: 2, Crashed: 1, Completed: 5 }).failed, 3);
  const looks = Object.values(STATES).map(({ tone, shape, word }) => `${tone} ${shape} ${word}`);
  assert.equal(new Set(looks).size, looks.length);
});

test("command lines are quoted for a shell", () => {
  assert.equal(quote("plain-1.0"), "plain-1.0");
  assert.equal(quote("it's"), "'it'\\''s'");
  assert.equal(runCommand("acme.math#add", [{ wave: "40" }, { wave: '"two words"' }]), "hostel run acme.math#add 40 '\"two words\"'");
  assert.equal(taskName("sha256:abcdef0123456789#add", new Map([["sha256:abcdef0123456789", "acme.math"]])), "acme.math#add");
  assert.equal(taskName("sha256:abcdef0123456789#add"), "abcdef012345#add");
  assert.equal(taskRef("sha256:abcdef0123456789#add", new Map()), "sha256:abcdef0123456789#add");
  assert.equal(taskRef("sha256:abcdef0123456789#add", new Map([["sha256:abcdef0123456789", "acme.math"]])), "acme.math#add");
});
