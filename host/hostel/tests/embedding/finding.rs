//! The runs of a host, found by their ids and by what they are.

use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use futures_executor::block_on;
use hostel::{Host, RunFilter, Shutdown, State, TaskFuture, Timestamp, args, each};
use hostel_guests::{ARITH, ELEVATOR, SPIN_FOREVER};

use crate::{build, task, until_running};

fn host(workers: usize) -> Host {
    build(Host::builder().max_workers(workers).ended_runs(10_000))
}

fn ids(futures: &[TaskFuture]) -> Vec<hostel::RunId> {
    futures.iter().map(TaskFuture::id).collect()
}

/// Waits for these runs. The book records an end before waiters are woken.
fn all_ended(futures: &[TaskFuture]) {
    futures.iter().for_each(|future| _ = block_on(future.outcome()));
}

#[test]
fn a_run_is_found_by_its_id() {
    let host = host(1);
    let id = task(&host, ARITH, "add").submit(args![41, 1]).unwrap().id();
    let found = host.runs().get(id).unwrap();
    assert_eq!(block_on(found.result::<i64>()).unwrap(), 42);
    assert_eq!(host.runs().get(id).unwrap(), found);
    assert!(host.runs().get(hostel::RunId::from_bytes([7; 16])).is_none());
}

#[test]
fn runs_are_found_newest_first() {
    let host = host(2);
    let futures = task(&host, ARITH, "add").map(args![each(0..50), 1]).unwrap();
    let mut newest = ids(&futures);
    newest.reverse();
    assert_eq!(ids(&host.runs().find(&RunFilter::new(), 100)), newest);
    assert_eq!(ids(&host.runs().find(&RunFilter::new(), 7)), newest[..7]);
    assert_eq!(host.runs().find(&RunFilter::new(), 0), []);
    all_ended(&futures);
    assert_eq!(ids(&host.runs().find(&RunFilter::new(), 100)), newest);
}

#[test]
fn runs_are_found_by_what_they_are() {
    let host = host(1);
    let add = task(&host, ARITH, "add");
    let named = add.clone().run_name("sum of {a}").unwrap().tags(["sums", "small"]);
    let spinning = task(&host, SPIN_FOREVER, "spin").tags(["sums"]).submit(args![]).unwrap();
    until_running(&spinning);
    let first = named.submit(args![7, 1]).unwrap();
    let second = add.submit(args![2, 2]).unwrap();
    let find = |filter: RunFilter| ids(&host.runs().find(&filter, 10));
    assert_eq!(find(RunFilter::new().states([State::Running])), [spinning.id()]);
    assert_eq!(find(RunFilter::new().states([State::Pending])), [second.id(), first.id()]);
    assert_eq!(find(RunFilter::new().tag("sums")), [first.id(), spinning.id()]);
    assert_eq!(find(RunFilter::new().tag("sums").tag("small")), [first.id()]);
    assert_eq!(find(RunFilter::new().name("of 7")), [first.id()]);
    assert_eq!(find(RunFilter::new().name("spin-")), [spinning.id()]);
    assert_eq!(find(RunFilter::new().task(second.task().key())), [second.id(), first.id()]);
    let born = second.history()[0].at;
    assert!(find(RunFilter::new().since(born)).contains(&second.id()));
    assert_eq!(find(RunFilter::new().until(Timestamp::from_unix_nanos(1))), []);
    spinning.cancel();
    all_ended(&[first.clone(), second]);
    assert_eq!(find(RunFilter::new().states([State::Completed]).tag("small")), [first.id()]);
}

#[test]
fn a_run_is_cancelled_by_its_id() {
    let host = host(1);
    let spinning = task(&host, SPIN_FOREVER, "spin").submit(args![]).unwrap();
    until_running(&spinning);
    assert!(host.runs().cancel(spinning.id()));
    block_on(spinning.outcome());
    assert_eq!(spinning.state(), State::Cancelled);
    let done = task(&host, ARITH, "add").submit(args![1, 2]).unwrap();
    all_ended(std::slice::from_ref(&done));
    assert!(!host.runs().cancel(done.id()));
    assert!(!host.runs().cancel(hostel::RunId::from_bytes([7; 16])));
}

#[test]
fn runs_are_counted_by_state() {
    let host = host(1);
    let spinning = task(&host, SPIN_FOREVER, "spin").submit(args![]).unwrap();
    until_running(&spinning);
    let add = task(&host, ARITH, "add");
    let waiting = add.map(args![each(0..3), 1]).unwrap();
    let counts = host.runs().counts();
    // A run that computes for long lets others begin.
    let begun = counts.of(State::Running) + counts.of(State::Completed);
    assert_eq!((begun + counts.of(State::Pending), counts.total()), (4, 4));
    assert!(begun >= 1, "{counts:?}");
    spinning.cancel();
    all_ended(&waiting);
    let counts = host.runs().counts();
    assert_eq!((counts.of(State::Completed), counts.unfinished(), counts.removed), (3, 0, 0));
}

#[test]
fn the_last_that_ended_are_found_and_the_others_counted() {
    let host = build(Host::builder().max_workers(1).ended_runs(3));
    let add = task(&host, ARITH, "add");
    let mut ended = Vec::new();
    for number in 0..5 {
        ended.push(add.submit(args![number, 1]).unwrap());
        all_ended(&ended);
    }
    let found = host.runs().find(&RunFilter::new(), 100);
    assert_eq!(ids(&found), ids(&[4, 3, 2].map(|index: usize| ended[index].clone())));
    assert_eq!((host.runs().dropped(), host.runs().counts().removed), (2, 2));
    // Its holder still has the run.
    assert_eq!(block_on(ended[0].result::<i64>()).unwrap(), 1);
}

#[test]
fn unfinished_runs_are_never_dropped() {
    let host = build(Host::builder().max_workers(1).ended_runs(1));
    let spinning = task(&host, SPIN_FOREVER, "spin").submit(args![]).unwrap();
    until_running(&spinning);
    let waiting = task(&host, ARITH, "add").map(args![each(0..20), 1]).unwrap();
    assert_eq!(host.runs().counts().total(), 21);
    spinning.cancel();
    all_ended(&waiting);
    let counts = host.runs().counts();
    assert_eq!((counts.total(), counts.removed), (1, 20));
}

#[test]
fn the_bytes_of_values_and_logs_are_bounded() {
    let host = build(Host::builder().max_workers(1).ended_runs(10_000).ended_runs_bytes(44));
    let loud = task(&host, ELEVATOR, "explain-tasks").submit(args![]).unwrap();
    let add = task(&host, ARITH, "add").submit(args![1, 2]).unwrap();
    all_ended(&[loud.clone(), add.clone()]);
    assert_eq!(loud.log().len(), 2);
    assert_eq!(ids(&host.runs().find(&RunFilter::new(), 10)), [add.id()]);
    assert_eq!(host.runs().dropped(), 1);
}

#[test]
fn without_room_nothing_is_found() {
    let host = build(Host::builder().max_workers(1).ended_runs(0));
    let spinning = task(&host, SPIN_FOREVER, "spin").submit(args![]).unwrap();
    until_running(&spinning);
    assert!(host.runs().get(spinning.id()).is_none());
    assert!(!host.runs().cancel(spinning.id()));
    assert_eq!((host.runs().counts().total(), host.runs().dropped()), (0, 0));
}

#[test]
fn a_cached_run_is_found_too() {
    let host = host(1);
    let add = block_on(host.load(ARITH)).unwrap().task("add").unwrap();
    let futures = [add.submit(args![1, 2]).unwrap(), add.submit(args![1, 2]).unwrap()];
    all_ended(&futures);
    let cached = add.submit(args![1, 2]).unwrap();
    assert_eq!(cached.state(), State::Cached);
    assert_eq!(ids(&host.runs().find(&RunFilter::new().states([State::Cached]), 1)), [cached.id()]);
}

#[test]
fn a_run_that_was_refused_is_not_found() {
    let host = host(1);
    let add = task(&host, ARITH, "add");
    block_on(host.shutdown(Shutdown::Wait));
    add.submit(args![1, 2]).unwrap_err();
    assert_eq!(host.runs().counts().total(), 0);
}

/// A task whose hook holds something, and the weak handle to that.
fn holding(host: &Host, path: &str, name: &str) -> (hostel::Task, Weak<()>) {
    let held = Arc::new(());
    let weak = Arc::downgrade(&held);
    let task = task(host, path, name).on_completion(move |_, _| _ = Arc::strong_count(&held));
    (task, weak)
}

/// Waits until nobody holds it. The thread that calls hooks may not be through with the last one yet.
#[track_caller]
fn until_gone(weak: &Weak<()>) {
    let began = Instant::now();
    while weak.upgrade().is_some() {
        assert!(began.elapsed() < Duration::from_secs(60), "somebody holds it");
        thread::yield_now();
    }
}

#[test]
fn runs_are_gone_with_their_host() {
    let host = host(1);
    let (add, held) = holding(&host, ARITH, "add");
    let (spin, held_by_spin) = holding(&host, SPIN_FOREVER, "spin");
    all_ended(&add.map(args![each(0..5), 1]).unwrap());
    until_running(&spin.submit(args![]).unwrap());
    drop((add, spin));
    assert!(held.upgrade().is_some() && held_by_spin.upgrade().is_some(), "the runs have their tasks");
    let runs = host.runs();
    drop(host);
    assert_eq!((runs.counts().total(), runs.find(&RunFilter::new(), 9)), (0, Vec::new()));
    until_gone(&held);
    until_gone(&held_by_spin);
}

#[test]
fn a_run_of_a_host_that_is_gone_is_held_by_its_future_alone() {
    let host = host(1);
    let (add, held) = holding(&host, ARITH, "add");
    let future = add.submit(args![1, 2]).unwrap();
    block_on(future.outcome());
    drop(host);
    add.submit(args![1, 2]).unwrap_err();
    drop(add);
    assert_eq!(block_on(future.result::<i64>()).unwrap(), 3);
    assert!(held.upgrade().is_some());
    drop(future);
    until_gone(&held);
}

#[test]
fn a_dropped_run_takes_its_value_with_it() {
    let host = build(Host::builder().max_workers(1).ended_runs(1));
    let (add, held) = holding(&host, ARITH, "add");
    all_ended(&[add.submit(args![1, 2]).unwrap()]);
    drop(add);
    // Its end is followed by a call of the hook, which is made before those of later runs.
    all_ended(&[task(&host, ARITH, "add").submit(args![3, 4]).unwrap()]);
    block_on(host.shutdown(Shutdown::Wait));
    until_gone(&held);
}
