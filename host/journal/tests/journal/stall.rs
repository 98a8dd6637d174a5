//! Times in which nobody can write, because a process stands still in the middle of a write.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc;

use hostel_core::State;
use hostel_core::journal::{ExpireRequest, Expired, Journal};
use hostel_journal::{JournalHooks, SqliteJournal};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::scene::{LEASE, STARTED, add, at, check, completed, directory, fence, id, open, request, spec};

/// The directory of a child that stops itself.
const CHILD: &str = "HOSTEL_JOURNAL_STOPPED";

fn expire(journal: &dyn Journal, now: u64) -> Vec<Expired> {
    journal.expire(&ExpireRequest { now: at(now), lease: LEASE }).unwrap().runs
}

/// A worker has a run since 1,000 for a lease of 100. Someone holds the lock until 5,000, and then gives it back.
fn after_a_stall(dir: &Path, hold: impl FnOnce(), give_back: impl FnOnce()) {
    let (waits, waiting) = mpsc::channel();
    let step = move |name: &'static str| {
        if name == "received" {
            waits.send(()).unwrap();
        }
    };
    let hooks = JournalHooks { step: Some(Arc::new(step)), ..JournalHooks::default() };
    let worker = SqliteJournal::open_with(dir, hooks).unwrap();
    let other = SqliteJournal::open(dir).unwrap();
    worker.submit(at(1), &[spec(1), spec(2)]).unwrap();
    let claimed = worker.claim(&request("w", 2, 1_000)).unwrap();
    let fences: Vec<_> = claimed.iter().map(|entry| (entry.run(), fence(entry).unwrap())).collect();
    waiting.try_iter().for_each(drop);
    hold();
    let lock = rusqlite::Connection::open(dir.join("journal-1.db")).unwrap();
    lock.busy_timeout(std::time::Duration::ZERO).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap_err();
    std::thread::scope(|scope| {
        let renewed = scope.spawn(|| worker.renew(&fences[..1], at(5_100)).unwrap());
        waiting.recv().unwrap();
        assert_eq!(other.get(id(1)).unwrap().unwrap().claim().unwrap().until, at(1_100));
        give_back();
        // Whether the worker or the other one gets the lock first.
        assert_eq!(expire(&other, 5_000), []);
        assert_eq!(renewed.join().unwrap(), []);
    });
    // One that comes only now has not lost its run either.
    assert_eq!(worker.renew(&fences[1..], at(5_120)).unwrap(), []);
    assert_eq!(expire(&other, 5_040), []);
    for run in [1, 2] {
        add(&worker, run, 5_041, [STARTED, completed(5)]).unwrap();
        let entry = other.get(id(run)).unwrap().unwrap();
        assert_eq!((entry.state(), entry.crashes()), (State::Completed, 0));
    }
    check(&other);
}

#[test]
fn a_lock_that_is_held_for_longer_than_a_lease_costs_no_lease() {
    let dir = directory();
    drop(open(&dir));
    let lock = rusqlite::Connection::open(dir.path().join("journal-1.db")).unwrap();
    let hold = || lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    after_a_stall(dir.path(), hold, || lock.execute_batch("COMMIT").unwrap());
}

/// The child process: it stops itself in the middle of a write, and continues after SIGCONT.
#[test]
fn a_child_stops_in_a_write() {
    let Ok(dir) = std::env::var(CHILD) else { return };
    let step = |name: &'static str| {
        if name == "executed" {
            kill_process(rustix::process::getpid(), Signal::STOP).unwrap();
            // This thread may come a little further before the signal reaches it.
            std::io::stdin().read_line(&mut String::new()).unwrap();
        }
    };
    let hooks = JournalHooks { step: Some(Arc::new(step)), ..JournalHooks::default() };
    let journal = SqliteJournal::open_with(Path::new(&dir), hooks).unwrap();
    journal.submit(at(2), &[spec(9)]).unwrap();
    writeln!(std::io::stdout(), "submitted").unwrap();
}

fn stopped_child(dir: &Path) -> Child {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "stall::a_child_stops_in_a_write", "--nocapture"])
        .env(CHILD, dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (_, status) = waitpid(Some(pid(&child)), WaitOptions::UNTRACED).unwrap().unwrap();
    assert!(status.stopped());
    child
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap()
}

#[test]
fn a_process_that_is_stopped_in_a_write_costs_no_lease() {
    let dir = directory();
    let child = RefCell::new(None);
    let go_on = || {
        let mut child = child.borrow_mut();
        let child: &mut Child = child.as_mut().unwrap();
        kill_process(pid(child), Signal::CONT).unwrap();
        child.stdin.take().unwrap().write_all(b"\n").unwrap();
    };
    after_a_stall(dir.path(), || _ = child.replace(Some(stopped_child(dir.path()))), go_on);
    let mut child = child.into_inner().unwrap();
    let said: Vec<_> = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok).collect();
    assert!(said.iter().any(|line| line.ends_with("submitted")), "{said:?}");
    assert!(child.wait().unwrap().success());
    assert!(open(&dir).get(id(9)).unwrap().is_some());
}
