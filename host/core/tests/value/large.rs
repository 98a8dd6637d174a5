//! Large and deep inputs: time in proportion, a bounded stack.

use hostel_core::{Signature, Type, Value, ValueError, parse_json};
use serde_json::{Value as Json, json};

use crate::wit::ty;

/// A quarter of what a thread usually gets.
const SMALL_STACK: usize = 512 << 10;

/// Runs the closure with little stack, so that recursion as deep as its input is long would show.
fn with_small_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(SMALL_STACK).spawn(test).unwrap().join().unwrap();
}

#[test]
fn a_long_list_is_read_and_written() {
    with_small_stack(|| {
        let ty = ty("list<s64>");
        let text = format!("[{}]", (0..1_000_000).map(|n| n.to_string()).collect::<Vec<_>>().join(", "));
        let value = Value::from_wave(&text, &ty).unwrap();
        assert_eq!(value.to_wave(), text);
        assert_eq!(Value::from_json(&value.to_json(&ty), &ty).unwrap(), value);
        assert_eq!(Value::from_canonical(&value.to_canonical(&ty).unwrap()).unwrap(), (ty, value));
    });
}

#[test]
fn a_long_string_is_read_and_written() {
    with_small_stack(|| {
        let ty = Type::String;
        let value = Value::String("läng \"er\"\n".repeat(1 << 20));
        assert_eq!(Value::from_wave(&value.to_wave(), &ty).unwrap(), value);
        assert_eq!(Value::from_json(&value.to_json(&ty), &ty).unwrap(), value);
    });
}

#[test]
fn a_large_map_is_sorted() {
    with_small_stack(|| {
        let ty = ty("map<u32, u32>");
        let entries = (0..200_000).rev().map(|n| (Value::U32(n), Value::U32(n))).collect();
        let value = ty.conform(Value::Map(entries)).unwrap();
        assert_eq!(Value::from_wave(&value.to_wave(), &ty).unwrap(), value);
    });
}

#[test]
fn deep_text_is_an_error() {
    with_small_stack(|| {
        for (open, close) in [("[", "]"), ("(", ")"), ("some(", ")"), ("{a: ", "}"), ("x(", ")")] {
            let text = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
            let error = Value::from_wave(&text, &Type::U8).unwrap_err().to_string();
            assert!(error.contains("expected values nested at most 100 deep"), "{error}");
            assert!(error.len() < 300, "{error}");
        }
        let text = "[".repeat(100_000);
        assert!(parse_json(&text).unwrap_err().to_string().contains("recursion limit exceeded"));
    });
}

#[test]
fn an_error_shows_little_of_a_large_value() {
    let value = Value::List(vec![Value::String("x".repeat(1_000)); 100]);
    let error = Type::U8.conform(value).unwrap_err().to_string();
    assert!(error.len() < 200, "{error}");
}

/// A place to write to that notes the longest piece, and keeps nothing.
#[derive(Default)]
struct Longest(usize);

impl std::io::Write for Longest {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.max(piece.len());
        Ok(piece.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn large_values_are_written_in_pieces() {
    let pieces = |value: &Value, ty: &Type| {
        let (mut wave, mut json) = (Longest::default(), Longest::default());
        std::io::Write::write_fmt(&mut wave, format_args!("{value}")).unwrap();
        serde_json::to_writer(&mut json, &value.as_json(ty)).unwrap();
        (wave.0, json.0)
    };
    const MOST: usize = 16 << 10;
    let bytes = Value::Bytes(vec![200; 1 << 20]);
    let numbers = Value::List((0..100_000).map(Value::U32).collect());
    for (value, ty) in [(bytes, Type::List(Type::U8.into())), (numbers, Type::List(Type::U32.into()))] {
        let (wave, json) = pieces(&value, &ty);
        assert!(wave <= MOST && json <= MOST, "{wave} {json}");
    }
    // Text is written as it is, and not character by character.
    let (wave, json) = pieces(&Value::String("x".repeat(1 << 20)), &Type::String);
    assert_eq!((wave, json), (1 << 20, 1 << 20));
}

#[test]
fn the_fields_that_are_left_out_of_a_value_are_bounded() {
    const FIELDS: usize = 1 << 10;
    let names: Vec<_> = (0..FIELDS).map(|number| format!("f{number}")).collect();
    let record = Type::record(names.iter().map(|name| (&**name, Type::option(Type::U8))));
    let ty = Type::list(record);
    let json = |elements: usize| Value::from_json(&Json::Array(vec![json!({}); elements]), &ty);
    let wave = |elements: usize| Value::from_wave(&format!("[{}]", vec!["{}"; elements].join(",")), &ty);
    for read in [&json as &dyn Fn(usize) -> Result<Value, ValueError>, &wave] {
        assert!(read(FIELDS).is_ok());
        let error = read(FIELDS + 1).unwrap_err().to_string();
        assert!(error.starts_with("element 1024: more than 1048576 fields are left out"), "{error}");
    }
    // They are counted over all arguments.
    let signature = Signature::new([("a", ty.clone()), ("b", ty.clone())], None);
    let args = |a: usize, b: usize| signature.bind_json(&json!([vec![json!({}); a], vec![json!({}); b]]));
    assert!(args(FIELDS / 2, FIELDS / 2).is_ok());
    assert!(args(FIELDS / 2, FIELDS / 2 + 1).is_err());
    // Those that are written do not count.
    let written: Json =
        names.iter().map(|name| (name.clone(), Json::Null)).collect::<serde_json::Map<_, _>>().into();
    assert!(Value::from_json(&Json::Array(vec![written; FIELDS + 1]), &ty).is_ok());
}

#[test]
fn the_least_canonical_length_has_all_texts_and_numbers() {
    let parts = [
        Value::String("x".repeat(1000)),
        Value::Bytes(vec![0; 1000]),
        Value::List(vec![Value::S64(1); 125]),
        Value::Option(Some(Value::F32(1.0).into())),
        Value::Result(Err(Some(Value::Char('x').into()))),
    ];
    assert_eq!(Value::Tuple(parts.into()).least_canonical_bytes(), 3 * 1000 + 2 * 4);
}

#[test]
fn a_value_of_many_parts_takes_more_than_they_do() {
    let deep = (0..40).fold(Value::U8(1), |inner, _| Value::Tuple(vec![inner]));
    assert!(deep.memory_bytes() > 4 * deep.footprint());
    let text = Value::String("x".repeat(1000));
    assert_eq!(text.memory_bytes(), text.footprint());
}
