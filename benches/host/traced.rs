//! A hit of a result that was made from many files, all of which are read again before it counts.

use std::fs;
use std::time::Instant;

use futures_executor::block_on;
use hostel::{CachePolicy, DirGrant, Grants, Host, State, args};

use crate::measure::{ROUNDS, median, micros, row, task};

const FILES: usize = 100;
const FILE_BYTES: usize = 4096;
const HITS: u32 = 500;

pub(crate) fn print() {
    let (data, world) =
        (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    (0..FILES)
        .for_each(|n| fs::write(world.path().join(n.to_string()), vec![b'a'; FILE_BYTES]).expect("a file"));
    let dirs = vec![DirGrant::new(world.path(), "/world").expect("a grant")];
    let grants = Grants { dirs, ..Grants::default() };
    let script: Vec<_> = (0..FILES).map(|n| format!("length {n}")).collect();
    let script = script.join("\n");
    let hits = |memory_bytes: u64| {
        let builder = Host::builder().max_workers(2).data_dir(data.path());
        let host = builder.memory_cache_bytes(memory_bytes).build().expect("a host");
        let read = task(&host, hostel_guests::PUPPET, "play").cache(CachePolicy::AUTO).grants(grants.clone());
        let hit = || {
            let run = read.submit(args![script.clone()]).expect("accepted");
            block_on(run.outcome());
            run.state()
        };
        hit();
        let round = || {
            let start = Instant::now();
            (0..HITS).for_each(|_| assert_eq!(hit(), State::Cached));
            start.elapsed() / HITS
        };
        median((0..ROUNDS).map(|_| round()).collect())
    };
    let what =
        |layer: &str| format!("cache hit from {layer}, {FILES} files of {FILE_BYTES} bytes read again");
    row(&what("memory"), &micros(hits(64 << 20)), "≤ 1 ms");
    row(&what("disk"), &micros(hits(0)), "≤ 1 ms");
}
