//! How long a small task takes that someone waits for, alone, and with two hundred hostile guests beside it.

use std::time::{Duration, Instant};

use futures_executor::block_on;
use hostel::{Host, Limits, Task, TaskFuture, args};
use hostel_guests::{HOSTILE, LOG_FLOOD, SPIN_FOREVER, wat};

use crate::measure::{memory_kib, micros, row, task};

/// One after the other: the next is submitted when the result of the last is there.
const PROBES: usize = 20_000;

/// How many guests there are of each kind.
const OF_EACH: usize = 40;

const MIB: u64 = 1 << 20;

pub(crate) fn print() {
    let host = Host::builder().max_workers(2).max_memory_bytes(2048 * MIB).build().expect("a host");
    let add_one = task(&host, wat::ADD_ONE, "add-one");
    probe(&add_one, PROBES);
    let [idle_half, idle] = quantiles(&mut probe(&add_one, PROBES));
    row("a small task, submit → result, alone: median, p99", &both(idle_half, idle), "");
    let hostile = hostile(&host);
    // Those that sleep do, and of the others as many compute as the host lets begin.
    until_they_run(&hostile);
    let before = memory_kib("VmRSS");
    let [busy_half, busy] = quantiles(&mut probe(&add_one, PROBES));
    let begun = hostile.iter().filter(|run| run.running()).count();
    let grown = memory_kib("VmRSS").saturating_sub(before);
    let what = format!("the same beside {} hostile guests, of which {begun} have begun", hostile.len());
    row(&what, &both(busy_half, busy), "");
    let ratio = format!("{:.1} ×", busy.as_secs_f64() / idle.as_secs_f64());
    row("p99 beside them to p99 alone", &ratio, "≤ 3 ×");
    row("memory of the process that grew meanwhile", &format!("{} KiB", grown), "");
    hostile.iter().for_each(|run| _ = run.cancel());
    hostile.iter().for_each(|run| _ = block_on(run.outcome()));
    assert_eq!(host.memory_bytes(), 0);
}

/// Endless loops, hogs that ask for memory for ever, floods of the log, sleepers, and fork bombs that never end.
fn hostile(host: &Host) -> Vec<TaskFuture> {
    let limits = Limits { memory_bytes: 32 * MIB, subtasks: 100, ..Limits::default() };
    let tasks: [(Task, fn() -> hostel::Args); 5] = [
        (task(host, SPIN_FOREVER, "spin"), || args![]),
        (task(host, wat::HOSTILE_GROWTH, "whatever-is-said"), || args![]),
        (task(host, LOG_FLOOD, "flood"), || args![u64::MAX]),
        (task(host, HOSTILE, "sleep-for-ever"), || args![]),
        (task(host, wat::HOSTILE_ASYNC, "gives-way"), || args![]),
    ];
    let tasks = tasks.map(|(task, args)| (task.limits(limits), args));
    let submit = |(task, args): &(Task, fn() -> hostel::Args)| task.submit(args()).expect("accepted");
    (0..OF_EACH).flat_map(|_| tasks.iter().map(submit).collect::<Vec<_>>()).collect()
}

/// One of each kind at least.
fn until_they_run(hostile: &[TaskFuture]) {
    let begun = Instant::now();
    while hostile.iter().take(5).any(|run| !run.running()) || begun.elapsed() < Duration::from_secs(2) {
        std::thread::yield_now();
    }
}

fn probe(add_one: &Task, probes: usize) -> Vec<Duration> {
    let time = |n| {
        let submitted = Instant::now();
        let result = block_on(add_one.submit(args![n]).expect("accepted").result::<i64>());
        assert_eq!(result.expect("a result"), n + 1);
        submitted.elapsed()
    };
    (0..probes as i64).map(time).collect()
}

/// The middle one, and the one that is exceeded by one of a hundred.
fn quantiles(times: &mut [Duration]) -> [Duration; 2] {
    times.sort_unstable();
    [times[times.len() / 2], times[times.len() * 99 / 100]]
}

fn both(half: Duration, p99: Duration) -> String {
    format!("{}, {}", micros(half), micros(p99))
}
