//! A hit in memory and on disk, from submit to result.

use std::time::{Duration, Instant};

use futures_executor::block_on;
use hostel::{CachePolicy, Host, State, Task, args};

use crate::measure::{ROUNDS, median, micros, row, task};

const HITS: i64 = 20_000;

pub(crate) fn print() {
    let dir = tempfile::tempdir().expect("a directory");
    let build = |memory_bytes| {
        let builder = Host::builder().max_workers(2).data_dir(dir.path());
        builder.memory_cache_bytes(memory_bytes).build().expect("a host")
    };
    let (with_memory, without) = (build(64 << 20), build(0));
    let cached = |host: &Host| task(host, hostel_guests::ARITH, "add-one").cache(CachePolicy::INPUTS);
    let (memory, disk) = (cached(&with_memory), cached(&without));
    block_on(memory.submit(args![1]).expect("accepted").outcome());
    let rounds: Vec<_> = (0..ROUNDS).map(|_| (hit(&memory, HITS * 5), hit(&disk, HITS))).collect();
    row("cache hit in memory", &micros(median(rounds.iter().map(|round| round.0).collect())), "≤ 2 µs");
    row("cache hit on disk", &micros(median(rounds.iter().map(|round| round.1).collect())), "≤ 60 µs");
}

/// The time of one hit, one after the other: each waits for its result before the next is submitted.
fn hit(task: &Task, hits: i64) -> Duration {
    let start = Instant::now();
    for _ in 0..hits {
        let future = task.submit(args![1]).expect("accepted");
        block_on(future.outcome());
        assert_eq!(future.state(), State::Cached);
    }
    start.elapsed() / u32::try_from(hits).expect("few")
}
