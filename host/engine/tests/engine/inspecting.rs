//! What a component says of itself: exports, imports, and which name means which function.

use hostel_core::{Capability, ErrorKind, Limits, UnknownImports};
use hostel_engine::{AttemptError, AttemptOptions, Component, LoadError};
use hostel_guests::wat;

use crate::{ENGINE, load};

/// Every export with its signature, or why it is not callable.
fn exports(path: &str) -> Vec<String> {
    let component = load(path);
    let line = |export: &hostel_core::Export| match &export.callable {
        Ok(signature) => format!("{}{signature}", export.path),
        Err(reason) => format!("{}: {reason}", export.path),
    };
    component.exports().iter().map(line).collect()
}

#[test]
fn exports_are_listed_with_their_signatures() {
    assert_eq!(
        exports(hostel_guests::ARITH),
        [
            "add-one(x: s64) -> s64",
            "add(a: s64, b: s64) -> s64",
            "multiply(a: s64, b: s64) -> s64",
            "pow(base: u64, exponent: u32) -> string",
        ]
    );
    assert_eq!(
        exports(hostel_guests::ASYNCY),
        [
            "async double(x: s64) -> s64",
            "async par(ms: u32) -> u32",
            "async stop-at-floor(floor: u32, ms-per-floor: u32) -> u32",
        ]
        .map(|line| {
            // The keyword stands before the parameters, as in WIT.
            let (name, rest) = line.trim_start_matches("async ").split_once('(').unwrap();
            format!("{name}async ({rest}")
        })
    );
    assert!(exports(wat::NO_EXPORTS).is_empty());
}

#[test]
fn exports_of_interfaces_have_the_interfaces_name() {
    let exports = exports(hostel_guests::MODELS);
    assert!(
        exports.contains(&"hostel:examples/scores@0.1.0.mean(scores: list<f64>) -> option<f64>".to_owned())
    );
    assert!(exports.contains(&"hostel:more/ops@0.2.0.add(a: string, b: string) -> string".to_owned()));
}

#[test]
fn a_program_takes_args_and_stdin_and_gives_stdout() {
    let component = load(hostel_guests::COMMAND);
    let run = component.function(None).unwrap();
    assert!(run.is_program());
    assert_eq!(
        run.signature().to_string(),
        "(args: option<list<string>>, stdin: option<list<u8>>) -> record { stdout: list<u8> }"
    );
}

#[test]
fn what_cannot_be_written_down_is_not_callable() {
    let exports = exports(hostel_guests::SHAPES);
    let of = |name: &str| exports.iter().find(|line| line.contains(name)).unwrap();
    let reason = "its signature has a resource, which has no text form";
    assert!(of("counters@0.1.0.read").ends_with(reason), "{}", of("counters@0.1.0.read"));
    assert!(of("counters@0.1.0.answer").ends_with("() -> u32"));

    let component = load(hostel_guests::SHAPES);
    let error = component.function(Some("counters.make")).err().unwrap();
    assert_eq!(
        error.to_string(),
        format!("`hostel:examples/counters@0.1.0.make` is not callable as a task: {reason}")
    );
    let unwritable = crate::inspecting::exports(wat::NOT_CALLABLE);
    assert!(unwritable.iter().any(|line| line.contains("a stream")), "{unwritable:?}");
    assert!(unwritable.iter().any(|line| line.contains("a future")), "{unwritable:?}");
}

#[test]
fn imports_are_told_as_capabilities() {
    let capabilities = |path| {
        let mut capabilities: Vec<_> = load(path).imports().iter().map(|import| import.capability).collect();
        capabilities.sort();
        capabilities.dedup();
        capabilities
    };
    assert!(capabilities(hostel_guests::ARITH).is_empty());
    assert_eq!(capabilities(wat::SLEEPER), [Capability::Clocks, Capability::Plumbing]);
    let peek = capabilities(hostel_guests::PEEK);
    for asked in [Capability::Files, Capability::Network, Capability::OutgoingHttp, Capability::Environment] {
        assert!(peek.contains(&asked), "{asked}");
    }
    // Interfaces that only share types ask for nothing.
    assert!(!capabilities(hostel_guests::MODELS).contains(&Capability::Unknown));
}

#[test]
fn a_component_that_cannot_be_linked_can_be_inspected() {
    let table = [
        (wat::UNKNOWN_IMPORT, "twice", ", which this host does not provide"),
        (wat::UNKNOWN_FUNCTION, "roll", "`roll-dice`"),
    ];
    for (path, name, part) in table {
        let component = load(path);
        let missing = component.missing().unwrap();
        let text = missing.to_string();
        assert!(text.starts_with("it imports ") && text.contains(part), "{text}");
        assert!(!component.exports().is_empty());
        let function = component.function(Some(name)).unwrap();
        assert_eq!((function.missing(), missing.can_trap()), (Some(missing), true));
        assert!(function.unknown_imports(UnknownImports::Trap).missing().is_none());
    }
}

#[test]
fn what_is_in_an_instance_inside_another_is_shown_and_not_callable() {
    assert_eq!(
        exports(wat::NESTED),
        ["outer.answer() -> u32", "outer.inner.answer: it is in an instance inside another one"]
    );
    let component = load(wat::NESTED);
    assert!(component.function(Some("outer.answer")).is_ok());
    assert!(component.function(None).is_ok(), "it is the only one that is callable");
}

#[test]
fn another_wasi_is_named_and_no_trap_would_help() {
    let component = load(wat::LATER_WASI);
    let missing = component.missing().unwrap();
    assert_eq!(missing.to_string(), "it was built for WASI 0.3.0, but this host provides WASI 0.2");
    assert_eq!(
        (&*missing.unknown, missing.can_trap()),
        (&["wasi:clocks/monotonic-clock@0.3.0".to_owned()][..], false)
    );
}

#[test]
fn a_name_means_one_function_or_is_an_error_with_the_candidates() {
    let models = load(hostel_guests::MODELS);
    let found = |name| models.function(Some(name)).map(|function| function.key().export.to_string());
    assert_eq!(found("train-model").unwrap(), "train-model");
    assert_eq!(found("scores.mean").unwrap(), "hostel:examples/scores@0.1.0.mean");
    assert_eq!(found("mean").unwrap(), "hostel:examples/scores@0.1.0.mean");
    assert_eq!(found("hostel:more/ops.add").unwrap(), "hostel:more/ops@0.2.0.add");
    assert_eq!(found("hostel:more/ops@0.2.0.add").unwrap(), "hostel:more/ops@0.2.0.add");

    let ambiguous = found("ops.add").unwrap_err();
    assert_eq!(
        ambiguous.to_string(),
        "`ops.add` could be hostel:examples/ops@0.1.0.add or hostel:more/ops@0.2.0.add: use the longer name"
    );
    let unknown = load(hostel_guests::SUM_PLUS).function(Some("sum-minus")).err().unwrap();
    assert_eq!(unknown.to_string(), "no export is named `sum-minus`; the component exports sum-plus");
    assert_eq!(unknown.kind(), ErrorKind::NotFound);
}

#[test]
fn a_function_may_be_left_unnamed_where_there_is_only_one() {
    assert_eq!(load(hostel_guests::SUM_PLUS).function(None).unwrap().key().export.to_string(), "sum-plus");
    let error = load(hostel_guests::ARITH).function(None).err().unwrap();
    assert_eq!(error.to_string(), "which function? The component exports add-one, add, multiply, pow");
    let error = load(wat::NO_EXPORTS).function(None).err().unwrap();
    assert_eq!(error.to_string(), "the component exports no callable function");
}

#[test]
fn a_component_that_is_only_looked_at_shows_the_same_and_is_not_compiled() {
    let shown = |component: &Component| {
        let exports = component
            .exports()
            .iter()
            .map(|export| (export.path.clone(), export.callable.clone(), export.hook));
        (
            component.digest(),
            component.size_bytes(),
            exports.collect::<Vec<_>>(),
            component.imports().to_vec(),
            component.missing().map(ToString::to_string),
        )
    };
    let dir = tempfile::tempdir().unwrap();
    for (name, path) in hostel_guests::all().iter().chain(wat::all()) {
        let bytes = std::fs::read(path).unwrap();
        // As a binary, since texts are compiled.
        let file = dir.path().join("guest.wasm");
        std::fs::write(&file, ::wat::parse_bytes(&bytes).unwrap_or(bytes.as_slice().into())).unwrap();
        match (ENGINE.load_file(&file), ENGINE.inspect_file(&file)) {
            (Ok(loaded), Ok(surface)) => {
                assert!(surface.is_surface() && !loaded.is_surface(), "{name}");
                assert_eq!(shown(&surface), shown(&loaded), "{name}");
            }
            (loaded, surface) => {
                let error =
                    |loaded: Result<Component, LoadError>| loaded.err().map(|error| error.to_string());
                assert_eq!(error(surface), error(loaded), "{name}");
            }
        }
    }
}

/// The component in a guest as WIT, or why there is none.
fn wit(path: &str) -> Result<String, LoadError> {
    ENGINE.wit(ENGINE.read_component(path.as_ref())?)
}

#[test]
fn a_component_is_written_in_wit() {
    let text = wit(hostel_guests::ARITH).unwrap();
    assert_eq!(
        text,
        "package root:component;

world root {
  export add-one: func(x: s64) -> s64;
  export add: func(a: s64, b: s64) -> s64;
  export multiply: func(a: s64, b: s64) -> s64;
  export pow: func(base: u64, exponent: u32) -> string;
}
"
    );
    let models = wit(hostel_guests::MODELS).unwrap();
    for part in ["  record model-config {\n", "package hostel:more@0.2.0 {\n  interface ops {\n"] {
        assert!(models.contains(part), "{models}");
    }
}

/// A custom section of a component.
fn section(name: &str, data: &[u8]) -> Vec<u8> {
    let number = |mut rest: usize| -> Vec<u8> {
        let mut bytes = Vec::new();
        while rest > 0x7f {
            bytes.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
            rest >>= 7;
        }
        bytes.push(u8::try_from(rest).unwrap());
        bytes
    };
    let content = [&number(name.len()), name.as_bytes(), data].concat();
    [&[0], &number(content.len())[..], &content].concat()
}

#[test]
fn the_wit_of_a_component_has_its_doc_comments_if_they_fit_it() {
    let arith = ENGINE.read_component(hostel_guests::ARITH.as_ref()).unwrap();
    let plain = ENGINE.wit(arith.clone()).unwrap();
    let with = |docs: &str| {
        let docs = [b"\x01", docs.as_bytes()].concat();
        ENGINE.wit([&arith[..], &section("package-docs", &docs)].concat()).unwrap()
    };
    let text = with(r#"{"worlds":{"root":{"func_exports":{"add":{"docs":"a + b.\nOr it traps."}}}}}"#);
    assert!(text.contains("  /// a + b.\n  /// Or it traps.\n  export add: func("), "{text}");
    let long = format!(r#"{{"docs":"{}"}}"#, "a".repeat(300 << 10));
    for other in [r#"{"worlds":{"other":{"docs":"?"}}}"#, "{", "", "[1]", &long] {
        assert_eq!(with(other), plain, "{:.20}", other);
    }
}

#[test]
fn the_wit_of_a_component_is_bounded() {
    // Each tuple holds the one before twice.
    let doubled = |levels: usize| {
        let tuples: String =
            (1..=levels).map(|level| format!("(type $t{level} (tuple $t{0} $t{0}))", level - 1)).collect();
        let text = format!(
            r#"(component (type $t0 (tuple u8 u8)) {tuples} (import "f" (func (param "x" $t{levels}))))"#
        );
        ENGINE.wit(::wat::parse_str(&text).unwrap())
    };
    let text = doubled(10).unwrap();
    assert!(text.contains("import f: func(x: tuple<tuple<") && text.len() > 1 << 12, "{text}");
    let long = doubled(17).unwrap_err().to_string();
    assert_eq!(long, "the component cannot be written in WIT: its WIT is longer than 1 MiB");
}

#[test]
fn every_guest_has_wit_or_says_why_not() {
    for (name, path) in hostel_guests::all().iter().chain(wat::all()) {
        match (wit(path), ENGINE.load_file(path.as_ref())) {
            (Ok(text), _) => assert!(text.starts_with("package root:component;"), "{name}: {text}"),
            (Err(LoadError::NoWit(why)), _) => assert!(!why.is_empty(), "{name}"),
            (Err(error), Err(_)) => assert!(!matches!(error, LoadError::Panicked(_)), "{name}: {error}"),
            (Err(error), Ok(_)) => panic!("{name}: {error}"),
        }
    }
    let nested = wit(wat::NESTED).unwrap_err().to_string();
    assert!(nested.starts_with("the component cannot be written in WIT: "), "{nested}");
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_only_looked_at_cannot_be_run() {
    let surface = ENGINE.inspect_file(hostel_guests::ARITH.as_ref()).unwrap();
    let add = surface.function(Some("add")).unwrap();
    let refused = add.attempt(&[], &AttemptOptions::new(Limits::default()).into()).await;
    assert!(matches!(refused, Err(AttemptError::Surface)), "{refused:?}");
}
