//! Retries, timeouts of runs, names and tags: what is told of them, and what they cannot be.

use serde_json::Value as Json;

use crate::hostel::{Place, check};

#[test]
fn failed_attempts_are_told() {
    let place = Place::new();
    let lines = [
        "run batch.wasm#process-data item=-3 --retries 2",
        "run batch.wasm#process-data item=-3 --retries 2 --quiet",
        "run batch.wasm#process-data item=-3 --retries 2 --retry-delay 1ms,2ms --retry-jitter 0.1",
        "run batch.wasm#process-data item=-3 --retries 2 --retry-on trap,timeout",
        "run batch.wasm#process-data item=-3 --retries 2 --retry-delay 1h --run-timeout 1m",
        "run batch.wasm#process-data item=-3 --retries 0 --retry-delay 1h",
        "run batch.wasm#process-data item=3 --retries 2",
        "run trap.wat#divide 1 0 --retries 1 --retry-delay exp:1ms",
        "run spin-forever.wasm#spin --timeout 20ms --retries 1",
        "run spin-forever.wasm#spin --run-timeout 20ms --retries 1",
        "map batch.wasm#process-data --over 'item=[1, -2]' --retries 2",
        "map batch.wasm#process-data --over 'item=[1, -2]' --retries 1 --output table",
    ];
    check!("retries", place.session(&lines));
}

#[test]
fn a_run_that_succeeds_at_last_has_completed() {
    let place = Place::new();
    let lines = [
        "run flaky.wasm#fail-until 3 exit --retries 3 --retry-on exit",
        "run flaky.wasm#fail-until 2 spin --retries 3 --timeout 20ms",
        "map flaky.wasm#fail-until --over attempt=1..4 --with how=exit --retries 2",
    ];
    check!("flaky", place.session(&lines));
}

#[test]
fn only_the_first_of_very_many_attempts_are_told() {
    let ran = Place::new().run("run batch.wasm#process-data item=-3 --retries 500");
    let (told, last) = (ran.stderr.lines().count(), ran.last());
    assert_eq!(told, 102, "{}", ran.stderr);
    assert!(last.starts_with("Failed in ") && last.contains(" (501 attempts): "), "{last}");
}

#[test]
fn runs_have_names_and_tags() {
    let place = Place::new();
    let lines = [
        "run arith.wasm#add 40 2 --name '{a} and {b}'",
        "run batch.wasm#process-data item=-3 --name 'item {item}'",
        "run arith.wasm#add 40 2 --name '{a} and {c}'",
        "run arith.wasm#add 40 2 --name '{a'",
        "run arith.wasm#add 40 2 --name ''",
        "run arith.wasm#add 40 2 --tag db --tag 'slow one'",
        "run arith.wasm#add 40 2 --tag db,slow",
        "run arith.wasm#add 40 2 --tag ''",
        "map arith.wasm#add-one --over x=0..3 --tag db --tag-limit db=1 --rate-limit db=1000/1s",
    ];
    check!("names", place.session(&lines));
}

#[test]
fn options_that_cannot_be() {
    let place = Place::new();
    let options = [
        "--retries -1",
        "--retries 1.5",
        "--retries 4294967296",
        "--retries 10001",
        "--retries 1 --retry-delay 5",
        "--retries 1 --retry-delay -1s",
        "--retries 1 --retry-delay 1s,,2s",
        "--retries 1 --retry-delay exp:",
        "--retries 1 --retry-delay 99999999999999999999s",
        "--retries 1 --retry-delay 9000h",
        "--retries 1 --retry-jitter NaN",
        "--retries 1 --retry-jitter -0.1",
        "--retries 1 --retry-jitter much",
        "--retries 1 --retry-on tarp",
        "--retries 1 --retry-on none,trap",
        "--retry-delay 1s",
        "--run-timeout 0s",
        "--run-timeout 9000h",
        "--timeout 99999999999999999999s",
        "--timeout -1s",
    ];
    let lines: Vec<_> = options.iter().map(|options| format!("run arith.wasm#add 1 2 {options}")).collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    check!("wrong_options", place.session(&lines));
    let limits = [
        "--tag-limit db",
        "--tag-limit db=0",
        "--tag-limit =1",
        "--rate-limit api=10",
        "--rate-limit api=0/1s",
        "--rate-limit api=10/0s",
        "--tag api --tag-limit db=2",
        "--rate-limit api=10/1s",
        "--max-failures 0",
        "--max-failures -1",
        "--max-failures 2 --fail-fast",
        "--keep-going --fail-fast",
    ];
    let lines: Vec<_> =
        limits.iter().map(|limit| format!("map arith.wasm#add-one --over x=0..3 {limit}")).collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    check!("wrong_limits", place.session(&lines));
}

#[test]
fn states_have_their_attempts() {
    let place = Place::new();
    let lines = [
        "run arith.wasm#add 40 2 --states --quiet",
        "run arith.wasm#add 40 2 --states --quiet --name 'sum of {a} and {b}' --tag b --tag a",
        "run batch.wasm#process-data item=-3 --states --retries 1 --quiet",
        "run spin-forever.wasm#spin --states --timeout 20ms --quiet",
        "run arith.wasm#add 40 2 --states --output table",
        "map batch.wasm#process-data --over 'item=[1, -2]' --states --retries 1 --quiet",
        "map batch.wasm#process-data --over 'item=[1]' --states --name 'item {item}' --quiet",
    ];
    check!("states", place.session(&lines));
}

#[test]
fn times_of_attempts_are_instants_and_milliseconds() {
    let ran = Place::new().run("run batch.wasm#process-data item=-3 --states --retries 2 --quiet");
    let run: Json = serde_json::from_str(&ran.stdout).unwrap();
    let attempts = run["attempts"].as_array().unwrap();
    assert_eq!((attempts.len(), &run["attempt_count"]), (3, &Json::from(3)));
    let began: Vec<_> = attempts.iter().map(|attempt| attempt["began_at"].as_str().unwrap()).collect();
    assert!(began.iter().all(|at| at.contains('T') && at.ends_with('Z')), "{began:?}");
    assert!(attempts.iter().all(|attempt| attempt["duration_ms"].is_number()), "{attempts:?}");
}
