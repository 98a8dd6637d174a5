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
    let scope = Scope::of(db, names, claim)?;
    let mut due = Vec::new();
    for is_solo in kinds(wants_solo) {
        let part = Part { is_solo: *is_solo, until: claim.now, limit };
        for queue in &scope.queues {
            scope.waiting(db, *queue, part, &mut due)?;
            scope.timed(db, *queue, part, &mut due)?;
        }
        for gate in gates.open(claim.now) {
            scope.kept_back(db, gate, part, &mut due)?;
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
    let scope = Scope::of(db, names, claim)?;
    let mut next: Option<i64> = None;
    for is_solo in kinds(claim.is_idle) {
        for queue in &scope.queues {
            let mut any = Vec::new();
            let part = Part { is_solo: *is_solo, until: claim.now, limit: 1 };
            scope.waiting(db, *queue, part, &mut any)?;
            if !any.is_empty() {
                return Ok(Some(claim.now));
            }
            next = next.into_iter().chain(scope.first_timed(db, *queue, *is_solo)?).min();
        }
    }
    let opens = scope.next_opening(db, claim)?;
    let next = next.map(|next| time(next).max(claim.now));
    Ok(next.into_iter().chain(opens).min())
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

/// The runs that a claim asks for.
struct Scope {
    /// The numbers of the queues, each once.
    queues: Vec<i64>,
    /// A condition on the task, empty for any.
    tasks: String,
}

/// A part of the runs that are due.
#[derive(Clone, Copy)]
struct Part {
    /// Those that crashed before, or the others.
    is_solo: bool,
    /// Those that are due until then.
    until: Timestamp,
    /// So many of each kind.
    limit: usize,
}

impl Scope {
    fn of(db: &Connection, names: &mut Names, claim: &ClaimRequest) -> Result<Self, Fault> {
        let queues = queues(db, names, claim)?;
        if claim.tasks.is_empty() {
            return Ok(Self { queues, tasks: String::new() });
        }
        // No task has this number. An empty list would leave nothing to look up by the index.
        let mut ids = vec![-1];
        for task in &claim.tasks {
            ids.extend(names.find_task(db, task)?);
        }
        ids.sort_unstable();
        let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        Ok(Self { queues, tasks: format!("AND task IN ({})", ids.join(", ")) })
    }

    /// A statement with the condition in the place of `TASKS`.
    fn sql(&self, statement: &str) -> String {
        statement.replace("TASKS", &self.tasks)
    }

    /// The first runs of a queue that wait for nothing.
    fn waiting(
        &self,
        db: &Connection,
        queue: i64,
        part: Part,
        due: &mut Vec<Candidate>,
    ) -> Result<(), Fault> {
        let mut query = db.prepare_cached(&self.sql(
            "SELECT -priority, due, seq FROM run INDEXED BY run_due WHERE queue = ? AND ready = ? AND gate IS NULL TASKS \
             ORDER BY priority DESC, due, seq LIMIT ?",
        ))?;
        let values = [queue, ready(false, part.is_solo), part.limit as i64];
        for row in query.query_map(values, |row| candidate(row, part.is_solo))? {
            due.push(row?);
        }
        Ok(())
    }

    /// The first runs of a queue of which the time has come: for each priority, from the highest, those that are due.
    fn timed(&self, db: &Connection, queue: i64, part: Part, due: &mut Vec<Candidate>) -> Result<(), Fault> {
        let ready = ready(true, part.is_solo);
        let mut query = db.prepare_cached(&self.sql(
            "SELECT -priority, due, seq FROM run INDEXED BY run_due WHERE queue = ? AND ready = ? AND gate IS NULL \
             AND priority = ? AND due <= ? TASKS ORDER BY due, seq LIMIT ?",
        ))?;
        let mut room = part.limit;
        let mut priority = next_priority(db, queue, ready, None)?;
        while let Some(this) = priority.filter(|_| room > 0) {
            let values = [queue, ready, this, sortable(part.until), room as i64];
            for row in query.query_map(values, |row| candidate(row, part.is_solo))? {
                due.push(row?);
                room = room.saturating_sub(1);
            }
            priority = next_priority(db, queue, ready, Some(this))?;
        }
        Ok(())
    }

    /// When the first run of a queue comes due that waits for a time.
    fn first_timed(&self, db: &Connection, queue: i64, is_solo: bool) -> Result<Option<i64>, Fault> {
        let ready = ready(true, is_solo);
        let mut query = db.prepare_cached(&self.sql(
            "SELECT due FROM run INDEXED BY run_due WHERE queue = ? AND ready = ? AND gate IS NULL AND priority = ? TASKS \
             ORDER BY due LIMIT 1",
        ))?;
        let mut first: Option<i64> = None;
        let mut priority = next_priority(db, queue, ready, None)?;
        while let Some(this) = priority {
            let due: Option<i64> = query.query_row([queue, ready, this], |row| row.get(0)).optional()?;
            first = first.into_iter().chain(due).min();
            priority = next_priority(db, queue, ready, Some(this))?;
        }
        Ok(first)
    }

    /// The first runs that a gate keeps back.
    fn kept_back(
        &self,
        db: &Connection,
        gate: i64,
        part: Part,
        due: &mut Vec<Candidate>,
    ) -> Result<(), Fault> {
        let mut next = db.prepare_cached(
            "SELECT queue FROM run INDEXED BY run_gate WHERE gate = ? AND ready IS NOT NULL AND queue > ? \
             ORDER BY queue LIMIT 1",
        )?;
        let mut query = db.prepare_cached(&self.sql(
            "SELECT -priority, due, seq FROM run INDEXED BY run_gate WHERE gate = ? AND queue = ? AND ready = ? \
             AND due <= ? TASKS ORDER BY priority DESC, due, seq LIMIT ?",
        ))?;
        let (now, later) = (ready(false, part.is_solo), ready(true, part.is_solo));
        let mut last = 0_i64;
        while let Some(queue) = next.query_row([gate, last], |row| row.get(0)).optional()? {
            last = queue;
            if !self.queues.contains(&queue) {
                continue;
            }
            for (ready, until) in [(now, i64::MAX), (later, sortable(part.until))] {
                let values = [gate, queue, ready, until, part.limit as i64];
                for row in query.query_map(values, |row| candidate(row, part.is_solo))? {
                    due.push(row?);
                }
            }
        }
        Ok(())
    }

    /// When the next gate is open that keeps a run back.
    fn next_opening(&self, db: &Connection, claim: &ClaimRequest) -> Result<Option<Timestamp>, Fault> {
        let mut next: Option<Timestamp> = None;
        for (gate, opening) in Gates::load(db)?.openings(claim.now) {
            let opens = match opening {
                Opening::Now => claim.now,
                Opening::At(time) => time,
                Opening::Later => continue,
            };
            let mut kept = Vec::new();
            for is_solo in kinds(claim.is_idle) {
                let part = Part { is_solo: *is_solo, until: Timestamp::from_unix_nanos(u64::MAX), limit: 1 };
                self.kept_back(db, gate, part, &mut kept)?;
            }
            next = if kept.is_empty() { next } else { next.into_iter().chain([opens]).min() };
        }
        Ok(next)
    }
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

fn candidate(row: &rusqlite::Row<'_>, is_solo: bool) -> rusqlite::Result<Candidate> {
    Ok(Candidate { priority: row.get(0)?, due: row.get(1)?, seq: row.get(2)?, is_solo })
}
