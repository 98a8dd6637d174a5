//! Any bytes as a component, binary or text: an error, or a component that can be inspected.

use std::fs;
use std::sync::OnceLock;

use hostel_core::{Digest, Hook, Manifest};
use hostel_engine::{Component, Engine, EngineOptions, LoadError};

use crate::Target;

pub(super) const TARGET: Target = Target::new("components", run, 5_000).words(WORDS).seeds(seeds);

const WORDS: &[&str] = &[
    "\0asm\x0d\0\x01\0",
    "\0asm\x01\0\0\0",
    "(component",
    "(core module",
    "(func",
    "(export \"",
    "(import \"",
    "(type",
    ")",
    "(param \"x\" ",
    "(result ",
    "(list ",
    "(record ",
    "(variant ",
    "s64",
    "string",
    "(memory 65536)",
    "(table ",
    "wasi:cli/run@0.2.0",
    "hostel:task/hooks",
    "\"",
    "0",
    "4294967295",
];

/// The most instances that the engine here has room for; none is ever made.
const INSTANCES: u32 = 1;

fn run(bytes: &[u8]) {
    match load(bytes) {
        Ok(component) => {
            if bytes.starts_with(b"\0asm") {
                assert_eq!(component.digest(), Digest::of(bytes));
                assert_eq!(component.size_bytes(), bytes.len() as u64);
            }
            inspect(&component);
        }
        Err(error) => assert!(!error.to_string().is_empty(), "{error:?} says nothing"),
    }
}

/// Loads a component into the engine that all targets share.
pub(super) fn load(bytes: &[u8]) -> Result<Component, LoadError> {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    let engine = ENGINE.get_or_init(|| {
        let mut options = EngineOptions::default();
        options.max_instances = INSTANCES;
        Engine::new(options).expect("the engine starts")
    });
    engine.load_bytes(bytes)
}

/// Asserts that what a component says of itself holds together.
fn inspect(component: &Component) {
    for import in component.imports() {
        assert!(!format!("{import:?}").is_empty());
    }
    let _ = component.function(None).map_err(|error| error.to_string());
    for export in component.exports() {
        let found = component.function(Some(&export.path.to_string()));
        if let (Ok(signature), None) = (&export.callable, component.missing()) {
            let found = found.unwrap_or_else(|error| panic!("{}: {error}", export.path));
            assert_eq!(found.signature(), signature, "{}", export.path);
            assert!(!signature.to_string().is_empty());
        }
    }
    let manifest = component.manifest();
    assert_eq!(Manifest::decode(&manifest.encode()).as_ref(), Ok(manifest));
    for hook in Hook::ALL {
        let _ = component.hook(hook);
    }
}

/// The texts, what they are in binary, and some guests.
fn seeds() -> Vec<Vec<u8>> {
    let guests = [hostel_guests::DEEP_RECURSION, hostel_guests::PANIC, hostel_guests::SUM_PLUS];
    let texts: Vec<_> =
        hostel_guests::wat::all().iter().filter_map(|(_, path)| fs::read(path).ok()).collect();
    let binaries =
        texts.iter().filter_map(|text| wat::parse_bytes(text).ok()).map(|binary| binary.into_owned());
    let binaries: Vec<_> = binaries.collect();
    guests.iter().filter_map(|path| fs::read(path).ok()).chain(texts).chain(binaries).collect()
}
