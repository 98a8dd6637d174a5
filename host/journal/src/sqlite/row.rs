//! Rows of runs: what is stored beside the events, and the way from rows and events to an entry and back.

use std::sync::Arc;

use hostel_core::journal::{Claim, Fence, JournalEntry, WorkerId};
use hostel_core::{RunFact, RunId, RunRecord, RunSpec, State, Timestamp};
use rusqlite::types::ToSql;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params_from_iter};

use super::names::{Kind, Names};
use crate::error::Fault;

/// A time as a column that orders and finds: those after the year 2262 are equal.
pub(super) fn sortable(time: Timestamp) -> i64 {
    i64::try_from(time.unix_nanos()).unwrap_or(i64::MAX)
}

/// A time as a column that only stores it.
pub(super) const fn exact(time: Timestamp) -> i64 {
    time.unix_nanos().cast_signed()
}

/// The time in a column of either kind.
pub(super) const fn time(column: i64) -> Timestamp {
    Timestamp::from_unix_nanos(column.cast_unsigned())
}

/// The state with a code, which is its place in the declaration.
pub(super) fn state(code: i64) -> Option<State> {
    State::ALL.into_iter().find(|state| *state as i64 == code)
}

/// The columns of a run that change. Each follows from its entry.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Columns {
    pub(super) state: i64,
    pub(super) version: i64,
    pub(super) due: i64,
    pub(super) started: Option<i64>,
    pub(super) ended: Option<i64>,
    pub(super) ready: Option<i64>,
    pub(super) attempts: i64,
    pub(super) crashes: i64,
    pub(super) attention: bool,
    pub(super) seen: bool,
    pub(super) worker: Option<i64>,
    pub(super) fence: Option<i64>,
    pub(super) lease: Option<i64>,
    pub(super) event: i64,
    /// Not of the entry: a gate that keeps the run back. A run that changes is looked at anew.
    pub(super) gate: Option<i64>,
    /// Not of the entry either: the worker that drains for the run.
    pub(super) drainer: Option<i64>,
    pub(super) name: Option<String>,
    pub(super) error: Option<String>,
}

/// A run as it was read.
pub(super) struct Loaded {
    pub(super) seq: i64,
    pub(super) entry: JournalEntry,
    pub(super) columns: Columns,
}

/// The columns of [`Columns`] in order.
const COLUMNS: [&str; 18] = [
    "state",
    "version",
    "due",
    "started",
    "ended",
    "ready",
    "attempts",
    "crashes",
    "attention",
    "seen",
    "worker",
    "fence",
    "lease",
    "event",
    "gate",
    "drainer",
    "name",
    "error",
];

/// What a run is read by; the columns of [`Columns`] follow.
const LOAD: &str = "SELECT seq, id, spec, born, state, version, due, started, ended, ready, attempts, crashes, attention, seen, \
                    worker, fence, lease, event, gate, drainer, name, error FROM run WHERE ";

/// Whether a run waits for nothing, or for a time; and whether it executes alone.
pub(super) const fn ready(waits_for_time: bool, is_solo: bool) -> i64 {
    waits_for_time as i64 + 2 * is_solo as i64
}

impl Columns {
    /// The columns of an entry, of which `event` is the last event. `worker` is the number of the worker that has claimed it.
    pub(super) fn of(entry: &JournalEntry, worker: Option<i64>, event: i64) -> Self {
        let record = entry.record();
        let claim = entry.claim();
        Self {
            state: entry.state() as i64,
            version: entry.version().cast_signed(),
            due: sortable(entry.due()),
            started: record.attempts().last().map(|attempt| sortable(attempt.began)),
            ended: entry.ended().map(sortable),
            ready: entry.is_waiting().then(|| ready(entry.waits_for_time(), entry.is_solo())),
            attempts: record.attempts().len() as i64,
            crashes: entry.crashes().into(),
            attention: entry.needs_attention(),
            seen: entry.is_seen(),
            worker,
            fence: claim.map(|claim| claim.fence.number().cast_signed()),
            lease: claim.map(|claim| sortable(claim.until)),
            event,
            gate: None,
            drainer: None,
            name: record.name().map(str::to_owned),
            error: entry.error(),
        }
    }

    /// Reads the columns, the first of which has this index.
    fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            state: row.get(first)?,
            version: row.get(first + 1)?,
            due: row.get(first + 2)?,
            started: row.get(first + 3)?,
            ended: row.get(first + 4)?,
            ready: row.get(first + 5)?,
            attempts: row.get(first + 6)?,
            crashes: row.get(first + 7)?,
            attention: row.get(first + 8)?,
            seen: row.get(first + 9)?,
            worker: row.get(first + 10)?,
            fence: row.get(first + 11)?,
            lease: row.get(first + 12)?,
            event: row.get(first + 13)?,
            gate: row.get(first + 14)?,
            drainer: row.get(first + 15)?,
            name: row.get(first + 16)?,
            error: row.get(first + 17)?,
        })
    }

    fn values(&self) -> [&dyn ToSql; COLUMNS.len()] {
        [
            &self.state,
            &self.version,
            &self.due,
            &self.started,
            &self.ended,
            &self.ready,
            &self.attempts,
            &self.crashes,
            &self.attention,
            &self.seen,
            &self.worker,
            &self.fence,
            &self.lease,
            &self.event,
            &self.gate,
            &self.drainer,
            &self.name,
            &self.error,
        ]
    }

    /// Which columns differ, by their places.
    fn changed(&self, other: &Self) -> [bool; COLUMNS.len()] {
        [
            self.state != other.state,
            self.version != other.version,
            self.due != other.due,
            self.started != other.started,
            self.ended != other.ended,
            self.ready != other.ready,
            self.attempts != other.attempts,
            self.crashes != other.crashes,
            self.attention != other.attention,
            self.seen != other.seen,
            self.worker != other.worker,
            self.fence != other.fence,
            self.lease != other.lease,
            self.event != other.event,
            self.gate != other.gate,
            self.drainer != other.drainer,
            self.name != other.name,
            self.error != other.error,
        ]
    }

    /// Writes the columns that differ from those before: an index is only changed with its columns.
    pub(super) fn update(&self, db: &Connection, seq: i64, before: &Self) -> rusqlite::Result<()> {
        let changed = self.changed(before);
        let places = || (0..COLUMNS.len()).filter(|place| changed.get(*place) == Some(&true));
        let names: Vec<_> = places().filter_map(|place| COLUMNS.get(place)).collect();
        if names.is_empty() {
            return Ok(());
        }
        let mut text = "UPDATE run SET ".to_owned();
        for (index, name) in names.iter().enumerate() {
            text.push_str(if index == 0 { "" } else { ", " });
            text.push_str(name);
            text.push_str(" = ?");
        }
        text.push_str(" WHERE seq = ?");
        let values = self.values();
        let key: &dyn ToSql = &seq;
        let values = places().filter_map(|place| values.get(place).copied()).chain([key]);
        db.prepare_cached(&text)?.execute(params_from_iter(values))?;
        Ok(())
    }

    /// Writes a row that is new.
    pub(super) fn insert(&self, db: &Connection, fixed: &Fixed<'_>) -> rusqlite::Result<()> {
        let mut insert = db.prepare_cached(
            "INSERT INTO run (seq, id, task, spec, queue, priority, created, schedule, dedup, tags, born, function, state, version, \
             due, started, ended, ready, attempts, crashes, attention, seen, worker, fence, lease, event, gate, drainer, name, error) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?;
        let values = fixed.values();
        insert.execute(params_from_iter(values.into_iter().chain(self.values())))?;
        Ok(())
    }
}

/// The columns of a run that never change.
pub(super) struct Fixed<'a> {
    pub(super) seq: i64,
    pub(super) id: &'a [u8],
    pub(super) task: i64,
    pub(super) spec: i64,
    pub(super) queue: i64,
    pub(super) priority: i32,
    pub(super) created: i64,
    pub(super) schedule: Option<i64>,
    pub(super) dedup: Option<&'a str>,
    pub(super) tags: Option<String>,
    pub(super) born: &'a [u8],
    /// The function of a script.
    pub(super) function: Option<Arc<str>>,
}

impl Fixed<'_> {
    fn values(&self) -> [&dyn ToSql; 12] {
        [
            &self.seq,
            &self.id,
            &self.task,
            &self.spec,
            &self.queue,
            &self.priority,
            &self.created,
            &self.schedule,
            &self.dedup,
            &self.tags,
            &self.born,
            &self.function,
        ]
    }
}

/// A run by its id.
pub(super) fn load(db: &Connection, names: &mut Names, run: RunId) -> Result<Option<Loaded>, Fault> {
    load_by(db.prepare_cached(&format!("{LOAD}id = ?"))?, db, names, run.as_bytes())
}

/// A run by its number.
pub(super) fn load_by_seq(db: &Connection, names: &mut Names, seq: i64) -> Result<Option<Loaded>, Fault> {
    load_by(db.prepare_cached(&format!("{LOAD}seq = ?"))?, db, names, &seq)
}

fn load_by(
    mut query: CachedStatement<'_>,
    db: &Connection,
    names: &mut Names,
    key: &dyn ToSql,
) -> Result<Option<Loaded>, Fault> {
    let row = query.query_row([key], |row| {
        let born: Vec<u8> = row.get(3)?;
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, born, Columns::read(row, 4)?))
    });
    let Some((seq, id, spec, born, columns)) = row.optional()? else { return Ok(None) };
    let run = RunId::from_bytes(id);
    let record = read_record(db, names, run, spec, &born, &columns)?;
    let claim = claim_of(db, names, &columns)?;
    let crashes = u32::try_from(columns.crashes).unwrap_or(u32::MAX);
    let entry = JournalEntry::from_parts(record, claim, crashes, columns.seen);
    Ok(Some(Loaded { seq, entry, columns }))
}

fn claim_of(db: &Connection, names: &mut Names, columns: &Columns) -> rusqlite::Result<Option<Claim>> {
    let (Some(worker), Some(fence), Some(lease)) = (columns.worker, columns.fence, columns.lease) else {
        return Ok(None);
    };
    let worker = WorkerId::new(names.name(db, worker)?);
    Ok(Some(Claim { worker, fence: Fence::new(fence.cast_unsigned()), until: time(lease) }))
}

/// The record that the birth and the events lead to.
fn read_record(
    db: &Connection,
    names: &mut Names,
    run: RunId,
    spec: i64,
    born: &[u8],
    columns: &Columns,
) -> Result<RunRecord, Fault> {
    let options = names.spec(db, spec)?.ok_or_else(|| Fault::damaged(run, "the options of its task"))?;
    let spec = RunSpec::decode_with_options(born, options);
    let spec = spec.map_err(|_| Fault::damaged(run, "its specification"))?;
    let (born_at, facts) = read_facts(db, run, columns)?;
    let mut record = RunRecord::born(born_at, spec);
    for (at, fact) in facts.into_iter().rev() {
        record.apply(at, fact).map_err(|_| Fault::damaged(run, "the order of its events"))?;
    }
    let is_whole =
        record.version().cast_signed() == columns.version && record.state() as i64 == columns.state;
    if is_whole && record.spec().id == run { Ok(record) } else { Err(Fault::damaged(run, "its state")) }
}

/// The facts of a run, the last one first.
type Facts = Vec<(Timestamp, RunFact)>;

/// When a run was born, and its facts.
fn read_facts(db: &Connection, run: RunId, columns: &Columns) -> Result<(Timestamp, Facts), Fault> {
    let mut query = db.prepare_cached("SELECT before, at, body FROM event WHERE seq = ?")?;
    let mut facts = Vec::new();
    let mut next = columns.event;
    // Numbers fall from event to event, so that it ends.
    loop {
        let event = query.query_row([next], |row| {
            let (before, at): (Option<i64>, i64) = (row.get(0)?, row.get(1)?);
            let body = row.get_ref(2)?.as_blob_or_null()?.map(RunFact::decode);
            Ok((before, time(at), body))
        });
        let event = event.optional()?.ok_or_else(|| Fault::damaged(run, "an event is missing"))?;
        match event {
            (None, at, None) => return Ok((at, facts)),
            (Some(before), at, Some(Ok(fact))) if before < next => {
                facts.push((at, fact));
                next = before;
            }
            _ => return Err(Fault::damaged(run, "one of its events")),
        }
    }
}

/// The number of the worker that has claimed an entry.
pub(super) fn worker_of(
    db: &Connection,
    names: &mut Names,
    entry: &JournalEntry,
) -> rusqlite::Result<Option<i64>> {
    entry.claim().map(|claim| names.id(db, Kind::Worker, claim.worker.as_str())).transpose()
}

/// All tags of a run as a column, and back.
pub(super) fn tags_column(spec: &RunSpec) -> Option<String> {
    let tags = spec.all_tags();
    let tags: Vec<&str> = tags.iter().map(|tag| &**tag).collect();
    if tags.is_empty() { None } else { serde_json::to_string(&tags).ok() }
}

/// The tags in a column.
pub(super) fn tags_in(column: Option<&str>) -> Vec<Arc<str>> {
    let tags: Option<Vec<String>> = column.and_then(|text| serde_json::from_str(text).ok());
    tags.unwrap_or_default().into_iter().map(Arc::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_the_codes_that_files_have() {
        let codes: Vec<_> = State::ALL.into_iter().map(|state| format!("{state} {}", state as i64)).collect();
        let recorded = "Scheduled 0, AwaitingRetry 1, Pending 2, AwaitingConcurrencySlot 3, Running 4, Retrying 5, \
                        Cancelling 6, Completed 7, Cached 8, Failed 9, TimedOut 10, UpstreamFailed 11, Crashed 12, \
                        Cancelled 13, RolledBack 14";
        assert_eq!(codes.join(", "), recorded);
        assert!(State::ALL.into_iter().all(|one| state(one as i64) == Some(one)) && state(15).is_none());
    }

    #[test]
    fn times_keep_their_order() {
        let at = Timestamp::from_unix_nanos;
        assert_eq!((sortable(at(5)), sortable(at(u64::MAX))), (5, i64::MAX));
        assert_eq!(time(exact(at(u64::MAX))), at(u64::MAX));
    }
}
