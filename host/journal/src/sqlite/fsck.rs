//! Checks of a whole journal: the pages, the tally, and whether the events of each run lead to its row.

use hostel_core::{Digest, State};
use rusqlite::Connection;

use super::blobs::Blobs;
use super::find;
use super::gates::Gates;
use super::names::Names;
use super::row::{self, Columns, Loaded};
use crate::error::Fault;

/// The most problems that are listed.
const MAX_PROBLEMS: usize = 100;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalCheck {
    /// How many runs were looked at.
    pub runs: u64,
    /// What is wrong, in words: at most 100 problems.
    pub problems: Vec<String>,
    /// Whether there are more problems than are listed.
    pub more: bool,
}

impl JournalCheck {
    fn add(&mut self, problem: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem.into());
        } else {
            self.more = true;
        }
    }
}

pub(super) fn check(db: &Connection, names: &mut Names, blobs: &Blobs) -> Result<JournalCheck, Fault> {
    let mut check = JournalCheck::default();
    check_pages(db, &mut check)?;
    check_part("the tally", &mut check, |check| check_tally(db, check));
    check_part("the histogram", &mut check, |check| check_histogram(db, check));
    check_part("the tags", &mut check, |check| check_tags(db, check));
    check_part("the values", &mut check, |check| check_blobs(db, blobs, check));
    check_part("the slots", &mut check, |check| check_slots(db, check));
    check_part("the runs", &mut check, |check| check_runs(db, names, check));
    Ok(check)
}

/// A part that cannot be read is a problem, and the others are checked all the same.
fn check_part(
    part: &str,
    check: &mut JournalCheck,
    mut check_it: impl FnMut(&mut JournalCheck) -> Result<(), Fault>,
) {
    if let Err(fault) = check_it(check) {
        check.add(format!("{part} cannot be read: {}", text(fault)));
    }
}

fn text(fault: Fault) -> String {
    match fault {
        Fault::Refused(error) => error.to_string(),
        Fault::Medium(error) => error.to_string(),
    }
}

fn check_pages(db: &Connection, check: &mut JournalCheck) -> Result<(), Fault> {
    let mut query = db.prepare(&format!("PRAGMA integrity_check({MAX_PROBLEMS})"))?;
    let mut rows = query.query([])?;
    loop {
        match rows.next() {
            Ok(Some(row)) => {
                let line: String = row.get(0)?;
                if line != "ok" {
                    check.add(line);
                }
            }
            Ok(None) => return Ok(()),
            Err(error) => {
                check.add(format!("the pages cannot be read: {error}"));
                return Ok(());
            }
        }
    }
}

fn check_tally(db: &Connection, check: &mut JournalCheck) -> Result<(), Fault> {
    let tally = find::tally(db)?;
    let mut query = db.prepare("SELECT count(*) FROM run WHERE +state = ?")?;
    for state in State::ALL {
        let counted: i64 = query.query_row([state as i64], |row| row.get(0))?;
        let noted = tally.iter().find(|(one, _)| *one == state).map_or(0, |(_, runs)| *runs);
        if counted.cast_unsigned() != noted {
            check.add(format!("there are {counted} runs that are {state}: the tally has {noted}"));
        }
    }
    Ok(())
}

fn check_histogram(db: &Connection, check: &mut JournalCheck) -> Result<(), Fault> {
    let counted = "SELECT created / 60000000000, state, count(*) FROM run GROUP BY 1, 2";
    let different = differences(db, counted, "SELECT minute, state, runs FROM histogram")?;
    if different > 0 {
        check.add(format!("the histogram of runs is wrong for {different} minutes and states"));
    }
    Ok(())
}

fn check_tags(db: &Connection, check: &mut JournalCheck) -> Result<(), Fault> {
    let named: i64 =
        db.query_row("SELECT coalesce(sum(json_array_length(tags)), 0) FROM run", [], |row| row.get(0))?;
    let found: i64 = db.query_row("SELECT count(*) FROM run_tag", [], |row| row.get(0))?;
    if named != found {
        check.add(format!("runs have {named} tags: {found} are in the index of tags"));
    }
    let counted =
        "SELECT t.tag, r.state, count(*) FROM run_tag t CROSS JOIN run r ON r.seq = t.run GROUP BY 1, 2";
    let different = differences(db, counted, "SELECT tag, state, runs FROM tag_tally")?;
    if different > 0 {
        check.add(format!("the tally of tags is wrong for {different} tags and states"));
    }
    Ok(())
}

/// How many rows are in one answer and not in the other; those of the first one, if it has any.
fn differences(db: &Connection, counted: &str, noted: &str) -> Result<i64, Fault> {
    for (one, other) in [(counted, noted), (noted, counted)] {
        let count = format!("SELECT count(*) FROM ({one} EXCEPT {other})");
        let different: i64 = db.query_row(&count, [], |row| row.get(0))?;
        if different > 0 {
            return Ok(different);
        }
    }
    Ok(0)
}

fn check_blobs(db: &Connection, blobs: &Blobs, check: &mut JournalCheck) -> Result<(), Fault> {
    let mut query = db.prepare("SELECT DISTINCT digest FROM run_blob")?;
    let digests = query.query_map([], |row| row.get(0))?;
    for digest in digests {
        let digest = Digest::from_bytes(digest?);
        if !blobs.exists(digest) {
            check.add(format!("the value {digest} is missing"));
        }
    }
    Ok(())
}

fn check_slots(db: &Connection, check: &mut JournalCheck) -> Result<(), Fault> {
    let idle = "SELECT count(*) FROM slot s LEFT JOIN run r ON r.seq = s.run WHERE r.fence IS NULL";
    let idle: i64 = db.query_row(idle, [], |row| row.get(0))?;
    if idle > 0 {
        check.add(format!("{idle} slots of limits belong to runs that are not claimed"));
    }
    Ok(())
}

fn check_runs(db: &Connection, names: &mut Names, check: &mut JournalCheck) -> Result<(), Fault> {
    let mut query = db.prepare("SELECT seq FROM run WHERE seq > ? ORDER BY seq LIMIT 1")?;
    let gates = Gates::load(db)?;
    let mut last = 0_i64;
    loop {
        let mut rows = query.query([last])?;
        let Some(row) = rows.next()? else { return Ok(()) };
        last = row.get(0)?;
        check.runs += 1;
        match row::load_by_seq(db, names, last) {
            Ok(Some(loaded)) => {
                check_run(&loaded, check);
                check_place(db, &loaded, check)?;
                check_slots_of(db, names, &gates, &loaded, check)?;
            }
            Ok(None) => {}
            Err(fault) => check.add(text(fault)),
        }
    }
}

fn check_slots_of(
    db: &Connection,
    names: &mut Names,
    gates: &Gates,
    loaded: &Loaded,
    check: &mut JournalCheck,
) -> Result<(), Fault> {
    if loaded.entry.claim().is_some() {
        let places = gates.of(db, names, loaded.entry.record().spec())?;
        let missing = gates.missing(db, loaded.seq, &places)?;
        if missing > 0 {
            check.add(format!("run {} is without {missing} slots of limits", loaded.entry.run()));
        }
    }
    Ok(())
}

/// The columns that an amendment changes.
fn check_place(db: &Connection, loaded: &Loaded, check: &mut JournalCheck) -> Result<(), Fault> {
    let spec = loaded.entry.record().spec();
    let mut query = db.prepare_cached(
        "SELECT name.name, run.priority, run.tags FROM run JOIN name ON name.id = run.queue WHERE seq = ?",
    )?;
    let place = query.query_row([loaded.seq], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    if place != (spec.queue.to_string(), spec.spec.priority, row::tags_column(spec)) {
        check.add(format!("the events of run {} do not lead to its queue, priority and tags", spec.id));
    }
    Ok(())
}

fn check_run(loaded: &Loaded, check: &mut JournalCheck) {
    let Loaded { entry, columns, .. } = loaded;
    let mut expected = Columns::of(entry, columns.worker.filter(|_| entry.claim().is_some()), columns.event);
    // A run that was set aside is reported where it was found damaged.
    expected.lease = expected.lease.filter(|_| entry.claim().is_some());
    expected.gate = columns.gate.filter(|_| columns.ready.is_some());
    expected.drainer = columns.drainer.filter(|_| columns.ready.is_some());
    if expected != *columns {
        check.add(format!("the events of run {} do not lead to its row", entry.run()));
    }
}
