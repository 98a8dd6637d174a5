//! What Rust-built values are taken as, and what is said of those that do not conform.

use hostel_core::{IntoValue, Name, Type, Value};
use insta::assert_snapshot;

use crate::wit::ty;

/// Checks that a value conforms to the type and becomes what the WAVE text says.
fn check(wit: &str, value: Value, expect: &str) {
    let ty = ty(wit);
    let expect = Value::from_wave(expect, &ty).unwrap();
    assert_eq!(ty.conform(value).unwrap(), expect, "{wit}");
}

/// Returns what is said of each value that does not conform.
fn errors(inputs: Vec<(&str, Value)>) -> String {
    let error = |(wit, value): (&str, Value)| match ty(wit).conform(value.clone()) {
        Ok(conformed) => panic!("{wit} <- {value:?}: {conformed}"),
        Err(error) => format!("{wit} <- {value}\n    {error}\n"),
    };
    inputs.into_iter().map(error).collect()
}

fn record(fields: Vec<(&str, Value)>) -> Value {
    Value::Record(fields.into_iter().map(|(name, value)| (Name::from(name), value)).collect())
}

fn flags(names: &[&str]) -> Value {
    Value::Flags(names.iter().map(|name| Name::from(*name)).collect())
}

#[test]
fn numbers_of_another_width_are_taken_if_they_fit() {
    check("u8", Value::S64(255), "255");
    check("s8", Value::U64(127), "127");
    check("u64", Value::S8(0), "0");
    check("f64", Value::F32(0.5), "0.5");
    check("f32", Value::F64(0.5), "0.5");
    check("f64", Value::U64(1 << 60), "1152921504606846976");
    check("f32", Value::S32(-16_777_216), "-16777216");
    check("f32", Value::F64(f64::INFINITY), "inf");
    check("f64", Value::F32(f32::NAN), "nan");
}

#[test]
fn there_is_one_nan() {
    let odd = Value::F64(f64::from_bits(0xfff8_0000_0000_0001));
    let Value::F64(number) = Type::F64.conform(odd).unwrap() else { panic!("no float") };
    assert_eq!(number.to_bits(), 0x7ff8_0000_0000_0000);
    assert_eq!(Value::F64(f64::NAN), Value::F64(-f64::NAN));
    assert_ne!(Value::F64(0.0), Value::F64(-0.0));
    assert_ne!(Value::F32(1.0), Value::F64(1.0));
}

#[test]
fn bytes_and_lists_of_bytes_are_the_same() {
    check("list<u8>", Value::List(vec![Value::U8(1), Value::S64(2)]), "[1, 2]");
    check("list<u8>", Value::Bytes(vec![1, 2]), "[1, 2]");
    check("list<u8, 2>", Value::Bytes(vec![1, 2]), "[1, 2]");
    check("list<u16>", Value::Bytes(vec![1, 2]), "[1, 2]");
}

#[test]
fn what_has_names_is_put_in_declared_order() {
    let config = "record { name: string, rate: option<f64>, tags: list<string> }";
    let value = record(vec![("tags", Value::List(vec![])), ("name", "a".into_value())]);
    check(config, value, r#"{name: "a", tags: []}"#);
    check("flags { read, write, run }", flags(&["run", "read"]), "{read, run}");
}

#[test]
fn maps_are_sorted_and_the_last_of_equal_keys_wins() {
    let entry = |key: &str, value: u8| (key.into_value(), value.into_value());
    let expect = r#"[("a", 2), ("b", 3)]"#;
    check("map<string, u8>", Value::Map(vec![entry("b", 1), entry("a", 2), entry("b", 3)]), expect);
    check("map<string, u8>", vec![("b", 3_u8), ("a", 2)].into_value(), expect);
}

#[test]
fn payloads_may_stand_for_options() {
    check("option<u8>", Value::S32(1), "some(1)");
    check("option<u8>", Some(1_u8).into_value(), "some(1)");
    check("option<option<u8>>", None::<u8>.into_value(), "none");
    check("result<_, string>", Ok::<(), String>(()).into_value(), "ok");
    check("variant { a, b }", Value::Enum("a".into()), "a");
}

#[test]
fn what_does_not_conform_is_refused_with_its_path() {
    let config = "record { name: string, rate: option<f64> }";
    let name = ("name", "a".into_value());
    assert_snapshot!(errors(vec![
        ("u8", Value::S64(-1)),
        ("u8", Value::F64(1.0)),
        ("f32", Value::F64(0.1)),
        ("f64", Value::U64(u64::MAX)),
        ("string", Value::Char('x')),
        ("string", Value::Bytes(vec![1])),
        ("list<u8>", Value::List(vec![Value::U8(1), Value::S64(256)])),
        ("list<u8, 3>", Value::Bytes(vec![1])),
        ("list<u8>", Value::Tuple(vec![])),
        ("tuple<u8, u8>", vec![1, 2].into_value()),
        ("map<string, u8>", Value::Map(vec![("a".into_value(), "x".into_value())])),
        ("map<string, u8>", Value::Map(vec![(Value::Bool(true), Value::U8(1))])),
        ("map<string, u8>", vec![("a", 1, 2)].into_value()),
        (config, record(vec![name.clone(), ("rate", "fast".into_value())])),
        (config, record(vec![name.clone(), name.clone()])),
        (config, record(vec![name.clone(), ("rates", Value::F64(1.0))])),
        (config, record(vec![])),
        (config, ("a", 1.0).into_value()),
        ("variant { a(u8), b }", Value::Variant("a".into(), Some(Box::new(Value::Bool(true))))),
        ("variant { a(u8), b }", Value::Variant("a".into(), None)),
        ("variant { a(u8), b }", Value::Variant("b".into(), Some(Box::new(Value::U8(1))))),
        ("enum { low, high }", Value::Enum("mid".into())),
        ("enum { low, high }", "low".into_value()),
        ("flags { read, write }", flags(&["read", "read"])),
        ("flags { read, write }", flags(&["reed"])),
        ("option<u8>", Some("x").into_value()),
        ("result<u8, string>", Err::<u8, u8>(1).into_value()),
        ("result<u8, string>", Value::U8(1)),
    ]), @r#"
    u8 <- -1
        expected u8 (0 to 255), found s64 -1
    u8 <- 1
        expected u8, found f64 1
    f32 <- 0.1
        expected f32, found f64 0.1
    f64 <- 18446744073709551615
        expected f64, found u64 18446744073709551615
    string <- 'x'
        expected string, found char 'x'
    string <- [1]
        expected string, found list [1]
    list<u8> <- [1, 256]
        element 1: expected u8 (0 to 255), found s64 256
    list<u8, 3> <- [1]
        expected 3 elements, found 1
    list<u8> <- ()
        expected list<u8>, found tuple ()
    tuple<u8, u8> <- [1, 2]
        expected tuple<u8, u8>, found list [1, 2]
    map<string, u8> <- [("a", "x")]
        value of key "a": expected u8, found string "x"
    map<string, u8> <- [(true, 1)]
        key 0: expected string, found bool true
    map<string, u8> <- [("a", 1, 2)]
        element 0: expected 2 elements, found 3
    record { name: string, rate: option<f64> } <- {name: "a", rate: "fast"}
        field "rate": expected f64, found string "fast"
    record { name: string, rate: option<f64> } <- {name: "a", name: "a"}
        field "name" is given twice
    record { name: string, rate: option<f64> } <- {name: "a", rates: 1}
        unknown field "rates", did you mean "rate"? (fields: name, rate)
    record { name: string, rate: option<f64> } <- {:}
        missing field "name"
    record { name: string, rate: option<f64> } <- ("a", 1)
        expected record { name: string, rate: option<f64> }, found tuple ("a", 1)
    variant { a(u8), b } <- a(true)
        case "a": expected u8, found bool true
    variant { a(u8), b } <- a
        "a" needs a payload of type u8
    variant { a(u8), b } <- b(1)
        "b" takes no payload, found u8 1
    enum { low, high } <- mid
        unknown case "mid" (cases: low, high)
    enum { low, high } <- "low"
        expected enum { low, high }, found string "low"
    flags { read, write } <- {read, read}
        flag "read" is given twice
    flags { read, write } <- {reed}
        unknown flag "reed", did you mean "read"? (flags: read, write)
    option<u8> <- some("x")
        expected u8, found string "x"
    result<u8, string> <- err(1)
        err: expected string, found u8 1
    result<u8, string> <- 1
        expected result<u8, string>, found u8 1
    "#);
}
