// Drafts of values, to and from JSON.

import assert from "node:assert/strict";
import { test } from "node:test";

import { empty, fromJson, parseJson, pastedItems, toJson, typeText } from "../../app/lib/form.js";

const u64 = { kind: "u64" };
const text = { kind: "string" };
const option = (some) => ({ kind: "option", some });
const record = (fields) => ({ kind: "record", fields: Object.entries(fields).map(([name, type]) => ({ name, type })) });
const variant = { kind: "variant", cases: [{ name: "nothing" }, { name: "circle", type: { kind: "f64" } }, { name: "group", type: { kind: "list", element: text } }] };

/** Values as the server writes them: each is the same after a way through the form. */
const CORPUS = [
  [{ kind: "bool" }, true],
  [{ kind: "u8" }, 255],
  [{ kind: "s8" }, -128],
  [u64, "18446744073709551615"],
  [u64, 0],
  [{ kind: "s64" }, "-9223372036854775808"],
  [{ kind: "s64" }, 9007199254740991],
  [{ kind: "f64" }, 0.1],
  [{ kind: "f64" }, -1e300],
  [{ kind: "f32" }, "NaN"],
  [{ kind: "f64" }, "-Infinity"],
  [{ kind: "char" }, "𝒳"],
  [text, ""],
  [text, "two\nlines, \"quoted\" and \u202e reversed"],
  [{ kind: "bytes" }, { base64: "" }],
  [{ kind: "bytes" }, { base64: "aGVsbG8=" }],
  [{ kind: "bytes" }, { base64: "AP+A" }],
  [{ kind: "bytes" }, { base64: "77u/YQ==" }],
  [{ kind: "list", element: u64 }, [1, "9223372036854775808"]],
  [{ kind: "list", element: { kind: "list", element: { kind: "bool" } } }, [[], [true, false]]],
  [{ kind: "fixed-list", element: { kind: "u8" }, length: 2 }, [1, 2]],
  [{ kind: "tuple", elements: [{ kind: "u8" }, text, { kind: "bool" }] }, [1, "a", false]],
  [record({ name: text, age: { kind: "u8" }, email: option(text) }), { name: "Ada", age: 36, email: null }],
  [record({ name: text, age: { kind: "u8" }, email: option(text) }), { name: "", age: 0, email: "" }],
  [variant, "nothing"],
  [variant, { circle: 2.5 }],
  [variant, { group: ["a", "b"] }],
  [{ kind: "enum", cases: ["clubs", "hearts"] }, "hearts"],
  [option(u64), null],
  [option(u64), "18446744073709551615"],
  [option(option(u64)), null],
  [option(option(u64)), { some: null }],
  [option(option(u64)), { some: 3 }],
  [{ kind: "result", ok: u64, err: text }, { ok: 1 }],
  [{ kind: "result", ok: u64, err: text }, { err: "why" }],
  [{ kind: "result", ok: null, err: text }, { ok: null }],
  [{ kind: "result" }, { err: null }],
  [{ kind: "flags", names: ["read", "write", "execute"] }, ["read", "execute"]],
  [{ kind: "flags", names: ["read"] }, []],
  [{ kind: "map", key: text, value: u64 }, { a: 1 }],
  [{ kind: "data" }, { any: [1, "18446744073709551615", null] }],
];

test("every value comes out as it went in", () => {
  for (const [type, value] of CORPUS) {
    const errors = [];
    assert.deepEqual(toJson(type, fromJson(type, value), ["x"], errors), value, `${typeText(type)} ${JSON.stringify(value)}`);
    assert.deepEqual(errors, []);
  }
});

test("deeper than the form goes, JSON is edited", () => {
  let [type, value] = [u64, "18446744073709551615"];
  for (let depth = 0; depth < 20; depth += 1) [type, value] = [{ kind: "list", element: type }, [value]];
  assert.deepEqual(toJson(type, fromJson(type, value)), value);
});

test("what is no value of the type leaves the form empty", () => {
  for (const [type] of CORPUS) {
    for (const wrong of [undefined, null, 7, "text", [], { a: 1 }, [null], { base64: 3 }, { ok: {} }]) {
      assert.doesNotThrow(() => toJson(type, fromJson(type, wrong), [], []), `${typeText(type)} ${JSON.stringify(wrong)}`);
    }
  }
});

const problem = (type, draft) => {
  const errors = [];
  toJson(type, draft, ["x"], errors);
  return errors;
};

test("integers are checked without rounding", () => {
  assert.deepEqual(problem(u64, "18446744073709551615"), []);
  assert.deepEqual(problem(u64, "18446744073709551616")[0].message, "expected u64: 0 to 18446744073709551615");
  assert.deepEqual(problem(u64, " 1_000 "), []);
  for (const wrong of ["", "1.5", "one", "1e3", "0x10", "--1"]) assert.equal(problem(u64, wrong).length, 1, wrong);
  assert.equal(toJson({ kind: "s64" }, "-9007199254740993"), "-9007199254740993");
  assert.equal(toJson({ kind: "u8" }, "007"), 7);
});

test("floats have their special values", () => {
  for (const [typed, value] of [["nan", "NaN"], ["-inf", "-Infinity"], ["1e3", 1000], [".5", 0.5], ["-0.25", -0.25]]) assert.equal(toJson({ kind: "f64" }, typed), value);
  for (const wrong of ["", "fast", "0x10", "1e999"]) assert.equal(problem({ kind: "f64" }, wrong).length, 1, wrong);
});

test("bytes are typed as text, hex or base64", () => {
  assert.deepEqual(toJson({ kind: "bytes" }, { how: "hex", text: "00 ff 80" }), { base64: "AP+A" });
  assert.deepEqual(toJson({ kind: "bytes" }, { how: "text", text: "ä" }), { base64: "w6Q=" });
  assert.equal(problem({ kind: "bytes" }, { how: "hex", text: "0" }).length, 1);
  assert.equal(problem({ kind: "bytes" }, { how: "base64", text: "abc" }).length, 1);
});

test("problems have the path that the server writes", () => {
  const type = record({ people: { kind: "list", element: record({ age: { kind: "u8" } }) }, shape: variant, more: option({ kind: "u8" }) });
  const draft = { people: { items: [{ age: "1" }, { age: "300" }] }, shape: { case: "circle", payloads: { circle: "wide" } }, more: { some: true, value: "x" } };
  const paths = problem(type, draft).map((one) => one.path);
  assert.deepEqual(paths, [["x", 'field "people"', "element 1", 'field "age"'], ["x", 'field "shape"', 'case "circle"'], ["x", 'field "more"']]);
});

test("a case keeps what was typed into it", () => {
  const draft = { case: "nothing", payloads: { circle: "2" } };
  assert.equal(toJson(variant, draft), "nothing");
  assert.deepEqual(toJson(variant, { ...draft, case: "circle" }), { circle: 2 });
});

test("an empty form says what is missing", () => {
  assert.equal(problem(record({ a: u64, b: text, c: option(u64), d: { kind: "enum", cases: ["x"] } }), empty(record({ a: u64, b: text, c: option(u64), d: { kind: "enum", cases: ["x"] } }))).length, 2);
});

test("large integers of JSON stay exact", () => {
  assert.deepEqual(parseJson('{"a": 18446744073709551615, "b": "18446744073709551615", "c": 0.12345678901234567890, "d": "\\"1234567890123456789\\""}').value, {
    a: "18446744073709551615", b: "18446744073709551615", c: 0.12345678901234568, d: '"1234567890123456789"',
  });
  assert.ok(parseJson("{").error);
});

test("pasted texts become items", () => {
  assert.deepEqual(pastedItems("[1, 2]"), [1, 2]);
  assert.deepEqual(pastedItems('{"a": 1}\n\n{"a": 2}\n'), [{ a: 1 }, { a: 2 }]);
  assert.deepEqual(pastedItems("one\r\ntwo"), ["one", "two"]);
  assert.deepEqual(pastedItems("1\n2"), [1, 2]);
  assert.deepEqual(pastedItems("1\ntrue\nnull\n{}", text), ["1", "true", "null", "{}"]);
  assert.deepEqual(pastedItems('"one"\n"2"', text), ["one", "2"]);
  assert.deepEqual(pastedItems('["one", "2"]', text), ["one", "2"]);
  assert.deepEqual(pastedItems("[1, 2]", text), ["[1, 2]"]);
});
