//! Programs whose standard input is a stream: what they read, and which of their results are cached.

use std::io::{self, PipeWriter, Write};
use std::time::Duration;

use futures_executor::block_on;
use hostel::{
    CacheKey, CachePolicy, Failure, Host, Kept, Outcome, State, Stdin, Task, TaskFuture, Touch, args,
};
use hostel_guests::{ARITH, COMMAND};

use crate::{build, host, task, until_running};

/// A program that is cached if it may be.
fn program(host: &Host) -> Task {
    task(host, COMMAND, "run").cache(CachePolicy::AUTO)
}

fn run(task: &Task, words: &[&str]) -> TaskFuture {
    let run = task.submit(args![words.to_vec()]).unwrap();
    block_on(run.outcome());
    run
}

/// What the last attempt of a run printed.
fn printed(run: &TaskFuture) -> String {
    let outcome = block_on(run.outcome());
    match &*outcome {
        Outcome::Completed(hostel::Value::Record(fields)) => match fields.as_slice() {
            [(_, hostel::Value::Bytes(stdout))] => String::from_utf8(stdout.clone()).unwrap(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other}"),
    }
}

fn key(run: &TaskFuture) -> CacheKey {
    run.cache_report().key.unwrap()
}

/// A pipe of the system, with this in it.
fn pipe(content: &str) -> (PipeWriter, Stdin) {
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(content.as_bytes()).unwrap();
    (writer, Stdin::new(reader))
}

#[test]
fn a_result_for_which_it_was_read_is_never_cached() {
    let host = host(1);
    for policy in [CachePolicy::AUTO, CachePolicy::INPUTS, CachePolicy::TASK_SOURCE] {
        let program = program(&host).cache(policy.clone());
        for content in ["one\n", "two\n"] {
            let ran = run(&program.clone().stdin(Stdin::new(content.as_bytes())), &["--cat"]);
            assert_eq!((ran.state(), printed(&ran).as_str()), (State::Completed, content), "{policy}");
            let Kept::Touched(observation) = ran.cache_report().kept else {
                panic!("{policy}: {}", ran.cache_report())
            };
            assert!(observation.has(Touch::StandardInput), "{observation}");
        }
    }
}

#[test]
fn a_result_for_which_it_was_not_read_is_cached_under_a_key_of_its_own() {
    let host = host(1);
    for policy in [CachePolicy::AUTO, CachePolicy::INPUTS, CachePolicy::key("mine")] {
        let program = program(&host).cache(policy.clone());
        let (_open, stdin) = pipe("nobody reads this");
        let streamed = program.clone().stdin(stdin);
        let first = run(&streamed, &["hello"]);
        assert_eq!((first.state(), printed(&first).as_str()), (State::Completed, "HELLO\n"), "{policy}");
        // Another stream is no other circumstance.
        let again = run(&program.clone().stdin(Stdin::new(io::empty())), &["hello"]);
        assert_eq!((again.state(), key(&again)), (State::Cached, key(&first)), "{policy}");
        // Nothing, and a value, are.
        let without = run(&program, &["hello"]);
        assert_eq!(without.state(), State::Completed, "{policy}");
        assert_ne!(key(&without), key(&first), "{policy}");
        let value = program.submit(args![vec!["hello"], b"text".to_vec()]).unwrap();
        block_on(value.outcome());
        assert_ne!(key(&value), key(&first), "{policy}");
    }
}

#[test]
fn a_function_has_none() {
    let host = host(1);
    let add = task(&host, ARITH, "add").cache(CachePolicy::AUTO);
    let sum = |task: &Task| {
        let run = task.submit(args![40, 2]).unwrap();
        block_on(run.outcome());
        run
    };
    let without = sum(&add);
    let with = sum(&add.stdin(Stdin::new(io::empty())));
    assert_eq!((with.state(), key(&with)), (State::Cached, key(&without)));
}

#[test]
fn each_attempt_and_each_run_reads_the_same_bytes() {
    let host = host(2);
    let (mut writer, stdin) = pipe("one\n");
    let program = program(&host).retries(1).stdin(stdin);
    let head = run(&program, &["--head", "1"]);
    assert_eq!(printed(&head), "one\n");
    let failing = program.submit(args![vec!["--cat-and-fail"]]).unwrap();
    let reading = program.submit(args![vec!["--cat"]]).unwrap();
    until_running(&failing);
    writer.write_all(b"two\n").unwrap();
    drop(writer);
    let outcome = block_on(failing.outcome());
    assert!(matches!(&*outcome, Outcome::Failed(Failure::Exit { code: 1, .. })), "{outcome}");
    let stdouts: Vec<_> = failing.attempts().into_iter().map(|attempt| attempt.stdout).collect();
    assert_eq!(stdouts, [b"one\ntwo\n".to_vec(), b"one\ntwo\n".to_vec()]);
    assert_eq!(printed(&reading), "one\ntwo\n");
}

#[test]
fn runs_do_not_wait_for_one_that_waits_for_its_standard_input() {
    let host = host(1);
    for policy in [CachePolicy::AUTO, CachePolicy::INPUTS] {
        let program = program(&host).cache(policy);
        let (_open, stdin) = pipe("");
        let blocked = program.clone().stdin(stdin).submit(args![vec!["--cat"]]).unwrap();
        until_running(&blocked);
        let other = program.stdin(Stdin::new("other".as_bytes())).submit(args![vec!["--cat"]]).unwrap();
        assert!(block_on(other.wait(Duration::from_secs(60))), "it waits for the one that is blocked");
        assert_eq!((key(&other), printed(&other).as_str()), (key(&blocked), "other"));
        assert!(blocked.running());
        assert!(blocked.cancel());
        assert!(matches!(&*block_on(blocked.outcome()), Outcome::Cancelled));
    }
}

#[test]
fn a_timeout_ends_a_run_that_waits_for_it() {
    let host = host(1);
    let (_open, stdin) = pipe("");
    let after = Duration::from_millis(50);
    let ran = run(&program(&host).stdin(stdin).run_timeout(after), &["--cat"]);
    assert_eq!(ran.state(), State::TimedOut);
}

#[test]
fn the_honesty_check_does_not_need_it() {
    let dir = tempfile::tempdir().unwrap();
    let host = build(Host::builder().max_workers(1).data_dir(dir.path()));
    let (_open, stdin) = pipe("nobody reads this");
    assert_eq!(run(&program(&host).stdin(stdin), &["hello"]).state(), State::Completed);
    drop(host);
    let host = build(Host::builder().max_workers(1).data_dir(dir.path()));
    let all = block_on(host.verify_cache(10)).unwrap();
    assert_eq!((all.same, all.different, all.skipped), (1, vec![], vec![]));
}
