//! What a second worker adds, for a small guest and for large ones, and what a call of each takes of the processor.
//!
//! The large ones are the language runtimes, where `bash runtimes/build.sh` has made them.

use std::fs;
use std::path::Path;
use std::time::Instant;

use futures_executor::block_on;
use hostel::{CachePolicy, Host, Script, Task, args, each};

use crate::measure::{median, row};

/// The rounds of the two hosts in turns.
const ROUNDS: usize = 5;

/// The ticks of `/proc/self/stat` in a second.
const TICKS: f64 = 100.0;

/// A guest: its name, its component, the language and source of a script for it, and how many calls make a round.
type Guest = (&'static str, String, Option<(&'static str, &'static str)>, u64);

pub(crate) fn print() {
    let runtimes = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/runtimes");
    let guests: [Guest; 3] = [
        ("a guest in Rust, 17 KB", hostel_guests::ARITH.to_owned(), None, 50_000),
        (
            "a function in JavaScript, 7 MB",
            format!("{runtimes}/js.wasm"),
            Some(("one.js", "export const addOne = (n) => n + 1;")),
            2_000,
        ),
        (
            "a function in Python, 26 MB",
            format!("{runtimes}/python.wasm"),
            Some(("one.py", "def add_one(n):\n    return n + 1\n")),
            500,
        ),
    ];
    let data = tempfile::tempdir().expect("a directory");
    for (name, component, script, calls) in guests {
        if !Path::new(&component).exists() {
            row(name, "not measured: there is no runtime", "");
            continue;
        }
        let hosts = [1, 2].map(|workers| {
            Host::builder().max_workers(workers).data_dir(data.path()).build().expect("a host")
        });
        let tasks = hosts.each_ref().map(|host| task(host, &component, script));
        let mut rounds = Vec::new();
        tasks.iter().for_each(|task| _ = measured(task, calls / 5));
        for _ in 0..ROUNDS {
            rounds.push([measured(&tasks[0], calls), measured(&tasks[1], calls)]);
        }
        let of = |workers: usize, of: fn(&Measured) -> f64| {
            median(rounds.iter().map(|round| of(&round[workers - 1])).collect())
        };
        let gain = median(rounds.iter().map(|[one, two]| two.rate / one.rate).collect());
        let measured = format!("{:.0}/s and {:.0}/s, {gain:.2} ×", of(1, |m| m.rate), of(2, |m| m.rate));
        row(&format!("{name}: calls with one worker and with two"), &measured, "≥ 1.8 ×");
        let cost = format!("{:.3} ms and {:.3} ms", of(1, |m| m.cpu_ms), of(2, |m| m.cpu_ms));
        row(&format!("{name}: processor time of a call"), &cost, "");
    }
}

fn task(host: &Host, component: &str, script: Option<(&str, &str)>) -> Task {
    let component = block_on(host.load(component)).expect("a component");
    assert!(component.wait_until_optimised(), "its code is compiled for speed");
    let task = match script {
        Some((name, source)) => {
            block_on(Script::read(&component, name, source)).expect("a script").only_task()
        }
        None => component.task("add-one"),
    };
    task.expect("a task").cache(CachePolicy::NONE)
}

struct Measured {
    /// Calls in a second.
    rate: f64,
    /// The processor time of a call, of all threads together.
    cpu_ms: f64,
}

fn measured(task: &Task, calls: u64) -> Measured {
    let (began, before) = (Instant::now(), processor_seconds());
    let futures = task.map(args![each(0..calls as i64)]).expect("accepted");
    let done = futures.iter().filter(|future| block_on(future.outcome()).is_completed()).count() as u64;
    assert_eq!(done, calls);
    Measured {
        rate: calls as f64 / began.elapsed().as_secs_f64(),
        cpu_ms: (processor_seconds() - before) * 1e3 / calls as f64,
    }
}

/// The processor time of this process so far, in user and system mode.
fn processor_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS
}
