//! Submit to result of a pure small task, sustained, against the bare loop.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use futures_executor::block_on;
use futures_util::StreamExt;
use hostel::{CachePolicy, Task, args, each};

use crate::bare::Bare;
use crate::measure::{ROUNDS, host, median, micros, rate, row, task};

const CALLS: i64 = 100_000;

/// Runs that were submitted and whose result was not yet taken.
const IN_FLIGHT: usize = 1_000;

pub(crate) fn print() {
    for (name, path) in
        [("a component of 200 bytes", hostel_guests::wat::ADD_ONE), ("a guest in Rust", hostel_guests::ARITH)]
    {
        let bare = Bare::load(path, "add-one", 1_000);
        let host = host();
        let add_one = task(&host, path, "add-one");
        let cached = add_one.clone().cache(CachePolicy::AUTO);
        let mut rounds = Vec::new();
        for round in 0..ROUNDS as i64 {
            rounds.push([
                bare.rate(1, CALLS),
                bare.rate(2, CALLS / 2),
                submitted(&add_one, 0),
                submitted(&cached, round * CALLS),
                mapped(&add_one),
                streamed(&add_one),
            ]);
        }
        let of = |column: usize| median(rounds.iter().map(|round| round[column]).collect());
        let share = |column: usize| median(rounds.iter().map(|round| round[column] / round[1]).collect());
        let cost = 2.0 / of(2) - 2.0 / of(1);
        row(&format!("{name}: bare loop, 1 thread"), &rate(of(0)), "");
        row(&format!("{name}: bare loop, 2 threads"), &rate(of(1)), "");
        let measured = |column| format!("{}, {:.2} × bare", rate(of(column)), share(column));
        row(&format!("{name}: submit → result, 2 workers"), &measured(2), "≥ 0.5 × bare, ≥ 100,000/s");
        let bar = "≥ 0.5 × bare, ≥ 100,000/s";
        row(&format!("{name}: the same, each looked up and kept in memory"), &measured(3), bar);
        row(&format!("{name}: map"), &measured(4), "");
        row(&format!("{name}: map_stream"), &measured(5), "");
        let overhead = micros(Duration::from_secs_f64(cost.max(0.0)));
        row(&format!("{name}: processor time added to an attempt"), &overhead, "≤ 5 µs");
    }
}

/// Runs with so many inputs, from `first` on.
fn submitted(add_one: &Task, first: i64) -> f64 {
    let start = Instant::now();
    let mut flight = VecDeque::with_capacity(IN_FLIGHT);
    let take = |flight: &mut VecDeque<(i64, hostel::TaskFuture)>| {
        let (n, future) = flight.pop_front().expect("one in flight");
        assert_eq!(block_on(future.result::<i64>()).expect("a result"), n + 1);
    };
    for n in first..first + CALLS {
        if flight.len() == IN_FLIGHT {
            take(&mut flight);
        }
        flight.push_back((n, add_one.submit(args![n]).expect("accepted")));
    }
    while !flight.is_empty() {
        take(&mut flight);
    }
    CALLS as f64 / start.elapsed().as_secs_f64()
}

fn mapped(add_one: &Task) -> f64 {
    let start = Instant::now();
    let futures = add_one.map(args![each(0..CALLS)]).expect("accepted");
    let done = futures.iter().filter(|future| block_on(future.outcome()).is_completed()).count();
    assert_eq!(done as i64, CALLS);
    CALLS as f64 / start.elapsed().as_secs_f64()
}

fn streamed(add_one: &Task) -> f64 {
    let start = Instant::now();
    let stream = add_one.map_stream(args![each(0..CALLS)]).expect("accepted");
    assert_eq!(block_on(stream.count()) as i64, CALLS);
    CALLS as f64 / start.elapsed().as_secs_f64()
}
