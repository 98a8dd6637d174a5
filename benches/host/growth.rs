//! How cost grows: with the number of runs, workers, waiting runs, and bytes of an input.
//!
//! One line for each point, separated by tabs: the series, the size, nanoseconds for each run, and the memory in bytes that the
//! process had more than before. `benches/growth.py` draws them:
//!
//! ```sh
//! cargo bench -p hostel-benches --bench host -- growth | python3 benches/growth.py > docs/growth.svg
//! ```
//!
//! `HOSTEL_GROWTH_MOST` is the largest number of runs, 1,000,000 by default; with a small one all series are short.

use std::env;
use std::time::{Duration, Instant};

use futures_executor::block_on;
use futures_util::StreamExt;
use hostel::{CachePolicy, Host, HostBuilder, Task, TaskFuture, Timestamp, args, each};

use crate::measure::{forget_peak, median, memory_kib, task};

/// The variable that bounds all sizes, its default, and its highest value.
const MOST: (&str, u64, u64) = ("HOSTEL_GROWTH_MOST", 1_000_000, 10_000_000);

/// Rounds of a point that takes less than a second. Longer ones are measured once.
const ROUNDS: usize = 5;

/// Runs that are measured with each number of workers.
const RUNS_OF_WORKERS: u64 = 100_000;

/// The most stored results, which take half a gigabyte of disk.
const STORED: u64 = 1_000_000;

/// The most workers, runs that wait for one, and bytes of an input.
const WORKERS: usize = 64;
const WAITING: u64 = 10_000;
const INPUT_BYTES: u64 = 100_000_000;

/// How long the run sleeps that others wait for: longer than submitting them takes.
const ASLEEP: Duration = Duration::from_millis(1_000);

pub(crate) fn print() {
    let (name, default, highest) = MOST;
    let most = env::var(name).map_or(default, |text| {
        let most = text.parse().ok().filter(|most| (1..=highest).contains(most));
        most.expect("HOSTEL_GROWTH_MOST is a number of runs from 1 to 10,000,000")
    });
    runs(most);
    stored(most);
    workers(most);
    dependents(most);
    inputs(most);
}

/// A map of runs that are neither looked up nor stored.
fn runs(most: u64) {
    let host = build(Host::builder().max_workers(2));
    let add_one = task(&host, hostel_guests::ARITH, "add-one");
    mapped(&add_one, 0, 1_000);
    for runs in sizes(most) {
        point("runs", runs, runs, || mapped(&add_one, 0, runs));
    }
}

/// A map of runs with a key for each, looked up, and stored in memory and on disk, until all of it is there.
fn stored(most: u64) {
    for runs in sizes(most.min(STORED)) {
        point("stored", runs, runs, || {
            let dir = tempfile::tempdir().expect("a directory");
            let host = build(Host::builder().max_workers(2).data_dir(dir.path()));
            let add_one = task(&host, hostel_guests::ARITH, "add-one").cache(CachePolicy::INPUTS);
            // The first result creates the index.
            mapped(&add_one, -1, 1);
            let start = Instant::now();
            mapped(&add_one, 0, runs);
            drop((add_one, host));
            start.elapsed()
        });
    }
}

/// Runs of hosts with more and more workers.
fn workers(most: u64) {
    let runs = RUNS_OF_WORKERS.min(most);
    for workers in (0..).map(|power| 1 << power).take_while(|workers| *workers <= WORKERS) {
        let host = build(Host::builder().max_workers(workers));
        let add_one = task(&host, hostel_guests::ARITH, "add-one");
        mapped(&add_one, 0, runs.min(1_000));
        point("workers", workers as u64, runs, || mapped(&add_one, 0, runs));
    }
}

/// Runs that wait for one, from its end until all have ended.
fn dependents(most: u64) {
    let host = build(Host::builder().max_workers(2));
    let sleep = task(&host, hostel_guests::wat::SLEEPER, "sleep");
    let add_one = task(&host, hostel_guests::ARITH, "add-one");
    for waiting in sizes(most.min(WAITING)) {
        point("dependents", waiting, waiting, || {
            let first = sleep.submit(args![ASLEEP.as_millis() as i64]).expect("accepted");
            let submit = |n| add_one.submit(args![n].wait_for([&first])).expect("accepted");
            let runs: Vec<TaskFuture> = (0..waiting as i64).map(submit).collect();
            assert!(!first.state().is_terminal(), "all of them wait");
            assert!(runs.iter().all(|run| block_on(run.outcome()).is_completed()));
            let last = runs.iter().map(ended).max().expect("at least one");
            last.since(ended(&first))
        });
    }
}

/// Runs whose input is a string, which is also their result.
fn inputs(most: u64) {
    let host = build(Host::builder().max_workers(2));
    let echo = task(&host, hostel_guests::SHAPES, "echo-string");
    for bytes in sizes(most.saturating_mul(100).min(INPUT_BYTES)) {
        let text = "x".repeat(bytes as usize);
        point("input", bytes, 1, || {
            let text = text.clone();
            let start = Instant::now();
            let result: String =
                block_on(echo.submit(args![text]).expect("accepted").result()).expect("a result");
            assert_eq!(result.len() as u64, bytes);
            start.elapsed()
        });
    }
}

/// When a run ended.
fn ended(run: &TaskFuture) -> Timestamp {
    run.history().last().expect("it has ended").at
}

fn build(builder: HostBuilder) -> Host {
    builder.build().expect("a host")
}

/// 1, 10, 100, … up to `most`.
fn sizes(most: u64) -> impl Iterator<Item = u64> {
    (0..).map_while(|power| 10_u64.checked_pow(power)).take_while(move |size| *size <= most)
}

/// Runs so many, from `first` on, and gives the time until all results are there.
fn mapped(add_one: &Task, first: i64, runs: u64) -> Duration {
    let start = Instant::now();
    let stream = add_one.map_stream(args![each(first..first + runs as i64)]).expect("accepted");
    let done = block_on(stream.filter(|run| std::future::ready(run.is_ok())).count());
    assert_eq!(done as u64, runs);
    start.elapsed()
}

/// Measures and prints one point: the time for each of `runs`.
fn point(series: &str, size: u64, runs: u64, measure: impl Fn() -> Duration) {
    let before = memory_kib("VmRSS");
    forget_peak();
    let first = measure();
    let bytes = memory_kib("VmHWM").saturating_sub(before) * 1024;
    let mut times = vec![first];
    if first < Duration::from_secs(1) {
        times.extend((1..ROUNDS).map(|_| measure()));
    }
    println!("{series}\t{size}\t{}\t{bytes}", median(times).as_nanos() / u128::from(runs));
}
