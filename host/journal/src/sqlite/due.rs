//! Which runs are due: for claims, and for how long a worker can sleep.

use hostel_core::Timestamp;
use hostel_core::journal::{ClaimRequest, Opening};
use rusqlite::{Connection, OptionalExtension};

use super::gates::Gates;
use super::names::{Kind, Names};
use super::row::{ready, sortable, time};
use crate::error::Fault;

/// A run that is due, in the order in which runs are claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    /// The negated priority.
    priority: i64,
    due: i64,
    pub(super) seq: i64,
    /// Whether it crashed before.
    pub(super) is_solo: bool,
}

/// The first runs that are due, and that no closed gate is known to keep back, in order.
pub(super) fn candidates(
    db: &Connection,
    names: &mut Names,
    gates: &Gates,
    claim: &ClaimRequest,
    wants_solo: bool,
    limit: usize,
) -> Result<Vec<Candidate>, Fault> {
    let queues = queues(db, names, claim)?;
    let mut due = Vec::new();
    for is_solo in kinds(wants_solo) {
        for queue in &queues {
            waiting(db, *queue, *is_solo, limit, &mut due)?;
            timed(db, *queue, claim.now, *is_solo, limit, &mut due)?;
        }
        for gate in gates.open(claim.now) {
            kept_back(db, gate, &queues, claim.now, *is_solo, limit, &mut due)?;
        }
    }
    due.sort_unstable();
    due.truncate(limit);
    Ok(due)
}

/// Runs that did not crash, and those that did if they are wanted.
const fn kinds(wants_solo: bool) -> &'static [bool] {
    if wants_solo { &[false, true] } else { &[false] }
}

/// When a claim could next get something.
pub(super) fn next_due(
    db: &Connection,
    names: &mut Names,
    claim: &ClaimRequest,
) -> Result<Option<Timestamp>, Fault> {
    let queues = queues(db, names, claim)?;
    let mut next: Option<i64> = None;
    for (queue, is_solo) in
        queues.iter().flat_map(|queue| kinds(claim.is_idle).iter().map(|solo| (*queue, *solo)))
    {
        let mut any = db.prepare_cached(
            "SELECT 1 FROM run INDEXED BY run_due WHERE queue = ? AND ready = ? AND gate IS NULL LIMIT 1",
        )?;
        if any.exists([queue, ready(false, is_solo)])? {
            return Ok(Some(claim.now));
        }
        let first = first_timed(db, queue, is_solo)?;
        next = next.into_iter().chain(first).min();
    }
    let opens = next_opening(db, &queues, claim)?;
    let next = next.map(|next| time(next).max(claim.now));
    Ok(next.into_iter().chain(opens).min())
}

/// When the next gate is open that keeps back a run of these queues.
fn next_opening(db: &Connection, queues: &[i64], claim: &ClaimRequest) -> Result<Option<Timestamp>, Fault> {
    let mut next: Option<Timestamp> = None;
    for (gate, opening) in Gates::load(db)?.openings(claim.now) {
        let opens = match opening {
            Opening::Now => claim.now,
            Opening::At(time) => time,
            Opening::Later => continue,
        };
        let mut kept = Vec::new();
        for is_solo in kinds(claim.is_idle) {
            kept_back(db, gate, queues, Timestamp::from_unix_nanos(u64::MAX), *is_solo, 1, &mut kept)?;
        }
        next = if kept.is_empty() { next } else { next.into_iter().chain([opens]).min() };
    }
    Ok(next)
}

/// The numbers of the queues that a claim asks for, each once.
fn queues(db: &Connection, names: &mut Names, claim: &ClaimRequest) -> Result<Vec<i64>, Fault> {
    if claim.queues.is_empty() {
        let mut query = db.prepare_cached("SELECT id FROM name WHERE kind = ?")?;
        let ids = query.query_map([Kind::Queue as i64], |row| row.get(0))?;
        return Ok(ids.collect::<Result<_, _>>()?);
    }
    let mut ids = Vec::new();
    for queue in &claim.queues {
        ids.extend(names.find(db, Kind::Queue, queue.as_str())?);
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// The first runs of a queue that wait for nothing.
fn waiting(
    db: &Connection,
    queue: i64,
    is_solo: bool,
    limit: usize,
    due: &mut Vec<Candidate>,
) -> Result<(), Fault> {
    let mut query = db.prepare_cached(
        "SELECT -priority, due, seq FROM run INDEXED BY run_due WHERE queue = ? AND ready = ? AND gate IS NULL \
         ORDER BY priority DESC, due, seq LIMIT ?",
    )?;
    let rows =
        query.query_map([queue, ready(false, is_solo), limit as i64], |row| candidate(row, is_solo))?;
    for row in rows {
        due.push(row?);
    }
    Ok(())
}

/// The first runs of a queue of which the time has come: for each priority, from the highest, those that are due.
fn timed(
    db: &Connection,
    queue: i64,
    now: Timestamp,
    is_solo: bool,
    limit: usize,
    due: &mut Vec<Candidate>,
) -> Result<(), Fault> {
    let ready = ready(true, is_solo);
    let mut query = db.prepare_cached(
        "SELECT -priority, due, seq FROM run INDEXED BY run_due WHERE queue = ? AND ready = ? AND gate IS NULL AND priority = ? AND due <= ? \
         ORDER BY due, seq LIMIT ?",
    )?;
    let mut room = limit;
    let mut priority = next_priority(db, queue, ready, None)?;
    while let Some(this) = priority.filter(|_| room > 0) {
        for row in query
            .query_map([queue, ready, this, sortable(now), room as i64], |row| candidate(row, is_solo))?
        {
            due.push(row?);
            room = room.saturating_sub(1);
        }
        priority = next_priority(db, queue, ready, Some(this))?;
    }
    Ok(())
}

/// When the first run of a queue comes due that waits for a time.
fn first_timed(db: &Connection, queue: i64, is_solo: bool) -> Result<Option<i64>, Fault> {
    let ready = ready(true, is_solo);
    let mut query = db.prepare_cached(
        "SELECT due FROM run INDEXED BY run_due WHERE queue = ? AND ready = ? AND gate IS NULL AND priority = ? ORDER BY due LIMIT 1",
    )?;
    let mut first: Option<i64> = None;
    let mut priority = next_priority(db, queue, ready, None)?;
    while let Some(this) = priority {
        let due: Option<i64> = query.query_row([queue, ready, this], |row| row.get(0)).optional()?;
        first = first.into_iter().chain(due).min();
        priority = next_priority(db, queue, ready, Some(this))?;
    }
    Ok(first)
}

/// The highest priority in a part of the index below this one: one look-up.
fn next_priority(db: &Connection, queue: i64, ready: i64, below: Option<i64>) -> Result<Option<i64>, Fault> {
    let mut query = db.prepare_cached(
        "SELECT priority FROM run INDEXED BY run_due WHERE queue = ? AND ready = ? AND gate IS NULL AND priority < ? \
         ORDER BY priority DESC LIMIT 1",
    )?;
    // Priorities have 32 bits.
    let below = below.unwrap_or(i64::MAX);
    Ok(query.query_row([queue, ready, below], |row| row.get(0)).optional()?)
}

/// The first runs of some queues that a gate keeps back.
fn kept_back(
    db: &Connection,
    gate: i64,
    queues: &[i64],
    now: Timestamp,
    is_solo: bool,
    limit: usize,
    due: &mut Vec<Candidate>,
) -> Result<(), Fault> {
    let mut next = db.prepare_cached(
        "SELECT queue FROM run INDEXED BY run_gate WHERE gate = ? AND ready IS NOT NULL AND queue > ? ORDER BY queue LIMIT 1",
    )?;
    let mut query = db.prepare_cached(
        "SELECT -priority, due, seq FROM run INDEXED BY run_gate WHERE gate = ? AND queue = ? AND ready = ? AND due <= ? \
         ORDER BY priority DESC, due, seq LIMIT ?",
    )?;
    let mut last = 0_i64;
    while let Some(queue) = next.query_row([gate, last], |row| row.get(0)).optional()? {
        last = queue;
        if !queues.contains(&queue) {
            continue;
        }
        for (ready, until) in [(ready(false, is_solo), i64::MAX), (ready(true, is_solo), sortable(now))] {
            let rows =
                query.query_map([gate, queue, ready, until, limit as i64], |row| candidate(row, is_solo))?;
            for row in rows {
                due.push(row?);
            }
        }
    }
    Ok(())
}

fn candidate(row: &rusqlite::Row<'_>, is_solo: bool) -> rusqlite::Result<Candidate> {
    Ok(Candidate { priority: row.get(0)?, due: row.get(1)?, seq: row.get(2)?, is_solo })
}
