//! Stored runs: how many a worker executes in a second, how long one takes from `delay` to its result, and from a cancel to its end.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use futures_executor::block_on;
use hostel::journal::{Journal, SqliteJournal};
use hostel::{DelayOptions, Host, RunId, State, Timestamp, args};

use crate::measure::{median, micros, rate, row, task};

/// Runs that are executed, and how many are submitted in one call.
const RUNS: usize = 20_000;
const AT_ONCE: usize = 1_000;
/// Runs that are waited for one by one.
const ALONE: usize = 200;
/// Runs that are cancelled one by one.
const CANCELLED: usize = 20;
/// The longest wait for a run.
const LONGEST: Duration = Duration::from_secs(30);

pub(crate) fn print() {
    let directory = tempfile::tempdir().expect("a directory");
    let host = Host::builder().max_workers(2).data_dir(directory.path()).build().expect("a host");
    let add_one = task(&host, hostel_guests::ARITH, "add-one");
    let journal = host.journal().expect("a journal").clone();

    let specs: Vec<_> = (0..RUNS as i64)
        .map(|number| {
            add_one.delayed_spec(args![number], DelayOptions::default()).expect("a run that can be stored")
        })
        .collect();
    let start = Instant::now();
    for specs in specs.chunks(AT_ONCE) {
        journal.submit(now(), specs).expect("stored");
    }
    let submitted = RUNS as f64 / start.elapsed().as_secs_f64();
    row("delayed: stored, 1,000 in a call", &rate(submitted), "≥ 20,000/s");

    let start = Instant::now();
    let worker = host.worker().serve([add_one.clone()]).start().expect("a worker");
    block_on(worker.idle());
    let executed = RUNS as f64 / start.elapsed().as_secs_f64();
    assert_eq!(journal.counts().expect("counted").of(State::Completed), RUNS as u64);
    row("delayed: claimed, executed and recorded by one worker", &rate(executed), "≥ 10,000/s");

    let times: Vec<_> = (0..ALONE as i64)
        .map(|number| {
            let start = Instant::now();
            let run = add_one.delay(args![number]).expect("stored");
            block_on(run.result::<i64>()).expect("a number");
            start.elapsed()
        })
        .collect();
    let syncs = syncs(directory.path());
    let measured = format!("{}, where one fsync takes {}", micros(median(times)), micros(median(syncs)));
    row("delayed: `delay` → result, median", &measured, "≤ 5 ms beyond an fsync");
    block_on(worker.drain(None));
    cancelled(&host, directory.path());
}

/// Cancels runs that compute, through a connection of its own, as another process would.
fn cancelled(host: &Host, directory: &Path) {
    let spin = task(host, hostel_guests::SPIN_FOREVER, "spin");
    let worker = host.worker().serve([spin.clone()]).start().expect("a worker");
    let other = SqliteJournal::open(directory).expect("the same journal");
    let mut times: Vec<_> = (0..CANCELLED)
        .map(|_| {
            let run = spin.delay(args![]).expect("stored");
            until(&other, run.id(), State::Running);
            let start = Instant::now();
            other.cancel(now(), run.id()).expect("cancelled");
            until(&other, run.id(), State::Cancelled);
            start.elapsed()
        })
        .collect();
    times.sort();
    let longest = times.last().copied().unwrap_or_default();
    let measured = format!("{}, longest {}", micros(median(times)), micros(longest));
    row("delayed: cancel by another process → guest stopped, median", &measured, "≤ 100 ms");
    block_on(worker.drain(None));
}

/// Waits until a run is in a state.
fn until(journal: &SqliteJournal, run: RunId, state: State) {
    let began = Instant::now();
    loop {
        let seen = journal.changes().expect("a number");
        let entry = journal.get(run).expect("read").expect("it is there");
        if entry.state() == state {
            return;
        }
        assert!(began.elapsed() < LONGEST, "run {run} is {}: expected {state}", entry.state());
        journal.wait_for_change(seen, LONGEST).expect("a number");
    }
}

/// What the disk takes for a page that is written and synced.
fn syncs(directory: &Path) -> Vec<Duration> {
    let mut file = File::create(directory.join("sync")).expect("a file");
    (0..ALONE)
        .map(|_| {
            let start = Instant::now();
            file.write_all(&[1; 4096]).and_then(|()| file.sync_data()).expect("written");
            start.elapsed()
        })
        .collect()
}

fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}
