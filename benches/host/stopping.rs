//! How long a tight loop goes on after it was cancelled, or after its timeout.

use std::thread;
use std::time::{Duration, Instant};

use futures_executor::block_on;
use hostel::args;

use crate::measure::{host, median, row, task};

const RUNS: usize = 50;

/// How far a guest is let run before it is stopped.
const RUNNING: Duration = Duration::from_millis(20);

pub(crate) fn print_cancel() {
    let host = host();
    let spin = task(&host, hostel_guests::SPIN_FOREVER, "spin");
    let late = (0..RUNS).map(|_| {
        let future = spin.submit(args![]).expect("accepted");
        thread::sleep(RUNNING);
        let asked = Instant::now();
        assert!(future.cancel());
        block_on(future.outcome());
        asked.elapsed()
    });
    print("cancel of a tight loop", late.collect());
}

pub(crate) fn print_timeout() {
    let host = host();
    let spin = task(&host, hostel_guests::SPIN_FOREVER, "spin").timeout(RUNNING);
    let late = (0..RUNS).map(|_| {
        let start = Instant::now();
        block_on(spin.submit(args![]).expect("accepted").outcome());
        start.elapsed().saturating_sub(RUNNING)
    });
    print("timeout of a tight loop", late.collect());
}

fn print(what: &str, late: Vec<Duration>) {
    let worst = late.iter().copied().max().unwrap_or_default();
    let measured = format!("{:.1} ms later, at worst {:.1} ms", ms(median(late)), ms(worst));
    row(what, &measured, "≤ 20 ms");
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
