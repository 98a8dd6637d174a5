//! Every limit: below it, at it, above it; and its own failure.

use hostel_core::{Failure, Limit, LimitKind, Limits, LogStream};
use hostel_guests::{LOG_FLOOD, MEMORY_HOG, wat};

use crate::{Ran, function, run, run_with};

const MIB: u64 = 1 << 20;

fn limit_of(ran: &Ran) -> Limit {
    match ran.failure() {
        Failure::Limit { limit, .. } => *limit,
        other => panic!("expected a limit, found {other:?}"),
    }
}

#[tokio::test(flavor = "current_thread")]
async fn memory() {
    let eat = function(MEMORY_HOG, "eat");
    let limits = Limits { memory_bytes: 32 * MIB, ..Limits::default() };
    assert_eq!(run_with(&eat, &["24"], limits).await.value(), (24 * MIB).to_string());
    let ran = run_with(&eat, &["40"], limits).await;
    assert_eq!(limit_of(&ran), Limit { kind: LimitKind::Memory, allowed: 32 * MIB });
    let more = Limits { memory_bytes: 64 * MIB, ..limits };
    assert_eq!(run_with(&eat, &["40"], more).await.value(), (40 * MIB).to_string());
}

#[tokio::test(flavor = "current_thread")]
async fn a_guest_may_live_on_without_the_memory_it_was_refused() {
    let limits = Limits { memory_bytes: 32 * MIB, ..Limits::default() };
    let ran = run_with(&function(MEMORY_HOG, "try-eat"), &["40"], limits).await;
    assert!(matches!(ran.failure(), Failure::Error(_)), "{:?}", ran.outcome);
}

#[tokio::test(flavor = "current_thread")]
async fn memory_that_a_module_starts_with_counts() {
    // It starts with 300 MiB.
    assert_eq!(
        limit_of(&run(wat::BIG_MEMORY, "pages", &[]).await),
        Limit { kind: LimitKind::Memory, allowed: 256 * MIB }
    );
    let limits = Limits { memory_bytes: 300 * MIB, ..Limits::default() };
    run_with(&function(wat::BIG_MEMORY, "pages"), &[], limits).await.value();
}

#[tokio::test(flavor = "current_thread")]
async fn table_elements() {
    // `trap.wat` has a table of two elements.
    let divide = function(wat::TRAP, "divide");
    let limits = |table_elements| Limits { table_elements, ..Limits::default() };
    assert_eq!(run_with(&divide, &["6", "2"], limits(2)).await.value(), "3");
    assert_eq!(
        limit_of(&run_with(&divide, &["6", "2"], limits(1)).await),
        Limit { kind: LimitKind::TableElements, allowed: 1 }
    );
    // What no limit would allow is not even loaded.
    let error = crate::ENGINE.load_file(wat::BIG_TABLE.as_ref()).err().unwrap();
    assert_eq!(
        error.to_string(),
        "the component asks for more than any task may have: \
         table index 0 has a minimum element size of 10000000 which exceeds the limit of 100000"
    );
}

#[tokio::test(flavor = "current_thread")]
async fn stack() {
    let dive = function(hostel_guests::DEEP_RECURSION, "dive");
    run_with(&dive, &["100"], Limits::default()).await.value();
    let ran = run_with(&dive, &["100000000"], Limits::default()).await;
    assert!(matches!(limit_of(&ran), Limit { kind: LimitKind::Stack, .. }));
    assert!(matches!(limit_of(&run(wat::TRAP, "recurse", &[]).await), Limit { kind: LimitKind::Stack, .. }));
}

#[tokio::test(flavor = "current_thread")]
async fn result() {
    // Eight bytes of a list<u64> take four times that in the host, so the limit is of what the host holds.
    let zeros = function(wat::BIG_RESULT, "zeros");
    let limits = Limits { result_bytes: 64 << 10, ..Limits::default() };
    run_with(&zeros, &["1000"], limits).await.value();
    let ran = run_with(&zeros, &["1000000"], limits).await;
    assert_eq!(limit_of(&ran), Limit { kind: LimitKind::Result, allowed: 64 << 10 });
    run_with(&zeros, &["1000000"], Limits::default()).await.value();
}

#[tokio::test(flavor = "current_thread")]
async fn result_of_a_program() {
    let command = function(hostel_guests::COMMAND, "run");
    let limits = |result_bytes| Limits { result_bytes, ..Limits::default() };
    let args = &["[\"command\", \"hello\"]"][..];
    assert_eq!(run_with(&command, args, limits(6)).await.value(), "{stdout: \"HELLO\\n\"}");
    assert_eq!(
        limit_of(&run_with(&command, args, limits(5)).await),
        Limit { kind: LimitKind::Result, allowed: 5 }
    );
}

#[tokio::test(flavor = "current_thread")]
async fn log() {
    let flood = function(LOG_FLOOD, "flood");
    let limits = Limits { log_bytes: 10_000, ..Limits::default() };
    let ran = run_with(&flood, &["100000"], limits).await;
    assert_eq!(ran.value(), "100000", "the guest goes on");
    let kept: usize = ran.log.lines().iter().map(|line| line.text.len() + 32).sum();
    assert!((9_800..10_200).contains(&kept), "{kept}");
    assert_eq!(
        ran.printed(LogStream::Host),
        ["log cut here: more than 9.8 KiB (raise it with the limit `log`)"]
    );
    let ran = run_with(&function(LOG_FLOOD, "long-line"), &["1000000"], Limits::default()).await;
    assert!(ran.log.lines().iter().all(|line| line.text.len() <= 64 << 10));
}
