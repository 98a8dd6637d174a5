//! What code may not touch: core the world, libraries the terminal and the environment, and almost all of it `unsafe`.

use crate::tree::{Source, keep, sources};

/// The one file with `unsafe` in it, which argues why it is sound.
const UNSAFE_FILE: &str = "host/engine/src/compile_cache.rs";

/// The crates below the command line. A server writes logs, but not to a terminal it does not own.
const BELOW_CLI: [&str; 7] = [
    "host/core/src",
    "host/engine/src",
    "host/hostel/src",
    "host/journal/src",
    "host/schedule/src",
    "host/server/src",
    "host/wire/src",
];

/// The crates that know values alone.
const OF_VALUES: [&str; 3] = ["host/core/src", "host/schedule/src", "host/wire/src"];

/// The terminal, the arguments, the environment and the process itself.
const OF_THE_CLI: [&str; 17] = [
    "dbg!",
    "eprint!",
    "eprintln!",
    "print!",
    "println!",
    "io::stderr",
    "io::stdin",
    "io::stdout",
    "env::args",
    "env::args_os",
    "env::home_dir",
    "env::set_var",
    "env::var",
    "env::var_os",
    "env::vars",
    "env::vars_os",
    "process::exit",
];

/// Clocks, files, randomness, threads and runtimes.
const OF_THE_WORLD: [&str; 15] = [
    "Instant::now",
    "SystemTime::now",
    "Uuid::new_v4",
    "Uuid::now_v7",
    "getrandom",
    "rand",
    "fastrand",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "tokio",
    "wasmtime",
];

fn unsafe_code(source: &Source) -> Vec<String> {
    if source.path == UNSAFE_FILE {
        return Vec::new();
    }
    let tokens = source.code.iter().chain(&source.test_code);
    tokens
        .filter(|token| token.text == "unsafe")
        .map(|token| format!("{}:{}", source.path, token.line))
        .collect()
}

/// Where the code of a file names one of these.
fn named(source: &Source, forbidden: &[&str]) -> Vec<String> {
    let paths = source.paths();
    let named = paths.iter().filter(|path| forbidden.iter().any(|wanted| path.names(wanted)));
    named.map(|path| format!("{}:{}: `{}`", source.path, path.line, path.parts.join("::"))).collect()
}

/// Where a library does what only the command line may do.
fn loud(source: &Source) -> Vec<String> {
    let is_below = BELOW_CLI.iter().any(|directory| source.is_in(directory));
    if is_below { named(source, &OF_THE_CLI) } else { Vec::new() }
}

/// Where core or wire touches the world.
fn worldly(source: &Source) -> Vec<String> {
    let is_pure = OF_VALUES.iter().any(|directory| source.is_in(directory));
    if is_pure { named(source, &OF_THE_WORLD) } else { Vec::new() }
}

/// Where something other than engine names the runtime.
fn of_the_sandbox(source: &Source) -> Vec<String> {
    let is_other = source.is_in("host") && source.path.contains("/src/") && !source.is_in("host/engine");
    if is_other { named(source, &["wasmtime", "wasmtime_wasi", "wasmtime_wasi_http"]) } else { Vec::new() }
}

#[test]
fn unsafe_stands_in_one_place() {
    let sources = sources();
    let complaints: Vec<_> = sources.iter().flat_map(unsafe_code).collect();
    keep(&complaints, &format!("Find a safe way; {UNSAFE_FILE} has the only `unsafe`, and its argument."));
    assert!(
        sources.iter().any(|source| source.path == UNSAFE_FILE),
        "{UNSAFE_FILE} has moved: name its new place here"
    );
}

#[test]
fn libraries_are_silent() {
    let complaints: Vec<_> = sources().iter().flat_map(loud).collect();
    keep(
        &complaints,
        "Only the command line writes to the terminal and reads arguments and variables. Return the value, take the \
         setting as a parameter, or tell it with `tracing`.",
    );
}

#[test]
fn core_and_wire_touch_nothing() {
    let complaints: Vec<_> = sources().iter().flat_map(worldly).collect();
    keep(
        &complaints,
        "core and wire have no clock, file, randomness or runtime. Take the value as a parameter, or add a port (a trait) that \
         engine or hostel implements.",
    );
}

#[test]
fn only_engine_names_the_runtime() {
    let complaints: Vec<_> = sources().iter().flat_map(of_the_sandbox).collect();
    keep(
        &complaints,
        "Give engine a function that says what is wanted in Hostel's own words, and call that.",
    );
}

#[test]
fn impure_code_is_noticed() {
    let check = |rule: fn(&Source) -> Vec<String>, path: &str, text: &str, expected: &[&str]| {
        assert_eq!(rule(&Source::new(path, text)), expected, "{path} {text}");
    };
    check(
        unsafe_code,
        "host/core/src/a.rs",
        "// unsafe\n\"unsafe\";\nunsafe { a() }",
        &["host/core/src/a.rs:3"],
    );
    check(unsafe_code, UNSAFE_FILE, "unsafe { a() }", &[]);

    let library = "host/hostel/src/a.rs";
    check(loud, library, "use std::{env, fs};\nenv!(\"A\"); env::consts::ARCH;", &[]);
    check(loud, library, "println!(\"a\");", &["host/hostel/src/a.rs:1: `println!`"]);
    check(loud, library, "use std::env::{self, var};", &["host/hostel/src/a.rs:1: `std::env::var`"]);
    check(loud, library, "std::io::stdout()", &["host/hostel/src/a.rs:1: `std::io::stdout`"]);
    check(loud, library, "#[cfg(test)] mod tests { println!() }", &[]);
    check(loud, "host/cli/src/a.rs", "println!(\"a\");", &[]);

    let core = "host/core/src/a.rs";
    check(worldly, core, "use std::time::SystemTime; let x: SystemTime = y; operand(x);", &[]);
    check(worldly, core, "SystemTime::now()", &["host/core/src/a.rs:1: `SystemTime::now`"]);
    check(worldly, core, "use std::{fmt, fs};", &["host/core/src/a.rs:1: `std::fs`"]);
    check(worldly, core, "tokio::spawn(a)", &["host/core/src/a.rs:1: `tokio::spawn`"]);
    check(worldly, "host/engine/src/a.rs", "SystemTime::now()", &[]);
    check(worldly, "host/wire/src/a.rs", "use std::io;", &["host/wire/src/a.rs:1: `std::io`"]);

    check(of_the_sandbox, library, "wasmtime::Engine", &["host/hostel/src/a.rs:1: `wasmtime::Engine`"]);
    check(of_the_sandbox, "host/engine/src/a.rs", "wasmtime::Engine", &[]);
    check(of_the_sandbox, "benches/a.rs", "wasmtime::Engine", &[]);
}
