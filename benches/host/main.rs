//! The numbers to hold, measured side by side with their references in one process: `cargo bench -p hostel-benches --bench host`.
//!
//! A word after `--` measures only the sections whose name contains it: `cargo bench -p hostel-benches --bench host -- sleepers`.
//! Machines are noisy, so what is compared is measured in turns, and the median counts.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark that cannot measure must stop, and its numbers are for people"
)]

mod bare;
mod cache;
mod cache_million;
mod callbacks;
mod delayed;
mod graph;
mod growth;
mod hostile;
mod measure;
mod million;
mod scaling;
mod sleepers;
mod stopping;
mod throughput;
mod traced;

use std::env;

/// The allocator of the `hostel` command, for the bare loop too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A section of the benchmark: its name, and what prints its rows.
const SECTIONS: [(&str, fn()); 14] = [
    ("throughput", throughput::print),
    ("graph", graph::print),
    ("callbacks", callbacks::print),
    ("cache", cache::print),
    ("cache-traced", traced::print),
    ("cache-million", cache_million::print),
    ("scaling", scaling::print),
    ("sleepers", sleepers::print),
    ("delayed", delayed::print),
    ("million", million::print),
    ("cancel", stopping::print_cancel),
    ("timeout", stopping::print_timeout),
    ("hostile", hostile::print),
    ("growth", growth::print),
];

fn main() {
    let wanted: Vec<_> = env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    println!("| what | measured | bar |\n|---|---|---|");
    for (name, print) in SECTIONS {
        if wanted.is_empty() || wanted.iter().any(|word| name.contains(word.as_str())) {
            print();
        }
    }
}
