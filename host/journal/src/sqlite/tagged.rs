//! Runs with a tag: how many there are, exactly, and when they executed.

use hostel_core::journal::JournalError;
use hostel_core::{RunCounts, RunId, State, Timestamp};
use rusqlite::{Connection, Row, params};

use super::SqliteJournal;
use super::names::Kind;
use super::row::{self, time};
use crate::error::Fault;

/// `tag_tally` has how many runs have a tag, by state. `tag_gap` has the tags that a run has lost: it was removed, or its tags were changed.
/// Of what an older file has, that is not known. The index has all that a timeline needs.
pub(super) const TABLES: &str = "
    CREATE TABLE tag_tally (
        tag INTEGER NOT NULL, state INTEGER NOT NULL, runs INTEGER NOT NULL, PRIMARY KEY (tag, state)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO tag_tally SELECT t.tag, r.state, count(*) FROM run_tag t CROSS JOIN run r ON r.seq = t.run GROUP BY 1, 2;
    CREATE TABLE tag_gap (tag INTEGER PRIMARY KEY) STRICT;
    INSERT INTO tag_gap SELECT DISTINCT tag FROM tag_tally;
    DROP INDEX run_ended;
    CREATE INDEX run_ended ON run (ended, seq, state, started) WHERE ended IS NOT NULL;
";

/// How many runs have a tag.
#[derive(Clone, Debug, Default)]
pub struct TagCounts {
    /// How many there are, by state. None are counted as removed.
    pub counts: RunCounts,
    /// Whether a run may have lost the tag: it was removed, or its tags were changed. Always so for tags that an older version stored.
    pub has_gaps: bool,
}

/// When a run executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunSpan {
    /// Its state.
    pub state: State,
    /// When its last attempt began; `None` if it ended without one.
    pub started: Option<Timestamp>,
    /// When it ended; `None` if it has not.
    pub ended: Option<Timestamp>,
}

/// A run with a tag: what a timeline shows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunTimes {
    /// Its id.
    pub run: RunId,
    /// Its state.
    pub state: State,
    /// When it was created.
    pub created: Timestamp,
    /// When its last attempt began; `None` if none has begun.
    pub started: Option<Timestamp>,
    /// When it ended; `None` if it has not.
    pub ended: Option<Timestamp>,
    /// How many attempts have begun.
    pub attempts: u32,
}

/// The states of runs that have not ended, and in which an attempt has begun.
const BEGUN: [State; 4] = [State::Running, State::Retrying, State::Cancelling, State::AwaitingRetry];

impl SqliteJournal {
    /// How many runs have a tag, by state. Costs microseconds, however many.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    pub fn tag_counts(&self, tag: &str) -> Result<TagCounts, JournalError> {
        self.read(|db, names| match names.find(db, Kind::Tag, tag)? {
            Some(tag) => Ok(TagCounts { counts: counts(db, tag)?, has_gaps: has_gaps(db, tag)? }),
            None => Ok(TagCounts::default()),
        })
    }

    /// The runs with a tag, from the first stored one on, and at most `most` of them: the answers of `of` for each. Reads a few columns of
    /// each, and nothing of its specification.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    pub fn tag_times<T>(
        &self,
        tag: &str,
        most: usize,
        mut of: impl FnMut(RunTimes) -> T,
    ) -> Result<Vec<T>, JournalError> {
        self.read(|db, names| {
            let Some(tag) = names.find(db, Kind::Tag, tag)? else { return Ok(Vec::new()) };
            let mut query = db.prepare_cached(
                "SELECT r.id, r.state, r.created, r.started, r.ended, r.attempts \
                 FROM run_tag t CROSS JOIN run r ON r.seq = t.run WHERE t.tag = ? ORDER BY t.run LIMIT ?",
            )?;
            let mut rows = query.query(params![tag, i64::try_from(most).unwrap_or(i64::MAX)])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(of(times(row)?));
            }
            Ok(found)
        })
    }

    /// When the runs with a tag executed: calls `of` with the time at which the first of them was created, and with each of them that has
    /// ended or executes, and returns that time with all answers. `None` if no run has the tag. Runs that wait for their first attempt are
    /// left out, and so are those that were given back by their worker.
    ///
    /// The runs with a tag should have ended at about the same time, as those of a map have: it looks at all runs that ended between the
    /// first and the last of them. Costs a quarter of a second for a million.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    pub fn tag_spans<T>(
        &self,
        tag: &str,
        mut of: impl FnMut(Timestamp, RunSpan) -> T,
    ) -> Result<Option<(Timestamp, Vec<T>)>, JournalError> {
        self.read(|db, names| {
            let Some(tag) = names.find(db, Kind::Tag, tag)? else { return Ok(None) };
            let counts = counts(db, tag)?;
            let Some(members) = Members::read(db, tag, counts.total())? else { return Ok(None) };
            let created = "SELECT created FROM run WHERE seq = ?";
            let origin: i64 = db.prepare_cached(created)?.query_row([members.first], |row| row.get(0))?;
            let mut found = Vec::new();
            let mut add = |span| found.push(of(time(origin), span));
            ended(db, &members, &counts, origin, &mut add)?;
            BEGUN.into_iter().try_for_each(|state| begun(db, &members, &counts, state, &mut add))?;
            Ok(Some((time(origin), found)))
        })
    }
}

fn times(row: &Row<'_>) -> Result<RunTimes, Fault> {
    let run = RunId::from_bytes(row.get(0)?);
    let state = row::state(row.get(1)?).ok_or_else(|| Fault::damaged(run, "its state"))?;
    let (started, ended): (Option<i64>, Option<i64>) = (row.get(3)?, row.get(4)?);
    Ok(RunTimes {
        run,
        state,
        created: time(row.get(2)?),
        started: started.map(time),
        ended: ended.map(time),
        attempts: row.get(5)?,
    })
}

fn counts(db: &Connection, tag: i64) -> rusqlite::Result<RunCounts> {
    let mut query = db.prepare_cached("SELECT state, runs FROM tag_tally WHERE tag = ?")?;
    let rows = query.query_map([tag], |row| Ok((row::state(row.get(0)?), row.get::<_, i64>(1)?)))?;
    let mut counts = RunCounts::default();
    for row in rows {
        if let (Some(state), runs) = row? {
            counts.add(state, u64::try_from(runs).unwrap_or(0));
        }
    }
    Ok(counts)
}

/// How many runs with a tag are in some states.
pub(super) fn count_in(
    db: &Connection,
    tag: i64,
    states: impl IntoIterator<Item = State>,
) -> rusqlite::Result<(u64, u64)> {
    let counts = counts(db, tag)?;
    Ok((states.into_iter().map(|state| counts.of(state)).sum(), counts.total()))
}

fn has_gaps(db: &Connection, tag: i64) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM tag_gap WHERE tag = ?")?.exists([tag])
}

/// Changes how many runs have a tag.
pub(super) fn add(db: &Connection, tag: i64, state: i64, change: i64) -> rusqlite::Result<()> {
    let mut add = db.prepare_cached(
        "INSERT INTO tag_tally (tag, state, runs) VALUES (?1, ?2, ?3) \
         ON CONFLICT (tag, state) DO UPDATE SET runs = runs + ?3",
    )?;
    add.execute([tag, state, change])?;
    if change < 0 {
        db.prepare_cached("DELETE FROM tag_tally WHERE tag = ? AND state = ? AND runs = 0")?
            .execute([tag, state])?;
    }
    Ok(())
}

/// Notes that runs have lost a tag; or forgets it, if none has it any more.
pub(super) fn lose(db: &Connection, tag: i64) -> rusqlite::Result<()> {
    let is_used = db.prepare_cached("SELECT 1 FROM tag_tally WHERE tag = ? LIMIT 1")?.exists([tag])?;
    let text = if is_used {
        "INSERT OR IGNORE INTO tag_gap (tag) VALUES (?)"
    } else {
        "DELETE FROM tag_gap WHERE tag = ?"
    };
    db.prepare_cached(text)?.execute([tag])?;
    Ok(())
}

/// The numbers of the runs with a tag.
struct Members {
    first: i64,
    last: i64,
    /// All of them in order, unless they are all numbers from the first to the last.
    each: Option<Vec<i64>>,
}

impl Members {
    /// `None` if there are none.
    fn read(db: &Connection, tag: i64, total: u64) -> rusqlite::Result<Option<Self>> {
        let mut query = db.prepare_cached("SELECT min(run), max(run) FROM run_tag WHERE tag = ?")?;
        let (Some(first), Some(last)): (Option<i64>, Option<i64>) =
            query.query_row([tag], |row| Ok((row.get(0)?, row.get(1)?)))?
        else {
            return Ok(None);
        };
        let are_all = last.abs_diff(first) + 1 == total;
        let mut query = db.prepare_cached("SELECT run FROM run_tag WHERE tag = ? ORDER BY run")?;
        let mut each = || query.query_map([tag], |row| row.get(0))?.collect::<rusqlite::Result<_>>();
        Ok(Some(Self { first, last, each: if are_all { None } else { Some(each()?) } }))
    }

    fn contains(&self, run: i64) -> bool {
        let is_between = (self.first..=self.last).contains(&run);
        is_between && self.each.as_ref().is_none_or(|each| each.binary_search(&run).is_ok())
    }
}

/// The runs that have ended. Nothing else is looked at when all are found.
fn ended(
    db: &Connection,
    members: &Members,
    counts: &RunCounts,
    origin: i64,
    add: &mut impl FnMut(RunSpan),
) -> rusqlite::Result<()> {
    let mut missing = counts.total() - counts.unfinished();
    // Runs end after they were created, unless the clock was put back.
    for (condition, order) in [("ended >= ?", "ended, seq"), ("ended < ?", "ended DESC, seq DESC")] {
        if missing == 0 {
            break;
        }
        let mut query = db.prepare_cached(&format!(
            "SELECT seq, state, started, ended FROM run INDEXED BY run_ended \
             WHERE ended IS NOT NULL AND {condition} ORDER BY {order}"
        ))?;
        let mut rows = query.query([origin])?;
        while let Some(row) = rows.next()?.filter(|_| missing > 0) {
            if !members.contains(row.get(0)?) {
                continue;
            }
            missing -= 1;
            if let Some(state) = row::state(row.get(1)?) {
                let started: Option<i64> = row.get(2)?;
                add(RunSpan { state, started: started.map(time), ended: Some(time(row.get(3)?)) });
            }
        }
    }
    Ok(())
}

/// The runs in one of the states in which an attempt has begun.
fn begun(
    db: &Connection,
    members: &Members,
    counts: &RunCounts,
    state: State,
    add: &mut impl FnMut(RunSpan),
) -> rusqlite::Result<()> {
    let mut missing = counts.of(state);
    let mut query = db.prepare_cached(
        "SELECT seq, started FROM run INDEXED BY run_state WHERE state = ? AND seq >= ? AND seq <= ? ORDER BY seq",
    )?;
    let mut rows = query.query(params![state as i64, members.first, members.last])?;
    while missing > 0 {
        let Some(row) = rows.next()? else { break };
        if !members.contains(row.get(0)?) {
            continue;
        }
        missing -= 1;
        let started: Option<i64> = row.get(1)?;
        add(RunSpan { state, started: started.map(time), ended: None });
    }
    Ok(())
}
