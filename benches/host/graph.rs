//! Runs that depend on each other, beside as many that do not.

use std::time::{Duration, Instant};

use futures_executor::block_on;
use hostel::{Input, Task, TaskFuture, args};

use crate::measure::{ROUNDS, host, median, micros, row, task};

const NODES: usize = 10_000;
const LAYER: usize = 100;

pub(crate) fn print() {
    let host = host();
    let add = task(&host, hostel_guests::ARITH, "add");
    let sum = task(&host, hostel_guests::SUM_PLUS, "sum-plus");
    let rounds: Vec<_> = (0..ROUNDS)
        .map(|_| [independent(&add), layered(&add), chained(&add), independent_sums(&sum), dense(&sum)])
        .collect();
    let of = |column: usize| median(rounds.iter().map(|round: &[f64; 5]| round[column]).collect());
    let times = |column: usize, of: usize| {
        format!("{:.2} × as long", median(rounds.iter().map(|round| round[column] / round[of]).collect()))
    };
    let each = micros(Duration::from_secs_f64(of(0) / NODES as f64));
    row("10,000 runs that depend on nothing", &format!("{each} each"), "");
    row("10,000 runs in layers of 100, each on two of the layer before", &times(1, 0), "≤ 2 ×");
    row("10,000 runs in a chain, which is one after the other", &times(2, 0), "");
    row("1,100 runs with 100,000 edges, beside as many without", &times(4, 3), "");
}

/// Submits with `submit`, waits for all, and gives the seconds it took.
fn timed(submit: impl FnOnce() -> Vec<TaskFuture>) -> f64 {
    let start = Instant::now();
    let runs = submit();
    assert!(runs.iter().all(|run| block_on(run.outcome()).is_completed()));
    start.elapsed().as_secs_f64()
}

fn independent(add: &Task) -> f64 {
    timed(|| (0..NODES as i64).map(|n| add.submit(args![n, 0]).expect("accepted")).collect())
}

fn layered(add: &Task) -> f64 {
    timed(|| {
        let mut runs: Vec<TaskFuture> = Vec::with_capacity(NODES);
        for node in 0..NODES {
            let run = match node.checked_sub(LAYER) {
                None => add.submit(args![1, 0]),
                Some(before) => {
                    let layer = node / LAYER * LAYER - LAYER;
                    // One is added, and the other only waited for, so that the numbers stay small.
                    let other = &runs[layer + (before + 1) % LAYER];
                    add.submit(args![&runs[before], 1].wait_for([other]))
                }
            };
            runs.push(run.expect("accepted"));
        }
        runs
    })
}

fn chained(add: &Task) -> f64 {
    timed(|| {
        let mut runs = vec![add.submit(args![0, 1]).expect("accepted")];
        for _ in 1..NODES {
            let run = add.submit(args![&runs[runs.len() - 1], 1]);
            runs.push(run.expect("accepted"));
        }
        runs
    })
}

fn independent_sums(sum: &Task) -> f64 {
    timed(|| (0..1_100).map(|_| sum.submit(args![0, vec![0i64; LAYER]]).expect("accepted")).collect())
}

/// Eleven layers of a hundred, each run of which takes the results of all of the layer before.
fn dense(sum: &Task) -> f64 {
    timed(|| {
        let mut runs: Vec<TaskFuture> =
            (0..LAYER).map(|_| sum.submit(args![0, vec![0i64; LAYER]]).expect("accepted")).collect();
        for layer in 0..10 {
            let before = runs[layer * LAYER..].to_vec();
            runs.extend((0..LAYER).map(|_| sum.submit(args![0, Input::list(&before)]).expect("accepted")));
        }
        runs
    })
}
