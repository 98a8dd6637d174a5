//! What one `hostel run` costs as a process, cold and compiled already: `cargo bench -p hostel-command-benches --bench process`.
//!
//! Where there is a `wasmtime` on the path, `wasmtime run --invoke` is measured in turns with it; both have compiled the
//! component before.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark that cannot measure must stop, and its numbers are for people"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 101;

/// What the kernel counts processor time in, nearly everywhere.
const TICK: Duration = Duration::from_millis(10);

fn main() {
    let data = tempfile::tempdir().expect("a directory");
    let has_wasmtime = Command::new("wasmtime").arg("--version").output().is_ok();
    println!("| what | wall, median | processor time, mean |\n|---|---|---|");
    for (name, path) in
        [("a component of 200 bytes", hostel_guests::wat::ADD_ONE), ("a guest in Rust", hostel_guests::ARITH)]
    {
        let cold = || {
            fs::remove_dir_all(data.path()).expect("the directory is there");
            hostel(path, data.path())
        };
        let [cold] = in_turns([&cold]);
        cold.print(&format!("`hostel run`, {name}, cold"));
        let (hostel, wasmtime) = (|| hostel(path, data.path()), || wasmtime(path));
        if has_wasmtime {
            let [hostel, wasmtime] = in_turns([&hostel, &wasmtime]);
            hostel.print(&format!("`hostel run`, {name}, compiled already"));
            wasmtime.print(&format!("`wasmtime run --invoke`, {name}, compiled already"));
            let ratio = median(hostel.walls.iter().zip(&wasmtime.walls).map(|(a, b)| a.div_duration_f64(*b)));
            let processor = hostel.processor.div_duration_f64(wasmtime.processor);
            println!("| the first to the second, {name} | {ratio:.2} × | {processor:.2} × |");
        } else {
            let [hostel] = in_turns([&hostel]);
            hostel.print(&format!("`hostel run`, {name}, compiled already"));
        }
    }
    let [nothing] = in_turns([&|| Command::new("true")]);
    nothing.print("`true`, to compare");
}

/// What the runs of a command took.
struct Measured {
    walls: Vec<Duration>,
    processor: Duration,
}

/// Runs commands one after the other, again and again, after one run of each that does not count.
fn in_turns<const N: usize>(commands: [&dyn Fn() -> Command; N]) -> [Measured; N] {
    let mut measured = commands.map(|command| {
        run(&mut command());
        Measured { walls: Vec::new(), processor: Duration::ZERO }
    });
    for _ in 0..ROUNDS {
        for (command, measured) in commands.iter().zip(&mut measured) {
            let before = children();
            measured.walls.push(run(&mut command()));
            measured.processor += children() - before;
        }
    }
    measured
}

impl Measured {
    fn print(&self, what: &str) {
        let wall = median(self.walls.iter().map(Duration::as_secs_f64)) * 1e3;
        let processor = self.processor.as_secs_f64() * 1e3 / ROUNDS as f64;
        println!("| {what} | {wall:.1} ms | {processor:.1} ms |");
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn hostel(path: &str, data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostel-measured"));
    command.args(["run", "--quiet", &format!("{path}#add-one"), "41", "--data-dir"]).arg(data);
    command
}

fn wasmtime(path: &str) -> Command {
    let mut command = Command::new("wasmtime");
    command.args(["run", "-C", "cache=y", "--invoke", "add-one(41)", path]);
    command
}

fn run(command: &mut Command) -> Duration {
    let start = Instant::now();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("it starts");
    assert!(status.success());
    start.elapsed()
}

/// The processor time of all child processes so far, by proc(5): fields 16 and 17 of `stat`.
fn children() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u32 =
        after_name.split_whitespace().skip(13).take(2).filter_map(|field| field.parse::<u32>().ok()).sum();
    TICK * ticks
}
