//! How an attempt ends, told apart.

use std::time::Duration;

use hostel_core::{Failure, Limits, LogStream, Outcome, RunId, UnknownImports};
use hostel_engine::{AttemptError, AttemptOptions};
use hostel_guests::wat;

use crate::{function, run, run_with};

#[tokio::test(flavor = "current_thread")]
async fn a_value_is_completed() {
    assert_eq!(run(hostel_guests::ARITH, "add", &["40", "2"]).await.value(), "42");
    assert_eq!(run(wat::ADD_ONE, "add-one", &["41"]).await.value(), "42");
    assert_eq!(run(hostel_guests::SUM_PLUS, "sum-plus", &["4", "[1, 2, 3]"]).await.value(), "10");
    assert_eq!(run(hostel_guests::TEXT, "greet", &["Ada"]).await.value(), "\"Hello, Ada!\"");
}

#[tokio::test(flavor = "current_thread")]
async fn an_err_is_failed_with_its_value() {
    let ran = run(hostel_guests::BATCH, "process-data", &["-2"]).await;
    let expected = hostel_core::Value::String("Cannot process negative value: -2".into());
    assert_eq!(ran.outcome, Outcome::Failed(Failure::Error(expected)));
}

#[tokio::test(flavor = "current_thread")]
async fn a_trap_is_failed_with_names_and_the_panics_message() {
    let ran = run(hostel_guests::PANIC, "boom", &["fire"]).await;
    let trap = ran.trap();
    assert_eq!(trap.message, "wasm `unreachable` instruction executed");
    let names: Vec<_> = trap.backtrace.iter().filter_map(|frame| frame.function.as_deref()).collect();
    for name in ["explode", "watch_it_burn", "light_the_fuse"] {
        assert!(names.iter().any(|frame| frame.contains(name)), "{name} in {names:?}");
    }
    assert!(trap.stderr_tail.iter().any(|line| line.contains("fire")), "{:?}", trap.stderr_tail);
}

#[tokio::test(flavor = "current_thread")]
async fn every_kind_of_trap_has_its_message() {
    let table: [(&str, &[&str], &str); 7] = [
        ("unreachable", &[], "wasm `unreachable` instruction executed"),
        ("divide", &["1", "0"], "integer divide by zero"),
        ("load", &["4294967292"], "out of bounds memory access"),
        ("convert", &["nan"], "invalid conversion to integer"),
        ("call-null", &[], "uninitialized element"),
        ("call-wrong-type", &[], "indirect call type mismatch"),
        ("call-outside-table", &[], "undefined element: out of bounds table access"),
    ];
    for (name, args, message) in table {
        assert_eq!(run(wat::TRAP, name, args).await.trap().message, message, "{name}");
    }
    let frames = run(wat::TRAP, "unreachable", &[]).await;
    let names: Vec<_> =
        frames.trap().backtrace.iter().filter_map(|frame| frame.function.as_deref()).collect();
    assert_eq!(names[..2], ["inner", "outer"]);
}

#[tokio::test(flavor = "current_thread")]
async fn an_import_that_the_host_lacks_traps_where_it_is_called_and_only_if_that_was_chosen() {
    let run = async |path, name: &str, args: &[&str], choice| {
        run_with(&function(path, name).unknown_imports(choice), args, Limits::default()).await
    };
    let doubled = run(wat::UNKNOWN_IMPORT, "double", &["21"], UnknownImports::Trap).await;
    assert_eq!(doubled.value(), "42");
    for (path, name, args, called) in [
        (wat::UNKNOWN_IMPORT, "twice", &["21"][..], "acme:unknown/thing@1.0.0.transform"),
        (wat::UNKNOWN_FUNCTION, "roll", &[], "wasi:random/random@0.2.0.roll-dice"),
        (wat::LATER_WASI, "ticks", &[], "wasi:clocks/monotonic-clock@0.3.0.now"),
    ] {
        let message = format!("called the import `{called}`, which this host does not provide");
        assert_eq!(run(path, name, args, UnknownImports::Trap).await.trap().message, message);
    }
    let refused = function(wat::UNKNOWN_IMPORT, "double")
        .attempt(&[], &AttemptOptions::new(Limits::default()).into())
        .await;
    assert!(matches!(refused, Err(AttemptError::NotLinked(_))), "{refused:?}");
    // What the host has is not replaced, and its resources stay what they are.
    assert_eq!(run(wat::UNKNOWN_BESIDE_WASI, "nap", &["1000"], UnknownImports::Trap).await.value(), "()");
    for (name, called) in
        [("hurry", "acme:unknown/thing@1.0.0.hurry"), ("back", "wasi:clocks/monotonic-clock@0.2.0.turn-back")]
    {
        let message = format!("called the import `{called}`, which this host does not provide");
        assert_eq!(
            run(wat::UNKNOWN_BESIDE_WASI, name, &[], UnknownImports::Trap).await.trap().message,
            message
        );
    }
    let random = run(hostel_guests::WATCHER, "random", &["8"], UnknownImports::Trap).await;
    assert!(random.value().starts_with('['));
}

#[tokio::test(flavor = "current_thread")]
async fn a_trap_while_the_instance_starts_is_a_trap() {
    assert_eq!(
        run(wat::START_TRAP, "answer", &[]).await.trap().message,
        "wasm `unreachable` instruction executed"
    );
}

#[tokio::test(flavor = "current_thread")]
async fn results_that_are_not_of_their_type_are_traps_and_not_values() {
    for export in crate::load(wat::BAD_RESULTS).exports() {
        let name = export.path.to_string();
        let ran = run(wat::BAD_RESULTS, &name, &[]).await;
        if name == "bool-2" {
            assert_eq!(ran.value(), "true");
        } else {
            assert!(
                matches!(ran.failure(), Failure::Trap(_) | Failure::Limit { .. }),
                "{name}: {:?}",
                ran.outcome
            );
        }
    }
    for name in ["outside", "unaligned"] {
        assert!(!run(wat::BAD_REALLOC, name, &["[1, 2]"]).await.trap().message.is_empty(), "{name}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_program_gives_what_it_printed_or_its_exit_code() {
    let ran = run(hostel_guests::COMMAND, "run", &["[\"hello\", \"there\"]"]).await;
    assert_eq!(ran.stdout(), b"HELLO THERE\n");
    assert!(ran.printed(LogStream::Stdout).is_empty(), "stdout is the result and not the log");

    let ran = run(hostel_guests::COMMAND, "run", &["[]", "[104, 105, 10]"]).await;
    assert_eq!(ran.stdout(), b"HI\n");

    let ran = run(hostel_guests::COMMAND, "run", &["[\"--argv\", \"one\"]"]).await;
    assert_eq!(ran.stdout(), b"0: program\n1: --argv\n2: one\n");
    let ran = run(hostel_guests::COMMAND, "run", &["[\"--bytes\"]"]).await;
    assert_eq!(ran.stdout(), b"\x89PNG\r\n\x1a\n\xff\0");
    let ran = run(hostel_guests::COMMAND, "run", &["[\"--cat\"]", "[0, 255, 10, 13]"]).await;
    assert_eq!(ran.stdout(), [0, 255, 10, 13]);

    let ran = run(hostel_guests::COMMAND, "run", &["[\"--fail\", \"on purpose\"]"]).await;
    let Failure::Exit { code: 1, stderr_tail } = ran.failure() else { panic!("{:?}", ran.outcome) };
    assert!(stderr_tail.iter().any(|line| line.contains("on purpose")), "{stderr_tail:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn what_a_guest_prints_is_its_log() {
    let ran = run(hostel_guests::ELEVATOR, "stop-at-floor", &["3", "0"]).await;
    assert_eq!(ran.printed(LogStream::Stdout), ["elevator moving to floor 3", "elevator stops on floor 3"]);
    let ran = run(hostel_guests::LOG_FLOOD, "no-newline", &["half a line"]).await;
    assert_eq!(ran.printed(LogStream::Stdout), ["half a line"]);
    let ran = run(hostel_guests::LOG_FLOOD, "not-text", &[]).await;
    assert!(ran.printed(LogStream::Stdout).concat().contains('\u{fffd}'));
}

#[tokio::test(flavor = "current_thread")]
async fn no_state_passes_from_one_attempt_to_another() {
    // Insecure seeds, memory and handles are all new: the same call gives the same answer however often it is made.
    for (path, name) in [(wat::MANY_INSTANCES, "answer"), (hostel_guests::FLAKY, "times-called")] {
        let function = function(path, name);
        let first = run_with(&function, &[], Limits::default()).await.value();
        for _ in 0..3 {
            assert_eq!(run_with(&function, &[], Limits::default()).await.value(), first, "{name}");
        }
    }
    assert_eq!(run(hostel_guests::FLAKY, "times-called", &[]).await.value(), "1");
}

#[tokio::test(flavor = "current_thread")]
async fn a_guest_may_fail_in_one_attempt_and_not_in_another() {
    let fail_until = function(hostel_guests::FLAKY, "fail-until");
    let limits = Limits { timeout: Some(Duration::from_millis(500)), ..Limits::default() };
    let attempt = async |number, how| {
        let options = AttemptOptions::new(limits).attempt_of(RunId::from_bytes([7; 16]), number);
        crate::run_as(&fail_until, &["3", how], options).await
    };
    for (how, kind) in [("error", "error"), ("trap", "trap"), ("exit", "exit"), ("spin", "timeout")] {
        for number in [1, 2] {
            assert_eq!(attempt(number, how).await.failure().kind().name(), kind, "attempt {number}");
        }
        assert_eq!(attempt(3, how).await.value(), "3", "{how}");
    }
    let trapped = attempt(2, "trap").await;
    assert!(
        trapped.trap().stderr_tail.iter().any(|line| line.contains("attempt 2 fails")),
        "{:?}",
        trapped.outcome
    );
}
