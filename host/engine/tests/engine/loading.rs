//! What is a component, and what is said of everything else.

use hostel_core::{Digest, ErrorKind};
use hostel_engine::{LoadError, MAX_COMPONENT_BYTES};
use hostel_guests::wat;

use crate::{ENGINE, load};

fn refused(bytes: &[u8]) -> LoadError {
    match ENGINE.load_bytes(bytes) {
        Ok(_) => panic!("loaded {bytes:?}"),
        Err(error) => error,
    }
}

#[test]
fn every_guest_loads_and_is_named_by_its_bytes() {
    for (name, path) in hostel_guests::all() {
        let component = load(path);
        let bytes = std::fs::read(path).unwrap();
        assert_eq!(component.digest(), Digest::of(&bytes), "{name}");
        assert_eq!(component.size_bytes(), bytes.len() as u64, "{name}");
    }
}

#[test]
fn texts_of_the_same_component_are_the_same_component() {
    let text = std::fs::read_to_string(wat::ADD_ONE).unwrap();
    let other = format!(";; another comment\n{text}");
    let digest = |text: &str| ENGINE.load_bytes(text.as_bytes()).unwrap().digest();
    assert_eq!(digest(&text), digest(&other));
}

#[test]
fn every_text_but_the_refused_ones_loads() {
    for (name, path) in wat::all() {
        let refused = [
            "big-table",
            "core-module",
            "core-module-wasip1",
            "hostile-many-memories",
            "hostile-wide-memory",
            "invalid",
            "objects",
            "threads",
        ]
        .contains(name);
        assert_eq!(ENGINE.load_file(path.as_ref()).is_err(), refused, "{name}");
    }
}

#[test]
fn a_core_module_is_called_one() {
    let error = ENGINE.load_file(wat::CORE_MODULE.as_ref()).err().unwrap();
    assert_eq!(error.to_string(), "this is a core WebAssembly module, not a component");
    assert_eq!(refused(b"\0asm\x01\0\0\0").to_string(), "this is a core WebAssembly module, not a component");
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn features_that_the_host_lacks_are_named() {
    let threads = ENGINE.load_file(wat::THREADS.as_ref()).err().unwrap();
    assert_eq!(threads.to_string(), "the component uses threads, which this host does not support");
    assert_eq!(threads.kind(), ErrorKind::Invalid);
    let objects = ENGINE.load_file(wat::OBJECTS.as_ref()).err().unwrap();
    assert_eq!(
        objects.to_string(),
        "the component uses exceptions and garbage collection, which this host does not support"
    );
    let both = r#"(component (core module
        (memory 1 1 shared)
        (memory 1 (pagesize 1))
        (func (drop (i32.atomic.load (i32.const 0))))))"#;
    assert_eq!(
        refused(both.as_bytes()).to_string(),
        "the component uses threads and custom page sizes, which this host does not support"
    );
    // What is wrong with all features is wrong.
    let wrong = "(component (core module (memory 1 1 shared) (func (drop))))";
    assert!(matches!(refused(wrong.as_bytes()), LoadError::Malformed(_)), "{}", refused(wrong.as_bytes()));
}

#[test]
fn what_is_not_webassembly_is_told_by_its_beginning() {
    let check = |bytes: &[u8], expected: &str| assert_eq!(refused(bytes).to_string(), expected);
    check(b"", "this is not WebAssembly: the file is empty");
    check(b"\n ", "this is not WebAssembly: the file is empty");
    check(b"#!/bin/sh\nexit 1", r##"this is not WebAssembly: it begins with "#!/bin/sh\nexit 1""##);
    let native = "this is not WebAssembly: it is a native program or library (ELF)";
    check(b"\x7fELF\x02\x01\x01\0rest of it", native);
    check(
        b"\x7fELF\x02\x01\x01\xc8rest of it",
        "this is not WebAssembly: it is code that wasmtime compiled (.cwasm); give the component that it was made from",
    );
    check(b"\x1f\x8b\x08", "this is not WebAssembly: it is compressed with gzip; unpack it first");
    check(b"<html>", "this is not WebAssembly: it is a document, such as the page of a download that failed");
    check(b"\x7fEL", "this is not WebAssembly: it begins with \"\\u{7f}EL\"");
}

#[test]
fn a_mistake_in_a_text_is_shown_in_its_place() {
    let error = refused(b"(component\n  (oops))").to_string();
    assert!(error.starts_with("invalid WebAssembly text: "), "{error}");
    assert!(error.contains("<anon>:2:4") && error.contains("(oops)"), "{error}");
    assert!(matches!(refused(b"(module)"), LoadError::CoreModule));
}

#[test]
fn a_component_cut_short_anywhere_is_malformed() {
    let bytes = std::fs::read(hostel_guests::ARITH).unwrap();
    for length in (8..bytes.len()).step_by(1_009) {
        // A cut between two sections can leave a smaller component that is valid.
        if let Err(error) = ENGINE.load_bytes(&bytes[..length]) {
            assert!(matches!(error, LoadError::Malformed(_)), "{length}: {error}");
        }
    }
    let error = refused(&bytes[..bytes.len() / 2]).to_string();
    assert!(error.starts_with("the component is malformed: ") && !error.contains('\n'), "{error}");
}

#[test]
fn flipped_bits_never_crash_the_host() {
    let bytes = std::fs::read(hostel_guests::ARITH).unwrap();
    for place in (0..bytes.len()).step_by(2_003) {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x55;
        // Whether it still loads does not matter; that it is answered does.
        let _ = ENGINE.load_bytes(&damaged);
    }
}

#[test]
fn paths_that_lead_to_no_file_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let of = |path: &std::path::Path| ENGINE.load_file(path).err().unwrap();
    let missing = of(&dir.path().join("missing.wasm"));
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(missing.to_string().starts_with("cannot read ") && missing.to_string().contains("missing.wasm"));
    assert!(matches!(of(dir.path()), LoadError::Directory { .. }));
    let large = dir.path().join("large.wasm");
    std::fs::File::create(&large).unwrap().set_len(MAX_COMPONENT_BYTES + 1).unwrap();
    assert!(of(&large).to_string().ends_with("is larger than 256 MiB, the maximum size of a component"));
}
