//! Runs can be stopped, wherever they stand.

use futures_executor::block_on;
use hostel::{Host, Outcome, State, args};
use hostel_guests::{ARITH, ELEVATOR, SPIN_FOREVER, wat};

use crate::{host, states, task, telling, until_running};

#[test]
fn f02_a_pending_run_is_cancelled_at_once() {
    let host = Host::builder().max_workers(1).max_instances(1).build().unwrap();
    let (moving, mut lines) = telling(task(&host, ELEVATOR, "stop-at-floor"));
    // There is room for one instance, and an endless loop has it.
    let spinning = task(&host, SPIN_FOREVER, "spin").submit(args![]).unwrap();
    until_running(&spinning);
    let pending = moving.submit(args![3600]).unwrap();
    assert_eq!(pending.state(), State::Pending);
    assert!(pending.cancel());
    assert_eq!((pending.state(), pending.cancelled()), (State::Cancelled, true));
    assert!(pending.cancel(), "asking again changes nothing");
    assert_eq!(*block_on(pending.outcome()), Outcome::Cancelled);
    assert_eq!(states(&pending), [State::Pending, State::Cancelled]);
    assert!(spinning.cancel());
    drop((moving, pending, host));
    assert_eq!(lines.blocking_recv(), None, "nothing was printed");
}

#[test]
fn f03_a_running_run_is_cancelled_s09_and_has_stopped() {
    let host = host(1);
    for (path, name, args) in [
        (ELEVATOR, "stop-at-floor", args![3600]),
        (SPIN_FOREVER, "spin", args![]),
        (wat::LOOP, "spin", args![]),
        (wat::SLEEPER, "sleep", args![3_600_000]),
    ] {
        let future = task(&host, path, name).submit(args).unwrap();
        until_running(&future);
        assert!(future.cancel(), "{name}");
        assert_eq!(*block_on(future.outcome()), Outcome::Cancelled, "{name}");
        assert_eq!(
            states(&future),
            [State::Pending, State::Running, State::Cancelling, State::Cancelled],
            "{name}"
        );
    }
    // The only worker is free again.
    assert_eq!(block_on(task(&host, ARITH, "add").submit(args![1, 2]).unwrap().result::<i64>()).unwrap(), 3);
}

#[test]
fn f02_a_run_that_has_ended_cannot_be_cancelled() {
    let host = host(1);
    let future = task(&host, ARITH, "add").submit(args![1, 2]).unwrap();
    block_on(future.outcome());
    assert!(!future.cancel());
    assert_eq!(future.state(), State::Completed);
}

#[test]
fn a_race_with_the_end_gives_exactly_one_outcome() {
    let host = host(2);
    let add = task(&host, ARITH, "add");
    for n in 0..2_000 {
        let future = add.submit(args![n, 1]).unwrap();
        let accepted = future.cancel();
        let outcome = block_on(future.outcome());
        assert_eq!(accepted, *outcome == Outcome::Cancelled, "{:?}", states(&future));
        assert_eq!(future.history().iter().filter(|transition| transition.state.is_terminal()).count(), 1);
    }
}

#[test]
fn many_threads_may_cancel_the_same_run() {
    let host = host(1);
    let future = task(&host, SPIN_FOREVER, "spin").submit(args![]).unwrap();
    until_running(&future);
    std::thread::scope(|scope| {
        let cancels: Vec<_> = (0..8).map(|_| scope.spawn(|| future.cancel())).collect();
        assert!(cancels.into_iter().all(|cancel| cancel.join().unwrap()));
    });
    assert_eq!(*block_on(future.outcome()), Outcome::Cancelled);
}
