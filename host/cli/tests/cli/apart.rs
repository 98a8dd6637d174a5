//! The command as the process that compiles for another one.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use ::hostel::{COMPILE_APART, Host, HostBuilder, LoadError, blocking};
use hostel_guests::{ARITH, ASYNCY, TEXT};

const HOSTEL: &str = env!("CARGO_BIN_EXE_hostel");

fn builder() -> HostBuilder {
    Host::builder().max_workers(1).max_instances(16)
}

/// A host that has its components compiled by the command.
fn apart() -> Host {
    builder().compile_program(HOSTEL).build().unwrap()
}

/// What the command answers to this line and these bytes.
fn answered(header: &str, component: &[u8]) -> Output {
    let mut command = Command::new(HOSTEL);
    // As for each process that compiles.
    command.env("MIMALLOC_ARENA_EAGER_COMMIT", "0");
    command.arg(COMPILE_APART).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may end before it has read everything.
    let _ = stdin.write_all(header.as_bytes()).and_then(|()| stdin.write_all(component));
    // What is too short must end here, and otherwise the process would.
    let rest = header.rsplit(' ').next().and_then(|length| length.trim().parse::<usize>().ok());
    let kept = (rest == Some(component.len())).then_some(stdin);
    let output = child.wait_with_output().unwrap();
    drop(kept);
    output
}

#[test]
fn code_of_another_process_is_used_and_stored() {
    let dir = tempfile::tempdir().unwrap();
    let host = builder().compile_program(HOSTEL).data_dir(dir.path().join("data")).build().unwrap();
    for guest in [ARITH, ASYNCY, TEXT] {
        let component = blocking::load(&host, guest).unwrap();
        assert!(component.exports().iter().any(|export| export.callable.is_ok()), "{guest}");
    }
    let sum = blocking::load(&host, ARITH).unwrap().task("add").unwrap();
    let sum: i32 = blocking::result(&sum.submit(::hostel::args![40, 2]).unwrap()).unwrap();
    assert_eq!(sum, 42);
    assert_eq!(fs::read_dir(dir.path().join("data/compiled")).unwrap().count(), 3);
    // Who finds the code needs no compiler.
    let nowhere = builder().compile_program("/nowhere").data_dir(dir.path().join("data")).build().unwrap();
    for guest in [ARITH, ASYNCY, TEXT] {
        assert!(blocking::load(&nowhere, guest).is_ok(), "{guest}");
    }
}

#[test]
fn the_same_components_are_refused_for_the_same_reasons() {
    let refused = |host: &Host, text: &[u8]| {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.wasm");
        fs::write(&file, text).unwrap();
        blocking::load(host, &file).err().unwrap()
    };
    let (here, there) = (builder().build().unwrap(), apart());
    let instances = "(core instance (instantiate $m))".repeat(129);
    let deep = "(instance $i0)".to_owned();
    let chain: String = (1..120)
        .map(|level| format!(r#"(instance $i{level} (export "a" (instance $i{})))"#, level - 1))
        .collect();
    for text in [
        "(component (core module (memory 1 1 shared)))".to_owned(),
        r#"(component (core module (func (result i32))))"#.to_owned(),
        format!("(component (core module $m) {instances})"),
        format!(r#"(component (import "i" {deep}) {chain})"#),
    ] {
        let (expected, found) = (refused(&here, text.as_bytes()), refused(&there, text.as_bytes()));
        assert_eq!(found.to_string(), expected.to_string());
        assert_eq!(std::mem::discriminant(&found), std::mem::discriminant(&expected), "{found}");
    }
}

#[test]
fn a_component_is_inspected_by_another_process() {
    let host = apart();
    let inspect = |path: &str| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(host.inspect(path))
    };
    let exports = inspect(ARITH).unwrap().exports().len();
    assert_eq!(exports, blocking::load(&host, ARITH).unwrap().exports().len());
    assert!(matches!(inspect("/nowhere.wasm"), Err(LoadError::Read { .. })));
}

#[cfg(target_arch = "x86_64")]
#[test]
fn quick_code_is_compiled_again_by_another_process() {
    let host = builder().compile_program(HOSTEL).quick_code_bytes(Some(1)).build().unwrap();
    let component = blocking::load(&host, ARITH).unwrap();
    assert!(component.wait_until_optimised());
}

#[test]
fn a_process_without_enough_memory_says_so() {
    let component = fs::read(ARITH).unwrap();
    let length = component.len();
    let header = |seconds: u64, memory: u64| format!("run false never {seconds} {memory} {length}\n");
    let enough = answered(&header(30, 2 << 30), &component);
    assert!(enough.status.success());
    assert!(enough.stdout.starts_with(b"code lean\n\x7fELF"), "{:?}", enough.stdout.get(..30));
    let little = answered(&header(30, 1 << 20), &component);
    // It may still be able to answer.
    let message = [little.stdout, little.stderr].concat();
    let message = String::from_utf8_lossy(&message);
    assert!(message.starts_with("out-of-memory") || message.contains("memory"), "{message}");
}

#[cfg(unix)]
#[test]
fn a_process_that_nobody_waits_for_any_more_ends_without_an_answer() {
    let host = apart();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("slow.wat");
    // So many functions take seconds.
    fs::write(&file, format!("(component (core module {}))", "(func)".repeat(40_000))).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let component = runtime.block_on(host.read_component(&file)).unwrap();
    let mut command = Command::new(HOSTEL);
    command.arg(COMPILE_APART).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(format!("speed false never 300 4294967296 {}\n", component.len()).as_bytes()).unwrap();
    stdin.write_all(&component).unwrap();
    // As if the parent were killed.
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(5), 0));
}

#[test]
fn long_text_is_assembled_by_another_process() {
    let (host, directory) = (apart(), tempfile::tempdir().unwrap());
    let load = |host: &Host, text: &str| {
        let file = directory.path().join("a.wat");
        fs::write(&file, text).unwrap();
        blocking::load(host, &file).map(|component| component.digest())
    };
    let long = format!("(component (core module) ;; {}\n)", "x".repeat(20_000));
    assert_eq!(load(&host, &long).unwrap(), load(&host, "(component (core module))").unwrap());
    let nowhere = builder().compile_program("/nowhere").build().unwrap();
    assert!(matches!(load(&nowhere, &long), Err(LoadError::Process(_))));
    let mistake = long.replace("module", "nodule");
    let (here, there) = (builder().build().unwrap(), host);
    let (expected, found) = (load(&here, &mistake).unwrap_err(), load(&there, &mistake).unwrap_err());
    assert!(matches!(found, LoadError::Text(_)));
    assert_eq!(found.to_string(), expected.to_string());
    let module = format!("(module ;; {}\n)", "x".repeat(20_000));
    assert!(matches!(load(&there, &module), Err(LoadError::CoreModule)));
}

#[test]
fn a_request_that_is_none_is_refused() {
    for (header, component) in [
        ("", &b""[..]),
        ("run\n", b""),
        ("run false never 30 2147483648 4\n", b"abc"),
        ("run false never 30 2147483648 99999999999\n", b"abc"),
    ] {
        let answered = answered(header, component);
        assert_eq!(answered.status.code(), Some(5), "{header}");
        assert!(answered.stdout.is_empty());
    }
    let refused = answered("run false never 30 2147483648 3\n", b"abc");
    assert_eq!((refused.status.code(), refused.stdout.starts_with(b"malformed\n")), (Some(0), true));
    // With other arguments it is a command like any other.
    let mut command = Command::new(HOSTEL);
    let unknown = command.args([COMPILE_APART, "--help"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
    assert!(Path::new(HOSTEL).exists());
}
