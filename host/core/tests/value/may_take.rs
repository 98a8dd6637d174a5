//! Which types' values may become which, and what is said of those that may not.

use hostel_core::Type;
use insta::assert_snapshot;

use crate::wit::ty;

#[test]
fn what_may_conform_is_taken() {
    let check = |wit: &str, source: &str| {
        assert_eq!(ty(wit).may_take(&ty(source)), Ok(()), "{wit} <- {source}");
    };
    check("string", "string");
    check("u8", "s64");
    check("s64", "u64");
    check("f32", "u64");
    check("f32", "f64");
    check("f64", "f32");
    check("list<f64>", "list<u8>");
    check("list<u8>", "list<s64>");
    check("list<u8>", "list<u8, 3>");
    check("list<u8, 3>", "list<u8>");
    check("list<u8, 0>", "list<string>");
    check("list<u8>", "list<string, 0>");
    check("map<string, u8>", "map<string, u32>");
    check("map<string, u8>", "list<tuple<string, u32>>");
    check("map<string, u8>", "list<tuple<string, u32>, 2>");
    check("map<string, u8>", "list<bool, 0>");
    check("record { a: u8, b: option<string>, c: f64 }", "record { c: u8, a: s64 }");
    check("tuple<u8, option<string>>", "tuple<u16, string>");
    check("option<u8>", "u8");
    check("option<option<u8>>", "option<u8>");
    check("option<option<u8>>", "u8");
    check("option<u8>", "option<s64>");
    check("variant { a, b(u8), c }", "enum { a, d }");
    check("variant { a(u8), b }", "variant { c, a(s64) }");
    check("enum { low, high }", "enum { mid, low }");
    check("enum { low, high }", "variant { low, mid(u8) }");
    check("result<u8, string>", "result<s64, u8>");
    check("result<u8, string>", "result<bool, string>");
    check("result<_, string>", "result");
    check("flags { read, write }", "flags { run, read }");
}

#[test]
fn a_case_without_payload_takes_nothing() {
    let nothing = Type::variant([("a", Some(Type::tuple([])))]);
    assert_eq!(ty("variant { a }").may_take(&nothing), Ok(()));
    assert_eq!(ty("enum { a }").may_take(&nothing), Ok(()));
    assert_eq!(ty("result").may_take(&Type::result(Some(Type::tuple([])), Some(Type::U8))), Ok(()));
}

/// Returns what is said of each pair of types that do not fit.
fn errors(pairs: &[(&str, &str)]) -> String {
    let error = |(wit, source): &(&str, &str)| match ty(wit).may_take(&ty(source)) {
        Ok(()) => panic!("{wit} <- {source}"),
        Err(error) => format!("{wit} <- {source}\n    {error}\n"),
    };
    pairs.iter().map(error).collect()
}

#[test]
fn what_never_conforms_is_refused_with_its_path() {
    let config = "record { name: string, rate: option<f64> }";
    assert_snapshot!(errors(&[
        ("u8", "f64"),
        ("u8", "option<u8>"),
        ("bool", "u8"),
        ("string", "char"),
        ("f64", "string"),
        ("list<u8>", "string"),
        ("list<u8>", "list<string>"),
        ("list<list<u8>>", "list<list<bool>>"),
        ("list<u8>", "tuple<u8, u8>"),
        ("list<u8, 3>", "list<u8, 2>"),
        ("list<u8, 3>", "list<bool>"),
        ("list<u8, 0>", "string"),
        ("tuple<u8, u8>", "list<u8, 2>"),
        ("tuple<u8, u8>", "tuple<u8, string>"),
        ("tuple<u8, u8>", "tuple<u8>"),
        ("map<string, u8>", "map<u8, u8>"),
        ("map<string, u8>", "map<string, bool>"),
        ("map<string, u8>", "list<u8>"),
        ("map<string, u8>", "list<tuple<string, u8, u8>>"),
        ("map<string, u8>", "list<tuple<bool, u8>, 1>"),
        ("map<string, u8>", "record { a: u8 }"),
        ("list<tuple<string, u8>>", "map<string, u8>"),
        (config, "record { name: string, rate: string }"),
        (config, "record { name: string, rates: f64 }"),
        (config, "record { rate: f64 }"),
        (config, "tuple<string, f64>"),
        ("option<u8>", "option<string>"),
        ("option<u8>", "option<option<u8>>"),
        ("option<u8>", "result<u8>"),
        ("option<u8>", "string"),
        ("variant { a(u8), b }", "variant { a(bool), c }"),
        ("variant { a(u8), b }", "variant { a }"),
        ("variant { a(u8), b }", "variant { b(u8) }"),
        ("variant { a(u8), b }", "enum { c }"),
        ("variant { a(u8), b }", "string"),
        ("enum { low, high }", "enum { hihg, mid }"),
        ("enum { low, high }", "variant { low(u8) }"),
        ("enum { low, high }", "string"),
        ("result<u8, string>", "result<bool, u8>"),
        ("result<u8, string>", "result"),
        ("result", "result<bool, u8>"),
        ("result<u8, string>", "u8"),
        ("flags { read, write }", "flags { reed, run }"),
        ("flags { read, write }", "enum { read }"),
    ]), @r#"
    u8 <- f64
        expected u8, found f64
    u8 <- option<u8>
        expected u8, found option<u8>
    bool <- u8
        expected bool, found u8
    string <- char
        expected string, found char
    f64 <- string
        expected f64, found string
    list<u8> <- string
        expected list<u8>, found string
    list<u8> <- list<string>
        element 0: expected u8, found string
    list<list<u8>> <- list<list<bool>>
        element 0: element 0: expected u8, found bool
    list<u8> <- tuple<u8, u8>
        expected list<u8>, found tuple<u8, u8>
    list<u8, 3> <- list<u8, 2>
        expected 3 elements, found 2
    list<u8, 3> <- list<bool>
        element 0: expected u8, found bool
    list<u8, 0> <- string
        expected list<u8, 0>, found string
    tuple<u8, u8> <- list<u8, 2>
        expected tuple<u8, u8>, found list<u8, 2>
    tuple<u8, u8> <- tuple<u8, string>
        element 1: expected u8, found string
    tuple<u8, u8> <- tuple<u8>
        expected 2 elements, found 1
    map<string, u8> <- map<u8, u8>
        key 0: expected string, found u8
    map<string, u8> <- map<string, bool>
        value of key …: expected u8, found bool
    map<string, u8> <- list<u8>
        element 0: expected tuple<string, u8>, found u8
    map<string, u8> <- list<tuple<string, u8, u8>>
        element 0: expected 2 elements, found 3
    map<string, u8> <- list<tuple<bool, u8>, 1>
        key 0: expected string, found bool
    map<string, u8> <- record { a: u8 }
        expected map<string, u8>, found record { a: u8 }
    list<tuple<string, u8>> <- map<string, u8>
        expected list<tuple<string, u8>>, found map<string, u8>
    record { name: string, rate: option<f64> } <- record { name: string, rate: string }
        field "rate": expected f64, found string
    record { name: string, rate: option<f64> } <- record { name: string, rates: f64 }
        unknown field "rates", did you mean "rate"? (fields: name, rate)
    record { name: string, rate: option<f64> } <- record { rate: f64 }
        missing field "name"
    record { name: string, rate: option<f64> } <- tuple<string, f64>
        expected record { name: string, rate: option<f64> }, found tuple<string, f64>
    option<u8> <- option<string>
        expected u8, found string
    option<u8> <- option<option<u8>>
        expected u8, found option<u8>
    option<u8> <- result<u8>
        expected option<u8>, found result<u8>
    option<u8> <- string
        expected u8, found string
    variant { a(u8), b } <- variant { a(bool), c }
        case "a": expected u8, found bool
    variant { a(u8), b } <- variant { a }
        "a" needs a payload of type u8
    variant { a(u8), b } <- variant { b(u8) }
        "b" takes no payload, found u8
    variant { a(u8), b } <- enum { c }
        unknown case "c" (cases: a, b)
    variant { a(u8), b } <- string
        expected variant { a(u8), b }, found string
    enum { low, high } <- enum { hihg, mid }
        unknown case "hihg", did you mean "high"? (cases: low, high)
    enum { low, high } <- variant { low(u8) }
        "low" takes no payload, found u8
    enum { low, high } <- string
        expected enum { low, high }, found string
    result<u8, string> <- result<bool, u8>
        ok: expected u8, found bool
    result<u8, string> <- result
        "ok" needs a payload of type u8
    result <- result<bool, u8>
        "ok" takes no payload, found bool
    result<u8, string> <- u8
        expected result<u8, string>, found u8
    flags { read, write } <- flags { reed, run }
        unknown flag "reed", did you mean "read"? (flags: read, write)
    flags { read, write } <- enum { read }
        expected flags { read, write }, found enum { read }
    "#);
}
