//! What JSON is read as, how values are written, and what is said of JSON that fits no type.

use hostel_core::{Type, Value, parse_json};
use insta::assert_snapshot;

use crate::wit::ty;

/// Reads `json` as a value of the type and writes it again.
fn check(wit: &str, json: &str, expect: &str) {
    let ty = ty(wit);
    match Value::from_json(&parse_json(json).unwrap(), &ty) {
        Ok(value) => assert_eq!(value.to_json(&ty).to_string(), expect, "{wit} <- {json}"),
        Err(error) => panic!("{wit} <- {json}: {error}"),
    }
}

/// Checks that the JSON comes back as it was.
fn same(wit: &str, json: &str) {
    check(wit, json, json);
}

/// Returns what is said of each JSON that is no value of its type.
fn errors(inputs: &[(&str, &str)]) -> String {
    let error = |(wit, json): &(&str, &str)| match parse_json(json)
        .and_then(|parsed| Value::from_json(&parsed, &ty(wit)))
    {
        Ok(value) => panic!("{wit} <- {json}: {value}"),
        Err(error) => format!("{json}\n    {error}\n"),
    };
    inputs.iter().map(error).collect()
}

#[test]
fn numbers() {
    same("bool", "true");
    same("s8", "-128");
    same("u64", "18446744073709551615");
    same("s64", "-9223372036854775808");
    check("u64", r#""18446744073709551615""#, "18446744073709551615");
    check("s64", "1.0", "1");
    check("u32", "1e3", "1000");
    check("u64", "1e17", "100000000000000000");
    check("s64", "-1e18", "-1000000000000000000");
    check("u64", "1.23456789012345e18", "1234567890123450000");
    check("u64", "9007199254740991.0", "9007199254740991");
    same("f32", "0.1");
    same("f32", "16777216.0");
    same("f64", "-0.0");
    same("f64", "0.1");
    check("f64", "1", "1.0");
    same("f64", r#""NaN""#);
    same("f32", r#""Infinity""#);
    same("f64", r#""-Infinity""#);
}

/// What JSON is read as data.
fn data(json: &str) -> String {
    let value = Value::from_json(&parse_json(json).unwrap(), &Type::Data).unwrap();
    value.as_data().unwrap().to_owned()
}

#[test]
fn numbers_that_are_integers_only_when_rounded() {
    check("f64", "1e-400", "0.0");
    check("f64", "-1e-400", "-0.0");
    check("f32", "0.99999999999999999999", "1.0");
    check("list<f64>", "[1.0, 1e-400, 2.5, 0.99999999999999999999, 3]", "[1.0,0.0,2.5,1.0,3.0]");
    check("tuple<u8, string, f64, u8>", r#"[1.0, "1e-400", 1e-400, 2]"#, r#"[1,"1e-400",0.0,2]"#);
    check(
        "record { a: map<string, f64>, b: u8 }",
        r#"{"a":{"x":1e-400},"b":2e0}"#,
        r#"{"a":{"x":0.0},"b":2}"#,
    );
    check("option<f64>", "1e-400", "0.0");
    check("variant { a(f64) }", r#"{"a":1e-400}"#, r#"{"a":0.0}"#);
    check("result<f64>", r#"{"ok":1e-400}"#, r#"{"ok":0.0}"#);
    assert_eq!(data("1e-400"), "0.0");
    assert_eq!(data(r#"{"a": [1e-400, 1.0, 1]}"#), r#"{"a":[0.0,1.0,1]}"#);
    let digits = "0".repeat(1 << 20);
    check("u8", &format!("1.{digits}"), "1");
    check("u8", &format!("1{digits}e-{}", digits.len()), "1");
    check("f64", &format!("1.{digits}1"), "1.0");
    check("f64", &format!("1e-1{digits}"), "0.0");
}

#[test]
fn keys_with_a_meaning_for_the_parser_are_refused() {
    for key in ["$hostel::rounded", "$serde_json::private::RawValue", "\\u0024hostel::rounded"] {
        let error = parse_json(&format!(r#"[{{"{key}": "1"}}]"#)).unwrap_err();
        assert!(error.to_string().contains("reserved key"), "{error}");
    }
    check("map<string, u8>", r#"{"$hostel":1}"#, r#"{"$hostel":1}"#);
}

#[test]
fn texts() {
    same("char", r#""👋""#);
    same("string", r#""a\"b""#);
    same("enum { ok, null }", r#""null""#);
    same("flags { read, write }", r#"["read","write"]"#);
    check("flags { read, write }", r#"["write","read"]"#, r#"["read","write"]"#);
}

#[test]
fn lists() {
    same("list<string>", r#"["a","b"]"#);
    same("list<u16, 2>", "[1,2]");
    same("tuple<u8, string>", r#"[1,"a"]"#);
    same("list<u8>", "[1,2,255]");
    check("list<u8>", r#"{"base64":"AQL/"}"#, "[1,2,255]");
    let array = format!("[{}0]", "0,".repeat(63));
    same("list<u8>", &array);
    let longer = format!("[{}0]", "0,".repeat(64));
    check("list<u8>", &longer, &format!(r#"{{"base64":"{}AA="}}"#, "A".repeat(85)));
}

#[test]
fn maps() {
    same("map<string, u8>", r#"{"a":1,"b":2}"#);
    same("map<string, u8>", "{}");
    check("map<string, u8>", r#"{"aa":1,"c":2,"b":3}"#, r#"{"b":3,"c":2,"aa":1}"#);
    check("map<string, u8>", r#"[["b",2],["a",1],["b",3]]"#, r#"{"a":1,"b":3}"#);
    same("map<u32, bool>", "[[1,true],[2,false]]");
    check("map<u32, bool>", r#"{"2":false,"1":true}"#, "[[1,true],[2,false]]");
    same("map<u32, bool>", "[]");
}

#[test]
fn records_and_cases() {
    same("record { a: u8, b: option<u8> }", r#"{"a":1,"b":null}"#);
    check("record { a: u8, b: option<u8> }", r#"{"a":1}"#, r#"{"a":1,"b":null}"#);
    same("record { b: u8, a: record { d: u8, c: u8 } }", r#"{"b":1,"a":{"d":2,"c":3}}"#);
    check("record { b: u8, a: u8 }", r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#);
    same("variant { a(u32), b }", r#"{"a":1}"#);
    same("variant { a(u32), b }", r#""b""#);
    check("variant { a(u32), b }", r#"{"b":null}"#, r#""b""#);
    same("variant { a(option<u32>) }", r#"{"a":null}"#);
    same("result<u8, string>", r#"{"ok":1}"#);
    same("result<u8, string>", r#"{"err":"x"}"#);
    same("result", r#"{"ok":null}"#);
    same("result<option<u8>>", r#"{"ok":null}"#);
}

#[test]
fn options() {
    same("option<u8>", "null");
    same("option<u8>", "1");
    same("option<option<u8>>", "null");
    same("option<option<u8>>", r#"{"some":null}"#);
    same("option<option<u8>>", r#"{"some":1}"#);
    same("option<option<option<u8>>>", r#"{"some":{"some":null}}"#);
    same("option<result>", r#"{"ok":null}"#);
    same("option<record { some: u8 }>", r#"{"some":1}"#);
}

#[test]
fn a_byte_order_mark_is_skipped() {
    assert_eq!(parse_json("\u{feff}[1]").unwrap(), parse_json("[1]").unwrap());
    assert!(parse_json("[1]\u{feff}").is_err());
}

#[test]
fn a_key_that_is_there_twice_is_refused_wherever_it_stands() {
    let error = |text| parse_json(text).unwrap_err().to_string();
    assert_snapshot!(error(r#"{"text": "a", "text": "bbb"}"#), @r#"line 1, column 20: duplicate key "text""#);
    assert_snapshot!(error("[{\"a\": {\n\"b\": 1, \"c\": 2, \"\\u0062\": 3}}]"), @r#"line 2, column 24: duplicate key "b""#);
    assert_eq!(parse_json(r#"[{"a": 1}, {"a": 1}]"#).unwrap().as_array().unwrap().len(), 2);
}

#[test]
fn a_value_of_another_type_is_written_as_text() {
    assert_eq!(Value::Tuple(vec![Value::U8(1)]).to_json(&ty("list<u8>")), "(1)");
}

#[test]
fn json_of_another_type_is_refused_with_its_path() {
    let config = "record { name: string, rate: f64, tags: list<string> }";
    assert_snapshot!(errors(&[
        ("u8", "256"),
        ("u8", "-1"),
        ("u8", "1.5"),
        ("u8", r#""1""#),
        ("u64", "18446744073709551616"),
        ("s64", "-9223372036854775809"),
        ("s64", r#""12x""#),
        ("f32", "1e39"),
        ("u64", "9007199254740993.0"),
        ("u64", "1e-999999999"),
        ("s8", "-1e-400"),
        ("u8", "0.99999999999999999999"),
        ("u64", "100000000000000001.0"),
        ("list<u8>", "[1.0, 2.00000000000000000001]"),
        ("u8", "[1e-400]"),
        ("u64", "1e20"),
        ("u64", "1e300"),
        ("f64", "1e999"),
        ("f64", r#""fast""#),
        ("bool", "null"),
        ("char", r#""ab""#),
        ("char", r#""""#),
        ("string", "[1]"),
        ("list<u8>", "[1, 256]"),
        ("list<u8>", r#"{"base64": "%"}"#),
        ("list<u8>", r#"{"base64": "AQI"}"#),
        ("list<u8>", r#"{"base64": "A-I="}"#),
        ("list<u8>", r#"{"base64": 7}"#),
        ("list<u16, 2>", "[1]"),
        ("tuple<u8, string>", r#"["a", 1]"#),
        ("map<string, u8>", r#"{"a": "x"}"#),
        ("map<u32, u8>", r#"{"a": 1}"#),
        ("map<u32, u8>", "[[1, 2, 3]]"),
        (config, r#"{"name": "a", "rate": "fast", "tags": []}"#),
        (config, r#"{"name": "a", "rate": 1, "tags": ["x", 2]}"#),
        (config, r#"{"name": "a", "tags": []}"#),
        (config, r#"{"nam": "a", "rate": 1, "tags": []}"#),
        (config, "[]"),
        ("variant { a(u32), b }", r#"{"a": "x"}"#),
        ("variant { a(u32), b }", r#""a""#),
        ("variant { a(u32), b }", r#"{"b": 1}"#),
        ("variant { a(u32), b }", r#"{"a": 1, "b": 2}"#),
        ("enum { low, high }", r#""hihg""#),
        ("flags { read, write }", r#"["rite"]"#),
        ("flags { read, write }", r#"["read", "read"]"#),
        ("flags { read, write }", "[1]"),
        ("option<option<u8>>", "1"),
        ("result<u8, string>", r#"{"err": 1}"#),
        ("result<u8, string>", r#"{"ok": null}"#),
        ("result", r#"{"ok": 1}"#),
        ("result<u8>", "1"),
    ]), @r#"
    256
        expected u8 (0 to 255), found number 256
    -1
        expected u8 (0 to 255), found number -1
    1.5
        expected u8 (0 to 255), found number 1.5
    "1"
        expected u8, found string "1"
    18446744073709551616
        expected u64 (0 to 18446744073709551615), found number 1.8446744073709552e+19
    -9223372036854775809
        expected s64 (-9223372036854775808 to 9223372036854775807), found number -9.223372036854776e+18
    "12x"
        expected s64, found string "12x"
    1e39
        expected f32 (-3.4028235e38 to 3.4028235e38), found number 1e+39
    9007199254740993.0
        expected u64 (0 to 18446744073709551615), found number 9007199254740992.0
    1e-999999999
        expected u64 (0 to 18446744073709551615), found number 1e-999999999
    -1e-400
        expected s8 (-128 to 127), found number -1e-400
    0.99999999999999999999
        expected u8 (0 to 255), found number 0.99999999999999999999
    100000000000000001.0
        expected u64 (0 to 18446744073709551615), found number 100000000000000001.0
    [1.0, 2.00000000000000000001]
        element 1: expected u8 (0 to 255), found number 2.00000000000000000001
    [1e-400]
        expected u8, found array [0.0]
    1e20
        expected u64 (0 to 18446744073709551615), found number 1e+20
    1e300
        expected u64 (0 to 18446744073709551615), found number 1e+300
    1e999
        line 1, column 5: number out of range
    "fast"
        expected f64, found string "fast"
    null
        expected bool, found null
    "ab"
        expected char, found string "ab"
    ""
        expected char, found string ""
    [1]
        expected string, found array [1]
    [1, 256]
        element 1: expected u8 (0 to 255), found number 256
    {"base64": "%"}
        expected base64 in the letters A-Z, a-z, 0-9, + and /, found string "%"
    {"base64": "AQI"}
        expected base64 that is padded with = to a multiple of 4 characters, found string "AQI"
    {"base64": "A-I="}
        expected base64 in the letters A-Z, a-z, 0-9, + and /, found string "A-I="
    {"base64": 7}
        expected a string in base64, found number 7
    [1]
        expected 2 elements, found 1
    ["a", 1]
        element 0: expected u8, found string "a"
    {"a": "x"}
        value of key "a": expected u8, found string "x"
    {"a": 1}
        key 0: expected u32, found key "a"
    [[1, 2, 3]]
        element 0: expected 2 elements, found 3
    {"name": "a", "rate": "fast", "tags": []}
        field "rate": expected f64, found string "fast"
    {"name": "a", "rate": 1, "tags": ["x", 2]}
        field "tags": element 1: expected string, found number 2
    {"name": "a", "tags": []}
        missing field "rate"
    {"nam": "a", "rate": 1, "tags": []}
        unknown field "nam", did you mean "name"? (fields: name, rate, tags)
    []
        expected record { name: string, rate: f64, tags: list<string> }, found array []
    {"a": "x"}
        case "a": expected u32, found string "x"
    "a"
        "a" needs a payload of type u32
    {"b": 1}
        "b" takes no payload, found number 1
    {"a": 1, "b": 2}
        expected variant { a(u32), b }, found object {"a":1,"b":2}
    "hihg"
        unknown case "hihg", did you mean "high"? (cases: low, high)
    ["rite"]
        unknown flag "rite", did you mean "write"? (flags: read, write)
    ["read", "read"]
        flag "read" is given twice
    [1]
        expected flags { read, write }, found array [1]
    1
        expected option<option<u8>>, found number 1
    {"err": 1}
        err: expected string, found number 1
    {"ok": null}
        ok: expected u8, found null
    {"ok": 1}
        "ok" takes no payload, found number 1
    1
        expected result<u8>, found number 1
    "#);
}

#[test]
fn a_text_that_is_no_json_is_refused_with_its_position() {
    assert_snapshot!(errors(&[
        ("u8", ""),
        ("u8", "1 2"),
        ("list<u8>", "[1,\n  2"),
        ("list<u8>", "[1, 2,]"),
        ("list<u8>", "[1 2]"),
        ("string", r#""\x""#),
        ("record { a: u8 }", "{a: 1}"),
    ]), @r#"

        line 1, column 0: end of text while parsing a value
    1 2
        line 1, column 3: trailing characters
    [1,
      2
        line 2, column 3: end of text while parsing a list
    [1, 2,]
        line 1, column 7: trailing comma
    [1 2]
        line 1, column 4: expected `,` or `]`
    "\x"
        line 1, column 3: invalid escape
    {a: 1}
        line 1, column 2: key must be a string
    "#);
}
