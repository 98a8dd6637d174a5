//! Background runs on a disk that is full or cannot be written: in a file system of its own, where the machine allows one.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::hostel::{Place, Ran};
use crate::server::ran;
use crate::stored::Worker;

/// The bytes of the file system: room for a journal, its log and a few components.
const SIZE: &str = "8m";

/// A small file system on the data directory of a place, which only commands see that are started through it. It is gone with its
/// process.
struct Disk<'a> {
    place: &'a Place,
    holder: Child,
}

impl<'a> Disk<'a> {
    /// `None`, and says so, where the machine does not allow file systems of one's own.
    fn mount(place: &'a Place, test: &str) -> Option<Self> {
        let script =
            format!("mount -t tmpfs -o size={SIZE},mode=700 hostel \"$0\" && echo mounted && read line");
        let mut holder = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
            .arg(place.data_dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .ok()?;
        let mut line = String::new();
        // It ends without a line if it may not mount.
        let _ = BufReader::new(holder.stdout.take()?).read_line(&mut line);
        let disk = Self { place, holder };
        let enters =
            line == "mounted\n" && disk.enter().arg("true").status().is_ok_and(|status| status.success());
        if !enters {
            eprintln!("{test} is SKIPPED: this machine does not allow mounts in a user namespace");
        }
        enters.then_some(disk)
    }

    /// Executes what follows where the file system is, in the directory of the place.
    fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        let process = self.holder.id().to_string();
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.args(["--target", &process, "--user", "--mount", "--preserve-credentials"]);
        command.args(["sh", "-c", "cd \"$0\" && exec \"$@\""]).arg(self.place.path());
        command
    }

    fn command(&self, line: &str) -> Command {
        let hostel = self.place.command(line);
        let mut command = self.enter();
        command.arg(hostel.get_program()).args(hostel.get_args());
        command.env("HOSTEL_DATA_DIR", self.place.data_dir()).stdin(Stdio::null());
        command
    }

    fn run(&self, line: &str) -> Ran {
        ran(self.command(line))
    }

    #[track_caller]
    fn completed(&self, line: &str) -> String {
        let ran = self.run(line);
        assert_eq!(ran.code, 0, "{line}: {}", ran.stderr);
        ran.stdout.trim_end().to_owned()
    }

    /// The command fails with this code, and says one of these.
    #[track_caller]
    fn refused(&self, line: &str, code: i32, said: &[&str]) {
        let ran = self.run(line);
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{line}: {}", ran.stderr);
        assert!(said.iter().any(|said| ran.stderr.contains(said)), "{line}: {}", ran.stderr);
    }

    fn worker(&self, options: &str) -> Worker {
        let mut command = self.command(&format!("worker {options}"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Worker::of(command.spawn().unwrap())
    }

    /// A path in the file system, as this process sees it.
    fn path(&self, name: &str) -> PathBuf {
        let data_dir = self.place.data_dir().strip_prefix("/").unwrap();
        Path::new(&format!("/proc/{}/root", self.holder.id())).join(data_dir).join(name)
    }

    /// Takes all the room that there is.
    fn fill(&self) {
        let mut file = File::create(self.path("filler")).unwrap();
        for bytes in [64 << 10, 4 << 10, 1] {
            loop {
                match file.write_all(&vec![1; bytes]) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.path("filler")).unwrap();
    }

    /// The states of all runs, the newest first.
    fn states(&self) -> Vec<String> {
        let listed = self.completed("runs ls --output json");
        let states = listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        states.map(|run| run["state"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

#[test]
fn a_full_disk_refuses_runs_and_components_and_later_all_goes_on() {
    let place = Place::with_data_dir();
    let Some(disk) = Disk::mount(&place, "a_full_disk_refuses_runs_and_components_and_later_all_goes_on")
    else {
        return;
    };
    let first = disk.completed("delay arith.wasm#add 40 2");
    disk.fill();
    let full = ["full", "o space left", "there is no room for it on the disk"];
    disk.refused("delay arith.wasm#add 1 2", 5, &full);
    disk.refused("delay elevator.wasm#stop-at-floor 0", 5, &full);
    disk.refused("push batch.wasm --name batch", 5, &full);
    disk.make_room();
    assert_eq!(disk.states(), ["Pending"]);
    assert_eq!(
        disk.completed("components ls --output json").lines().count(),
        1,
        "only that of the first run"
    );
    disk.completed("push batch.wasm --name batch");
    disk.completed("delay arith.wasm#add 1 2");
    disk.completed("worker --until-idle --quiet");
    assert_eq!(disk.states(), ["Completed"; 2]);
    assert!(disk.completed(&format!("runs wait {first}")).contains(" Completed "));
}

#[test]
fn a_worker_outlives_a_full_disk_and_records_what_its_runs_did() {
    let place = Place::with_data_dir();
    let Some(disk) = Disk::mount(&place, "a_worker_outlives_a_full_disk_and_records_what_its_runs_did")
    else {
        return;
    };
    let run = disk.completed("delay spin-forever.wasm#spin --name spinning --timeout 3s");
    let mut worker = disk.worker("");
    worker.until("spinning is Running");
    disk.fill();
    // The run is out of time, and that cannot be recorded.
    worker.until("trying again in");
    disk.make_room();
    worker.until("spinning is TimedOut");
    assert_eq!(disk.states(), ["TimedOut"]);
    let shown: Value =
        serde_json::from_str(&disk.completed(&format!("runs show {run} --output json"))).unwrap();
    assert_eq!((shown["crashes"].as_u64(), shown["attempts"].as_array().unwrap().len()), (Some(0), 1));
}

#[test]
fn a_file_system_that_is_read_only_denies_changes_and_can_be_read() {
    let place = Place::with_data_dir();
    let test = "a_file_system_that_is_read_only_denies_changes_and_can_be_read";
    let Some(disk) = Disk::mount(&place, test) else { return };
    let remount = |how: &str| {
        let status = disk.enter().args(["mount", "-o", how]).arg(place.data_dir()).status().unwrap();
        assert!(status.success(), "{how}");
    };
    remount("remount,ro");
    disk.refused("delay arith.wasm#add 40 2", 4, &["read-only", "Read-only", "cannot be written"]);
    remount("remount,rw");
    let run = disk.completed("delay arith.wasm#add 40 2");
    remount("remount,ro");
    for line in [
        "delay arith.wasm#add 40 2".to_owned(),
        format!("runs cancel {run}"),
        "runs cancel --where state:unfinished".to_owned(),
        "worker --until-idle --quiet".to_owned(),
    ] {
        disk.refused(&line, 4, &["read-only", "Read-only", "can only be read", "cannot be written"]);
    }
    assert_eq!(disk.states(), ["Pending"]);
    remount("remount,rw");
    disk.completed("worker --until-idle --quiet");
    assert_eq!(disk.states(), ["Completed"]);
}
