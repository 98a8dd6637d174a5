//! What WAVE text is read as, how values are written, and what is said of texts that are neither.

use hostel_core::{CallText, Value};
use insta::assert_snapshot;

use crate::wit::ty;

/// Reads `text` as a value of the type and writes it again.
fn check(wit: &str, text: &str, expect: &str) {
    match Value::from_wave(text, &ty(wit)) {
        Ok(value) => assert_eq!(value.to_wave(), expect, "{wit} <- {text}"),
        Err(error) => panic!("{wit} <- {text}: {error}"),
    }
}

/// Returns what is said of each text that is no value of its type.
fn errors(inputs: &[(&str, &str)]) -> String {
    let error = |(wit, text): &(&str, &str)| match Value::from_wave(text, &ty(wit)) {
        Ok(value) => panic!("{wit} <- {text}: {value}"),
        Err(error) => format!("{text}\n    {error}\n"),
    };
    inputs.iter().map(error).collect()
}

#[test]
fn numbers() {
    check("bool", "true", "true");
    check("s8", "-128", "-128");
    check("u8", "255", "255");
    check("u8", "-0", "0");
    check("s16", "-32768", "-32768");
    check("u16", "65535", "65535");
    check("s32", "-2147483648", "-2147483648");
    check("u32", "4294967295", "4294967295");
    check("s64", "-9223372036854775808", "-9223372036854775808");
    check("u64", "18446744073709551615", "18446744073709551615");
    check("f32", "0.1", "0.1");
    check("f32", "3.4e38", "340000000000000000000000000000000000000");
    check("f32", "-inf", "-inf");
    check("f64", "1e39", "1000000000000000000000000000000000000000");
    check("u64", "1e17", "100000000000000000");
    check("s8", "-1.0", "-1");
    check("f64", "-0.0", "-0");
    check("f64", "6.022e+23", "602200000000000000000000");
    check("list<f64>", "[nan, inf, -inf, 0, 1.5]", "[nan, inf, -inf, 0, 1.5]");
}

#[test]
fn texts() {
    check("char", "'x'", "'x'");
    check("char", r"'\u{1F44B}'", "'👋'");
    check("char", r"'\''", r"'\''");
    check("string", r#""abc\t\"☃\" \u{0}""#, r#""abc\t\"☃\" \u{0}""#);
    check("string", "\"\"\"\n  one\n    two\n  \"\"\"", r#""one\n  two""#);
    check("string", "// comment\n \"x\" // comment", r#""x""#);
}

#[test]
fn lists() {
    check("list<u8>", "[1, 2, 255,]", "[1, 2, 255]");
    check("list<string>", "[]", "[]");
    check("list<u16, 2>", "[1, 2]", "[1, 2]");
    check("tuple<u8, string>", r#"(1, "a",)"#, r#"(1, "a")"#);
    check("map<string, u32>", r#"[("b", 1), ("a", 2), ("b", 3)]"#, r#"[("a", 2), ("b", 3)]"#);
}

#[test]
fn records() {
    let point = "record { x: u8, y: option<u8> }";
    check(point, "{y: some(2), x: 1}", "{x: 1, y: some(2)}");
    check(point, "{x: 1, y: 2}", "{x: 1, y: some(2)}");
    check(point, "{x: 1, y: none,}", "{x: 1}");
    check(point, "{%x: 1}", "{x: 1}");
    check("record { y: option<u8> }", "{:}", "{:}");
    check("record { y: option<u8> }", "{}", "{:}");
    check("record { ok: bool, none: u8 }", "{none: 1, ok: true}", "{ok: true, none: 1}");
    check("flags { read, write, none }", "{none, %read}", "{read, none}");
    check("flags { read }", "{}", "{}");
}

#[test]
fn cases() {
    let shape = "variant { point, circle(f64), err(string), none }";
    check(shape, "point", "point");
    check(shape, "%circle(1.5)", "circle(1.5)");
    check(shape, r#"%err("x")"#, r#"%err("x")"#);
    check(shape, r#"err("x")"#, r#"%err("x")"#);
    check(shape, "none", "%none");
    check("enum { ok, not-found, inf }", "ok", "%ok");
    check("enum { ok, not-found, inf }", "%not-found", "not-found");
    check("enum { ok, not-found, inf }", "inf", "%inf");
}

#[test]
fn options_and_results() {
    check("option<u8>", "1", "some(1)");
    check("option<u8>", "some(1)", "some(1)");
    check("option<u8>", "none", "none");
    check("option<option<u8>>", "some(none)", "some(none)");
    check("option<option<u8>>", "some(1)", "some(some(1))");
    check("result", "ok", "ok");
    check("result<u8, string>", "1", "ok(1)");
    check("result<u8, string>", r#"err("x")"#, r#"err("x")"#);
    check("result<_, string>", "ok", "ok");
    check("result<option<u8>>", "ok(1)", "ok(some(1))");
}

#[test]
fn a_value_of_another_type_is_refused_with_its_path() {
    let config = "record { name: string, rate: f64, tags: list<string> }";
    assert_snapshot!(errors(&[
        ("u8", "256"),
        ("u8", "1.5"),
        ("s64", "99999999999999999999999999999999999999999999"),
        ("u64", "9007199254740993.0"),
        ("u64", "1e-999999999"),
        ("u8", "0.99999999999999999999"),
        ("f32", "1e39"),
        ("f64", "-1e999"),
        ("bool", "1"),
        ("char", r#""x""#),
        ("char", r"'\u{d800}'"),
        ("string", "fast"),
        ("string", "some(1)"),
        ("f64", r#""fast""#),
        ("list<u8>", "[1, 2, 256]"),
        ("list<u16, 2>", "[1]"),
        ("tuple<u8, string>", "(1, 2)"),
        ("tuple<u8, string>", "(1, 2, 3)"),
        ("map<string, u8>", r#"[("a", 1), ("b", "x")]"#),
        ("map<string, u8>", "[(1, 1)]"),
        ("map<string, u8>", r#"[("a", 1), ("b")]"#),
        (config, r#"{name: "a", rate: "fast", tags: []}"#),
        (config, r#"{name: "a", rate: 1, tags: ["x", 2]}"#),
        (config, r#"{name: "a", tags: []}"#),
        (config, r#"{nam: "a", rate: 1, tags: []}"#),
        (config, r#"{colour: "a", rate: 1, tags: []}"#),
        ("variant { a(u32), b }", "a"),
        ("variant { a(u32), b }", "a(b)"),
        ("variant { a(u32), b }", "b(1)"),
        ("variant { a(u32), b }", "c"),
        ("enum { low, high }", "hihg"),
        ("enum { low, high }", "3"),
        ("flags { read, write }", "{read, rite}"),
        ("option<u8>", "some(x)"),
        ("option<option<u8>>", "1"),
        ("result<u8, string>", "err(1)"),
        ("result<u8, string>", "ok"),
        ("result", "ok(1)"),
        ("result<option<u8>>", "1"),
        ("list<list<u8>>", r#"[[1], ["a long string of which only the beginning is of use to anyone who reads this message"]]"#),
    ]), @r#"
    256
        expected u8 (0 to 255), found number 256
    1.5
        expected u8 (0 to 255), found number 1.5
    99999999999999999999999999999999999999999999
        expected s64 (-9223372036854775808 to 9223372036854775807), found number 99999999999999999999999999999999999999999999
    9007199254740993.0
        expected u64 (0 to 18446744073709551615), found number 9007199254740993.0
    1e-999999999
        expected u64 (0 to 18446744073709551615), found number 1e-999999999
    0.99999999999999999999
        expected u8 (0 to 255), found number 0.99999999999999999999
    1e39
        expected f32 (-3.4028235e38 to 3.4028235e38), found number 1e39
    -1e999
        expected f64 (-1.7976931348623157e308 to 1.7976931348623157e308), found number -1e999
    1
        expected bool, found number 1
    "x"
        expected char, found string "x"
    '\u{d800}'
        expected char, found char '\u{d800}'
    fast
        expected string, found word fast
    some(1)
        expected string, found option some(1)
    "fast"
        expected f64, found string "fast"
    [1, 2, 256]
        element 2: expected u8 (0 to 255), found number 256
    [1]
        expected 2 elements, found 1
    (1, 2)
        element 1: expected string, found number 2
    (1, 2, 3)
        expected 2 elements, found 3
    [("a", 1), ("b", "x")]
        value of key "b": expected u8, found string "x"
    [(1, 1)]
        key 0: expected string, found number 1
    [("a", 1), ("b")]
        element 1: expected 2 elements, found 1
    {name: "a", rate: "fast", tags: []}
        field "rate": expected f64, found string "fast"
    {name: "a", rate: 1, tags: ["x", 2]}
        field "tags": element 1: expected string, found number 2
    {name: "a", tags: []}
        missing field "rate"
    {nam: "a", rate: 1, tags: []}
        unknown field "nam", did you mean "name"? (fields: name, rate, tags)
    {colour: "a", rate: 1, tags: []}
        unknown field "colour" (fields: name, rate, tags)
    a
        "a" needs a payload of type u32
    a(b)
        case "a": expected u32, found word b
    b(1)
        "b" takes no payload, found number 1
    c
        unknown case "c" (cases: a, b)
    hihg
        unknown case "hihg", did you mean "high"? (cases: low, high)
    3
        expected enum { low, high }, found number 3
    {read, rite}
        unknown flag "rite", did you mean "write"? (flags: read, write)
    some(x)
        expected u8, found word x
    1
        expected option<option<u8>>, found number 1
    err(1)
        err: expected string, found number 1
    ok
        "ok" needs a payload of type u8
    ok(1)
        "ok" takes no payload, found number 1
    1
        expected result<option<u8>>, found number 1
    [[1], ["a long string of which only the beginning is of use to anyone who reads this message"]]
        element 1: element 0: expected u8, found string "a long string of which only the beginning is of use to anyone who reads …
    "#);
}

#[test]
fn a_text_that_is_no_wave_is_refused_with_its_position() {
    assert_snapshot!(errors(&[
        ("u8", ""),
        ("u8", "1 2"),
        ("u8", "-"),
        ("string", r#""abc"#),
        ("string", r#""\x""#),
        ("string", r#""\u{d800}""#),
        ("string", "\"\"\"x\"\"\""),
        ("char", "'ab'"),
        ("list<u8>", "["),
        ("list<u8>", "[1, 2"),
        ("list<u8>", "[1,\n 2 3]"),
        ("list<u8>", "[1,,]"),
        ("list<u8>", "[1)"),
        ("tuple<u8>", "()"),
        ("tuple<u8>", "(1"),
        ("record { a: u8 }", "{"),
        ("record { a: u8 }", "{a"),
        ("record { a: u8 }", "{a:"),
        ("record { a: u8 }", "{a: 1, 2}"),
        ("record { a: u8 }", "{a: 1, a: 2}"),
        ("record { a: u8 }", "{a: 1"),
        ("flags { a }", "{a, a}"),
        ("option<u8>", "some"),
        ("option<u8>", "some(1"),
    ]), @r#"

        line 1, column 1: expected a value, found end of text
    1 2
        line 1, column 3: expected end of text, found `2`
    -
        line 1, column 1: expected a value, found `-`
    "abc
        line 1, column 1: expected a string with its closing " and no escapes but \\ \" \' \t \n \r \u{…}, found `"abc`
    "\x"
        line 1, column 1: expected a string with its closing " and no escapes but \\ \" \' \t \n \r \u{…}, found `"\x"`
    "\u{d800}"
        line 1, column 2: expected one of the escapes \\ \" \' \t \n \r \u{…}, found `\`
    """x"""
        line 1, column 2: expected both """ on separate lines, and no line indented less than the last, found `""x`
    'ab'
        line 1, column 1: expected one character between two ', found `'ab'`
    [
        line 1, column 2: expected a value or `]`, found end of text
    [1, 2
        line 1, column 6: expected `,` or `]`, found end of text
    [1,
     2 3]
        line 2, column 4: expected `,` or `]`, found `3`
    [1,,]
        line 1, column 4: expected a value, found `,`
    [1)
        line 1, column 3: expected `,` or `]`, found `)`
    ()
        line 1, column 1: expected a value between the parentheses, found `()`
    (1
        line 1, column 3: expected `,` or `)`, found end of text
    {
        line 1, column 2: expected a name or `}`, found end of text
    {a
        line 1, column 3: expected `:`, `,` or `}`, found end of text
    {a:
        line 1, column 4: expected a value, found end of text
    {a: 1, 2}
        line 1, column 8: expected a name or `}`, found `2`
    {a: 1, a: 2}
        line 1, column 8: expected each field once, found `a`
    {a: 1
        line 1, column 6: expected `,` or `}`, found end of text
    {a, a}
        line 1, column 5: expected each flag once, found `a`
    some
        line 1, column 5: expected `(`, found end of text
    some(1
        line 1, column 7: expected `)`, found end of text
    "#);
}

#[test]
fn a_call_is_taken_apart_before_it_is_read() {
    let check = |text: &str, function: &str, arguments: &[&str]| {
        let call = CallText::parse(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!((call.function, &*call.arguments), (function, arguments), "{text}");
    };
    check("now()", "now", &[]);
    check("add(1, 2)", "add", &["1", "2"]);
    check(" ops.add ( 1,\n2, ) ", "ops.add", &["1", "2"]);
    check(
        "acme:math/ops@1.0.0.add([1, 2], {a: (3, 4)})",
        "acme:math/ops@1.0.0.add",
        &["[1, 2]", "{a: (3, 4)}"],
    );
    check(r#"f("a, (b", ',', some(1)) // done"#, "f", &[r#""a, (b""#, "','", "some(1)"]);
    check("greet(bob)", "greet", &["bob"]);
    check("f(1,,2)", "f", &["1", "", "2"]);
    for text in ["", "add", "(1)", "add(1", "add(1))", "add(1) 2", "add[1]", "add(1]"] {
        assert_eq!(CallText::parse(text), None, "{text}");
    }
}

#[test]
fn bytes_and_texts_read_the_same_however_they_are_pieced_together() {
    for length in [0, 1, 2, 255, 256, 1000, 5000] {
        let bytes: Vec<u8> = (0..length).map(|index| (index % 256) as u8).collect();
        let numbers: Vec<_> = bytes.iter().map(ToString::to_string).collect();
        assert_eq!(Value::Bytes(bytes).to_wave(), format!("[{}]", numbers.join(", ")));
    }
    let text: String = ('\0'..'\u{3000}').collect();
    let expected = |character: char| match character {
        '\t' | '\r' | '\n' => character.escape_debug().to_string(),
        control if control.is_control() => control.escape_unicode().to_string(),
        other => other.escape_debug().to_string(),
    };
    let each: String = text.chars().map(expected).collect();
    assert_eq!(Value::String(text).to_wave(), format!("\"{each}\""));
}
