//! The canonical bytes as they are fixed for ever, and what is refused.

use hostel_core::{CanonicalError, Field, IntoValue, Name, Type, Value};
use insta::assert_snapshot;

use crate::wit::ty;

/// Names, types, WAVE texts and the bytes they have. A line that has to change here is a new version of the format.
const VECTORS: &str = include_str!("../canonical_vectors.txt");

#[test]
fn the_encoding_is_what_it_always_was() {
    for vector in VECTORS.split("\n\n").filter(|block| !block.starts_with('#')) {
        let [name, wit, wave, hex] = vector.trim_end().splitn(4, '\n').collect::<Vec<_>>()[..] else {
            panic!("a vector has four lines: {vector}");
        };
        let ty = ty(wit);
        let value = Value::from_wave(wave, &ty).unwrap_or_else(|error| panic!("{name}: {error}"));
        let bytes = value.to_canonical(&ty).unwrap();
        assert_eq!(to_hex(&bytes), hex, "{name}");
        assert_eq!(Value::from_canonical(&bytes).unwrap(), (ty, value), "{name}");
    }
}

#[test]
fn what_has_no_members_is_one_byte() {
    let check = |ty: Type, value: Value, payload: &[u8]| {
        let bytes = value.to_canonical(&ty).unwrap();
        assert_eq!(bytes.strip_prefix(&*ty.to_canonical().unwrap()), Some(payload), "{ty}");
        assert_eq!(Value::from_canonical(&bytes).unwrap(), (ty, value));
    };
    let nothing = Type::tuple([]);
    check(nothing.clone(), ().into_value(), &[0]);
    check(Type::fixed_list(Type::U64, 0), Value::List(vec![]), &[0]);
    check(Type::record::<Name>([]), Value::Record(vec![]), &[0]);
    check(Type::flags::<Name>([]), Value::Flags(vec![]), &[0]);
    check(Type::list(nothing), vec![(), ()].into_value(), &[2, 0, 0]);
}

#[test]
fn a_value_that_is_not_in_normal_form_is_refused() {
    let check = |wit: &str, value: Value, part: &str| {
        let error = value.to_canonical(&ty(wit)).unwrap_err();
        assert_eq!(error, CanonicalError::NotNormal { ty: part.to_owned() }, "{wit}");
    };
    let names = |names: &[&str]| Value::Flags(names.iter().map(|name| Name::from(*name)).collect());
    let entry = |key: u8| (Value::U8(key), Value::Bool(true));
    check("u8", Value::U16(1), "u8");
    check("list<u8>", Value::List(vec![Value::U8(1)]), "list<u8>");
    check("list<u8, 2>", Value::List(vec![Value::U8(1)]), "list<u8, 2>");
    check("list<tuple<u8, bool>>", vec![(1_u8, 2_u8)].into_value(), "bool");
    check("map<u8, bool>", Value::Map(vec![entry(2), entry(1)]), "u8");
    check("map<u8, bool>", Value::Map(vec![entry(1), entry(1)]), "u8");
    check("record { a: u8 }", Value::Record(vec![("b".into(), Value::U8(1))]), "record { a: u8 }");
    check("record { a: u8 }", Value::Record(vec![]), "record { a: u8 }");
    check("variant { a(u8), b }", Value::Variant("a".into(), None), "variant { a(u8), b }");
    check("variant { a(u8), b }", Value::Variant("c".into(), None), "variant { a(u8), b }");
    check("result", Ok::<_, ()>(1).into_value(), "result");
    check("enum { a }", Value::Enum("b".into()), "enum { a }");
    check("flags { a, b }", names(&["b", "a"]), "flags { a, b }");
    check("flags { a, b }", names(&["a", "a"]), "flags { a, b }");
    check("flags { a, b }", names(&["c"]), "flags { a, b }");
}

#[test]
fn a_type_that_no_component_has_is_refused() {
    let mut deep = Type::U8;
    (0..127).for_each(|_| deep = Type::option(deep.clone()));
    assert!(deep.to_canonical().is_ok());
    deep = Type::option(deep);
    assert_eq!(deep.to_canonical(), Err(CanonicalError::TooDeep));
    let twice = CanonicalError::TwoOfAName { name: "a".to_owned() };
    let field = Field { name: "a".into(), ty: Type::U8 };
    for ty in [
        Type::Record([field.clone(), field].into()),
        Type::variant([("a", None), ("a", Some(Type::U8))]),
        Type::enumeration(["a", "b", "a"]),
        Type::flags(["a", "a"]),
    ] {
        assert_eq!(ty.to_canonical(), Err(twice.clone()), "{ty}");
    }
}

#[test]
fn bytes_that_are_not_canonical_are_refused() {
    let deep = [vec![1], vec![0x14; 128], vec![0x02]].concat();
    let long_name = b"\x01\x13\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01a";
    let cases: [(&str, &[u8]); 25] = [
        ("nothing", b""),
        ("version 0", b"\x00\x02\x01"),
        ("version 2", b"\x02\x02\x01"),
        ("no type", b"\x01"),
        ("unknown type", b"\x01\x18"),
        ("type too deep", &deep),
        ("no payload", b"\x01\x05\x01\x02"),
        ("trailing byte", b"\x01\x02\x01\x00"),
        ("bool 2", b"\x01\x00\x02"),
        ("option 2", b"\x01\x14\x02\x02\x01"),
        ("result 2", b"\x01\x15\x00\x00\x02"),
        ("surrogate", b"\x01\x0b\x00\xd8\x00\x00"),
        ("NaN with payload", b"\x01\x09\x01\x00\xc0\x7f"),
        ("negative NaN", b"\x01\x0a\x00\x00\x00\x00\x00\x00\xf8\xff"),
        ("not UTF-8", b"\x01\x0c\x01\xff"),
        ("long form of a length", b"\x01\x0c\x81\x00a"),
        ("long form of zero", b"\x01\x0c\x80\x00"),
        ("65 bits of length", b"\x01\x0c\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02"),
        ("huge list", b"\x01\x0d\x07\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        ("huge name", long_name),
        ("huge fixed list", b"\x01\x0e\xff\xff\xff\xff\x0f\x0e\xff\xff\xff\xff\x0f\x02\x00"),
        ("keys out of order", b"\x01\x0f\x02\x00\x02\x02\x01\x01\x01"),
        ("key twice", b"\x01\x0f\x02\x00\x02\x01\x01\x01\x01"),
        ("no such case", b"\x01\x13\x01\x01a\x01"),
        ("no such flag", b"\x01\x16\x01\x01a\x02"),
    ];
    let refused = cases.map(|(name, bytes)| format!("{name}: {}", Value::from_canonical(bytes).unwrap_err()));
    assert_snapshot!(refused.join("\n"), @r#"
    nothing: canonical bytes end too early
    version 0: canonical bytes of version 0, expected version 1
    version 2: canonical bytes of version 2, expected version 1
    no type: canonical bytes end too early
    unknown type: not canonical before byte 2: expected the first byte of a type
    type too deep: type nests more than 128 levels deep
    no payload: canonical bytes end too early
    trailing byte: 1 more bytes after the value
    bool 2: not canonical before byte 3: expected 0 or 1
    option 2: not canonical before byte 4: expected 0 or 1
    result 2: not canonical before byte 5: expected 0 or 1
    surrogate: not canonical before byte 6: expected a Unicode scalar value
    NaN with payload: not canonical before byte 6: expected the one NaN
    negative NaN: not canonical before byte 10: expected the one NaN
    not UTF-8: not canonical before byte 4: expected UTF-8
    long form of a length: not canonical before byte 4: expected a number of at most 64 bits in its shortest form
    long form of zero: not canonical before byte 4: expected a number of at most 64 bits in its shortest form
    65 bits of length: not canonical before byte 12: expected a number of at most 64 bits in its shortest form
    huge list: canonical bytes end too early
    huge name: canonical bytes end too early
    huge fixed list: canonical bytes end too early
    keys out of order: not canonical before byte 8: expected keys in ascending order, each once
    key twice: not canonical before byte 8: expected keys in ascending order, each once
    no such case: not canonical before byte 6: expected the index of a case
    no such flag: not canonical before byte 6: expected zero bits after the last flag
    "#);
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
