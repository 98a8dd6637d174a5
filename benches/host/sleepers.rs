//! Ten thousand tasks asleep for a second at once.

use std::thread;
use std::time::{Duration, Instant};

use futures_executor::block_on;
use hostel::{args, each};
use wasmtime::Store;

use crate::bare::Bare;
use crate::measure::{forget_peak, host, memory_kib, row, task};

const SLEEPERS: u64 = 10_000;
const THREADS: usize = 2;

pub(crate) fn print() {
    wait_for_address_space();
    bare();
    for (name, path, export, args) in [
        ("without memory", hostel_guests::wat::SLEEPER, "sleep", args![each(vec![1_000; SLEEPERS as usize])]),
        (
            "in Rust with std",
            hostel_guests::ELEVATOR,
            "stop-at-floor",
            args![each(vec![1; SLEEPERS as usize])],
        ),
    ] {
        let host = host();
        let sleep = task(&host, path, export);
        block_on(sleep.submit(args![0]).expect("accepted").outcome());
        let before = memory_kib("VmRSS");
        forget_peak();
        let start = Instant::now();
        let futures = sleep.map(args).expect("accepted");
        let done = futures.iter().filter(|future| block_on(future.outcome()).is_completed()).count() as u64;
        let wall = start.elapsed();
        assert_eq!(done, SLEEPERS);
        let each_kib = memory_kib("VmHWM").saturating_sub(before) / SLEEPERS;
        let measured = format!("{:.2} s, {each_kib} KiB each", wall.as_secs_f64());
        row(&format!("10,000 guests {name} asleep for 1 s"), &measured, "≤ 1.3 s, ≤ 150 KiB each");
        drop((futures, sleep, host));
        wait_for_address_space();
    }
}

/// Waits until the pool of a host that was dropped is gone: a pool that does not find enough address space beside it has half as many places.
fn wait_for_address_space() {
    const MOST_KIB: u64 = 1 << 30;
    let until = Instant::now() + Duration::from_secs(10);
    while memory_kib("VmSize") > MOST_KIB && Instant::now() < until {
        thread::sleep(Duration::from_millis(10));
    }
}

/// What wasmtime alone takes for as many instances at once, which do not even begin to sleep.
fn bare() {
    for (name, path, export) in [
        ("without memory", hostel_guests::wat::SLEEPER, "sleep"),
        ("in Rust with std", hostel_guests::ELEVATOR, "stop-at-floor"),
    ] {
        let bare = Bare::load(path, export, SLEEPERS as u32);
        let [first, again] = [(); 2].map(|()| hold(&bare).as_secs_f64());
        drop(bare);
        wait_for_address_space();
        let measured = format!("{first:.2} s, and {again:.2} s in the same slots");
        row(&format!("10,000 guests {name}: bare instances on two threads, made and dropped"), &measured, "");
    }
}

/// How long it takes to make the instances on the threads, all of which live at the same time, and to drop them.
fn hold(bare: &Bare) -> Duration {
    let instance = || {
        let mut store = Store::new(bare.pre.engine(), ());
        store.set_epoch_deadline(1);
        block_on(bare.pre.instantiate_async(&mut store)).expect("an instance");
        store
    };
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| drop((0..SLEEPERS as usize / THREADS).map(|_| instance()).collect::<Vec<_>>()));
        }
    });
    start.elapsed()
}
