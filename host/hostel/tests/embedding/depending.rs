//! Runs that depend on other runs: they take their results, or wait for them.

use std::time::Duration;

use futures_executor::block_on;
use hostel::{
    CachePolicy, Failure, Input, Outcome, ResultError, Shutdown, State, SubmitError, TaskFuture,
    allow_failure, args, blocking, each, outcomes, results,
};
use hostel_guests::{ARITH, BATCH, ELEVATOR, MODELS, SHAPES, SPIN_FOREVER, SUM_PLUS, TEXT, wat};

use crate::{host, states, task, told};

#[test]
fn f12_a_future_is_an_input_and_waiting_occupies_nothing() {
    let host = host(1);
    let add = task(&host, ARITH, "add");
    let slow = task(&host, wat::SLEEPER, "sleep").submit(args![20]).unwrap();
    let one = add.submit(args![1, 0]).unwrap();
    let three = add.submit(args![&one, 2].wait_for([&slow])).unwrap();
    let six = add.submit(args![b = &three, a = 3]).unwrap();
    assert_eq!(block_on(six.result::<i64>()).unwrap(), 6);
    assert_eq!(states(&three), [State::Pending, State::Running, State::Completed]);
    // What is done already is an input as well, any number of times.
    let twelve = add.submit(args![&six, &six]).unwrap();
    assert_eq!(block_on(twelve.result::<i64>()).unwrap(), 12);
}

#[test]
fn f12_futures_are_resolved_anywhere_inside_of_a_value() {
    let host = host(1);
    let add = task(&host, ARITH, "add");
    let numbers = add.map(args![each(0..4i64), 1]).unwrap();
    let sum = task(&host, SUM_PLUS, "sum-plus").submit(args![&numbers[0], Input::list(&numbers)]).unwrap();
    assert_eq!(block_on(sum.result::<i64>()).unwrap(), 1 + 10);

    let greet = task(&host, TEXT, "greet");
    let name = greet.submit(args!["Ada"]).unwrap();
    let train = task(&host, MODELS, "train-model");
    let trained = train
        .submit(args![Input::record([("name", &name)]), Input::record([("name", Input::value("forest"))])])
        .unwrap();
    let outcome = block_on(trained.outcome());
    assert!(outcome.to_string().contains("Ada"), "{outcome}");
}

#[test]
fn f12_futures_may_be_in_variants_results_and_options_too() {
    let host = host(1);
    let number = task(&host, SHAPES, "echo-u32").submit(args![7]).unwrap();
    let text = task(&host, SHAPES, "echo-string").submit(args!["why"]).unwrap();
    let check = |name: &str, input: Input, expected: &str| {
        let run = task(&host, SHAPES, name).submit(args![input]).unwrap();
        assert_eq!(block_on(run.outcome()).to_string(), expected, "{name}");
    };
    check("echo-option", Input::some(&number), "some(7)");
    check("echo-option", Input::from(&number), "some(7)");
    check("echo-variant", Input::variant("circle", &number), "circle(7)");
    check("echo-variant", Input::variant("group", Input::list([&text, &text])), r#"group(["why", "why"])"#);
    check("echo-variant", Input::case("nothing"), "nothing");
    check("echo-enum", Input::case("hearts"), "hearts");
    check("echo-result", Input::ok(&number), "7");
    check("echo-result", Input::err(&text), r#"returned the error "why""#);
    check(
        "echo-tuple",
        Input::tuple([Input::from(&number), Input::from(&text), Input::value(true)]),
        r#"(7, "why", true)"#,
    );
    let refused = |name: &str, input: Input, expected: &str| {
        let error = task(&host, SHAPES, name).submit(args![input]).unwrap_err();
        assert_eq!(error.to_string(), expected, "{name}");
    };
    refused(
        "echo-variant",
        Input::variant("circle", &text),
        r#"argument "value": case "circle": expected f64, found string"#,
    );
    refused("echo-result", Input::err(&number), r#"argument "value": err: expected string, found u32"#);
    refused(
        "echo-list",
        Input::variant("circle", &text),
        r#"argument "value": expected list<string>, found variant"#,
    );
}

#[test]
fn f12_a_result_of_the_wrong_type_is_refused_before_anything_runs() {
    let host = host(1);
    let text = task(&host, BATCH, "cool-task").submit(args![]).unwrap();
    let error = task(&host, ARITH, "add").submit(args![1, &text]).unwrap_err();
    assert_eq!(error.to_string(), r#"argument "b": expected s64, found string"#);
    let error = task(&host, SUM_PLUS, "sum-plus").submit(args![1, Input::list([&text])]).unwrap_err();
    assert_eq!(error.to_string(), r#"argument "list": element 0: expected s64, found string"#);
    let error = task(&host, MODELS, "train-model")
        .submit(args![Input::record([("nme", &text)]), Input::record([("name", &text)])])
        .unwrap_err();
    assert!(error.to_string().contains(r#"unknown field "nme", did you mean "name"?"#), "{error}");
}

#[test]
fn a_number_that_does_not_fit_fails_the_run_that_wanted_it() {
    let host = host(1);
    let large = task(&host, ARITH, "add").submit(args![1i64 << 40, 0]).unwrap();
    let pow = task(&host, ARITH, "pow").submit(args![2, &large]).unwrap();
    let outcome = block_on(pow.outcome());
    assert_eq!(pow.state(), State::UpstreamFailed);
    let expected = format!(
        r#"never started: it depends on {}, which completed, but its result does not fit the argument "exponent": expected u32 (0 to 4294967295), found s64 1099511627776"#,
        large.name()
    );
    assert_eq!(outcome.to_string(), expected);
}

#[test]
fn s05_a_run_whose_upstream_failed_never_starts_and_names_the_chain() {
    let host = host(1);
    let process = task(&host, BATCH, "process-data");
    let greet = task(&host, TEXT, "greet");
    let failed = process.submit(args![-2]).unwrap();
    let second = greet.submit(args![&failed]).unwrap();
    let third = greet.submit(args![&second]).unwrap();
    let outcome = block_on(third.outcome());
    assert_eq!(states(&third), [State::Pending, State::UpstreamFailed]);
    let expected = format!(
        r#"never started: it depends on {}, which depends on {}, which returned the error "Cannot process negative value: -2""#,
        second.name(),
        failed.name()
    );
    assert_eq!(outcome.to_string(), expected);
    let Outcome::Failed(Failure::Upstream { chain }) = &*outcome else { panic!("{outcome}") };
    let runs: Vec<_> = chain.runs().iter().map(|upstream| upstream.run).collect();
    assert_eq!(runs, [second.id(), failed.id()]);
}

#[test]
fn f15_the_result_of_a_run_whose_upstream_failed_is_an_error() {
    let host = host(1);
    let failed = task(&host, BATCH, "process-data").submit(args![-2]).unwrap();
    let never_started = task(&host, TEXT, "greet").submit(args![&failed]).unwrap();
    let error = block_on(never_started.result::<String>()).unwrap_err();
    assert!(matches!(error, ResultError::Failed { failure: Failure::Upstream { .. }, .. }), "{error}");
}

#[test]
fn f13_f25_c_waits_for_a_and_b_and_d_for_c() {
    let host = host(2);
    let sleep = task(&host, wat::SLEEPER, "sleep");
    let explain = task(&host, ELEVATOR, "explain-tasks");
    let a = sleep.submit(args![30]).unwrap();
    let b = sleep.submit(args![1]).unwrap();
    let c = explain.submit(args![].wait_for([&a, &b])).unwrap();
    let d = explain.submit(args![].wait_for([&c])).unwrap();
    block_on(d.outcome());
    let began = |run: &TaskFuture| run.attempts()[0].began_at;
    let ended = |run: &TaskFuture| run.attempts()[0].ended_at.unwrap();
    assert!(began(&c) >= ended(&a) && began(&c) >= ended(&b) && began(&d) >= ended(&c));
}

#[test]
fn f13_a_run_that_waits_for_one_that_fails_never_starts() {
    let host = host(1);
    let failed = task(&host, BATCH, "process-data").submit(args![-1]).unwrap();
    let explain = task(&host, ELEVATOR, "explain-tasks");
    let strict = explain.submit(args![].wait_for([&failed])).unwrap();
    let lenient = explain.submit(args![].wait_for_any_outcome([&failed])).unwrap();
    assert!(block_on(lenient.outcome()).is_completed());
    block_on(strict.outcome());
    assert_eq!(strict.state(), State::UpstreamFailed);
}

#[test]
fn f13_a_run_whose_value_is_known_still_waits() {
    let host = host(1);
    let add = task(&host, ARITH, "add").cache(CachePolicy::INPUTS);
    block_on(add.submit(args![1, 2]).unwrap().outcome());
    let never = task(&host, wat::SLEEPER, "sleep").submit(args![3_600_000]).unwrap();
    let strict = add.submit(args![1, 2].wait_for([&never])).unwrap();
    let lenient = add.submit(args![1, 2].wait_for_any_outcome([&never])).unwrap();
    assert_eq!((strict.state(), lenient.state()), (State::Pending, State::Pending));
    assert!(never.cancel());
    assert_eq!(block_on(lenient.result::<i64>()).unwrap(), 3);
    assert_eq!((strict.state(), lenient.state()), (State::UpstreamFailed, State::Cached));
}

#[test]
fn f14_an_outcome_can_be_an_input() {
    let host = host(1);
    let process = task(&host, BATCH, "process-data");
    let echo = task(&host, SHAPES, "echo-result");
    let [good, bad] = [1, -1].map(|item| process.submit(args![item]).unwrap());
    let check = |future: &TaskFuture, expected: &str| {
        let taken = task(&host, BATCH, "describe").submit(args![allow_failure(future)]).unwrap();
        assert_eq!(block_on(taken.result::<String>()).unwrap(), expected);
    };
    check(&good, "it went well: Processed 1");
    check(&bad, r#"it went wrong: returned the error "Cannot process negative value: -1""#);
    let cancelled = task(&host, wat::SLEEPER, "sleep").submit(args![3_600_000]).unwrap();
    let error = echo.submit(args![allow_failure(&cancelled)]).unwrap_err();
    assert!(matches!(error, SubmitError::Argument(_)), "{error}");
    assert!(cancelled.cancel());
    // Where no outcome is taken, it is as with any other failure.
    let strict = process.submit(args![&task(&host, ARITH, "add").submit(args![-5, 0]).unwrap()]).unwrap();
    assert_eq!(
        block_on(strict.outcome()).to_string(),
        r#"returned the error "Cannot process negative value: -5""#
    );
}

#[test]
fn a_map_takes_the_futures_of_another_map() {
    let host = host(2);
    let add = task(&host, ARITH, "add");
    let first = add.map(args![each(0..50i64), 1]).unwrap();
    let second = add.map(args![each(first.clone()), each(first)]).unwrap();
    let expected: Vec<i64> = (1..=50).map(|n| n * 2).collect();
    assert_eq!(block_on(results::<i64>(&second)).unwrap(), expected);
}

#[test]
fn one_that_fails_in_a_map_of_maps_fails_its_own_followers_only() {
    let host = host(2);
    let first = task(&host, BATCH, "process-data").map(args![each([1, -2, 3])]).unwrap();
    let second = task(&host, TEXT, "greet").map(args![each(first)]).unwrap();
    block_on(outcomes(&second));
    let ended: Vec<_> = second.iter().map(TaskFuture::state).collect();
    assert_eq!(ended, [State::Completed, State::UpstreamFailed, State::Completed]);
}

#[test]
fn f11_results_come_in_order_or_the_first_failure_in_time() {
    let host = host(2);
    let process = task(&host, BATCH, "process-data");
    let never = task(&host, wat::SLEEPER, "sleep").submit(args![3_600_000]).unwrap();
    let later = process.submit(args![-1].wait_for([&never])).unwrap();
    let quick = process.submit(args![-2]).unwrap();
    let error = block_on(results::<String>(&[later.clone(), quick.clone()])).unwrap_err();
    assert!(error.to_string().contains("negative value: -2"), "{error}");
    let fine = process.map(args![each([3, 1, 2])]).unwrap();
    assert_eq!(block_on(results::<String>(&fine)).unwrap(), ["Processed 3", "Processed 1", "Processed 2"]);
    assert!(never.cancel());
    let kept = block_on(outcomes(&[fine[0].clone(), later, quick]));
    assert_eq!(kept.iter().map(|outcome| outcome.is_completed()).collect::<Vec<_>>(), [true, false, false]);
}

#[test]
fn cancelling_reaches_a_run_that_waits_and_those_that_depend_on_it() {
    let host = host(1);
    let never = task(&host, wat::SLEEPER, "sleep").submit(args![3_600_000]).unwrap();
    let add = task(&host, ARITH, "add");
    let waiting = add.submit(args![1, 2].wait_for([&never])).unwrap();
    let after = add.submit(args![&waiting, 2]).unwrap();
    let freed = add.submit(args![1, 1].wait_for_any_outcome([&waiting])).unwrap();
    assert!(waiting.cancel() && waiting.cancel());
    assert_eq!((waiting.state(), after.state()), (State::Cancelled, State::UpstreamFailed));
    assert!(block_on(after.outcome()).to_string().ends_with("which was cancelled"));
    assert_eq!(block_on(freed.result::<i64>()).unwrap(), 2);
    assert!(never.running() && never.cancel());
}

#[test]
fn t08_whoever_waits_for_others_holds_no_worker() {
    let host = host(1);
    let add = task(&host, ARITH, "add");
    let (send, receive) = std::sync::mpsc::channel();
    let inner = add.clone();
    // A parent that submits a child and waits for it, with one worker; and the child does the same.
    let parent = add.clone().on_completion(move |run, _| {
        let child = inner.submit(args![run, 1]).unwrap();
        let grandchild = inner.submit(args![&child, 1]).unwrap();
        let _ = send.send(blocking::result::<i64>(&grandchild).unwrap());
    });
    parent.submit(args![1, 1]).unwrap();
    assert_eq!(told(&receive), 4);
}

#[test]
fn a_chain_of_a_hundred_thousand_completes_or_fails_as_one() {
    let host = host(2);
    let add = task(&host, wat::ADD_ONE, "add-one");
    let gate = task(&host, wat::SLEEPER, "sleep").submit(args![3_600_000]).unwrap();
    let chain = |first: TaskFuture, length: usize| {
        std::iter::successors(Some(first), |last| Some(add.submit(args![last]).unwrap()))
            .take(length)
            .collect::<Vec<_>>()
    };
    // As many as the queue holds, with the gate.
    let failing = chain(add.submit(args![0].wait_for([&gate])).unwrap(), 99_999);
    assert!(gate.cancel());
    let last = failing.last().unwrap();
    assert_eq!(last.state(), State::UpstreamFailed, "at once, and not on a deep stack");
    let outcome = block_on(last.outcome());
    let Outcome::Failed(Failure::Upstream { chain: named }) = &*outcome else { panic!("{outcome}") };
    assert_eq!(named.runs().last().unwrap().run, gate.id());
    assert_eq!(named.runs().len() + named.left_out(), 99_999);
    block_on(outcomes(&failing));
    drop(failing);

    let completing = chain(add.submit(args![0]).unwrap(), 100_000);
    assert_eq!(block_on(completing.last().unwrap().result::<i64>()).unwrap(), 100_000);
}

#[test]
fn a_graph_of_a_hundred_thousand_edges_is_walked_once() {
    let host = host(2);
    let sum = task(&host, SUM_PLUS, "sum-plus");
    let add = task(&host, wat::ADD_ONE, "add-one");
    let layer = |before: &[TaskFuture]| -> Vec<TaskFuture> {
        (0..100).map(|_| sum.submit(args![0, Input::list(before)]).unwrap()).collect()
    };
    let mut layers = vec![add.map(args![each(vec![-1i64; 100])]).unwrap()];
    for _ in 0..10 {
        layers.push(layer(layers.last().unwrap()));
    }
    let last = layers.last().unwrap();
    assert_eq!(block_on(results::<i64>(last)).unwrap(), [0; 100]);
}

#[test]
fn shutting_down_ends_those_who_wait() {
    let host = host(1);
    let never = task(&host, SPIN_FOREVER, "spin").submit(args![]).unwrap();
    let add = task(&host, ARITH, "add");
    let waiting: Vec<_> = (0..100).map(|n| add.submit(args![n, 1].wait_for([&never])).unwrap()).collect();
    block_on(host.shutdown(Shutdown::CancelAll));
    assert!(waiting.iter().chain([&never]).all(TaskFuture::done));
    assert!(matches!(add.submit(args![1, 1].wait_for([&never])), Err(SubmitError::ShutDown)));
}

#[test]
fn a_host_that_waits_for_everything_waits_for_what_depends_too() {
    let host = host(1);
    let add = task(&host, ARITH, "add");
    let slow = task(&host, wat::SLEEPER, "sleep").submit(args![20]).unwrap();
    let after = add.submit(args![1, 1].wait_for([&slow])).unwrap();
    block_on(host.shutdown(Shutdown::Wait));
    assert_eq!((slow.state(), after.state()), (State::Completed, State::Completed));
    assert!(block_on(after.wait(Duration::ZERO)));
}
