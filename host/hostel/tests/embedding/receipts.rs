//! What runs used up: counted for each attempt, however it ends, and kept within the limits.

use std::time::Duration;

use futures_executor::block_on;
use hostel::{
    CachePolicy, Host, HostCall, LimitKind, Limits, Outcome, Receipt, Shutdown, State, SubmitError, args,
    each, outcomes,
};
use hostel_guests::{ARITH, BATCH, LOG_FLOOD, MEMORY_HOG, SPIN_FOREVER, wat};

use crate::{build, host, task, until_running};

const MIB: u64 = 1 << 20;

#[test]
fn a_run_is_the_sum_of_its_attempts() {
    let host = host(1);
    let flood = task(&host, LOG_FLOOD, "flood").submit(args![10]).unwrap();
    block_on(flood.outcome());
    let receipt = flood.receipt();
    assert_eq!(flood.attempts()[0].receipt.as_ref(), Some(&receipt));
    assert!(receipt.log_bytes > 10 * 32 && receipt.peak_memory_bytes >= MIB, "{receipt:?}");
    assert_eq!(receipt.fuel, None);

    let failing = task(&host, BATCH, "process-data").retries(2).submit(args![-1]).unwrap();
    block_on(failing.outcome());
    let attempts = failing.attempts();
    let each: Vec<_> = attempts.iter().map(|attempt| attempt.receipt.clone().unwrap()).collect();
    assert_eq!(each.len(), 3);
    let sum = failing.receipt();
    assert_eq!(sum.cpu_time, each.iter().map(|receipt| receipt.cpu_time).sum::<Duration>());
    assert_eq!(sum.log_bytes, each.iter().map(|receipt| receipt.log_bytes).sum::<u64>());
    assert_eq!(sum.peak_memory_bytes, each[0].peak_memory_bytes);
    assert_eq!(sum.input_bytes, each[0].input_bytes);
    assert!(sum.result_bytes > 0, "the error is what it returned");
}

#[test]
fn a_run_that_was_stopped_has_a_receipt_too() {
    let host = host(1);
    let spinning = task(&host, SPIN_FOREVER, "spin").submit(args![]).unwrap();
    until_running(&spinning);
    assert_eq!(spinning.receipt(), Receipt::default(), "it has not ended");
    spinning.cancel();
    block_on(spinning.outcome());
    assert_eq!(spinning.state(), State::Cancelled);
    assert!(spinning.receipt().cpu_time > Duration::ZERO);

    let timed_out = task(&host, wat::LOOP, "spin").timeout(Duration::from_millis(20));
    let timed_out = timed_out.submit(args![]).unwrap();
    block_on(timed_out.outcome());
    assert!(timed_out.receipt().cpu_time > Duration::ZERO);
}

#[test]
fn a_run_whose_value_was_cached_used_up_nothing() {
    let host = host(1);
    let add_one = task(&host, ARITH, "add-one").cache(CachePolicy::INPUTS);
    for expected in [State::Completed, State::Cached] {
        let run = add_one.submit(args![41]).unwrap();
        block_on(run.outcome());
        assert_eq!(run.state(), expected);
        assert_eq!(run.receipt() == Receipt::default(), expected == State::Cached);
    }
}

#[test]
fn calls_of_the_host_are_counted_by_kind() {
    let host = host(1);
    let sleep = task(&host, wat::SLEEPER, "sleep").submit(args![0]).unwrap();
    block_on(sleep.outcome());
    let calls = sleep.receipt().host_calls;
    let by_kind: Vec<_> = HostCall::ALL.into_iter().map(|kind| (kind.name(), calls.of(kind))).collect();
    assert_eq!(
        by_kind.into_iter().filter(|(_, calls)| *calls > 0).collect::<Vec<_>>(),
        [("clock", 1), ("other", 2)]
    );
}

#[test]
fn fuel_is_a_limit_where_it_is_counted() {
    let frugal = build(Host::builder().max_workers(1).count_fuel(true));
    let spin = task(&frugal, wat::LOOP, "spin").limits(Limits { fuel: Some(1_000), ..Limits::default() });
    let run = spin.submit(args![]).unwrap();
    let outcome = block_on(run.outcome());
    assert_eq!(limit_of(&outcome), Some(LimitKind::Fuel));
    assert_eq!(run.receipt().fuel, Some(1_000));
    let add_one = task(&frugal, ARITH, "add-one");
    let fuel = |number: i64| {
        let run = add_one.submit(args![number]).unwrap();
        block_on(run.outcome());
        run.receipt().fuel
    };
    assert!(fuel(1) > Some(0));
    assert_eq!(fuel(1), fuel(2), "the same work takes the same fuel");

    let host = host(1);
    let spin = task(&host, wat::LOOP, "spin").limits(Limits { fuel: Some(1_000), ..Limits::default() });
    let error = spin.submit(args![]).unwrap_err();
    assert!(matches!(error, SubmitError::FuelIsNotCounted));
    assert_eq!(
        error.to_string(),
        "the limit `fuel` is set, but this host does not count fuel: build it with `count_fuel(true)`"
    );
}

#[test]
fn all_runs_share_the_memory_of_the_host() {
    let host = build(Host::builder().max_workers(2).max_memory_bytes(64 * MIB));
    let eat = task(&host, MEMORY_HOG, "eat");
    let runs = eat.map(args![each([60; 8])]).unwrap();
    for outcome in block_on(outcomes(&runs)) {
        assert_eq!(limit_of(&outcome), Some(LimitKind::HostMemory));
    }
    // Those that need less have not suffered, and all of it was given back.
    let runs = eat.map(args![each([8; 32])]).unwrap();
    for run in runs {
        assert_eq!(block_on(run.result::<u64>()).unwrap(), 8 * MIB);
    }
    block_on(host.shutdown(Shutdown::Wait));
}

fn limit_of(outcome: &Outcome) -> Option<LimitKind> {
    match outcome {
        Outcome::Failed(hostel::Failure::Limit { limit, .. }) => Some(limit.kind),
        _ => None,
    }
}

#[test]
fn the_log_of_a_run_has_its_limit_in_all_attempts_together() {
    let host = host(1);
    // Each line takes its thousand bytes, and little beside.
    let (a, b) = ("a".repeat(1000), "b".repeat(1000));
    let of_lines = Limits { log_lines: 3, ..Limits::default() };
    let of_bytes = Limits { log_bytes: 3500, ..Limits::default() };
    for (limits, mark) in [
        (of_lines, "cut here: the log is over 3 lines (raise it with --max-log-lines)"),
        (of_bytes, "cut here: the log is over 3.4 KiB (raise it with --max-log)"),
    ] {
        let puppet = task(&host, hostel_guests::PUPPET, "play").limits(limits).retries(2);
        let run = puppet.submit(args![format!("print {a}\nprint {b}\nbad")]).unwrap();
        assert!(block_on(run.result::<Vec<String>>()).is_err());
        let texts: Vec<Vec<_>> =
            run.attempts().into_iter().map(|a| a.log.into_iter().map(|line| line.text).collect()).collect();
        assert_eq!(texts, [vec![&*a, &b], vec![&a, mark], vec![mark]]);
    }
}
