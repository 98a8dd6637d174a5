//! Results that stand for later runs, on request.

use std::fs;
use std::path::Path;
use std::time::Duration;

use futures_executor::block_on;
use hostel::{CachePolicy, ErrorKind, Event, Host, LookUp, State, Task, TaskFuture, Value, args};
use hostel_guests::{ARITH, BATCH, CALCULATOR, TEXT, wat};

use crate::{build, host, states, task};

fn cached(task: Task) -> Task {
    task.cache(CachePolicy::INPUTS + CachePolicy::TASK_SOURCE)
}

fn on_disk(dir: &Path) -> Host {
    build(Host::builder().max_workers(1).data_dir(dir))
}

fn run(task: &Task, args: hostel::Args) -> TaskFuture {
    let future = task.submit(args).unwrap();
    block_on(future.outcome());
    future
}

#[test]
fn s02_a_hit_never_ran_and_names_the_run_that_made_it() {
    let host = host(1);
    let add = cached(task(&host, ARITH, "add"));
    let first = run(&add, args![1, 2]);
    assert_eq!(states(&first), [State::Pending, State::Running, State::Completed]);
    let second = run(&add, args![1, 2]);
    assert_eq!(states(&second), [State::Pending, State::Cached]);
    assert_eq!(second.history()[1].cause, Some(Event::CacheHit { producer: first.id() }));
    assert_eq!(block_on(second.result::<i64>()).unwrap(), 3);
}

#[test]
fn other_inputs_other_tasks_and_other_components_miss() {
    let host = host(1);
    run(&cached(task(&host, ARITH, "add")), args![2, 3]);
    for (path, name, args) in
        [(ARITH, "add", args![3, 2]), (ARITH, "multiply", args![2, 3]), (CALCULATOR, "add", args![2, 3])]
    {
        assert_eq!(run(&cached(task(&host, path, name)), args).state(), State::Completed, "{name}");
    }
}

#[test]
fn c03_inputs_alone_still_name_the_task() {
    let host = host(1);
    let inputs_only = |name| task(&host, ARITH, name).cache(CachePolicy::INPUTS);
    run(&inputs_only("add"), args![2, 3]);
    let product = run(&inputs_only("multiply"), args![2, 3]);
    assert_eq!(block_on(product.result::<i64>()).unwrap(), 6);
}

#[test]
fn c10_failures_are_never_cached() {
    let host = host(1);
    let process = cached(task(&host, BATCH, "process-data"));
    for _ in 0..2 {
        assert_eq!(run(&process, args![-1]).state(), State::Failed);
    }
}

#[test]
fn another_host_on_the_same_directory_hits() {
    let dir = tempfile::tempdir().unwrap();
    let first = run(&cached(task(&on_disk(dir.path()), TEXT, "greet")), args!["Ada"]);
    let host = on_disk(dir.path());
    let greet = cached(task(&host, TEXT, "greet"));
    for _ in 0..2 {
        let hit = run(&greet, args!["Ada"]);
        assert_eq!(hit.history()[1].cause, Some(Event::CacheHit { producer: first.id() }));
        assert_eq!(block_on(hit.result::<String>()).unwrap(), "Hello, Ada!");
    }
}

#[test]
fn damaged_entries_are_misses_and_are_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let results = dir.path().join("results");
    let add = || run(&cached(task(&on_disk(dir.path()), ARITH, "add")), args![1, 2]);
    add();
    let kept: Vec<_> = files(&results).into_iter().map(|file| (fs::read(&file).unwrap(), file)).collect();
    let mut missed = 0;
    for (index, (intact, _)) in kept.iter().enumerate() {
        for byte in (0..intact.len()).step_by(1 + intact.len() / 20).chain(intact.len().checked_sub(1)) {
            fs::remove_dir_all(&results).unwrap();
            fs::create_dir(&results).unwrap();
            for (other, (intact, file)) in kept.iter().enumerate() {
                let mut content = intact.clone();
                if other == index {
                    content[byte] ^= 1;
                }
                fs::write(file, content).unwrap();
            }
            let again = add();
            missed += usize::from(again.state() == State::Completed);
            assert_eq!(block_on(again.result::<i64>()).unwrap(), 3, "byte {byte} of file {index}");
            assert_eq!(add().state(), State::Cached, "byte {byte} of file {index}: replaced");
        }
    }
    assert!(missed > 10, "{missed} damages were noticed");
}

#[test]
fn a_directory_that_cannot_be_written_costs_only_the_cache() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("results"), "a file in the place of the directory").unwrap();
    let host = build(Host::builder().max_workers(1).data_dir(dir.path()).memory_cache_bytes(0));
    let add = cached(task(&host, ARITH, "add"));
    for _ in 0..2 {
        let future = run(&add, args![1, 2]);
        assert_eq!(future.state(), State::Completed);
        assert_eq!(block_on(future.result::<i64>()).unwrap(), 3);
        // Until it was given up to write it, the result could be found.
        let listed: Vec<_> = host.cache().unwrap().entries().collect();
        assert!(
            matches!(listed.as_slice(), [Err(error)] if error.kind() == ErrorKind::Internal),
            "{listed:?}"
        );
    }
}

#[test]
fn values_without_a_result_and_large_ones_are_cached_whole() {
    let host = host(1);
    let nothing = cached(task(&host, hostel_guests::SHAPES, "nothing"));
    run(&nothing, args![]);
    let hit = run(&nothing, args![]);
    assert_eq!((hit.state(), block_on(hit.result::<Value>()).unwrap()), (State::Cached, Value::UNIT));
    let pow = cached(task(&host, ARITH, "pow"));
    let digits = block_on(run(&pow, args![323, 1235]).result::<String>()).unwrap();
    let hit = run(&pow, args![323, 1235]);
    assert_eq!((hit.state(), block_on(hit.result::<String>()).unwrap()), (State::Cached, digits));
}

fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn c07_the_age_of_a_result_counts_from_the_end_of_the_run_that_made_it() {
    let host = host(1);
    let sleep = task(&host, wat::SLEEPER, "sleep").cache(CachePolicy::INPUTS);
    let first = run(&sleep, args![20]);
    let hit = run(&sleep, args![20]);
    let LookUp::Hit(hit) = hit.cache_report().look_up else { panic!("{}", hit.cache_report()) };
    let [_, began, ended] = &first.history()[..] else { panic!("{:?}", first.history()) };
    assert!(hit.saved >= Duration::from_millis(20), "{hit}");
    assert_eq!(hit.created.since(began.at), hit.saved, "it was made when its attempt had ended");
    assert!(hit.created <= ended.at);
}

#[test]
fn c12_a_result_is_taken_until_it_expires() {
    let host = host(1);
    let add = task(&host, ARITH, "add").cache(CachePolicy::INPUTS);
    let state = |task: &Task| {
        let run = task.submit(args![1, 2]).unwrap();
        block_on(run.outcome());
        run.state()
    };
    assert_eq!(state(&add), State::Completed);
    assert_eq!(state(&add.clone().cache_expiration(Duration::from_secs(3600))), State::Cached);
    assert_eq!(state(&add.clone().cache_expiration(Duration::from_nanos(1))), State::Completed);
    // What has expired for one task has not for another.
    assert_eq!(state(&add), State::Cached);
    let error = add.cache_expiration(Duration::ZERO).submit(args![1, 2]).unwrap_err();
    assert!(error.to_string().starts_with("the cache expiration cannot be zero"), "{error}");
}

#[test]
fn c04_an_input_that_is_left_out_does_not_count() {
    let host = host(1);
    let add = task(&host, ARITH, "add").cache(CachePolicy::INPUTS - "b");
    let run = |a: i64, b: i64| {
        let run = add.submit(args![a, b]).unwrap();
        (block_on(run.result::<i64>()).unwrap(), run.state())
    };
    assert_eq!(run(1, 2), (3, State::Completed));
    assert_eq!(run(1, 5), (3, State::Cached), "as was asked for");
    assert_eq!(run(2, 2), (4, State::Completed));
    // Who leaves out another input, or none, has keys of its own.
    for policy in [CachePolicy::INPUTS - "a", CachePolicy::INPUTS] {
        let run = add.clone().cache(policy).submit(args![1, 2]).unwrap();
        block_on(run.outcome());
        assert_eq!(run.state(), State::Completed);
    }
    let error = add.clone().cache(CachePolicy::INPUTS - "c").submit(args![1, 2]).unwrap_err();
    assert!(error.to_string().contains(r#"unknown argument "c""#), "{error}");
}
