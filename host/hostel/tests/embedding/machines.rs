//! Results that machines share: here, hosts that have nothing else in common.

use std::sync::Arc;
use std::time::Duration;

use futures_executor::block_on;
use hostel::object_store::memory::InMemory;
use hostel::{CachePolicy, Event, Host, RemoteCache, Shutdown, State, Task, TaskFuture, args};
use hostel_guests::ARITH;

use crate::{build, task};

/// A host on another machine.
fn machine(bucket: &Arc<InMemory>) -> Host {
    let cache = RemoteCache::from_store(Arc::clone(bucket) as _, "results");
    build(Host::builder().max_workers(1).remote_cache(cache))
}

fn add(host: &Host) -> Task {
    task(host, ARITH, "add").cache(CachePolicy::INPUTS + CachePolicy::TASK_SOURCE)
}

fn run(task: &Task) -> TaskFuture {
    let future = task.submit(args![40, 2]).unwrap();
    assert_eq!(block_on(future.result::<i64>()).unwrap(), 42);
    future
}

#[test]
fn what_one_host_computed_another_takes() {
    let bucket = Arc::<InMemory>::default();
    let here = machine(&bucket);
    let first = run(&add(&here));
    assert_eq!(first.state(), State::Completed);
    drop(here);

    let there = machine(&bucket);
    let hit = run(&add(&there));
    assert_eq!(hit.state(), State::Cached);
    assert_eq!(hit.history()[1].cause, Some(Event::CacheHit { producer: first.id() }));
    assert_eq!(run(&add(&there)).state(), State::Cached);
}

#[test]
fn a_host_that_shut_down_has_shared_everything() {
    let bucket = Arc::<InMemory>::default();
    let here = machine(&bucket);
    run(&add(&here));
    block_on(here.shutdown(Shutdown::Wait));
    assert_eq!(run(&add(&machine(&bucket))).state(), State::Cached);
}

#[test]
fn a_refreshed_result_takes_the_place_of_the_shared_one() {
    let bucket = Arc::<InMemory>::default();
    run(&add(&machine(&bucket)));
    let refreshed = run(&add(&machine(&bucket)).refresh_cache(true));
    assert_eq!(refreshed.state(), State::Completed);
    let hit = run(&add(&machine(&bucket)));
    assert_eq!(hit.history()[1].cause, Some(Event::CacheHit { producer: refreshed.id() }));
}

#[test]
fn a_shared_result_that_is_too_old_is_replaced() {
    let bucket = Arc::<InMemory>::default();
    run(&add(&machine(&bucket)));
    let later = run(&add(&machine(&bucket)).cache_expiration(Duration::from_nanos(1)));
    assert_eq!(later.state(), State::Completed);
    let hit = run(&add(&machine(&bucket)));
    assert_eq!(hit.history()[1].cause, Some(Event::CacheHit { producer: later.id() }));
}

/// So long that it stands beside its entry.
#[test]
fn a_long_result_is_shared() {
    let bucket = Arc::<InMemory>::default();
    let digits = |host: &Host| {
        let pow = task(host, ARITH, "pow").cache(CachePolicy::INPUTS).submit(args![9, 40_000]).unwrap();
        let digits = block_on(pow.result::<String>()).unwrap();
        (pow.state(), digits)
    };
    let (state, computed) = digits(&machine(&bucket));
    assert_eq!((state, computed.len()), (State::Completed, 38_170));
    assert!(digits(&machine(&bucket)) == (State::Cached, computed));
}
