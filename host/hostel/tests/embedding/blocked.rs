//! The same without an async runtime: whoever waits blocks its thread.

use std::time::Duration;

use hostel::{CommitMode, Failure, ResultError, ReturnWhen, Shutdown, SubmitError, args, blocking, each};
use hostel_guests::{ARITH, BATCH, wat};

use crate::host;

#[test]
fn t01_f01_a_program_without_async_loads_submits_and_takes_results() {
    let host = host(1);
    let add = blocking::load(&host, ARITH).unwrap().task("add").unwrap();
    let future = add.submit(args![40, 2]).unwrap();
    assert_eq!(blocking::result::<i64>(&future).unwrap(), 42);
    assert_eq!(blocking::result_timeout::<i64>(&future, Duration::ZERO).unwrap(), 42);
    assert!(blocking::exception(&future).unwrap().is_none());
    let futures = add.map(args![each(0..3), 1]).unwrap();
    assert_eq!(blocking::results::<i64>(&futures).unwrap(), [1, 2, 3]);

    let bytes = std::fs::read(BATCH).unwrap();
    let process = blocking::load_bytes(&host, bytes).unwrap().task("process-data").unwrap();
    let failed = process.submit(args![-1]).unwrap();
    assert!(!blocking::outcome(&failed).is_completed());
    let exception = blocking::exception(&failed).unwrap().unwrap();
    assert!(matches!(exception, ResultError::Failed { failure: Failure::Error(_), .. }), "{exception}");
}

#[test]
fn f07_f08_a_program_without_async_waits_for_several() {
    let host = host(1);
    let sleep = blocking::load(&host, wat::SLEEPER).unwrap().task("sleep").unwrap();
    let futures = sleep.map(args![each([3_600_000, 1, 20])]).unwrap();
    let (done, not_done) = blocking::wait(&futures, ReturnWhen::FirstCompleted, None);
    assert!(done.contains(&futures[1]) && not_done.contains(&futures[0]));
    let mut ended = blocking::as_completed(futures.clone());
    assert_eq!(ended.next().as_ref(), Some(&futures[1]));
    assert_eq!(ended.next().as_ref(), Some(&futures[2]));
    let unfinished = blocking::as_completed_within(futures.clone(), Duration::from_millis(1)).last().unwrap();
    assert_eq!(unfinished.unwrap_err().to_string(), "1 (of 3) futures unfinished");
    let error = blocking::result_timeout::<u32>(&futures[0], Duration::from_millis(1)).unwrap_err();
    assert!(matches!(error, ResultError::NotYet { .. }), "{error}");
    blocking::shutdown(&host, Shutdown::CancelAll);
    assert!(ended.next().unwrap().cancelled() && ended.next().is_none());
}

#[test]
fn f10_a_program_without_async_iterates_over_a_map() {
    let host = host(2);
    let add = blocking::load(&host, ARITH).unwrap().task("add").unwrap();
    let runs = blocking::iterate(add.map_stream(args![each(0..), 1]).unwrap().window(8));
    let sums: Vec<i64> = runs.take(100).map(|run| blocking::result(&run.unwrap()).unwrap()).collect();
    assert_eq!(sums, (1..=100).collect::<Vec<_>>());
}

#[test]
fn f17_x04_a_program_without_async_has_scopes_and_transactions() {
    let host = host(1);
    let process = blocking::load(&host, BATCH).unwrap().task("process-data").unwrap();
    let outside = process.clone();
    blocking::scope(host, |host| {
        let committed = host.transaction().begin();
        process.clone().within(&committed).submit(args![1]).unwrap();
        assert!(blocking::commit(&committed).unwrap().failures.is_empty());
        let undone = host.transaction().mode(CommitMode::Off).begin();
        process.within(&undone).submit(args![2]).unwrap();
        assert!(blocking::rollback(&undone).failures.is_empty());
        assert!(committed.is_committed() && !undone.is_committed());
    });
    assert!(matches!(outside.submit(args![1]), Err(SubmitError::ShutDown)));
}
