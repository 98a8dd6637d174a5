//! Schedules, their next slots, and the slots that have fired: each leads to one run at most, however many processes fire it.

use std::sync::Arc;

use hostel_core::journal::JournalError;
use hostel_core::{Firing, RunId, RunSpec, Schedule, ScheduleName, Timestamp};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::names::Kind;
use super::row::{self, sortable};
use super::submit::{Prepared, submit_one};
use super::writing::Writing;
use super::{SqliteJournal, operate};
use crate::bounds::check_count;
use crate::error::{Fault, medium};

/// `next` is the slot that fires next, NULL for none and for a paused schedule; `last` is the last one that fired or was left out.
/// `fired` keeps the slots by which a repetition is noticed; its `run` is NULL for a slot that was left out.
pub(super) const TABLES: &str = "
    CREATE TABLE schedule (
        name TEXT PRIMARY KEY, body BLOB NOT NULL, created INTEGER NOT NULL, next INTEGER, last INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX schedule_next ON schedule (next) WHERE next IS NOT NULL;
    CREATE TABLE fired (
        schedule TEXT NOT NULL, slot INTEGER NOT NULL, run BLOB, PRIMARY KEY (schedule, slot)
    ) STRICT, WITHOUT ROWID;
";

const COLUMNS: &str = "SELECT body, created, next, last";

/// The most schedules that a list returns at once.
pub const MAX_SCHEDULES: usize = 500;

/// The most slots that fire at once.
pub const MAX_FIRED: usize = 100;

/// How many fired slots of a schedule are remembered.
const REMEMBERED: usize = 1_000;

/// The most unfinished runs of a schedule that count for the overlap with a new one.
const MAX_UNFINISHED: usize = 1_000;

/// A schedule, and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredSchedule {
    /// The schedule.
    pub schedule: Schedule,
    /// When it was added.
    pub created: Timestamp,
    /// The slot that fires next; `None` if there is none, or the schedule is paused.
    pub next: Option<Timestamp>,
    /// The last slot that fired or was left out.
    pub last: Option<Timestamp>,
}

/// A schedule that is due.
#[derive(Clone, Debug, PartialEq)]
pub struct DueSchedule {
    /// Its name.
    pub name: Arc<str>,
    /// The slot that fires next.
    pub due: Timestamp,
    /// The schedule, or why it cannot be read.
    pub schedule: Result<StoredSchedule, String>,
}

/// A request to fire slots of a schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct FireSchedule {
    /// The schedule.
    pub name: ScheduleName,
    /// Its next slot as it was read ([`StoredSchedule::next`]): if it has changed since, another process was faster.
    pub expected: Timestamp,
    /// The slots to fire, in order, each with its run ([`Schedule::run`]); at most [`MAX_FIRED`]. None if all of them were missed,
    /// and are left out.
    pub slots: Vec<(Timestamp, RunSpec)>,
    /// The next slot after these.
    pub next: Option<Timestamp>,
    /// The time.
    pub at: Timestamp,
}

/// How firing went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fired {
    /// The slots fired, or were left out.
    Slots(Vec<FiredSlot>),
    /// Nothing happened: another process fired them, or the schedule was changed, paused or removed.
    Superseded,
    /// Nothing happened: earlier runs have not ended, and the slots wait for them ([`Overlap::QueueOne`](hostel_core::Overlap)).
    Waits,
}

/// A slot that fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FiredSlot {
    /// The slot.
    pub slot: Timestamp,
    /// What it led to.
    pub end: SlotEnd,
}

/// What a slot led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotEnd {
    /// This run was submitted.
    Submitted(RunId),
    /// Nothing, because earlier runs had not ended.
    Skipped,
    /// Nothing, because it had fired before.
    Repeated,
}

impl SqliteJournal {
    /// Adds a schedule whose first slot is `next`. `false`, and nothing has changed, if there is one of this name.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    pub fn add_schedule(
        &self,
        schedule: &Schedule,
        next: Option<Timestamp>,
        at: Timestamp,
    ) -> Result<bool, JournalError> {
        let (name, body) = (schedule.name.clone(), schedule.encode());
        let next = next.filter(|_| !schedule.paused).map(sortable);
        self.write(move |writing| {
            let mut insert = writing.db.prepare_cached(
                "INSERT INTO schedule (name, body, created, next) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            )?;
            Ok(insert.execute(params![name.as_str(), body, sortable(at), next])? > 0)
        })
    }

    /// Changes the schedule of this name, and the slot that fires next: `None` if there is none. `false` if there is no such
    /// schedule. A paused schedule has no next slot; to resume it, pass the next one from now on.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    pub fn change_schedule(
        &self,
        schedule: &Schedule,
        next: Option<Timestamp>,
    ) -> Result<bool, JournalError> {
        let (name, body) = (schedule.name.clone(), schedule.encode());
        let next = next.filter(|_| !schedule.paused).map(sortable);
        self.write(move |writing| {
            let mut update =
                writing.db.prepare_cached("UPDATE schedule SET body = ?, next = ? WHERE name = ?")?;
            Ok(update.execute(params![body, next, name.as_str()])? > 0)
        })
    }

    /// Removes a schedule. Its runs stay. `false` if there is none of this name.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    pub fn remove_schedule(&self, name: &ScheduleName) -> Result<bool, JournalError> {
        let name = name.clone();
        self.write(move |writing| {
            writing.db.prepare_cached("DELETE FROM fired WHERE schedule = ?")?.execute([name.as_str()])?;
            let mut remove = writing.db.prepare_cached("DELETE FROM schedule WHERE name = ?")?;
            Ok(remove.execute([name.as_str()])? > 0)
        })
    }

    /// The schedule of this name.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    pub fn schedule(&self, name: &ScheduleName) -> Result<Option<StoredSchedule>, JournalError> {
        self.read(|db, _| Ok(load(db, name)?))
    }

    /// The schedules after a name, by name, at most `limit` and [`MAX_SCHEDULES`].
    ///
    /// # Errors
    ///
    /// Those of the medium.
    pub fn schedules(
        &self,
        after: Option<&ScheduleName>,
        limit: usize,
    ) -> Result<Vec<StoredSchedule>, JournalError> {
        let after = after.map_or("", ScheduleName::as_str);
        let limit = limit.min(MAX_SCHEDULES) as i64;
        self.read(|db, _| {
            let text = format!("{COLUMNS} FROM schedule WHERE name > ? ORDER BY name LIMIT ?");
            let mut query = db.prepare_cached(&text)?;
            let found = query.query_map(params![after, limit], stored)?.collect::<Result<_, _>>();
            Ok(found?)
        })
    }

    /// The schedules that are due, those first that have been for longest, at most `limit` and [`MAX_SCHEDULES`]. With `after`, those
    /// behind this one in the order.
    ///
    /// # Errors
    ///
    /// Those of the medium. One schedule that cannot be read has an error of its own.
    pub fn due_schedules(
        &self,
        now: Timestamp,
        after: Option<&DueSchedule>,
        limit: usize,
    ) -> Result<Vec<DueSchedule>, JournalError> {
        let limit = limit.min(MAX_SCHEDULES) as i64;
        let (due_from, name) = after.map_or((i64::MIN, ""), |after| (sortable(after.due), &*after.name));
        self.read(|db, _| {
            let mut query = db.prepare_cached(&format!(
                "{COLUMNS}, name FROM schedule WHERE next <= ?1 AND (next > ?2 OR (next = ?2 AND name > ?3)) \
                 ORDER BY next, name LIMIT ?4"
            ))?;
            let due = |row: &Row<'_>| {
                let due = time(row, 2)?.unwrap_or(now);
                let schedule = stored(row).map_err(|error| error.to_string());
                Ok(DueSchedule { name: row.get::<_, String>(4)?.into(), due, schedule })
            };
            let found = query.query_map(params![sortable(now), due_from, name, limit], due)?;
            Ok(found.collect::<Result<_, _>>()?)
        })
    }

    /// When the next schedule is due; `None` if none will be.
    ///
    /// # Errors
    ///
    /// Those of the medium.
    pub fn next_schedule(&self) -> Result<Option<Timestamp>, JournalError> {
        self.read(|db, _| {
            let mut query = db.prepare_cached("SELECT min(next) FROM schedule WHERE next IS NOT NULL")?;
            Ok(query.query_row([], |row| time(row, 0))?)
        })
    }

    /// Fires slots of a schedule: submits their runs as its [`Overlap`](hostel_core::Overlap) says, remembers the slots, and sets the
    /// next one, all in one transaction.
    ///
    /// # Errors
    ///
    /// [`JournalError::TooMany`] for more than [`MAX_FIRED`] slots, those of
    /// [`Journal::submit`](hostel_core::journal::Journal::submit), and those of the medium. Nothing has changed then.
    pub fn fire(&self, fire: &FireSchedule) -> Result<Fired, JournalError> {
        check_count("slots", fire.slots.len(), MAX_FIRED)?;
        let prepare =
            |(slot, run): &(Timestamp, RunSpec)| Ok((*slot, Prepared::new(run.clone(), &self.blobs)?));
        let slots = fire.slots.iter().map(prepare).collect::<std::io::Result<Vec<_>>>();
        let slots = slots.map_err(|error| medium("write a value", error))?;
        let (name, expected, next, at) = (fire.name.clone(), fire.expected, fire.next, fire.at);
        self.write(move |writing| {
            let Some(stored) = load(writing.db, &name)?.filter(|stored| stored.next == Some(expected)) else {
                return Ok(Fired::Superseded);
            };
            let unfinished = unfinished(writing, name.as_str())?;
            if !slots.is_empty() && stored.schedule.overlap.decide(&unfinished) == Firing::Wait {
                return Ok(Fired::Waits);
            }
            all_or_none(writing, |writing| {
                let fired =
                    slots.iter().map(|(slot, run)| fire_one(writing, &stored.schedule, *slot, run, at));
                let fired = fired.collect::<Result<Vec<_>, _>>()?;
                let last = slots.last().map_or(expected, |(slot, _)| *slot);
                set_next(writing.db, &name, next, last)?;
                Ok(Fired::Slots(fired))
            })
        })
    }
}

/// Undoes what was written if a rule refuses a part of it.
fn all_or_none<T>(
    writing: &mut Writing<'_>,
    write: impl FnOnce(&mut Writing<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mark = writing.mark();
    writing.db.execute_batch("SAVEPOINT fire")?;
    let written = write(writing);
    match written {
        // The whole transaction is rolled back, and SQLite may have done so already.
        Err(Fault::Medium(error)) => return Err(Fault::Medium(error)),
        Err(Fault::Refused(_)) => {
            writing.db.execute_batch("ROLLBACK TO fire")?;
            writing.go_back(mark);
        }
        Ok(_) => {}
    }
    writing.db.execute_batch("RELEASE fire")?;
    written
}

fn fire_one(
    writing: &mut Writing<'_>,
    schedule: &Schedule,
    slot: Timestamp,
    run: &Prepared,
    at: Timestamp,
) -> Result<FiredSlot, Fault> {
    let name = schedule.name.as_str();
    let mut insert = writing
        .db
        .prepare_cached("INSERT INTO fired (schedule, slot) VALUES (?, ?) ON CONFLICT DO NOTHING")?;
    if insert.execute(params![name, sortable(slot)])? == 0 {
        return Ok(FiredSlot { slot, end: SlotEnd::Repeated });
    }
    drop(insert);
    let Firing::Submit { cancel } = schedule.overlap.decide(&unfinished(writing, name)?) else {
        return Ok(FiredSlot { slot, end: SlotEnd::Skipped });
    };
    for earlier in cancel {
        operate::cancel(writing, at, earlier)?;
    }
    submit_one(writing, at, run)?;
    let mut update = writing.db.prepare_cached("UPDATE fired SET run = ? WHERE schedule = ? AND slot = ?")?;
    update.execute(params![run.run().as_bytes(), name, sortable(slot)])?;
    Ok(FiredSlot { slot, end: SlotEnd::Submitted(run.run()) })
}

/// The unfinished runs of a schedule, in the order in which they were submitted.
fn unfinished(writing: &mut Writing<'_>, schedule: &str) -> Result<Vec<RunId>, Fault> {
    let Some(number) = writing.names.find(writing.db, Kind::Schedule, schedule)? else {
        return Ok(Vec::new());
    };
    let mut query = writing
        .db
        .prepare_cached("SELECT id FROM run WHERE schedule = ? AND ended IS NULL ORDER BY seq LIMIT ?")?;
    let runs = query.query_map([number, MAX_UNFINISHED as i64], |row| row.get(0).map(RunId::from_bytes))?;
    Ok(runs.collect::<Result<_, _>>()?)
}

/// Sets the next slot, and forgets old ones.
fn set_next(
    db: &Connection,
    name: &ScheduleName,
    next: Option<Timestamp>,
    last: Timestamp,
) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE schedule SET next = ?, last = ? WHERE name = ?")?.execute(params![
        next.map(sortable),
        sortable(last),
        name.as_str()
    ])?;
    let mut forget = db.prepare_cached(
        "DELETE FROM fired WHERE schedule = ?1 AND slot <=
         (SELECT slot FROM fired WHERE schedule = ?1 ORDER BY slot DESC LIMIT 1 OFFSET ?2)",
    )?;
    forget.execute(params![name.as_str(), REMEMBERED as i64]).map(drop)
}

fn load(db: &Connection, name: &ScheduleName) -> rusqlite::Result<Option<StoredSchedule>> {
    let mut query = db.prepare_cached(&format!("{COLUMNS} FROM schedule WHERE name = ?"))?;
    query.query_row([name.as_str()], stored).optional()
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredSchedule> {
    let body: Vec<u8> = row.get(0)?;
    let schedule = Schedule::decode(&body)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, error.into()))?;
    let created = time(row, 1)?.unwrap_or(Timestamp::from_unix_nanos(0));
    Ok(StoredSchedule { schedule, created, next: time(row, 2)?, last: time(row, 3)? })
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    let nanos: Option<i64> = row.get(column)?;
    Ok(nanos.map(row::time))
}
