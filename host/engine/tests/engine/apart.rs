//! Programs that should compile a component for the host, and do not: each is an error that says what happened.

use hostel_core::ErrorKind;
use hostel_engine::{Engine, EngineOptions, LoadError};
use hostel_guests::ARITH;

/// The error of a load that this program should compile.
fn failed(program: &str) -> LoadError {
    let mut options = EngineOptions::default();
    (options.max_instances, options.compile_program) = (16, Some(program.into()));
    let engine = Engine::new(options).unwrap();
    let inspected = engine.inspect_file(ARITH.as_ref()).err().unwrap().to_string();
    let error = engine.load_file(ARITH.as_ref()).err().unwrap();
    assert_eq!(error.to_string(), inspected);
    error
}

fn script(name: &str) -> String {
    format!("{}/tests/engine/programs/{name}.sh", env!("CARGO_MANIFEST_DIR"))
}

fn check(program: &str, kind: ErrorKind, expected: &str) {
    let error = failed(program);
    assert_eq!(error.kind(), kind, "{program}: {error}");
    assert!(error.to_string().starts_with(expected), "{program}: {error}");
}

#[test]
fn a_limit_that_is_reached_is_named_and_the_component_is_refused() {
    let refused = "the component is too complex to compile: it takes more than";
    check(&script("out-of-time"), ErrorKind::Invalid, &format!("{refused} 30 s of processor time, which is"));
    check(&script("out-of-memory"), ErrorKind::Invalid, &format!("{refused} 2 GiB of memory, which is"));
}

#[test]
fn a_program_that_fails_is_no_fault_of_the_component() {
    let failed = "the process that compiles the component failed:";
    for (program, expected) in [
        (script("killed"), "signal: 9 (SIGKILL)"),
        (script("code-of-nothing"), "its code is not of this version"),
        ("/bin/false".to_owned(), "exit status: 1"),
        ("/bin/true".to_owned(), "its answer is malformed"),
        ("/bin/echo".to_owned(), "its answer is malformed"),
        ("/nowhere/hostel".to_owned(), "cannot start /nowhere/hostel: No such file or directory"),
    ] {
        check(&program, ErrorKind::Internal, &format!("{failed} {expected}"));
    }
}
