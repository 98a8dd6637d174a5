//! Retries, and timeouts of attempts and of whole runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_executor::block_on;
use hostel::{
    Event, Failure, FailureKind, Host, Input, Outcome, RetryDelay, RetryOn, Shutdown, State, TaskFuture,
    args, each, outcomes,
};
use hostel_guests::{BATCH, ELEVATOR, FLAKY, SPIN_FOREVER, wat};

use crate::{build, host, states, task, until_running};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn r01_retries_are_attempts_after_the_first() {
    let host = host(1);
    let process = task(&host, BATCH, "process-data");
    for retries in 0..4 {
        let run = process.clone().retries(retries).submit(args![-1]).unwrap();
        block_on(run.outcome());
        let attempts = run.attempts();
        assert_eq!(attempts.len(), retries as usize + 1);
        for (index, attempt) in attempts.iter().enumerate() {
            assert_eq!(attempt.number as usize, index + 1);
            assert!(attempt.duration().is_some());
            let cause = attempt.outcome.as_ref().unwrap().to_string();
            assert_eq!(cause, r#"returned the error "Cannot process negative value: -1""#);
        }
    }
    let fine = process.retries(3).submit(args![1]).unwrap();
    block_on(fine.outcome());
    assert_eq!(fine.attempts().len(), 1);
}

#[test]
fn a_run_that_fails_in_any_way_completes_when_it_is_tried_often_enough() {
    let host = host(1);
    let flaky = task(&host, FLAKY, "fail-until").timeout(Duration::from_secs(1)).retries(3);
    for (how, kind) in [
        ("error", FailureKind::Error),
        ("trap", FailureKind::Trap),
        ("exit", FailureKind::Exit),
        ("spin", FailureKind::Timeout),
    ] {
        let run = flaky.submit(args![3, Input::case(how)]).unwrap();
        assert_eq!(block_on(run.result::<u32>()).unwrap(), 3, "{how}");
        let causes = run.attempts().into_iter().map(|attempt| match &*attempt.outcome.unwrap() {
            Outcome::Failed(failure) => Some(failure.kind()),
            _ => None,
        });
        assert_eq!(causes.collect::<Vec<_>>(), [Some(kind), Some(kind), None], "{how}");
        assert_eq!(run.state(), State::Completed);
    }
}

#[test]
fn nothing_survives_an_attempt() {
    let host = host(2);
    let calls = task(&host, FLAKY, "times-called");
    for _ in 0..20 {
        assert_eq!(block_on(calls.submit(args![]).unwrap().result::<u32>()).unwrap(), 1);
    }
    let retried = task(&host, FLAKY, "survivors").retries(1).submit(args![]).unwrap();
    assert_eq!(block_on(retried.result::<u32>()).unwrap(), 1);
    assert_eq!(retried.attempts().len(), 2);
}

#[test]
fn s03_a_retry_awaits_its_time_and_then_executes() {
    let host = host(1);
    let delay = Duration::from_millis(30);
    let process = task(&host, BATCH, "process-data").retries(1).retry_delay(delay);
    let run = process.submit(args![-1]).unwrap();
    block_on(run.outcome());
    let expected = [State::Pending, State::Running, State::AwaitingRetry, State::Retrying, State::Failed];
    assert_eq!(states(&run), expected);
    let history = run.history();
    let Some(Event::RetryPlanned { due }) = history[2].cause else { panic!("{history:?}") };
    assert_eq!(due.since(history[2].at), delay);
    assert!(history[3].at >= due, "never too early");
}

#[test]
fn r02_the_last_delay_of_a_list_repeats() {
    let host = host(1);
    let delays = [1, 20].map(Duration::from_millis);
    let process = task(&host, BATCH, "process-data").retries(3).retry_delay(delays);
    let run = process.submit(args![-1]).unwrap();
    block_on(run.outcome());
    assert_eq!(planned(&run), [1, 20, 20].map(Duration::from_millis));
    let process = task(&host, BATCH, "process-data").retries(4);
    let run =
        process.retry_delay(RetryDelay::Exponential(Duration::from_millis(2))).submit(args![-1]).unwrap();
    block_on(run.outcome());
    assert_eq!(planned(&run), [2, 4, 8, 16].map(Duration::from_millis));
}

#[test]
fn r03_jitter_is_within_its_bounds_and_the_same_with_the_same_seed() {
    let draw = |seed: u64| {
        let host = build(Host::builder().max_workers(1).seed(seed));
        let process = task(&host, BATCH, "process-data");
        let process = process.retries(5).retry_delay(Duration::from_millis(10)).retry_jitter(0.3);
        let run = process.submit(args![-1]).unwrap();
        block_on(run.outcome());
        planned(&run)
    };
    let first = draw(7);
    assert_eq!(first, draw(7));
    assert_ne!(first, draw(8));
    let bounds = Duration::from_micros(7_500)..=Duration::from_micros(13_000);
    assert!(first.iter().all(|delay| bounds.contains(delay)), "{first:?}");
}

#[test]
fn r04_a_predicate_decides_and_is_not_asked_when_none_are_left() {
    let host = host(1);
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let process = task(&host, BATCH, "process-data").retries(3);
    let picky = process.clone().retry_if(move |failure| {
        count.fetch_add(1, Ordering::Relaxed);
        failure.to_string().contains("-1")
    });
    let retried = picky.submit(args![-1]).unwrap();
    block_on(retried.outcome());
    assert_eq!((retried.attempts().len(), asked.swap(0, Ordering::Relaxed)), (4, 3));
    let not_retried = picky.submit(args![-2]).unwrap();
    block_on(not_retried.outcome());
    assert_eq!((not_retried.attempts().len(), asked.load(Ordering::Relaxed)), (1, 1));
    let panicking = process.retry_if(|_| panic!("as expected")).submit(args![-1]).unwrap();
    block_on(panicking.outcome());
    assert_eq!(panicking.attempts().len(), 1);
}

#[test]
fn r05_what_is_retried_is_chosen_by_the_kind_of_failure() {
    let host = host(1);
    let check = |on: RetryOn, expected: usize| {
        let process = task(&host, BATCH, "process-data").retries(2).retry_on(on);
        let run = process.submit(args![-1]).unwrap();
        block_on(run.outcome());
        assert_eq!(run.attempts().len(), expected, "{on}");
    };
    check(RetryOn::ERROR, 3);
    check(RetryOn::TRAP + RetryOn::TIMEOUT, 1);
    check(RetryOn::FAILURES, 3);
    check(RetryOn::NONE, 1);
    let trap = task(&host, wat::TRAP, "unreachable").retries(2);
    let trap = trap.submit(args![]).unwrap();
    block_on(trap.outcome());
    assert_eq!(trap.attempts().len(), 3);
    // Neither a run that never started nor one that was cancelled is retried.
    let process = task(&host, BATCH, "process-data").retries(2);
    let after = process.submit(args![1].wait_for([&trap])).unwrap();
    block_on(after.outcome());
    assert_eq!((after.state(), after.attempts().len()), (State::UpstreamFailed, 0));
    let spin = task(&host, SPIN_FOREVER, "spin").retries(2).submit(args![]).unwrap();
    until_running(&spin);
    assert!(spin.cancel());
    block_on(spin.outcome());
    assert_eq!((spin.state(), spin.attempts().len()), (State::Cancelled, 1));
}

#[test]
fn r09_each_attempt_has_the_timeout_and_is_retried_after_it() {
    let host = host(1);
    let spin = task(&host, SPIN_FOREVER, "spin").timeout(Duration::from_millis(20)).retries(2);
    let run = spin.submit(args![]).unwrap();
    block_on(run.outcome());
    assert_eq!((run.state(), run.attempts().len()), (State::TimedOut, 3));
}

#[test]
fn r09_a_whole_run_has_a_timeout_too_which_is_not_retried() {
    let host = host(1);
    let limit = Duration::from_millis(50);
    let spin = task(&host, SPIN_FOREVER, "spin").run_timeout(limit).retries(100);
    let run = spin.clone().submit(args![]).unwrap();
    let outcome = block_on(run.outcome());
    assert_eq!(*outcome, Outcome::Failed(Failure::TimedOut { after: limit }));
    assert_eq!((run.state(), run.attempts().len()), (State::TimedOut, 1));
    // Several attempts share it.
    let spin = spin.run_timeout(Duration::from_secs(1)).timeout(Duration::from_millis(15)).retries(10_000);
    let run = spin.submit(args![]).unwrap();
    block_on(run.outcome());
    assert_eq!(run.state(), State::TimedOut);
    assert!((2..10_000).contains(&run.attempts().len()), "{}", run.attempts().len());
}

#[test]
fn a_retry_that_would_come_too_late_is_not_waited_for() {
    let host = host(1);
    let process = task(&host, BATCH, "process-data").retries(1).retry_delay(HOUR).run_timeout(HOUR);
    let run = process.submit(args![-1]).unwrap();
    let outcome = block_on(run.outcome());
    assert_eq!((run.state(), run.attempts().len()), (State::Failed, 1));
    let Outcome::Failed(failure) = &*outcome else { panic!("{outcome}") };
    assert_eq!(failure.kind(), FailureKind::Error);
}

#[test]
fn cancelling_reaches_a_run_that_awaits_its_next_attempt() {
    let host = host(1);
    let process = task(&host, BATCH, "process-data").retries(1).retry_delay(HOUR);
    let run = process.submit(args![-1]).unwrap();
    while run.state() != State::AwaitingRetry {
        std::thread::yield_now();
    }
    assert!(!run.running() && !run.done());
    assert!(run.cancel() && run.cancel());
    assert_eq!(run.state(), State::Cancelled);
    assert_eq!(states(&run), [State::Pending, State::Running, State::AwaitingRetry, State::Cancelled]);
}

#[test]
fn a_thousand_runs_may_await_their_retries_on_one_worker() {
    let host = host(1);
    let process = task(&host, BATCH, "process-data").retries(1);
    let waiting = process.clone().retry_delay(HOUR).map(args![each(vec![-1; 1000])]).unwrap();
    let done = process.retry_delay(Duration::from_millis(5)).map(args![each(vec![-1; 1000])]).unwrap();
    assert!(block_on(outcomes(&done)).iter().all(|outcome| !outcome.is_completed()));
    assert!(waiting.iter().all(|run| run.state() == State::AwaitingRetry));
    block_on(host.shutdown(Shutdown::CancelPending));
    assert!(waiting.iter().all(|run| run.state() == State::Cancelled));
}

#[test]
fn dropping_the_host_ends_runs_in_every_state() {
    let host = build(Host::builder().max_workers(2).tag_limit("one", 1));
    let sleep = task(&host, wat::SLEEPER, "sleep");
    let mut runs = task(&host, BATCH, "process-data")
        .retries(9)
        .retry_delay(HOUR)
        .map(args![each(vec![-1; 2_000])])
        .unwrap();
    runs.extend(sleep.map(args![each(vec![3_600_000; 2_000])]).unwrap());
    runs.extend(task(&host, SPIN_FOREVER, "spin-after").map(args![each([0; 20])]).unwrap());
    runs.extend(sleep.clone().tags(["one"]).map(args![each(vec![3_600_000; 2_000])]).unwrap());
    let never = runs.last().unwrap().clone();
    runs.extend(sleep.map(args![each(vec![1; 4_000])].wait_for([&never])).unwrap());
    drop((host, sleep));
    assert!(runs.iter().all(TaskFuture::done));
    assert!(runs.iter().all(|run| matches!(run.state(), State::Cancelled | State::UpstreamFailed)));
}

#[test]
fn the_log_has_the_lines_of_all_attempts_and_each_attempt_its_own() {
    let host = host(1);
    let moving = task(&host, ELEVATOR, "stop-at-floor").timeout(Duration::from_millis(500)).retries(1);
    let run = moving.submit(args![3600]).unwrap();
    block_on(run.outcome());
    assert_eq!(run.log().len(), 2);
    assert!(run.attempts().iter().all(|attempt| attempt.log.len() == 1));
}

#[test]
fn r07_durations_and_counts_out_of_range_are_refused() {
    let host = host(1);
    let process = task(&host, BATCH, "process-data");
    let check = |task: hostel::Task, expected: &str| {
        let error = task.submit(args![1]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(process.clone().retries(u32::MAX), "4294967295");
    check(process.clone().retries(1).retry_delay(Duration::MAX), "expected");
    check(process.clone().retries(1).retry_delay(Vec::new()), "expected");
    check(process.clone().retries(1).retry_jitter(-0.5), "-0.5");
    check(process.clone().retries(1).retry_jitter(f64::NAN), "NaN");
    check(process.clone().run_timeout(Duration::ZERO), "the run timeout cannot be 0ns");
    check(process.clone().run_timeout(Duration::MAX), "expected more than zero and at most");
    check(process.timeout(Duration::ZERO), "the limit `timeout` cannot be 0 s");
}

/// How long after each failure the next attempt was due.
fn planned(run: &TaskFuture) -> Vec<Duration> {
    let planned = run.history().into_iter().filter_map(|transition| match transition.cause {
        Some(Event::RetryPlanned { due }) => Some(due.since(transition.at)),
        _ => None,
    });
    planned.collect()
}
