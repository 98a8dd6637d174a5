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

const ROUNDS: usize = 41;

/// What the kernel counts processor time in, nearly everywhere.
const TICK: Duration = Duration::from_millis(10);

fn main() {
    let data = tempfile::tempdir().expect("a directory");
    println!("| what | wall, median | processor time, mean |\n|---|---|---|");
    for (name, path) in
        [("a component of 200 bytes", hostel_guests::wat::ADD_ONE), ("a guest in Rust", hostel_guests::ARITH)]
    {
        print(&format!("`hostel run`, {name}, cold"), || {
            fs::remove_dir_all(data.path()).expect("the directory is there");
            hostel(path, data.path())
        });
        print(&format!("`hostel run`, {name}, compiled already"), || hostel(path, data.path()));
        if Command::new("wasmtime").arg("--version").output().is_ok() {
            print(&format!("`wasmtime run --invoke`, {name}, compiled already"), || wasmtime(path));
        }
    }
    print("`true`, to compare", || Command::new("true"));
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

fn print(what: &str, command: impl Fn() -> Command) {
    run(&mut command());
    let before = children();
    let mut walls: Vec<_> = (0..ROUNDS).map(|_| run(&mut command())).collect();
    let processor = (children() - before) / u32::try_from(ROUNDS).expect("few");
    walls.sort();
    println!("| {what} | {:.1} ms | {:.1} ms |", ms(walls[ROUNDS / 2]), ms(processor));
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

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
