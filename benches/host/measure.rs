//! Medians, memory, and the host that all sections measure.

use std::fs;
use std::time::Duration;

use futures_executor::block_on;
use hostel::{CachePolicy, Host, Task};

/// How often each thing is measured.
pub(crate) const ROUNDS: usize = 7;

/// The middle one.
pub(crate) fn median<T: PartialOrd + Copy>(mut values: Vec<T>) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).expect("numbers that compare"));
    values[values.len() / 2]
}

/// A host with as many workers as the machine of the design has cores.
pub(crate) fn host() -> Host {
    Host::builder().max_workers(2).build().expect("a host")
}

/// A task of a guest, each of whose runs executes.
pub(crate) fn task(host: &Host, path: &str, name: &str) -> Task {
    block_on(host.load(path)).expect("a component").task(name).expect("a task").cache(CachePolicy::NONE)
}

/// One row of the table.
pub(crate) fn row(what: &str, measured: &str, bar: &str) {
    println!("| {what} | {measured} | {bar} |");
}

/// A rate as people read it.
pub(crate) fn rate(per_second: f64) -> String {
    format!("{},000/s", (per_second / 1000.0).round())
}

/// A time in microseconds.
pub(crate) fn micros(time: Duration) -> String {
    format!("{:.2} µs", time.as_secs_f64() * 1e6)
}

/// Memory of this process in KiB: `VmRSS` now, or `VmHWM` at its highest since [`forget_peak`].
pub(crate) fn memory_kib(which: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(which)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Begins to count the highest memory anew.
pub(crate) fn forget_peak() {
    // Where this cannot be written the peak is that of the whole process, which is only higher.
    let _ = fs::write("/proc/self/clear_refs", "5");
}
