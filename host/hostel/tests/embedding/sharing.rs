//! Runs with the same cache key: one executes, and the others wait for its result.

use std::collections::HashSet;

use futures_executor::block_on;
use hostel::{CachePolicy, Host, Input, State, Task, TaskFuture, args, each};
use hostel_guests::{ARITH, BATCH, CACHING, wat};

use crate::{build, host, states, task, until_running};

const FOR_EVER_MS: u64 = 3_600_000;

fn shared(task: Task) -> Task {
    task.cache(CachePolicy::INPUTS)
}

fn ended(run: &TaskFuture) -> State {
    block_on(run.outcome());
    run.state()
}

#[test]
fn c09_of_many_runs_with_one_key_the_body_runs_once() {
    for workers in [1, 4] {
        let host = host(workers);
        let slow = shared(task(&host, CACHING, "my-stateful-task"));
        let runs = slow.map(args![each(vec![1_i64; 100]), Input::some(1_u32)]).unwrap();
        assert_eq!(runs.iter().filter(|run| ended(run) == State::Cached).count(), 99);
        let printed: usize = runs.iter().map(|run| run.log().len()).sum();
        assert_eq!(printed, 1, "`sleeping` is printed by the one that executes");
        let made = runs.iter().find(|run| run.state() == State::Completed).unwrap();
        let producers: HashSet<_> =
            runs.iter().filter_map(|run| run.history().last().unwrap().cause).collect();
        assert_eq!(producers.len(), 2, "that one completed, and the others have it from {}", made.id());
        assert!(runs.iter().all(|run| block_on(run.result::<i64>()).unwrap() == 2));
    }
}

#[test]
fn other_keys_do_not_wait() {
    let host = host(1);
    let sleep = shared(task(&host, wat::SLEEPER, "sleep"));
    let runs = sleep.map(args![each((0..10).map(|n| FOR_EVER_MS + n))]).unwrap();
    runs.iter().for_each(until_running);
}

#[test]
fn one_that_waits_is_cancelled_alone_and_the_next_takes_over_from_one_that_is_cancelled() {
    let host = host(1);
    let sleep = shared(task(&host, wat::SLEEPER, "sleep"));
    let [owner, first, second] = [(); 3].map(|()| sleep.submit(args![FOR_EVER_MS]).unwrap());
    until_running(&owner);
    // Whatever was submitted before has been looked at when this is through.
    assert_eq!(ended(&task(&host, ARITH, "add").submit(args![1, 2]).unwrap()), State::Completed);
    assert_eq!((first.state(), second.state()), (State::Pending, State::Pending));
    assert!(first.cancel());
    assert_eq!(states(&first), [State::Pending, State::Cancelled]);
    assert_eq!((owner.state(), second.state()), (State::Running, State::Pending));
    assert!(owner.cancel());
    until_running(&second);
}

#[test]
fn when_the_one_that_executes_fails_the_next_tries() {
    let host = host(2);
    let process = shared(task(&host, BATCH, "process-data"));
    let runs = process.map(args![each(vec![-1_i64; 5])]).unwrap();
    for run in &runs {
        assert_eq!(ended(run), State::Failed);
        assert_eq!(states(run), [State::Pending, State::Running, State::Failed]);
    }
}

#[test]
fn runs_that_are_waited_for_when_the_host_shuts_down_are_done_or_cancelled() {
    for shutdown in [hostel::Shutdown::Wait, hostel::Shutdown::CancelAll] {
        let host = host(1);
        let slow = shared(task(&host, CACHING, "my-stateful-task"));
        let runs = slow.map(args![each(vec![1_i64; 10]), Input::some(1_u32)]).unwrap();
        block_on(host.shutdown(shutdown));
        assert!(runs.iter().all(TaskFuture::done), "{shutdown:?}");
    }
}

#[test]
fn c09_hosts_on_one_directory_wait_for_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let [one, two] = [(); 2].map(|()| build(Host::builder().max_workers(1).data_dir(dir.path())));
    let sleep = |host: &Host| shared(task(host, wat::SLEEPER, "sleep")).submit(args![FOR_EVER_MS]).unwrap();
    let owner = sleep(&one);
    until_running(&owner);
    let [waits, waits_too] = [sleep(&two), sleep(&two)];
    assert_eq!(ended(&task(&two, ARITH, "add").submit(args![1, 2]).unwrap()), State::Completed);
    assert_eq!((waits.state(), waits_too.state()), (State::Pending, State::Pending));
    assert!(waits.cancel());
    assert_eq!(waits.state(), State::Cancelled);
    owner.cancel();
    until_running(&waits_too);
}

#[test]
fn c09_hosts_on_one_directory_run_the_body_once() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..20_i64 {
        let hosts = [(); 2].map(|()| build(Host::builder().max_workers(2).data_dir(dir.path())));
        let submit = |host| shared(task(host, CACHING, "my-stateful-task"));
        let submit = |host| submit(host).submit(args![round, Input::some(1_u32)]).unwrap();
        let runs: Vec<_> = hosts.iter().chain(&hosts).map(submit).collect();
        let mut ends: Vec<_> = runs.iter().map(ended).collect();
        ends.sort_by_key(|state| *state == State::Cached);
        assert_eq!(ends, [State::Completed, State::Cached, State::Cached, State::Cached]);
    }
}
