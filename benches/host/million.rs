//! A map of a million, with the most memory the process ever had.

use std::time::Instant;

use futures_executor::block_on;
use futures_util::StreamExt;
use hostel::{args, each};

use crate::measure::{forget_peak, host, memory_kib, rate, row, task};

const RUNS: i64 = 1_000_000;

pub(crate) fn print() {
    let host = host();
    let add_one = task(&host, hostel_guests::ARITH, "add-one");
    forget_peak();
    let start = Instant::now();
    let stream = add_one.map_stream(args![each(0..RUNS)]).expect("accepted");
    let count = block_on(stream.filter(|run| std::future::ready(run.is_ok())).count());
    assert_eq!(count as i64, RUNS);
    let measured = format!(
        "{}, peak {} MiB",
        rate(RUNS as f64 / start.elapsed().as_secs_f64()),
        memory_kib("VmHWM") / 1024
    );
    row("map of 1,000,000 with nothing cached: no keys, no disk", &measured, "≤ 300 MiB");
}
