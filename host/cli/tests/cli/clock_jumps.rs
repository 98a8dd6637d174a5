//! A machine whose clock is put forward and back while workers execute: with libfaketime, where the machine has it (Debian:
//! faketime).
#![cfg(target_os = "linux")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::hostel::Place;
use crate::stored::Worker;

/// Where Debian and others put the library.
const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

/// The clock of the commands of a place. The time that measures how long something takes goes on as it did.
struct Clock<'a> {
    place: &'a Place,
    library: &'static str,
    offset: PathBuf,
}

impl<'a> Clock<'a> {
    /// `None`, and says so, if there is no library.
    fn new(place: &'a Place, test: &str) -> Option<Self> {
        let Some(library) = LIBRARIES.into_iter().find(|path| fs::exists(path).unwrap_or(false)) else {
            eprintln!("{test} is SKIPPED: there is no libfaketime (Debian: apt-get install faketime)");
            return None;
        };
        let clock = Self { place, library, offset: place.path().join("offset") };
        clock.set("+0");
        Some(clock)
    }

    /// Puts the clock forward or back, from the true time, as in `+1h`.
    fn set(&self, offset: &str) {
        let next = self.offset.with_extension("next");
        fs::write(&next, offset).unwrap();
        fs::rename(next, &self.offset).unwrap();
    }

    fn command(&self, line: &str) -> Command {
        let mut command = self.place.command(line);
        command.env("LD_PRELOAD", self.library).env("FAKETIME_TIMESTAMP_FILE", &self.offset);
        command.envs([("FAKETIME_NO_CACHE", "1"), ("DONT_FAKE_MONOTONIC", "1")]);
        command
    }

    #[track_caller]
    fn completed(&self, line: &str) -> String {
        let ran = crate::server::ran(self.command(line));
        assert_eq!(ran.code, 0, "{line}: {}", ran.stderr);
        ran.stdout.trim_end().to_owned()
    }

    fn worker(&self) -> Worker {
        Worker::of(self.command("worker --lease 1s").stderr(Stdio::piped()).spawn().unwrap())
    }

    /// A run that is due in two leases is executed, so by then the workers have looked for leases that are over.
    #[track_caller]
    fn two_leases_later(&self) {
        let run = self.completed("delay arith.wasm#add 40 2 --in 2s");
        self.completed(&format!("runs wait {run} --timeout 1m"));
    }

    /// How often the worker of the run that executes was lost, and how many attempts it had.
    #[track_caller]
    fn crashes_and_attempts(&self) -> (u64, u64) {
        let listed = self.completed("runs ls state:running --output json");
        let run: Value = serde_json::from_str(&listed).unwrap();
        (run["crashes"].as_u64().unwrap_or(0), run["attempt_count"].as_u64().unwrap())
    }
}

#[test]
fn runs_stay_with_their_worker_when_the_clock_is_put_forward_and_back() {
    let place = Place::with_data_dir();
    let Some(clock) =
        Clock::new(&place, "runs_stay_with_their_worker_when_the_clock_is_put_forward_and_back")
    else {
        return;
    };
    clock.completed("delay spin-forever.wasm#spin --name spinning");
    let mut first = clock.worker();
    first.until("spinning is Running");
    let mut second = clock.worker();
    for offset in ["+1h", "+3d", "+0", "-1h"] {
        clock.set(offset);
        clock.two_leases_later();
        assert_eq!(clock.crashes_and_attempts(), (0, 1), "after {offset}");
    }
    // A worker that is lost now is noticed when the clock has caught up.
    drop(first);
    clock.set("+0");
    second.until("spinning is Running");
    assert_eq!(clock.crashes_and_attempts(), (1, 2));
}
