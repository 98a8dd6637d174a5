//! Which runs are due: for claims, and for how long a worker can sleep.

use hostel_core::Timestamp;
use hostel_core::journal::{ClaimRequest, MAX_PASSED, Opening};
use rusqlite::{Connection, OptionalExtension, Rows};

use super::gates::Gates;
use super::names::{Kind, Names};
use super::row::{ready, sortable, time};
use crate::error::Fault;

/// The most runs that are looked at to know when a worker has something to do.
pub(super) const MAX_LOOKED_AT: usize = 64;

/// A run that is due, in the order in which runs are claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    /// The negated priority.
    priority: i64,
    due: i64,
    pub(super) seq: i64,
    /// Whether it executes alone.
    pub(super) is_solo: bool,
    /// The number of the worker that drains for it.
    drainer: Option<i64>,
}

/// Which runs that execute alone are among the candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Solo {
    /// All: the worker can have one.
    Wanted,
    /// Those for which no other worker drains: the worker claims nothing behind them.
    Bar,
}

impl Solo {
    /// For a worker that has some runs of its answer already, or none.
    pub(super) fn of(claim: &ClaimRequest, has_some: bool) -> Self {
        if claim.gets_solo() && !has_some { Self::Wanted } else { Self::Bar }
    }
}

/// The first runs that are due, and that no closed gate is known to keep back, in order.
pub(super) fn candidates(
    db: &Connection,
    names: &mut Names,
    gates: &Gates,
    claim: &ClaimRequest,
    solo: Solo,
    limit: usize,
) -> Result<Vec<Candidate>, Fault> {
    let scope = Scope::of(db, names, claim, solo)?;
    let mut due = Vec::new();
    // A claim that leaves out tasks passes over runs that execute alone.
    for is_solo in kinds(claim.without.is_empty()) {
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

/// Whether a claim would change anything: claim a run, mark one that a gate keeps back, or begin to drain for one that executes alone.
pub(super) fn has_some(db: &Connection, names: &mut Names, claim: &ClaimRequest) -> Result<bool, Fault> {
    let gates = Gates::load(db)?;
    let solo = Solo::of(claim, false);
    let first = candidates(db, names, &gates, claim, solo, claim.limit.min(1))?.first().copied();
    let Some(first) = first else { return Ok(false) };
    let drains = first.drainer.is_some() && first.drainer == worker(db, names, claim)?;
    Ok(!(first.is_solo && solo == Solo::Bar && drains) || is_kept_back(db, names, &gates, claim, first)?)
}

/// Whether a claim would get a run now.
fn gets_some(db: &Connection, names: &mut Names, gates: &Gates, claim: &ClaimRequest) -> Result<bool, Fault> {
    let solo = Solo::of(claim, false);
    for candidate in candidates(db, names, gates, claim, solo, MAX_LOOKED_AT)? {
        if !candidate.is_solo || solo == Solo::Wanted {
            return Ok(true);
        }
        if !is_kept_back(db, names, gates, claim, candidate)? {
            return Ok(false);
        }
    }
    Ok(false)
}

fn is_kept_back(
    db: &Connection,
    names: &mut Names,
    gates: &Gates,
    claim: &ClaimRequest,
    candidate: Candidate,
) -> Result<bool, Fault> {
    let places = gates.of_row(db, names, candidate.seq)?;
    Ok(gates.closed(&places, claim.now).is_some())
}

/// When a claim could next get something.
pub(super) fn next_due(
    db: &Connection,
    names: &mut Names,
    claim: &ClaimRequest,
) -> Result<Option<Timestamp>, Fault> {
    let gates = Gates::load(db)?;
    if gets_some(db, names, &gates, claim)? {
        return Ok(Some(claim.now));
    }
    let scope = Scope::of(db, names, claim, Solo::Wanted)?;
    let mut next: Option<i64> = None;
    for is_solo in kinds(claim.gets_solo()) {
        for queue in &scope.queues {
            next = next.into_iter().chain(scope.first_timed(db, *queue, *is_solo, claim.now)?).min();
        }
    }
    let opens = scope.next_opening(db, &gates, claim)?;
    Ok(next.map(time).into_iter().chain(opens).min())
}

/// Runs that execute beside others, and those that execute alone if they matter too.
const fn kinds(with_solo: bool) -> &'static [bool] {
    if with_solo { &[false, true] } else { &[false] }
}

/// The number of the worker of a claim, if it ever claimed anything.
fn worker(db: &Connection, names: &mut Names, claim: &ClaimRequest) -> rusqlite::Result<Option<i64>> {
    names.find(db, Kind::Worker, claim.worker.as_str())
}

/// Whether another worker drains for a run. A worker that has no claims any more does not: it has ended, or takes the run.
pub(super) fn drains_elsewhere(
    db: &Connection,
    names: &mut Names,
    claim: &ClaimRequest,
    candidate: Candidate,
) -> Result<bool, Fault> {
    match candidate.drainer {
        Some(drainer) if worker(db, names, claim)? != Some(drainer) => Ok(has_claims(db, drainer)?),
        Some(_) | None => Ok(false),
    }
}

fn has_claims(db: &Connection, worker: i64) -> rusqlite::Result<bool> {
    let mut query = db.prepare_cached(
        "SELECT 1 FROM run INDEXED BY run_lease WHERE lease IS NOT NULL AND worker = ? LIMIT 1",
    )?;
    query.exists([worker])
}

/// The numbers of the other workers that drain for a run.
fn other_drainers(db: &Connection, names: &mut Names, claim: &ClaimRequest) -> Result<Vec<i64>, Fault> {
    let own = worker(db, names, claim)?;
    let mut query = db.prepare_cached(
        "SELECT DISTINCT drainer FROM run INDEXED BY run_drainer WHERE drainer IS NOT NULL",
    )?;
    let all: Vec<i64> = query.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut others = Vec::new();
    for drainer in all.into_iter().filter(|drainer| Some(*drainer) != own) {
        if has_claims(db, drainer)? {
            others.push(drainer);
        }
    }
    Ok(others)
}

/// The worker of a claim claims nothing more until it is idle, so that it can have a run that executes alone.
pub(super) fn drain(
    db: &Connection,
    names: &mut Names,
    claim: &ClaimRequest,
    candidate: Candidate,
) -> Result<(), Fault> {
    let worker = names.id(db, Kind::Worker, claim.worker.as_str())?;
    if candidate.drainer != Some(worker) {
        let mut update = db.prepare_cached("UPDATE run SET drainer = ? WHERE seq = ?")?;
        update.execute([worker, candidate.seq])?;
    }
    Ok(())
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
    /// A condition on the worker that drains for a run that executes alone, empty for any.
    drainers: String,
    /// The numbers of the tasks that are left out, in order.
    without: Vec<i64>,
}

/// Numbers for a condition, in order.
fn list(mut numbers: Vec<i64>) -> String {
    numbers.sort_unstable();
    let numbers: Vec<_> = numbers.iter().map(ToString::to_string).collect();
    numbers.join(", ")
}

/// A part of the runs that are due.
#[derive(Clone, Copy)]
struct Part {
    /// Those that execute alone, or the others.
    is_solo: bool,
    /// Those that are due until then.
    until: Timestamp,
    /// So many of each kind.
    limit: usize,
}

impl Scope {
    fn of(db: &Connection, names: &mut Names, claim: &ClaimRequest, solo: Solo) -> Result<Self, Fault> {
        let queues = queues(db, names, claim)?;
        let others = if solo == Solo::Bar { other_drainers(db, names, claim)? } else { Vec::new() };
        let drainers = if others.is_empty() {
            String::new()
        } else {
            format!("AND (drainer IS NULL OR drainer NOT IN ({}))", list(others))
        };
        let mut without = Vec::new();
        for task in &claim.without {
            without.extend(names.find_task(db, task)?);
        }
        without.sort_unstable();
        if claim.tasks.is_empty() {
            return Ok(Self { queues, tasks: String::new(), drainers, without });
        }
        // No task has this number. An empty list would leave nothing to look up by the index.
        let mut ids = vec![-1];
        for task in &claim.tasks {
            ids.extend(names.find_task(db, task)?);
        }
        Ok(Self { queues, tasks: format!("AND task IN ({})", list(ids)), drainers, without })
    }

    /// How many runs of tasks that are left out a part may pass. Not a condition of the statement, because the index would be searched
    /// without a bound for a row that meets it.
    fn passes(&self) -> usize {
        if self.without.is_empty() { 0 } else { MAX_PASSED }
    }

    fn leaves_out(&self, task: i64) -> bool {
        self.without.binary_search(&task).is_ok()
    }

    /// Takes the candidates from rows for which there is room, and counts down how many others may be passed.
    fn take(
        &self,
        mut rows: Rows<'_>,
        is_solo: bool,
        (room, passes): (&mut usize, &mut usize),
        due: &mut Vec<Candidate>,
    ) -> Result<(), Fault> {
        while *room > 0
            && let Some(row) = rows.next()?
        {
            if self.leaves_out(row.get(4)?) {
                // What is found must not depend on how many are asked for.
                let Some(left) = passes.checked_sub(1) else { break };
                *passes = left;
                continue;
            }
            due.push(candidate(row, is_solo)?);
            *room -= 1;
        }
        Ok(())
    }

    /// A statement with the conditions in the place of `TASKS`.
    fn sql(&self, statement: &str, is_solo: bool) -> String {
        let drainers = if is_solo { self.drainers.as_str() } else { "" };
        statement.replace("TASKS", &format!("{} {drainers}", self.tasks))
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
            "SELECT -priority, due, seq, drainer, task FROM run INDEXED BY run_due WHERE queue = ? AND ready = ? AND gate IS NULL \
             TASKS ORDER BY priority DESC, due, seq LIMIT ?",
            part.is_solo,
        ))?;
        let (mut room, mut passes) = (part.limit, self.passes());
        let values = [queue, ready(false, part.is_solo), (room + passes) as i64];
        self.take(query.query(values)?, part.is_solo, (&mut room, &mut passes), due)
    }

    /// The first runs of a queue of which the time has come: for each priority, from the highest, those that are due.
    fn timed(&self, db: &Connection, queue: i64, part: Part, due: &mut Vec<Candidate>) -> Result<(), Fault> {
        let ready = ready(true, part.is_solo);
        let mut query = db.prepare_cached(&self.sql(
            "SELECT -priority, due, seq, drainer, task FROM run INDEXED BY run_due WHERE queue = ? AND ready = ? AND gate IS NULL \
             AND priority = ? AND due <= ? TASKS ORDER BY due, seq LIMIT ?",
            part.is_solo,
        ))?;
        let (mut room, mut passes) = (part.limit, self.passes());
        let mut priority = next_priority(db, queue, ready, None)?;
        while let Some(this) = priority.filter(|_| room > 0) {
            let values = [queue, ready, this, sortable(part.until), (room + passes) as i64];
            self.take(query.query(values)?, part.is_solo, (&mut room, &mut passes), due)?;
            priority = next_priority(db, queue, ready, Some(this))?;
        }
        Ok(())
    }

    /// When the first run of a queue comes due, after a time, that waits for it.
    fn first_timed(
        &self,
        db: &Connection,
        queue: i64,
        is_solo: bool,
        after: Timestamp,
    ) -> Result<Option<i64>, Fault> {
        let (ready, after) = (ready(true, is_solo), sortable(after));
        let mut query = db.prepare_cached(&self.sql(
            "SELECT due, task FROM run INDEXED BY run_due WHERE queue = ? AND ready = ? AND gate IS NULL AND priority = ? AND due > ? \
             TASKS ORDER BY due LIMIT ?",
            is_solo,
        ))?;
        let mut first: Option<i64> = None;
        let mut passes = self.passes();
        let mut priority = next_priority(db, queue, ready, None)?;
        while let Some(this) = priority {
            let mut rows = query.query([queue, ready, this, after, 1 + passes as i64])?;
            while let Some(row) = rows.next()? {
                if !self.leaves_out(row.get(1)?) {
                    first = first.into_iter().chain([row.get(0)?]).min();
                    break;
                }
                passes = passes.saturating_sub(1);
            }
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
            "SELECT -priority, due, seq, drainer, task FROM run INDEXED BY run_gate WHERE gate = ? AND queue = ? AND ready = ? \
             AND due <= ? TASKS ORDER BY priority DESC, due, seq LIMIT ?",
            part.is_solo,
        ))?;
        let (now, later) = (ready(false, part.is_solo), ready(true, part.is_solo));
        let mut last = 0_i64;
        while let Some(queue) = next.query_row([gate, last], |row| row.get(0)).optional()? {
            last = queue;
            if !self.queues.contains(&queue) {
                continue;
            }
            for (ready, until) in [(now, i64::MAX), (later, sortable(part.until))] {
                let (mut room, mut passes) = (part.limit, self.passes());
                let values = [gate, queue, ready, until, (room + passes) as i64];
                self.take(query.query(values)?, part.is_solo, (&mut room, &mut passes), due)?;
            }
        }
        Ok(())
    }

    /// When the next gate opens that keeps a run back, or when the first run comes due that a gate kept back which is open now.
    fn next_opening(
        &self,
        db: &Connection,
        gates: &Gates,
        claim: &ClaimRequest,
    ) -> Result<Option<Timestamp>, Fault> {
        let mut next: Option<Timestamp> = None;
        for (gate, opening) in gates.openings(claim.now) {
            if opening == Opening::Later {
                continue;
            }
            let mut kept = Vec::new();
            for is_solo in kinds(claim.gets_solo()) {
                let until = Timestamp::from_unix_nanos(u64::MAX);
                let part = Part { is_solo: *is_solo, until, limit: MAX_LOOKED_AT };
                self.kept_back(db, gate, part, &mut kept)?;
            }
            let kept = kept.iter().map(|kept| time(kept.due));
            next = match opening {
                Opening::At(opens) => next.into_iter().chain(kept.map(|_| opens)).min(),
                // Those that are due already wait for something else.
                Opening::Now => next.into_iter().chain(kept.filter(|due| *due > claim.now)).min(),
                Opening::Later => next,
            };
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
    Ok(Candidate { priority: row.get(0)?, due: row.get(1)?, seq: row.get(2)?, is_solo, drainer: row.get(3)? })
}
