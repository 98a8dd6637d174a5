//! Any text as WAVE, JSON and a call, for any type: an error, or a value that has every form.

use arbitrary::Unstructured;
use hostel_core::{Arguments, CallText, Signature, Type, Value, ValueError, parse_json};

use super::{values::is_the_same_in_every_form, wave};
use crate::{Target, typed};

pub(super) const TARGET: Target = Target::new("texts", run, 200_000).words(WORDS).seeds(seeds);

const WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    ":",
    ",",
    "\"",
    "'",
    "\\",
    "\\u{",
    "\"\"\"",
    "\n",
    "//",
    "%",
    "-",
    "0",
    "1e3",
    "-0",
    "0.5",
    "255",
    "256",
    "1e39",
    "nan",
    "inf",
    "NaN",
    "Infinity",
    "null",
    "true",
    "none",
    "some(",
    "ok(",
    "err(",
    "ok",
    "err",
    "{:}",
    "\"base64\"",
    "\"some\"",
    "\"ok\"",
    "\"err\"",
    "a",
    "b-c",
    "x1",
    "HTTP-get",
    "18446744073709551615",
    "-9223372036854775808",
    "\u{e4}",
    "\u{1f600}",
    "\\ud83d\\ude00",
];

/// A byte that says how many bytes the type is made of, those bytes, and the text.
fn run(bytes: &[u8]) {
    let Some((&length, rest)) = bytes.split_first() else { return };
    let (type_bytes, text) = rest.split_at(rest.len().min(length.into()));
    let Ok(text) = str::from_utf8(text) else { return };
    let Ok(ty) = typed::ty(&mut Unstructured::new(type_bytes)) else { return };
    let read = Value::from_wave(text, &ty);
    if let Some(rewritten) = wave::rewritten(text, &ty) {
        let ours = read.as_ref().map(Value::to_wave);
        // It takes a number that is out of range for infinity, which is refused here.
        let overflows = ours.is_err() && rewritten.contains("inf");
        assert!(overflows || ours.as_ref() == Ok(&rewritten), "{ty}: wasm-wave reads {text:?}");
    }
    is_refused_or_a_value(read, &ty);
    if let Ok(json) = parse_json(text) {
        is_refused_or_a_value(Value::from_json(&json, &ty), &ty);
    }
    is_refused_or_a_call(text, ty);
}

fn is_refused_or_a_value(read: Result<Value, ValueError>, ty: &Type) {
    match read {
        Ok(value) => is_the_same_in_every_form(&value, ty),
        Err(error) => assert!(!error.to_string().is_empty(), "an error says nothing"),
    }
}

fn is_refused_or_a_call(text: &str, ty: Type) {
    let Some(call) = CallText::parse(text) else { return };
    let after = after_call(text, &call).map(str::trim);
    let is_whole = after.is_some_and(|after| after.is_empty() || after.starts_with("//"));
    assert!(is_whole, "{text:?} is {call:?}, and a comment at most");
    let signature = Signature::new([("a", ty.clone()), ("b", Type::option(ty))], None);
    let arguments = call.arguments.iter().fold(Arguments::new(), |all, text| all.positional(*text));
    if let Ok(inputs) = signature.bind_text(arguments) {
        for (input, param) in inputs.iter().zip(&*signature.params) {
            is_the_same_in_every_form(input, &param.ty);
        }
    }
}

/// Returns what stands after a call, if that is what stands before.
fn after_call<'t>(text: &'t str, call: &CallText<'_>) -> Option<&'t str> {
    let mut rest = text.trim_start().strip_prefix(call.function)?.trim_start().strip_prefix('(')?;
    for argument in &call.arguments {
        let after = rest.trim_start().strip_prefix(argument)?.trim_start();
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    rest.trim_start().strip_prefix(')')
}

fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "[1, 2, 3]",
        r#"{a: 1, b-c: "x"}"#,
        "f(1, some([2]))",
        r#"{"a": [1.5, null], "b-c": {"some": 3}}"#,
        "ok({a: (1, 'x')})",
        "\"\"\"\n  text\n  \"\"\"",
        r#"{"base64": "AAEC"}"#,
        r#"[["k", 1], ["l", 2]]"#,
        "{a, x1}",
    ];
    let types: [&[u8]; 4] = [&[13, 8], &[16, 2, 8, 12], &[20, 13, 4], &[15, 12, 8]];
    let with = |ty: &[u8], text: &str| [&[ty.len() as u8], ty, text.as_bytes()].concat();
    texts.iter().flat_map(|text| types.iter().map(move |ty| with(ty, text))).collect()
}
