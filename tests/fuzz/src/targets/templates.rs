//! Any text as a template of names, against a table of the places there are.

use hostel_core::{NameTemplate, Signature, TemplateError, Type, Value};

use crate::Target;

pub(super) const TARGET: Target = Target::new("templates", run, 150_000).words(WORDS).seeds(seeds);

const WORDS: &[&str] = &[
    "{",
    "}",
    "{{",
    "}}",
    "{name}",
    "{config.rate}",
    "{size.0}",
    "{size.1.deep}",
    "{absent}",
    "{absent.x}",
    ".",
    "name",
    "config",
    "size",
    "absent",
    "rate",
    "0",
    "1",
    " ",
    "\n",
    "\u{e4}",
    "\u{1f600}",
    "x",
];

/// Every place, and what stands there.
const PLACES: [(&str, &str); 9] = [
    ("name", "a\nb"),
    ("config", "{rate: 0.5}"),
    ("config.rate", "0.5"),
    ("size", "(7, some({deep: 'x'}))"),
    ("size.0", "7"),
    ("size.1", "{deep: 'x'}"),
    ("size.1.deep", "'x'"),
    ("absent", "none"),
    ("absent.x", "none"),
];

fn run(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let template = match NameTemplate::parse(text, &signature()) {
        Ok(template) => template,
        Err(error) => {
            let is_too_large =
                matches!(error, TemplateError::TooLong { .. } | TemplateError::TooManyPlaces { .. });
            assert!(!error.to_string().is_empty(), "{text:?}");
            assert!(is_too_large || filled(text).is_none(), "{text:?}: {error}");
            return;
        }
    };
    assert_eq!(template.text(), text);
    let inputs = inputs();
    let full = template.filled(&inputs).to_string();
    assert_eq!(Some(&full), filled(text).as_ref(), "{text:?}");
    let name = template.render(&inputs);
    let is_whole = full.chars().count() <= NameTemplate::MAX_CHARS;
    let shown = |text: &str| text.replace(|c: char| c.is_control(), " ");
    if is_whole {
        assert_eq!(name, shown(&full));
    } else {
        let start: String = full.chars().take(NameTemplate::MAX_CHARS).collect();
        assert_eq!(name, shown(&start) + "…");
    }
}

/// Fills a template by looking each place up; `None` if it is none.
fn filled(text: &str) -> Option<String> {
    if text.trim().is_empty() {
        return None;
    }
    let mut full = String::new();
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '{' | '}' if rest.next_if_eq(&character).is_some() => full.push(character),
            '}' => return None,
            '{' => {
                let mut path = String::new();
                loop {
                    match rest.next()? {
                        '}' => break,
                        other => path.push(other),
                    }
                }
                full += PLACES.iter().find(|(place, _)| *place == path)?.1;
            }
            other => full.push(other),
        }
    }
    Some(full)
}

fn signature() -> Signature {
    let deep = Type::record([("deep", Type::Char)]);
    Signature::new(
        [
            ("name", Type::String),
            ("config", Type::record([("rate", Type::F64)])),
            ("size", Type::tuple([Type::U32, Type::option(deep)])),
            ("absent", Type::option(Type::record([("x", Type::U8)]))),
        ],
        None,
    )
}

fn inputs() -> Vec<Value> {
    let texts = [r#""a\nb""#, "{rate: 0.5}", "(7, {deep: 'x'})", "none"];
    let params = signature().params;
    let inputs = texts.iter().zip(&*params).map(|(text, param)| Value::from_wave(text, &param.ty));
    inputs.collect::<Result<_, _>>().expect("they are of their types")
}

fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "on {name} with {config.rate}",
        "{{{size.0}}}",
        "{size.1.deep}{absent.x}",
        "}}{{",
        "{config}{size}{size.1}",
        "a much longer name, which is cut somewhere after two hundred characters: {name}{name}{name}{name}{name}{name}{name}\
         {size}{size}{size}{size}{size}{size}{size}{size}{size}{size}",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
