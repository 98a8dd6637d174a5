//! Which runs are due: for claims, and for how long a worker can sleep.

use hostel_core::Timestamp;
use hostel_core::journal::ClaimRequest;
use rusqlite::{Connection, OptionalExtension};

use super::error::Fault;
use super::names::{Kind, Names};
use super::row::{ready, sortable, time};

/// A run that is due, in the order in which runs are claimed: its negated priority, its due time and its number.
pub(super) type Candidate = (i64, i64, i64);

/// The numbers of the runs that a claim gets, in order.
pub(super) fn candidates(
    db: &Connection,
    names: &mut Names,
    claim: &ClaimRequest,
) -> Result<Vec<i64>, Fault> {
    let scope = Scope::of(db, names, claim)?;
    let usual = scope.due(db, claim.now, false, claim.limit)?;
    let solo = if claim.is_idle { scope.due(db, claim.now, true, claim.limit.min(1))? } else { Vec::new() };
    let is_first = |solo: &Candidate| usual.first().is_none_or(|first| solo < first);
    let due = if solo.first().is_some_and(is_first) { solo } else { usual };
    Ok(due.into_iter().map(|(.., seq)| seq).collect())
}

/// When a claim could next get something.
pub(super) fn next_due(
    db: &Connection,
    names: &mut Names,
    claim: &ClaimRequest,
) -> Result<Option<Timestamp>, Fault> {
    let scope = Scope::of(db, names, claim)?;
    let solos: &[bool] = if claim.is_idle { &[false, true] } else { &[false] };
    let mut next: Option<i64> = None;
    for (queue, is_solo) in
        scope.queues.iter().flat_map(|queue| solos.iter().map(move |is_solo| (*queue, *is_solo)))
    {
        let mut any =
            db.prepare_cached(&scope.sql("SELECT 1 FROM run WHERE queue = ? AND ready = ? TASKS LIMIT 1"))?;
        if any.exists([queue, ready(false, is_solo)])? {
            return Ok(Some(claim.now));
        }
        let first = scope.first_timed(db, queue, is_solo)?;
        next = next.into_iter().chain(first).min();
    }
    Ok(next.map(|next| time(next).max(claim.now)))
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

    /// The first runs that are due.
    fn due(
        &self,
        db: &Connection,
        now: Timestamp,
        is_solo: bool,
        limit: usize,
    ) -> Result<Vec<Candidate>, Fault> {
        let mut due = Vec::new();
        for queue in &self.queues {
            self.waiting(db, *queue, is_solo, limit, &mut due)?;
            self.timed(db, *queue, now, is_solo, limit, &mut due)?;
        }
        due.sort_unstable();
        due.truncate(limit);
        Ok(due)
    }

    /// The first runs of a queue that wait for nothing.
    fn waiting(
        &self,
        db: &Connection,
        queue: i64,
        is_solo: bool,
        limit: usize,
        due: &mut Vec<Candidate>,
    ) -> Result<(), Fault> {
        let mut query = db.prepare_cached(&self.sql(
            "SELECT -priority, due, seq FROM run INDEXED BY run_due WHERE queue = ? AND ready = ? TASKS \
             ORDER BY priority DESC, due, seq LIMIT ?",
        ))?;
        let rows = query.query_map([queue, ready(false, is_solo), limit as i64], candidate)?;
        for row in rows {
            due.push(row?);
        }
        Ok(())
    }

    /// The first runs of a queue of which the time has come: for each priority, from the highest, those that are due.
    fn timed(
        &self,
        db: &Connection,
        queue: i64,
        now: Timestamp,
        is_solo: bool,
        limit: usize,
        due: &mut Vec<Candidate>,
    ) -> Result<(), Fault> {
        let ready = ready(true, is_solo);
        let mut query = db.prepare_cached(&self.sql(
            "SELECT -priority, due, seq FROM run INDEXED BY run_due WHERE queue = ? AND ready = ? AND priority = ? AND due <= ? \
             TASKS ORDER BY due, seq LIMIT ?",
        ))?;
        let mut room = limit;
        let mut priority = next_priority(db, queue, ready, None)?;
        while let Some(this) = priority.filter(|_| room > 0) {
            for row in query.query_map([queue, ready, this, sortable(now), room as i64], candidate)? {
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
            "SELECT due FROM run INDEXED BY run_due WHERE queue = ? AND ready = ? AND priority = ? TASKS ORDER BY due LIMIT 1",
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
}

/// The highest priority in a part of the index below this one: one look-up.
fn next_priority(db: &Connection, queue: i64, ready: i64, below: Option<i64>) -> Result<Option<i64>, Fault> {
    let mut query = db.prepare_cached(
        "SELECT priority FROM run INDEXED BY run_due WHERE queue = ? AND ready = ? AND priority < ? \
         ORDER BY priority DESC LIMIT 1",
    )?;
    // Priorities have 32 bits.
    let below = below.unwrap_or(i64::MAX);
    Ok(query.query_row([queue, ready, below], |row| row.get(0)).optional()?)
}

fn candidate(row: &rusqlite::Row<'_>) -> rusqlite::Result<Candidate> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}
