//! Values go into a guest and come out again as they were.

use hostel_core::{Arguments, Limits, Outcome};
use hostel_guests::{SHAPES, wat};

use crate::{function, run};

#[tokio::test(flavor = "current_thread")]
async fn every_type_that_can_be_written_down_survives_the_trip() {
    let table = [
        ("echo-bool", "true"),
        ("echo-u8", "255"),
        ("echo-u16", "65535"),
        ("echo-u32", "4294967295"),
        ("echo-u64", "18446744073709551615"),
        ("echo-s8", "-128"),
        ("echo-s16", "-32768"),
        ("echo-s32", "-2147483648"),
        ("echo-s64", "-9223372036854775808"),
        ("echo-f32", "0.1"),
        ("echo-f32", "nan"),
        ("echo-f64", "-inf"),
        ("echo-f64", "1.5"),
        ("echo-char", "'\u{1f3e8}'"),
        ("echo-string", "\"\""),
        ("echo-string", "\"hôtel \u{1f3e8} \\\"quoted\\\" \\n\""),
        ("echo-list", "[\"a\", \"b\"]"),
        ("echo-list", "[]"),
        ("echo-bytes", "[0, 255, 7]"),
        ("echo-tuple", "(7, \"x\", false)"),
        ("echo-option", "none"),
        ("echo-option", "some(5)"),
        ("echo-nested-option", "some(none)"),
        ("echo-flags", "{}"),
    ];
    for (name, value) in table {
        assert_eq!(run(SHAPES, name, &[value]).await.value(), value, "{name}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn every_echo_gives_back_what_a_value_of_its_type_was() {
    // One value for each parameter type, built from the type itself.
    for export in crate::load(SHAPES).exports() {
        let name = export.path.to_string();
        if !name.starts_with("echo-") || name.starts_with("echo-result") {
            continue;
        }
        let function = function(SHAPES, &name);
        let input = sample(&function.signature().params[0].ty);
        let inputs = function.signature().bind(Arguments::new().positional(input)).unwrap();
        let options = hostel_engine::AttemptOptions::new(Limits::default());
        let outcome = function.attempt(&inputs, &options.clone().into()).await.unwrap().outcome;
        assert_eq!(outcome, Outcome::Completed(inputs[0].clone()), "{name}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_result_is_a_value_or_a_failure() {
    assert_eq!(run(SHAPES, "echo-result", &["ok(7)"]).await.value(), "7");
    assert_eq!(run(SHAPES, "echo-result-empty", &["ok"]).await.value(), "()");
    let failed = run(SHAPES, "echo-result-empty", &["err"]).await;
    assert_eq!(failed.failure().to_string(), "returned an error without a value");
    assert_eq!(run(SHAPES, "nothing", &[]).await.value(), "()");
}

#[tokio::test(flavor = "current_thread")]
async fn eighteen_parameters_are_no_trouble() {
    let function = function(SHAPES, "many-parameters");
    assert_eq!(function.signature().params.len(), 18);
    let inputs: Vec<_> = function.signature().params.iter().map(|param| sample(&param.ty)).collect();
    let inputs = function.signature().bind(Arguments::from(inputs)).unwrap();
    let options = hostel_engine::AttemptOptions::new(Limits::default());
    assert!(matches!(
        function.attempt(&inputs, &options.clone().into()).await.unwrap().outcome,
        Outcome::Completed(_)
    ));
}

#[tokio::test(flavor = "current_thread")]
async fn maps_and_fixed_length_lists_can_be_passed() {
    assert_eq!(run(wat::FIXED_LENGTH_LIST, "sum", &["[1, 2, 39]"]).await.value(), "42");
    assert_eq!(run(wat::MAP, "size", &["[(1, 2), (3, 4)]"]).await.value(), "2");
}

#[tokio::test(flavor = "current_thread")]
async fn async_exports_run() {
    assert_eq!(run(hostel_guests::ASYNCY, "double", &["21"]).await.value(), "42");
    assert!(run(hostel_guests::ASYNCY, "par", &["20"]).await.value().parse::<u32>().unwrap() >= 20);
}

#[tokio::test(flavor = "current_thread")]
async fn bytes_in_text_out() {
    let empty = "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"";
    assert_eq!(run(hostel_guests::HASH_FILE, "sha256", &["[]"]).await.value(), empty);
    let pow = run(hostel_guests::ARITH, "pow", &["323", "1235"]).await.value();
    assert_eq!(pow.trim_matches('"').len(), 3099);
}

/// Some value of a type.
fn sample(ty: &hostel_core::Type) -> hostel_core::Value {
    use hostel_core::{Type, Value};
    match ty {
        Type::Bool => Value::Bool(true),
        Type::S8 => Value::S8(-7),
        Type::U8 => Value::U8(7),
        Type::S16 => Value::S16(-700),
        Type::U16 => Value::U16(700),
        Type::S32 => Value::S32(-70_000),
        Type::U32 => Value::U32(70_000),
        Type::S64 => Value::S64(i64::MIN),
        Type::U64 => Value::U64(u64::MAX),
        Type::F32 => Value::F32(0.1),
        Type::F64 => Value::F64(-0.0),
        Type::Char => Value::Char('é'),
        Type::String | Type::Data => Value::String("text".into()),
        Type::List(item) if **item == Type::U8 => Value::Bytes(vec![1, 2, 3]),
        Type::List(item) => Value::List(vec![sample(item), sample(item)]),
        Type::FixedList(item, length) => Value::List((0..*length).map(|_| sample(item)).collect()),
        Type::Map(key, value) => Value::Map(vec![(sample(key), sample(value))]),
        Type::Record(fields) => {
            Value::Record(fields.iter().map(|field| (field.name.clone(), sample(&field.ty))).collect())
        }
        Type::Tuple(types) => Value::Tuple(types.iter().map(sample).collect()),
        Type::Variant(cases) => {
            let last = cases.last().unwrap();
            Value::Variant(last.name.clone(), last.ty.as_ref().map(|ty| Box::new(sample(ty))))
        }
        Type::Enum(names) => Value::Enum(names.last().unwrap().clone()),
        Type::Option(some) => Value::Option(Some(Box::new(sample(some)))),
        Type::Result { ok, .. } => Value::Result(Ok(ok.as_deref().map(|ty| Box::new(sample(ty))))),
        Type::Flags(names) => Value::Flags(names.iter().step_by(2).cloned().collect()),
    }
}
