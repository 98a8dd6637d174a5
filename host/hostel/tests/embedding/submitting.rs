//! What is accepted, and what is refused before anything runs.

use std::sync::Arc;
use std::time::Duration;

use futures_executor::block_on;
use hostel::{
    CachePolicy, ErrorKind, Host, Limits, OptionError, State, SubmitError, TaskSpec, UnknownImports, Value,
    args, each,
};
use hostel_guests::{ARITH, MODELS, SUM_PLUS, TEXT};

use crate::{build, host, states, task};

#[test]
fn t01_submit_returns_a_future_at_once() {
    let host = host(1);
    let future = task(&host, ARITH, "add").submit(args![40, 2]).unwrap();
    assert_eq!(block_on(future.result::<i64>()).unwrap(), 42);
    assert_eq!(states(&future), [State::Pending, State::Running, State::Completed]);
}

#[test]
fn t02_a_task_key_is_the_same_everywhere() {
    let (one, other) = (host(1), host(1));
    let key = |host: &Host| task(host, ARITH, "add").key().to_string();
    assert_eq!(key(&one), key(&other));
    assert!(key(&one).starts_with("sha256:") && key(&one).ends_with("#add"));
}

#[test]
fn arguments_by_position_and_by_name() {
    let host = host(1);
    let train = task(&host, MODELS, "train-model");
    let named = |name: &str| Value::Record(vec![("name".into(), Value::String(name.into()))]);
    let future = train.submit(args![named("customers"), "model-config" = named("random_forest")]).unwrap();
    let result: Value = block_on(future.result()).unwrap();
    assert!(
        result.to_wave().starts_with("{dataset: \"customers\", model: \"random_forest\", score: "),
        "{result}"
    );
}

#[test]
fn t06_wrong_arguments_are_refused_with_their_path() {
    let host = host(1);
    let refused = |path, name, args| {
        let error = task(&host, path, name).submit(args).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        error.to_string()
    };
    let rate = Value::Record(vec![
        ("rate".into(), Value::String("fast".into())),
        ("layers".into(), Value::List(vec![])),
    ]);
    let config = Value::Record(vec![("name".into(), Value::String("m".into())), ("hyper".into(), rate)]);
    let dataset = Value::Record(vec![("name".into(), Value::String("d".into()))]);
    assert_eq!(
        refused(MODELS, "train-model", args![dataset, config]),
        "argument \"model-config\": field \"hyper\": field \"rate\": expected f64, found string \"fast\""
    );
    assert_eq!(
        refused(SUM_PLUS, "sum-plus", args![1, vec![Value::S64(1), Value::String("x".into())]]),
        "argument \"list\": element 1: expected s64, found string \"x\""
    );
    for args in [args![1], args![1, 2, 3], args![1, 2, a = 3], args![1, c = 2], args![1, f64::NAN]] {
        assert!(!refused(ARITH, "add", args).is_empty());
    }
}

#[test]
fn limits_out_of_range_are_refused() {
    let host = host(1);
    let add = task(&host, ARITH, "add");
    for task in [
        add.clone().timeout(Duration::ZERO),
        add.clone().timeout(Duration::MAX),
        add.clone().limits(Limits { memory_bytes: 0, ..Limits::default() }),
    ] {
        let error = task.submit(args![1, 2]).unwrap_err();
        assert!(matches!(error, SubmitError::Option(_)), "{error}");
        assert!(error.to_string().contains("expected more than zero and at most"), "{error}");
    }
    // The task it was derived from is as it was.
    assert_eq!(block_on(add.submit(args![1, 2]).unwrap().result::<i64>()).unwrap(), 3);
}

#[test]
fn inputs_over_their_limit_are_refused() {
    let host = host(1);
    let count = task(&host, TEXT, "word-count").limits(Limits { input_bytes: 1000, ..Limits::default() });
    assert!(block_on(count.submit(args!["x".repeat(900)]).unwrap().outcome()).is_completed());
    let error = count.submit(args!["x".repeat(1000)]).unwrap_err();
    assert!(matches!(error, SubmitError::InputTooLarge { limit: 1000, .. }), "{error}");
}

#[test]
fn a_key_with_a_long_text_is_refused() {
    let host = host(1);
    let count = task(&host, TEXT, "word-count").cache(CachePolicy::key(&"{text}".repeat(32)));
    let words = |bytes: usize| args!["x".repeat(bytes)];
    assert!(block_on(count.submit(words(32 << 10)).unwrap().outcome()).is_completed());
    for bytes in [(32 << 10) + 1, 8 << 20] {
        let error = count.submit(words(bytes)).unwrap_err();
        assert!(matches!(error, SubmitError::KeyTooLong { limit: 1_048_576, .. }), "{error}");
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}

#[test]
fn a_string_of_a_hundred_megabytes_goes_through() {
    let host = host(1);
    let count = task(&host, TEXT, "word-count").limits(Limits { memory_bytes: 1 << 30, ..Limits::default() });
    let text = "word ".repeat(20_000_000);
    let counts: Value = block_on(count.submit(args![text]).unwrap().result()).unwrap();
    assert!(counts.to_wave().contains("words: 20000000"), "{counts}");
}

#[test]
fn a_list_of_a_million_goes_through() {
    let host = host(1);
    let sum = task(&host, SUM_PLUS, "sum-plus");
    let future = sum.submit(args![0, (1..=1_000_000i64).collect::<Vec<_>>()]).unwrap();
    assert_eq!(block_on(future.result::<i64>()).unwrap(), 500_000_500_000);
}

#[test]
fn each_is_only_for_maps() {
    let host = host(1);
    let error = task(&host, ARITH, "add").submit(args![each(0..3), 1]).unwrap_err();
    assert!(error.to_string().contains("use `map`"), "{error}");
}

#[test]
fn a_full_queue_refuses_or_waits() {
    let host = build(Host::builder().max_workers(1).queue_capacity(2));
    let (moving, mut lines) = crate::telling(task(&host, hostel_guests::ELEVATOR, "stop-at-floor"));
    let spin = task(&host, hostel_guests::SPIN_FOREVER, "spin");
    // The only worker is kept busy by a guest that holds it for a tick at a time; fill the queue behind it.
    let blocker = moving.submit(args![3600]).unwrap();
    assert_eq!(lines.blocking_recv().unwrap(), "elevator moving to floor 3600");
    let mut accepted = Vec::new();
    let error = loop {
        match spin.try_submit(args![]) {
            Ok(future) => accepted.push(future),
            Err(error) => break error,
        }
    };
    assert_eq!(error.to_string(), "the queue is full: 2 runs are pending");
    assert_eq!(error.kind(), ErrorKind::Exhausted);
    // One that waits gets in as soon as there is room.
    let add = task(&host, ARITH, "add");
    let waiting = async { add.submit_async(args![1, 2]).await.unwrap().result::<i64>().await.unwrap() };
    accepted.iter().for_each(|future| assert!(future.cancel()));
    assert_eq!(block_on(waiting), 3);
    assert!(blocker.cancel());
}

#[test]
fn f18_a_host_without_workers_is_refused_with_all_that_is_wrong_named_at_once() {
    let error = Host::builder().max_workers(0).queue_capacity(0).data_dir(ARITH).build().err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let text = error.to_string();
    for part in
        ["max_workers is 0: expected at least 1", "queue_capacity is 0", "expected a directory, found a file"]
    {
        assert!(text.contains(part), "{text}");
    }
    let error = Host::builder().max_workers(100_000).build().err().unwrap();
    assert_eq!(error.to_string(), "max_workers is 100000: expected at most 1024");
}

#[test]
fn options_make_a_new_task_and_leave_the_old_one() {
    let host = host(1);
    let add = task(&host, ARITH, "add");
    let cached = add.clone().cache(CachePolicy::INPUTS);
    for _ in 0..2 {
        block_on(cached.submit(args![1, 2]).unwrap().outcome());
        let future = add.submit(args![1, 2]).unwrap();
        block_on(future.outcome());
        assert_eq!(future.state(), State::Completed, "never cached");
    }
}

#[test]
fn a_task_has_the_options_of_a_spec_whether_set_one_by_one_or_at_once() {
    let host = host(1);
    let plain = task(&host, ARITH, "add");
    let mut spec = TaskSpec::default();
    let options = [("retries", "3"), ("tag", "b"), ("tag", "a"), ("name", "add {a}"), ("cache", "inputs")];
    spec.set_all(options.into_iter().chain([("dir", "tests"), ("unknown-imports", "trap")])).unwrap();
    let one_by_one = plain.clone().retries(3).tags(["b", "a"]).run_name("add {a}").unwrap();
    let one_by_one = one_by_one.cache(CachePolicy::INPUTS).dir("tests".parse().unwrap());
    let one_by_one = one_by_one.unknown_imports(UnknownImports::Trap);
    let at_once = plain.clone().with_spec(spec);
    assert_eq!(at_once.spec(), one_by_one.spec());
    assert!(at_once.spec().grants.dirs[0].host().is_absolute());
    let run = at_once.submit(args![7, 1]).unwrap();
    assert_eq!((&*run.name(), run.tags().len()), ("add 7", 2));
    // Clones share the spec, and keep it when another one changes.
    assert!(Arc::ptr_eq(at_once.spec(), at_once.clone().spec()));
    assert_eq!((at_once.clone().retries(4).spec().retry.retries, at_once.spec().retry.retries), (4, 3));
}

#[test]
fn a_spec_that_does_not_fit_the_task_is_refused_at_submission() {
    let host = host(1);
    let refused = |name: &str, value: &str| {
        let mut spec = TaskSpec::default();
        spec.set(name, value).unwrap();
        task(&host, ARITH, "add").with_spec(spec).submit(args![1, 2]).unwrap_err().to_string()
    };
    let unknown = r#"column 2: unknown parameter "c" (parameters: a, b)"#;
    assert_eq!(refused("name", "{c}"), format!("invalid run name: {unknown}"));
    assert!(refused("cache", "inputs - input:c").starts_with("the cache policy leaves out an input"));
    let spec = TaskSpec { run_timeout: Some(Duration::ZERO), ..TaskSpec::default() };
    let error = task(&host, ARITH, "add").with_spec(spec).submit(args![1, 2]).unwrap_err();
    assert!(matches!(error, SubmitError::Option(OptionError::RunTimeout { .. })), "{error}");
}
