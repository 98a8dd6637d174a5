//! The removal of what is old, with the logs and the values beside the journal.

use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hostel_core::journal::{Journal, MAX_PRUNED, Retention};
use hostel_core::{LogLevel, LogLine, LogStream, RunRecord, RunSpec, Timestamp};
use hostel_journal::{LogFilter, Removed, RunLogs, SqliteJournal, remove_old};

use crate::scene::{STARTED, at, completed, directory, failed, id, open, spec, spec_with_input};

const DAY: Duration = Duration::from_hours(24);

fn real_now() -> Timestamp {
    at(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos().try_into().unwrap())
}

fn days(days: u32) -> Timestamp {
    at(0).after(DAY * days)
}

/// A run that ended on a day.
fn ended(spec: RunSpec, day: u32, has_failed: bool) -> RunRecord {
    let mut run = RunRecord::born(days(day), spec);
    run.apply(days(day), STARTED).unwrap();
    run.apply(days(day), if has_failed { failed() } else { completed(1) }).unwrap();
    run
}

fn exists(journal: &SqliteJournal, run: u64) -> bool {
    journal.get(id(run)).unwrap().is_some()
}

#[test]
fn old_runs_and_logs_go_and_what_waits_stays() {
    let dir = directory();
    let (journal, logs) = (open(&dir), RunLogs::open(dir.path()).unwrap());
    let of = |number, day, has_failed| ended(spec(number), day, has_failed);
    journal.import(&[of(1, 1, false), of(2, 1, true), of(3, 9, false)]).unwrap();
    journal.submit(at(1), &[spec(4)]).unwrap();
    for (run, day) in [(2, 1), (3, 9)] {
        let (stream, level) = (LogStream::Stdout, LogLevel::Info);
        let line = LogLine { at: days(day), stream, level, text: "x".into(), fields: Vec::new() };
        logs.append(id(run), 1, vec![line]).unwrap();
    }
    let lines = |run| logs.read(id(run), 0, 9, &LogFilter::default()).unwrap().lines.len();
    assert_eq!((lines(2), lines(3)), (1, 1));
    let remove =
        |day| remove_old(&journal, Some(&logs), &Retention::default(), days(day), || true).unwrap().runs;
    assert_eq!(remove(10), 1);
    assert_eq!([1, 2, 3, 4].map(|run| exists(&journal, run)), [false, true, true, true]);
    assert_eq!((lines(2), lines(3)), (0, 1));
    assert_eq!((remove(10), remove(40)), (0, 2));
    assert_eq!([2, 3, 4].map(|run| exists(&journal, run)), [false, false, true]);
    assert_eq!(lines(3), 0);
}

#[test]
fn values_go_a_day_after_their_last_run() {
    let dir = directory();
    let journal = open(&dir);
    assert_eq!(journal.file().unwrap().parent(), Some(dir.path()));
    journal.import(&[ended(spec_with_input(1, 50_000), 1, false)]).unwrap();
    let remove = |now| remove_old(&journal, None, &Retention::default(), now, || true).unwrap();
    // The file of the value is from now, whenever the run was.
    let first = remove(real_now());
    assert_eq!(first.runs, 1);
    let later = remove(real_now().after(DAY + Duration::from_hours(1)));
    assert_eq!((later.runs, first.values + later.values), (0, 2), "the value, and the options of its task");
}

#[test]
fn it_stops_after_a_slice_if_it_should() {
    let dir = directory();
    let journal = open(&dir);
    let number = MAX_PRUNED as u64 + 5;
    let runs: Vec<_> = (1..=number).map(|number| ended(spec(number), 1, false)).collect();
    runs.chunks(500).for_each(|runs| _ = journal.import(runs).unwrap());
    let asked = Cell::new(0);
    let remove = |goes_on: bool| -> Removed {
        let goes_on = || {
            asked.set(asked.get() + 1);
            goes_on
        };
        remove_old(&journal, None, &Retention::default(), days(99), goes_on).unwrap()
    };
    assert_eq!((remove(false).runs, asked.get()), (MAX_PRUNED as u64, 1));
    assert_eq!((remove(true).runs, asked.get()), (5, 1));
    assert_eq!(journal.counts().unwrap().removed, number);
}
