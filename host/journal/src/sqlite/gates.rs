//! Limits: a gate for each, with a row for each slot that a claimed run holds. A run that a closed gate keeps back is marked with it,
//! and is only looked at again when that gate is open.

use std::sync::Arc;
use std::time::Duration;

use hostel_core::journal::{Gate, LimitScope, LimitUse, MAX_HOLDERS, Opening, Pause, Rate, RunLimit};
use hostel_core::{QueueName, RunId, RunSpec, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::names::{Kind, Names};
use super::row::{exact, tags_in, time};
use super::writing::Writing;
use crate::error::Fault;

/// All gates, as a transaction sees and changes them.
pub(super) struct Gates(Vec<StoredGate>);

struct StoredGate {
    id: i64,
    kind: i64,
    /// The number of the queue or tag.
    name: i64,
    gate: Gate,
}

impl Gates {
    pub(super) fn load(db: &Connection) -> rusqlite::Result<Self> {
        let mut query = db.prepare_cached(
            "SELECT id, kind, name, max_running, starts, per, even_at, paused, paused_until, reason FROM gate",
        )?;
        let mut gates = query.query_map([], stored_gate)?.collect::<Result<Vec<_>, _>>()?;
        // Only a gate with so many slots is closed by them.
        for stored in gates.iter_mut().filter(|stored| stored.gate.limit.max_running.is_some()) {
            stored.gate.held = held(db, stored.id)?;
        }
        Ok(Self(gates))
    }

    /// The numbers of the gates that are open.
    pub(super) fn open(&self, now: Timestamp) -> impl Iterator<Item = i64> {
        self.0.iter().filter(move |stored| stored.gate.is_open(now)).map(|stored| stored.id)
    }

    /// When each gate is open.
    pub(super) fn openings(&self, now: Timestamp) -> impl Iterator<Item = (i64, Opening)> {
        self.0.iter().map(move |stored| (stored.id, stored.gate.opening(now)))
    }

    /// The places of the gates that a run needs, its queue's first.
    pub(super) fn of(
        &self,
        db: &Connection,
        names: &mut Names,
        run: &RunSpec,
    ) -> rusqlite::Result<Vec<usize>> {
        let mut places = Vec::new();
        if self.0.is_empty() {
            return Ok(places);
        }
        for scope in LimitScope::all_of(run) {
            let (kind, name) = parts(&scope);
            let Some(name) = names.find(db, kind, name)? else { continue };
            places.extend(self.place(kind, name));
        }
        Ok(places)
    }

    /// The places of the gates that a stored run needs, its queue's first: by its row alone.
    pub(super) fn of_row(
        &self,
        db: &Connection,
        names: &mut Names,
        seq: i64,
    ) -> rusqlite::Result<Vec<usize>> {
        if self.0.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = db.prepare_cached("SELECT queue, tags FROM run WHERE seq = ?")?;
        let row = query.query_row([seq], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((queue, tags)): Option<(i64, Option<String>)> = row else { return Ok(Vec::new()) };
        let mut places: Vec<_> = self.place(Kind::Queue, queue).into_iter().collect();
        for tag in tags_in(tags.as_deref()) {
            let tag = names.find(db, Kind::Tag, &tag)?;
            places.extend(tag.and_then(|tag| self.place(Kind::Tag, tag)));
        }
        Ok(places)
    }

    fn place(&self, kind: Kind, name: i64) -> Option<usize> {
        self.0.iter().position(|gate| (gate.kind, gate.name) == (kind as i64, name))
    }

    /// The number of the first of these gates that is closed.
    pub(super) fn closed(&self, places: &[usize], now: Timestamp) -> Option<i64> {
        let gates = places.iter().filter_map(|place| self.0.get(*place));
        gates.into_iter().find(|stored| !stored.gate.is_open(now)).map(|stored| stored.id)
    }

    /// A run takes a slot of each of these gates.
    pub(super) fn take(
        &mut self,
        db: &Connection,
        seq: i64,
        places: &[usize],
        now: Timestamp,
    ) -> rusqlite::Result<()> {
        for place in places {
            let Some(stored) = self.0.get_mut(*place) else { continue };
            stored.gate.take(now);
            db.prepare_cached("INSERT INTO slot (gate, run) VALUES (?, ?)")?.execute([stored.id, seq])?;
            if stored.gate.limit.rate.is_some() {
                let mut update = db.prepare_cached("UPDATE gate SET even_at = ? WHERE id = ?")?;
                update.execute([exact(stored.gate.even_at), stored.id])?;
            }
        }
        Ok(())
    }

    /// How many slots these gates are without that a claimed run should hold.
    pub(super) fn missing(&self, db: &Connection, seq: i64, places: &[usize]) -> rusqlite::Result<usize> {
        let mut query = db.prepare_cached("SELECT 1 FROM slot WHERE gate = ? AND run = ?")?;
        let mut missing = 0;
        for stored in places.iter().filter_map(|place| self.0.get(*place)) {
            missing += usize::from(!query.exists([stored.id, seq])?);
        }
        Ok(missing)
    }
}

fn stored_gate(row: &Row<'_>) -> rusqlite::Result<StoredGate> {
    let (starts, per): (Option<u32>, Option<i64>) = (row.get(4)?, row.get(5)?);
    let per = per.map(|per| Duration::from_nanos(per.cast_unsigned()));
    let (paused, until, reason): (bool, Option<i64>, Arc<str>) = (row.get(7)?, row.get(8)?, row.get(9)?);
    let rate = starts.zip(per).map(|(starts, per)| Rate { starts, per });
    let gate = Gate {
        limit: RunLimit { max_running: row.get(3)?, rate },
        pause: paused.then(|| Pause { until: until.map(time), reason }),
        held: 0,
        even_at: time(row.get(6)?),
    };
    Ok(StoredGate { id: row.get(0)?, kind: row.get(1)?, name: row.get(2)?, gate })
}

fn held(db: &Connection, gate: i64) -> rusqlite::Result<u64> {
    let mut query = db.prepare_cached("SELECT count(*) FROM slot WHERE gate = ?")?;
    query.query_row([gate], |row| row.get(0)).map(i64::cast_unsigned)
}

/// The kind and the name of a scope.
fn parts(scope: &LimitScope) -> (Kind, &str) {
    match scope {
        LimitScope::Queue(queue) => (Kind::Queue, queue.as_str()),
        LimitScope::Tag(tag) => (Kind::Tag, tag),
    }
}

/// Marks a run with the gate that keeps it back.
pub(super) fn park(db: &Connection, seq: i64, gate: i64) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE run SET gate = ? WHERE seq = ?")?.execute([gate, seq])?;
    Ok(())
}

/// Frees all slots of a run whose claim is over.
pub(super) fn free(db: &Connection, seq: i64) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM slot WHERE run = ?")?.execute([seq])?;
    Ok(())
}

pub(super) fn set(writing: &mut Writing<'_>, scope: &LimitScope, limit: RunLimit) -> Result<(), Fault> {
    let gate = gate(writing, scope)?;
    let per = limit.rate.map(|rate| i64::try_from(rate.per.as_nanos()).unwrap_or(i64::MAX));
    let starts = limit.rate.map(|rate| rate.starts);
    let mut update =
        writing.db.prepare_cached("UPDATE gate SET max_running = ?, starts = ?, per = ? WHERE id = ?")?;
    update.execute(params![limit.max_running, starts, per, gate])?;
    Ok(())
}

pub(super) fn pause(writing: &mut Writing<'_>, scope: &LimitScope, pause: &Pause) -> Result<(), Fault> {
    let gate = gate(writing, scope)?;
    let mut update =
        writing.db.prepare_cached("UPDATE gate SET paused = 1, paused_until = ?, reason = ? WHERE id = ?")?;
    update.execute(params![pause.until.map(exact), &*pause.reason, gate])?;
    Ok(())
}

pub(super) fn resume(writing: &mut Writing<'_>, scope: &LimitScope) -> Result<(), Fault> {
    let (kind, name) = parts(scope);
    let Some(name) = writing.names.find(writing.db, kind, name)? else { return Ok(()) };
    let mut update = writing.db.prepare_cached(
        "UPDATE gate SET paused = 0, paused_until = NULL, reason = '' WHERE kind = ? AND name = ? AND paused = 1",
    )?;
    update.execute([kind as i64, name])?;
    Ok(())
}

/// The number of the gate of a scope. A new one has a slot for each run of the scope that is claimed.
fn gate(writing: &mut Writing<'_>, scope: &LimitScope) -> Result<i64, Fault> {
    let (kind, name) = parts(scope);
    let name = writing.names.id(writing.db, kind, name)?;
    let mut query = writing.db.prepare_cached("SELECT id FROM gate WHERE kind = ? AND name = ?")?;
    if let Some(gate) = query.query_row([kind as i64, name], |row| row.get(0)).optional()? {
        return Ok(gate);
    }
    writing.db.execute("INSERT INTO gate (kind, name) VALUES (?, ?)", [kind as i64, name])?;
    let gate = writing.db.last_insert_rowid();
    let claimed = match scope {
        LimitScope::Queue(_) => "queue = ?",
        LimitScope::Tag(_) => "EXISTS (SELECT 1 FROM run_tag t WHERE t.tag = ? AND t.run = run.seq)",
    };
    let insert = format!(
        "INSERT INTO slot (gate, run) SELECT ?1, seq FROM run INDEXED BY run_lease WHERE lease IS NOT NULL AND {}",
        claimed.replace('?', "?2")
    );
    writing.db.execute(&insert, [gate, name])?;
    Ok(gate)
}

/// All limits, in the order of their scopes.
pub(super) fn uses(db: &Connection, names: &mut Names) -> Result<Vec<LimitUse>, Fault> {
    let mut uses = Vec::new();
    for StoredGate { id, kind, name, gate } in Gates::load(db)?.0 {
        let name = names.name(db, name)?;
        let scope = if kind == Kind::Queue as i64 {
            let Ok(queue) = QueueName::new(&name) else { continue };
            LimitScope::Queue(queue)
        } else {
            LimitScope::Tag(name)
        };
        let mut waiting = db.prepare_cached(
            "SELECT count(*) FROM run INDEXED BY run_gate WHERE gate = ? AND ready IS NOT NULL",
        )?;
        let waiting: i64 = waiting.query_row([id], |row| row.get(0))?;
        uses.push(LimitUse {
            scope,
            limit: gate.limit,
            pause: gate.pause,
            held: held(db, id)?,
            holders: holders(db, id)?,
            waiting: waiting.cast_unsigned(),
        });
    }
    uses.sort_by(|one, other| one.scope.cmp(&other.scope));
    Ok(uses)
}

fn holders(db: &Connection, gate: i64) -> rusqlite::Result<Vec<RunId>> {
    let mut query =
        db.prepare_cached("SELECT r.id FROM slot s JOIN run r ON r.seq = s.run WHERE s.gate = ? LIMIT ?")?;
    let rows = query.query_map([gate, MAX_HOLDERS as i64], |row| row.get(0).map(RunId::from_bytes))?;
    rows.collect()
}
