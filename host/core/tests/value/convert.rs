//! Rust values as arguments and results.

use hostel_core::{FromValue, IntoValue, Value, ValueError};
use insta::assert_snapshot;

use crate::wit::ty;

/// Checks that a Rust value becomes the value that the WAVE text says, and that one becomes it again.
fn check<T: IntoValue + FromValue + Clone + PartialEq + std::fmt::Debug>(rust: T, wit: &str, wave: &str) {
    let ty = ty(wit);
    let value = ty.conform(rust.clone().into_value()).unwrap();
    assert_eq!(value, Value::from_wave(wave, &ty).unwrap());
    assert_eq!(T::from_value(value).unwrap(), rust);
}

fn error<T: FromValue>(value: impl IntoValue) -> String {
    let result: Result<T, ValueError> = T::from_value(value.into_value());
    result.err().unwrap().to_string()
}

#[test]
fn rust_values_become_values_and_come_back() {
    check(true, "bool", "true");
    check(-1_i8, "s8", "-1");
    check(1_u8, "u8", "1");
    check(41, "s64", "41");
    check(41_u64, "u8", "41");
    check(0.5_f32, "f64", "0.5");
    check(0.1, "f64", "0.1");
    check('x', "char", "'x'");
    check("x".to_owned(), "string", r#""x""#);
    check(vec![1_u8, 2], "list<u8>", "[1, 2]");
    check(vec![1_i64, 2], "list<u16>", "[1, 2]");
    check(vec![vec![1_u8], vec![]], "list<list<u8>>", "[[1], []]");
    check(Some(1), "option<s32>", "some(1)");
    check(None::<i32>, "option<s32>", "none");
    check(Some(None::<bool>), "option<option<bool>>", "some(none)");
    check(Ok::<_, String>(1_u8), "result<u8, string>", "ok(1)");
    check(Err::<(), _>("x".to_owned()), "result<_, string>", r#"err("x")"#);
    check(Ok::<(), ()>(()), "result", "ok");
    check((1_u8,), "tuple<u8>", "(1)");
    check((1_u8, "a".to_owned(), Some(true)), "tuple<u8, string, option<bool>>", r#"(1, "a", some(true))"#);
}

#[test]
fn a_value_that_a_rust_type_cannot_hold_is_refused() {
    assert_snapshot!(error::<u8>(300), @"expected u8 (0 to 255), found s32 300");
    assert_snapshot!(error::<i64>("x"), @r#"expected s64, found string "x""#);
    assert_snapshot!(error::<String>('x'), @"expected string, found char 'x'");
    assert_snapshot!(error::<()>(1), @"expected no value, found s32 1");
    assert_snapshot!(error::<Vec<u8>>("x"), @r#"expected list<u8>, found string "x""#);
    assert_snapshot!(error::<Vec<String>>(vec![1]), @"element 0: expected string, found s32 1");
    assert_snapshot!(error::<Vec<Vec<i64>>>(vec![vec!["x"]]), @r#"element 0: element 0: expected s64, found string "x""#);
    assert_snapshot!(error::<Option<u8>>(1), @"expected option, found s32 1");
    assert_snapshot!(error::<Result<u8, u8>>(Ok::<_, u8>("x")), @r#"ok: expected u8, found string "x""#);
    assert_snapshot!(error::<(u8, u8)>((1, 2, 3)), @"expected 2 elements, found 3");
    assert_snapshot!(error::<(u8, u8)>((1, "x")), @r#"element 1: expected u8, found string "x""#);
}
