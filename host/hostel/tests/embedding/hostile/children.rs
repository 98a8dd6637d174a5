//! What hostile guests leave behind in a process that has nothing else to do: no descriptor and no thread.

use std::process::Command;
use std::{env, fs};

use super::place::Place;
use super::together::all_at_once;
use super::{MIB, settings};
use crate::build;

/// The name of the test below, as the test program knows it.
const TEST: &str = "hostile::children::they_leave_nothing_behind";

/// Is set in the process that has nothing else to do.
const ALONE: &str = "HOSTEL_TEST_ALONE";

const ROUNDS: usize = 2;

/// How many descriptors and how many threads this process has.
fn held() -> (usize, usize) {
    let entries = |path: &str| fs::read_dir(path).unwrap().count();
    (entries("/proc/self/fd"), entries("/proc/self/task"))
}

/// Waits until the threads of a host that was dropped have ended, and the servers have nobody to answer. One that does not
/// end fails the test by its time, instead of by a number that nobody understands.
fn until_quiet(place: &Place) {
    while place.is_busy() || thread_names().iter().any(|name| name.starts_with("hostel-")) {
        std::thread::yield_now();
    }
}

fn thread_names() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok()).collect()
}

/// Its threads are started once and stay. They would be called as that of the host which first compiles.
fn start_compiler() {
    let engine = wasmtime::Engine::default();
    wasmtime::component::Component::from_file(&engine, hostel_guests::ARITH).unwrap();
}

#[test]
fn they_leave_nothing_behind() {
    if env::var_os(ALONE).is_none() {
        let program = env::current_exe().unwrap();
        let child =
            Command::new(program).args([TEST, "--exact", "--nocapture"]).env(ALONE, "1").output().unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
        assert!(String::from_utf8_lossy(&child.stdout).contains("1 passed"));
        return;
    }
    start_compiler();
    let place = Place::new();
    let round = || {
        all_at_once(&build(settings().max_memory_bytes(4096 * MIB)), 1, &place);
        until_quiet(&place);
        held()
    };
    // What a process has once, such as descriptors for randomness, is there after the first.
    let before = round();
    for number in 1..=ROUNDS {
        assert_eq!(round(), before, "round {number}");
    }
}
