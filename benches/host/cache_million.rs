//! A million results on disk: kept, found, listed and collected, beside a thousand.

use std::path::Path;
use std::time::{Duration, Instant};

use futures_executor::block_on;
use futures_util::StreamExt;
use hostel::{CachePolicy, GcOptions, Host, HostBuilder, ResultCache, State, Task, args, each};

use crate::measure::{forget_peak, memory_kib, micros, rate, row, task};

const MANY: i64 = 1_000_000;
const FEW: i64 = 1_000;
const HITS: i64 = 20_000;

pub(crate) fn print() {
    let (few, many) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    fill(few.path(), FEW);
    forget_peak();
    let took = fill(many.path(), MANY);
    let peak = memory_kib("VmHWM") / 1024;
    row(
        "map of 1,000,000 with a key for each (`inputs`), looked up, all results put on disk",
        &format!("{}, peak {peak} MiB", rate(per_second(took))),
        "≤ 12 s, ≤ 100 MiB",
    );
    let hit_of_few = hit(few.path(), FEW);
    let hit_of_many = hit(many.path(), MANY);
    row("hit on disk among 1,000", &micros(hit_of_few), "≤ 60 µs");
    row("hit on disk among 1,000,000", &micros(hit_of_many), "≤ 60 µs");
    upkeep(many.path());
}

fn host(dir: &Path) -> HostBuilder {
    Host::builder().max_workers(2).data_dir(dir)
}

fn keyed(host: HostBuilder) -> (Host, Task) {
    let host = host.build().expect("a host");
    let add_one = task(&host, hostel_guests::ARITH, "add-one").cache(CachePolicy::INPUTS);
    (host, add_one)
}

/// Runs a map whose results are all put, and waits until they are on disk.
fn fill(dir: &Path, runs: i64) -> Duration {
    let (host, add_one) = keyed(host(dir));
    let start = Instant::now();
    let stream = add_one.map_stream(args![each(0..runs)]).expect("accepted");
    let count = block_on(stream.filter(|run| std::future::ready(run.is_ok())).count());
    assert_eq!(count as i64, runs);
    drop((add_one, host));
    start.elapsed()
}

/// The time of one hit, one after the other, all over the keys.
fn hit(dir: &Path, runs: i64) -> Duration {
    // Nothing is found in memory.
    let (_host, add_one) = keyed(host(dir).memory_cache_bytes(0));
    let start = Instant::now();
    for number in 0..HITS {
        let future = add_one.submit(args![number * 7919 % runs]).expect("accepted");
        block_on(future.outcome());
        assert_eq!(future.state(), State::Cached);
    }
    start.elapsed() / u32::try_from(HITS).expect("few")
}

/// What `hostel cache` does.
fn upkeep(dir: &Path) {
    let results = ResultCache::open(dir).expect("a directory");
    forget_peak();
    let before = memory_kib("VmRSS");
    let start = Instant::now();
    let bytes: u64 = results.entries().map(|entry| entry.expect("intact").stored_bytes).sum();
    let grown = memory_kib("VmHWM").saturating_sub(before) / 1024;
    row("list of 1,000,000", &format!("{:.1} s, {grown} MiB", start.elapsed().as_secs_f64()), "");
    for (what, left) in [("gc of 1,000,000 to a half", bytes / 2), ("gc of 500,000 to a half", bytes / 4)] {
        let start = Instant::now();
        let report = results.gc(GcOptions::default().max_bytes(left)).expect("collected");
        let each = start.elapsed() / u32::try_from(report.removed.entries.max(1)).expect("few");
        row(what, &format!("{:.1} s, {} each", start.elapsed().as_secs_f64(), micros(each)), "");
    }
}

fn per_second(took: Duration) -> f64 {
    MANY as f64 / took.as_secs_f64()
}
