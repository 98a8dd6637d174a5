//! Who runs when: sleepers hold no thread, and computing guests share them.

use futures_executor::block_on;
use hostel::{State, TaskFuture, Timestamp, args, each};
use hostel_guests::{ARITH, ASYNCY, ELEVATOR, SPIN_FOREVER, wat};

use crate::{Printed, host, task};

#[test]
fn t07_sleepers_hold_no_thread() {
    let host = host(1);
    let sleep = task(&host, wat::SLEEPER, "sleep");
    let sleeping = sleep.map(args![each(vec![3_600_000; 100])]).unwrap();
    // All of them begin, on one worker, though none ends.
    while !sleeping.iter().all(|run| run.running()) {
        std::thread::yield_now();
    }
    assert_eq!(block_on(task(&host, ARITH, "add").submit(args![1, 2]).unwrap().result::<i64>()).unwrap(), 3);
}

#[test]
fn t09_the_elevator_moves_in_order_stops_by_floor_and_lines_never_mix() {
    let host = host(1);
    let printed = Printed::default();
    let stop = task(&host, ELEVATOR, "stop-at-floor").log_prints(printed.echo());
    let floors: Vec<u32> = (1..=10).rev().collect();
    // More for a floor than a computing guest keeps the next run from beginning, so that a busy machine changes nothing.
    let futures = stop.map(args![each(floors.clone()), 200]).unwrap();
    futures.iter().for_each(|future| _ = block_on(future.outcome()));
    // A guest may have to give way before it has printed anything, so the order of the prints proves nothing here.
    let begun: Vec<_> = futures.iter().map(began).collect();
    assert!(begun.is_sorted() && begun.iter().all(Option::is_some), "in the order submitted: {begun:?}");
    let of_floor = |what: &str, floor: &u32| format!("elevator {what} floor {floor}");
    let stops: Vec<_> = floors.iter().rev().map(|floor| of_floor("stops on", floor)).collect();
    let mut lines = printed.lines();
    assert_eq!(lines.iter().filter(|line| line.contains("stops")).cloned().collect::<Vec<_>>(), stops);
    let moving = floors.iter().map(|floor| of_floor("moving to", floor));
    let mut whole: Vec<_> = moving.chain(stops).collect();
    lines.sort_unstable();
    whole.sort_unstable();
    assert_eq!(lines, whole);
}

/// When the run first executed.
fn began(future: &TaskFuture) -> Option<Timestamp> {
    let running = future.history().into_iter().find(|transition| transition.state == State::Running);
    running.map(|transition| transition.at)
}

#[test]
fn endless_loops_starve_nobody() {
    let host = host(1);
    let spin = task(&host, SPIN_FOREVER, "spin");
    let spinning: Vec<_> = (0..20).map(|_| spin.submit(args![]).unwrap()).collect();
    // Behind twenty endless loops and on one worker, short tasks still get their turn.
    let add = task(&host, ARITH, "add");
    let sums = add.map(args![each(0..100i64), 1]).unwrap();
    spinning.iter().skip(3).for_each(|run| assert!(run.cancel()));
    assert!(sums.iter().all(|sum| block_on(sum.outcome()).is_completed()));
    assert!(spinning.iter().take(1).all(|run| run.state() == State::Running));
}

#[test]
fn sleepers_and_spinners_and_async_guests_share_one_worker() {
    let host = host(1);
    let spinning = task(&host, SPIN_FOREVER, "spin").submit(args![]).unwrap();
    let slept = task(&host, wat::SLEEPER, "sleep").submit(args![5]).unwrap();
    let doubled = task(&host, ASYNCY, "double").submit(args![21]).unwrap();
    assert!(block_on(slept.outcome()).is_completed());
    assert_eq!(block_on(doubled.result::<i64>()).unwrap(), 42);
    assert!(spinning.cancel());
}

#[test]
fn f20_more_guests_than_instances_take_turns() {
    // The test's hosts have room for 200.
    let host = host(2);
    let sleep = task(&host, wat::SLEEPER, "sleep");
    let runs = sleep.map(args![each(vec![1; 1_000])]).unwrap();
    assert!(runs.iter().all(|run| block_on(run.outcome()).is_completed()));
}
