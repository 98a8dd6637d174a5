//! What callbacks and hooks add to runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_executor::block_on;
use hostel::{Shutdown, Task, args, each};

use crate::measure::{ROUNDS, host, median, micros, row, task};

const CALLBACKS: u64 = 100_000;

pub(crate) fn print() {
    let rounds: Vec<_> =
        (0..ROUNDS).map(|_| [mapped(Tell::Nobody), mapped(Tell::Callbacks), mapped(Tell::Hook)]).collect();
    let added = |column: usize| {
        let each = |round: &[f64; 3]| (round[column] - round[0]) / CALLBACKS as f64;
        micros(Duration::from_secs_f64(median(rounds.iter().map(each).collect()).max(0.0)))
    };
    row("a callback of each of 100,000 runs adds", &added(1), "≤ 1 µs");
    row("a hook told of each of 100,000 runs adds", &added(2), "");
    let one = median((0..ROUNDS).map(|_| of_one_run()).collect());
    row("100,000 callbacks of one run, added and called", &format!("{} each", micros(one)), "≤ 1 µs");
}

#[derive(Clone, Copy)]
enum Tell {
    Nobody,
    Callbacks,
    Hook,
}

/// The seconds until all runs have ended and everyone was told.
fn mapped(tell: Tell) -> f64 {
    let host = host();
    let told = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&told);
    let add = task(&host, hostel_guests::ARITH, "add-one");
    let add: Task = match tell {
        Tell::Hook => add.on_completion(move |_, _| _ = count.fetch_add(1, Ordering::Relaxed)),
        Tell::Nobody | Tell::Callbacks => add,
    };
    let start = Instant::now();
    let runs = add.map(args![each(0..CALLBACKS as i64)]).expect("accepted");
    if let Tell::Callbacks = tell {
        for run in &runs {
            let told = Arc::clone(&told);
            run.add_done_callback(move |_| _ = told.fetch_add(1, Ordering::Relaxed));
        }
    }
    block_on(host.shutdown(Shutdown::Wait));
    let took = start.elapsed().as_secs_f64();
    assert_eq!(told.load(Ordering::Relaxed), if matches!(tell, Tell::Nobody) { 0 } else { CALLBACKS });
    took
}

/// The time that each of many callbacks of one run takes.
fn of_one_run() -> Duration {
    let host = host();
    let told = Arc::new(AtomicU64::new(0));
    let run = task(&host, hostel_guests::wat::SLEEPER, "sleep").submit(args![3_600_000]).expect("accepted");
    let start = Instant::now();
    for _ in 0..CALLBACKS {
        let told = Arc::clone(&told);
        run.add_done_callback(move |_| _ = told.fetch_add(1, Ordering::Relaxed));
    }
    run.cancel();
    block_on(host.shutdown(Shutdown::Wait));
    let took = start.elapsed();
    assert_eq!(told.load(Ordering::Relaxed), CALLBACKS);
    took / CALLBACKS as u32
}
