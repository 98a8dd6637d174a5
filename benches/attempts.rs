//! A fixed number of attempts, so that their instructions can be counted: `bash benches/instructions.sh`.
//!
//! `attempts KIND GUEST COUNT`: `KIND` is `bare` (wasmtime alone), `run` (submit and result) or `keyed` (the same, looked up and kept
//! in memory); `GUEST` is `tiny` (200 bytes of code) or `rust`.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark that cannot measure must stop, and its numbers are for people"
)]

#[path = "host/bare.rs"]
mod bare;

use std::collections::VecDeque;

use futures_executor::block_on;
use hostel::{CachePolicy, Host, args};

/// The allocator of the `hostel` command, for the bare loop too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs that were submitted and whose result was not yet taken.
const IN_FLIGHT: usize = 100;

/// Room for so many instances: valgrind has no address space for the usual number.
const ROOM: u32 = 8;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let [kind, guest, count] = args.as_slice() else {
        // `cargo bench` without a name executes every benchmark.
        println!("bash benches/instructions.sh counts the instructions of attempts");
        return;
    };
    let path = match guest.as_str() {
        "tiny" => hostel_guests::wat::ADD_ONE,
        "rust" => hostel_guests::ARITH,
        other => panic!("no guest {other}: expected tiny or rust"),
    };
    let count: i64 = count.parse().expect("a number of attempts");
    match kind.as_str() {
        "bare" => {
            bare::Bare::load(path, "add-one", ROOM).rate(1, count);
        }
        "run" => submitted(path, CachePolicy::NONE, count),
        "keyed" => submitted(path, CachePolicy::AUTO, count),
        other => panic!("no kind {other}: expected bare, run or keyed"),
    }
}

fn submitted(path: &str, cache: CachePolicy, count: i64) {
    let host = Host::builder().max_workers(1).max_instances(ROOM).build().expect("a host");
    let task = block_on(host.load(path)).expect("a component").task("add-one").expect("a task").cache(cache);
    let mut flight = VecDeque::with_capacity(IN_FLIGHT);
    for n in 0..count {
        if flight.len() == IN_FLIGHT {
            take(&mut flight);
        }
        flight.push_back((n, task.submit(args![n]).expect("accepted")));
    }
    while !flight.is_empty() {
        take(&mut flight);
    }
}

fn take(flight: &mut VecDeque<(i64, hostel::TaskFuture)>) {
    let (n, future) = flight.pop_front().expect("one in flight");
    assert_eq!(block_on(future.result::<i64>()).expect("a result"), n + 1);
}
