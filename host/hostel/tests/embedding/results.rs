//! What a future tells of its run.

use std::sync::mpsc;
use std::time::Duration;

use futures_executor::block_on;
use hostel::{ErrorKind, Failure, Host, LoadError, Outcome, ResultError, RetryOn, State, Value, args};
use hostel_guests::{ARITH, BATCH, ELEVATOR, PANIC, SELF_AWARE, SHAPES, SPIN_FOREVER, wat};

use crate::{Printed, host, states, task, told};

#[test]
fn f04_done_running_and_cancelled_follow_the_state() {
    let host = host(1);
    let future = task(&host, ARITH, "add").submit(args![1, 2]).unwrap();
    block_on(future.outcome());
    assert!(future.done() && !future.running() && !future.cancelled());
    let failed = task(&host, PANIC, "boom").submit(args!["x"]).unwrap();
    block_on(failed.outcome());
    assert!(failed.done() && !failed.running());
}

#[test]
fn f01_result_gives_the_value_the_failure_or_a_timeout_after_which_the_run_goes_on() {
    let host = host(1);
    let ok = task(&host, ARITH, "add").submit(args![1, 2]).unwrap();
    assert_eq!(block_on(ok.result::<i64>()).unwrap(), 3);
    assert_eq!(block_on(ok.result::<u8>()).unwrap(), 3, "any number of times, as what fits");
    assert!(matches!(block_on(ok.result::<String>()), Err(ResultError::Type { .. })));

    let failed = task(&host, BATCH, "process-data").submit(args![-2]).unwrap();
    let error = block_on(failed.result::<String>()).unwrap_err();
    assert!(
        error.to_string().ends_with("failed: returned the error \"Cannot process negative value: -2\""),
        "{error}"
    );

    let spinning = task(&host, SPIN_FOREVER, "spin").submit(args![]).unwrap();
    let error = block_on(spinning.result_timeout::<u32>(Duration::from_millis(1))).unwrap_err();
    assert!(matches!(error, ResultError::NotYet { .. }), "{error}");
    assert!(!spinning.done(), "it goes on");
    assert!(spinning.cancel());
    assert!(matches!(block_on(spinning.result::<u32>()), Err(ResultError::Cancelled { .. })));
}

#[test]
fn f05_exception_is_nothing_what_went_wrong_or_the_cancellation_as_an_error() {
    let host = host(1);
    let fine = task(&host, ARITH, "add").submit(args![1, 2]).unwrap();
    assert!(block_on(fine.exception()).unwrap().is_none());

    let failed = task(&host, BATCH, "process-data").submit(args![-2]).unwrap();
    for _ in 0..2 {
        let exception = block_on(failed.exception()).unwrap().unwrap();
        let ResultError::Failed { run, failure } = &exception else { panic!("{exception}") };
        assert_eq!((*run, failure.to_string()), (failed.id(), block_on(failed.outcome()).to_string()));
    }

    let cancelled = task(&host, SPIN_FOREVER, "spin").submit(args![]).unwrap();
    assert!(cancelled.cancel());
    assert!(matches!(block_on(cancelled.exception()), Err(ResultError::Cancelled { .. })));
}

#[test]
fn s06_what_the_host_is_at_fault_for_is_crashed_and_retried_only_if_asked() {
    // A host with room for one instance, and a component that consists of many.
    let host = Host::builder().max_workers(1).max_instances(1).build().unwrap();
    let (send, receive) = mpsc::channel();
    let answer = task(&host, wat::MANY_INSTANCES, "answer").retries(1);
    let answer = answer.on_crashed(move |run, _| _ = send.send(run.id()));
    let run = answer.submit(args![]).unwrap();
    let outcome = block_on(run.outcome());
    assert!(matches!(&*outcome, Outcome::Crashed { .. }), "{outcome}");
    assert_eq!(states(&run), [State::Pending, State::Running, State::Crashed]);
    assert_eq!(told(&receive), run.id());
    assert!(matches!(block_on(run.result::<()>()), Err(ResultError::Crashed { .. })));
    let run = answer.retry_on(RetryOn::CRASH).submit(args![]).unwrap();
    block_on(run.outcome());
    let expected = [State::Pending, State::Running, State::AwaitingRetry, State::Retrying, State::Crashed];
    assert_eq!(states(&run), expected);
    let next = task(&host, ARITH, "add").submit(args![1, 2]).unwrap();
    assert_eq!(block_on(next.result::<i64>()).unwrap(), 3, "the only worker goes on");
}

#[test]
fn a_component_that_is_not_compiled_in_time_is_no_harm_to_others() {
    let hasty =
        Host::builder().max_workers(1).max_instances(1).compile_timeout(Duration::ZERO).build().unwrap();
    let error = block_on(hasty.load(ARITH)).err().unwrap();
    assert!(matches!(error, LoadError::CompileTimeout { limit: Duration::ZERO }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Exhausted);
    drop(hasty);
    let host =
        Host::builder().max_workers(1).max_instances(1).compile_timeout(Duration::MAX).build().unwrap();
    let sum = task(&host, ARITH, "add").submit(args![1, 2]).unwrap();
    assert_eq!(block_on(sum.result::<i64>()).unwrap(), 3);
}

#[test]
fn a_log_that_is_told_to_someone_who_panics_is_kept_all_the_same() {
    let host = host(1);
    let explain = task(&host, ELEVATOR, "explain-tasks").log_prints(|_| panic!("as expected"));
    let run = explain.submit(args![]).unwrap();
    assert!(block_on(run.outcome()).is_completed());
    assert_eq!(run.log().len(), 2);
}

#[test]
fn s01_a_failure_keeps_its_typed_value_or_its_trap() {
    let host = host(1);
    let failed = task(&host, BATCH, "process-data").submit(args![-2]).unwrap();
    let outcome = block_on(failed.outcome());
    assert_eq!(
        *outcome,
        Outcome::Failed(Failure::Error(Value::String("Cannot process negative value: -2".into())))
    );
    assert_eq!(states(&failed), [State::Pending, State::Running, State::Failed]);

    let trapped = task(&host, PANIC, "boom").submit(args!["ouch"]).unwrap();
    let outcome = block_on(trapped.outcome());
    let Outcome::Failed(Failure::Trap(trap)) = &*outcome else { panic!("{outcome:?}") };
    assert!(
        trap.backtrace
            .iter()
            .any(|frame| frame.function.as_deref().is_some_and(|name| name.contains("explode")))
    );
    assert!(trap.stderr_tail.concat().contains("ouch"));
}

#[test]
fn s04_over_time_is_timed_out_r08_and_stopped_in_every_case() {
    let host = host(2);
    for (path, name, args) in [
        (SPIN_FOREVER, "spin", args![]),
        (ELEVATOR, "stop-at-floor", args![3600]),
        (wat::START_LOOP, "answer", args![]),
    ] {
        let future = task(&host, path, name).timeout(Duration::from_millis(30)).submit(args).unwrap();
        let outcome = block_on(future.outcome());
        assert_eq!(
            *outcome,
            Outcome::Failed(Failure::TimedOut { after: Duration::from_millis(30) }),
            "{name}"
        );
        assert_eq!(states(&future), [State::Pending, State::Running, State::TimedOut]);
    }
}

#[test]
fn transitions_have_a_time_and_a_cause_in_order() {
    let host = host(1);
    let future = task(&host, ARITH, "add").submit(args![1, 2]).unwrap();
    block_on(future.outcome());
    let history = future.history();
    assert!(history.is_sorted_by_key(|transition| transition.at));
    let causes: Vec<_> = history.iter().map(|transition| transition.cause.map(hostel::Event::name)).collect();
    assert_eq!(causes, [None, Some("Started"), Some("Completed")]);
}

#[test]
fn t05_what_a_run_prints_is_its_log_and_is_echoed_when_asked_t10() {
    let host = host(1);
    let printed = Printed::default();
    let explain = task(&host, ELEVATOR, "explain-tasks").log_prints(printed.echo());
    let future = explain.submit(args![]).unwrap();
    assert_eq!(*block_on(future.outcome()), Outcome::Completed(Value::UNIT));
    let lines = ["run any code here!", "but maybe just a little bit"];
    assert_eq!(future.log().iter().map(|line| &*line.text).collect::<Vec<_>>(), lines);
    assert_eq!(printed.lines(), lines);
}

#[test]
fn a_guest_can_ask_which_run_it_executes_for() {
    let host = host(1);
    let future = task(&host, SELF_AWARE, "who-am-i").submit(args![]).unwrap();
    let answer: String = block_on(future.result()).unwrap();
    assert_eq!(answer, format!("attempt 1 of run {} of {}", future.id(), future.task().key()));
}

#[test]
fn a_future_can_be_awaited_by_many_on_any_runtime() {
    let host = host(1);
    let future = task(&host, ELEVATOR, "stop-at-floor").submit(args![1, 20]).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|number| {
            let future = future.clone();
            std::thread::spawn(move || match number % 2 {
                0 => block_on(future.result::<u32>()).unwrap(),
                _ => tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap()
                    .block_on(future.result())
                    .unwrap(),
            })
        })
        .collect();
    assert!(threads.into_iter().all(|thread| thread.join().unwrap() == 1));
}

#[test]
fn a_run_goes_on_without_its_future() {
    let host = host(1);
    let (moving, mut lines) = crate::telling(task(&host, ELEVATOR, "stop-at-floor"));
    drop(moving.submit(args![1, 1]).unwrap());
    assert_eq!(lines.blocking_recv().unwrap(), "elevator moving to floor 1");
    assert_eq!(lines.blocking_recv().unwrap(), "elevator stops on floor 1");
}

#[test]
fn f27_a_number_of_three_thousand_digits() {
    let host = host(1);
    let future = task(&host, ARITH, "pow").submit(args![323, 1235]).unwrap();
    assert_eq!(block_on(future.result::<String>()).unwrap().len(), 3099);
}

#[test]
fn values_of_every_kind_come_back() {
    let host = host(1);
    let record = task(&host, SHAPES, "echo-nested-option");
    let value = Value::Option(Some(Box::new(Value::Option(None))));
    assert_eq!(block_on(record.submit(args![value.clone()]).unwrap().result::<Value>()).unwrap(), value);
}

#[test]
fn a_crash_in_one_run_touches_no_other() {
    let host = host(2);
    let (boom, add) = (task(&host, PANIC, "boom"), task(&host, ARITH, "add"));
    let runs: Vec<_> = (0..200)
        .map(|n| if n % 2 == 0 { boom.submit(args!["x"]).unwrap() } else { add.submit(args![n, 1]).unwrap() })
        .collect();
    for (n, run) in runs.iter().enumerate() {
        assert_eq!(block_on(run.outcome()).is_completed(), n % 2 == 1);
    }
}
