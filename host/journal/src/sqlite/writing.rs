//! A transaction of the writer: the counters, the tally of states, and the rows of runs and events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hostel_core::journal::{Applied, Fence, JournalEntry, minute_of};
use hostel_core::{RunSpec, State};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::blobs::{Blobs, Spilled};
use super::change;
use super::gates;
use super::names::{Kind, Names};
use super::row::{self, Columns, Fixed, Loaded, exact, sortable};
use super::submit::Prepared;
use super::tagged;
use crate::error::Fault;

/// Called with the name of each step of the writer, for tests that end the process there.
pub(super) type Hook = Arc<dyn Fn(&'static str) + Send + Sync>;

/// Numbers that are given out, and what was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counters {
    run: i64,
    event: i64,
    fence: i64,
    removed: i64,
}

/// What one transaction writes. Counters and tally are written at its end.
pub(super) struct Writing<'a> {
    pub(super) db: &'a Connection,
    pub(super) names: &'a mut Names,
    pub(super) blobs: &'a Blobs,
    hook: Option<&'a Hook>,
    stored: Counters,
    counters: Counters,
    tally: Tally,
}

/// Changes of the numbers of runs by state: together, by the minute of their creation, and by tag.
#[derive(Clone, Debug, Default)]
struct Tally {
    states: [i64; State::ALL.len()],
    minutes: BTreeMap<(i64, i64), i64>,
    tags: BTreeMap<(i64, i64), i64>,
    /// The tags that runs have lost.
    lost: BTreeSet<i64>,
}

/// Counters and tally at some point of a transaction, to go back to.
pub(super) struct Mark {
    counters: Counters,
    tally: Tally,
}

impl<'a> Writing<'a> {
    /// Reads the counters, in a transaction that has begun.
    pub(super) fn new(
        db: &'a Connection,
        names: &'a mut Names,
        blobs: &'a Blobs,
        hook: Option<&'a Hook>,
    ) -> rusqlite::Result<Self> {
        let mut query =
            db.prepare_cached("SELECT run, event, fence, removed, names FROM counter WHERE id = 1")?;
        let (stored, removals) = query.query_row([], |row| {
            let counters =
                Counters { run: row.get(0)?, event: row.get(1)?, fence: row.get(2)?, removed: row.get(3)? };
            Ok((counters, row.get(4)?))
        })?;
        names.forget_after(removals);
        Ok(Self { db, names, blobs, hook, stored, counters: stored, tally: Tally::default() })
    }

    /// Writes counters and tally, if they have changed.
    pub(super) fn finish(self) -> rusqlite::Result<()> {
        let Counters { run, event, fence, removed } = self.counters;
        if self.counters != self.stored {
            let mut update = self.db.prepare_cached(
                "UPDATE counter SET run = ?, event = ?, fence = ?, removed = ? WHERE id = 1",
            )?;
            update.execute([run, event, fence, removed])?;
        }
        for (state, change) in self.tally.states.iter().enumerate().filter(|(_, change)| **change != 0) {
            let mut add = self.db.prepare_cached(
                "INSERT INTO tally (state, runs) VALUES (?1, ?2) ON CONFLICT (state) DO UPDATE SET runs = runs + ?2",
            )?;
            add.execute([state as i64, *change])?;
        }
        for ((minute, state), change) in self.tally.minutes.iter().filter(|(_, change)| **change != 0) {
            let mut add = self.db.prepare_cached(
                "INSERT INTO histogram (minute, state, runs) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (minute, state) DO UPDATE SET runs = runs + ?3",
            )?;
            add.execute([*minute, *state, *change])?;
            if *change < 0 {
                let mut remove = self
                    .db
                    .prepare_cached("DELETE FROM histogram WHERE minute = ? AND state = ? AND runs = 0")?;
                remove.execute([*minute, *state])?;
            }
        }
        for ((tag, state), change) in self.tally.tags.iter().filter(|(_, change)| **change != 0) {
            tagged::add(self.db, *tag, *state, *change)?;
        }
        self.tally.lost.iter().try_for_each(|tag| tagged::lose(self.db, *tag))
    }

    pub(super) fn step(&self, name: &'static str) {
        if let Some(hook) = self.hook {
            hook(name);
        }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { counters: self.counters, tally: self.tally.clone() }
    }

    /// Goes back to a mark; the rows are rolled back elsewhere.
    pub(super) fn go_back(&mut self, Mark { counters, tally }: Mark) {
        (self.counters, self.tally) = (counters, tally);
        self.names.forget();
    }

    /// How many runs have ended.
    pub(super) fn ended(&self) -> rusqlite::Result<u64> {
        let mut query = self.db.prepare_cached("SELECT state, runs FROM tally")?;
        let stored =
            query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<Vec<_>, _>>()?;
        let changed = self.tally.states.iter().enumerate().map(|(state, change)| (state as i64, *change));
        let ended = stored
            .into_iter()
            .chain(changed)
            .filter(|(state, _)| row::state(*state).is_some_and(State::is_terminal));
        Ok(ended.map(|(_, runs)| runs).sum::<i64>().try_into().unwrap_or(0))
    }

    /// The number that the next run gets.
    pub(super) fn next_run(&self) -> i64 {
        self.counters.run + 1
    }

    /// A fence that is larger than all before.
    pub(super) fn next_fence(&mut self) -> Fence {
        self.counters.fence += 1;
        Fence::new(self.counters.fence.cast_unsigned())
    }

    /// Stores a run that is new, with all that was applied to it.
    pub(super) fn add(
        &mut self,
        run: &Prepared,
        entry: &JournalEntry,
        applied: &[Applied],
    ) -> Result<(), Fault> {
        self.counters.run += 1;
        let seq = self.counters.run;
        let mut last = None;
        for applied in applied {
            last = Some(self.add_event(seq, last, applied)?);
        }
        let event = last.unwrap_or_default();
        self.step("event");
        let spec = entry.record().spec();
        let schedule = spec.schedule.as_ref();
        let schedule =
            schedule.map(|slot| self.names.id(self.db, Kind::Schedule, &slot.schedule)).transpose()?;
        let fixed = Fixed {
            seq,
            id: spec.id.as_bytes(),
            task: self.names.task_id(self.db, &spec.task)?,
            spec: self.names.spec_id(self.db, run.digest, &run.options)?,
            queue: self.names.id(self.db, Kind::Queue, spec.queue.as_str())?,
            priority: spec.spec.priority,
            created: sortable(spec.created),
            schedule,
            dedup: spec.unique.as_ref().map(|unique| &*unique.key),
            tags: row::tags_column(spec),
            born: &run.born,
            function: spec.script_function(),
        };
        Columns::of(entry, None, event).insert(self.db, &fixed)?;
        self.add_tags(seq, spec, entry.state() as i64)?;
        self.name_blobs(seq, &run.blobs)?;
        self.count(fixed.created, entry.state() as i64, 1);
        self.step("row");
        Ok(())
    }

    /// Stores what a run has become, with what was applied to it.
    pub(super) fn store(
        &mut self,
        before: &Loaded,
        entry: &JournalEntry,
        applied: &[Applied],
    ) -> Result<(), Fault> {
        let mut event = before.columns.event;
        for applied in applied {
            event = self.add_event(before.seq, Some(event), applied)?;
        }
        self.step("event");
        if before.columns.fence.is_some() && entry.claim().is_none() {
            gates::free(self.db, before.seq)?;
        }
        let worker = row::worker_of(self.db, self.names, entry)?;
        Columns::of(entry, worker, event).update(self.db, before.seq, &before.columns)?;
        if before.columns.state != entry.state() as i64 {
            let created = sortable(entry.record().spec().created);
            self.count(created, before.columns.state, -1);
            self.count(created, entry.state() as i64, 1);
            // An amendment of its tags comes later.
            for tag in before.entry.record().spec().all_tags().iter() {
                let tag = self.names.id(self.db, Kind::Tag, tag)?;
                self.count_tag(tag, before.columns.state, -1);
                self.count_tag(tag, entry.state() as i64, 1);
            }
        }
        self.step("row");
        Ok(())
    }

    /// Stores the queue, the priority and the tags that a run has now.
    pub(super) fn place(&mut self, seq: i64, spec: &RunSpec) -> Result<(), Fault> {
        let state = self.remove_tags(seq)?;
        let queue = self.names.id(self.db, Kind::Queue, spec.queue.as_str())?;
        let mut update =
            self.db.prepare_cached("UPDATE run SET queue = ?, priority = ?, tags = ? WHERE seq = ?")?;
        update.execute(params![queue, spec.spec.priority, row::tags_column(spec), seq])?;
        self.add_tags(seq, spec, state)?;
        self.step("placed");
        Ok(())
    }

    /// `state` is the code of the run's.
    fn add_tags(&mut self, seq: i64, spec: &RunSpec, state: i64) -> Result<(), Fault> {
        for tag in spec.all_tags().iter() {
            let tag = self.names.id(self.db, Kind::Tag, tag)?;
            self.db.prepare_cached("INSERT INTO run_tag (tag, run) VALUES (?, ?)")?.execute([tag, seq])?;
            self.count_tag(tag, state, 1);
        }
        Ok(())
    }

    /// Records which blobs a run names, and writes those again that were removed since they were written.
    pub(super) fn name_blobs(&self, seq: i64, blobs: &[Spilled]) -> Result<(), Fault> {
        for blob in blobs {
            self.blobs.ensure(blob)?;
            let mut name =
                self.db.prepare_cached("INSERT OR IGNORE INTO run_blob (run, digest) VALUES (?, ?)")?;
            name.execute(params![seq, blob.digest.as_bytes()])?;
        }
        Ok(())
    }

    /// Removes a run with its events.
    pub(super) fn remove(&mut self, seq: i64) -> Result<(), Fault> {
        let mut query = self
            .db
            .prepare_cached("SELECT state, event, tags IS NOT NULL, created FROM run WHERE seq = ?")?;
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
        let row: Option<(i64, i64, bool, i64)> = query.query_row([seq], read).optional()?;
        let Some((state, event, has_tags, created)) = row else { return Ok(()) };
        self.remove_events(event)?;
        if has_tags {
            self.remove_tags(seq)?;
        }
        self.db.prepare_cached("DELETE FROM run_blob WHERE run = ?")?.execute([seq])?;
        self.db.prepare_cached("DELETE FROM run WHERE seq = ?")?.execute([seq])?;
        self.count(created, state, -1);
        self.counters.removed += 1;
        self.step("removed");
        Ok(())
    }

    fn remove_events(&self, last: i64) -> Result<(), Fault> {
        let mut query = self.db.prepare_cached("DELETE FROM event WHERE seq = ? RETURNING before")?;
        let mut next = Some(last);
        while let Some(seq) = next {
            let before: Option<Option<i64>> = query.query_row([seq], |row| row.get(0)).optional()?;
            // A chain only leads to smaller numbers.
            next = before.flatten().filter(|before| *before < seq);
        }
        Ok(())
    }

    /// Returns the code of the run's state.
    fn remove_tags(&mut self, seq: i64) -> Result<i64, Fault> {
        let mut query = self.db.prepare_cached("SELECT tags, state FROM run WHERE seq = ?")?;
        let (tags, state): (Option<String>, i64) =
            query.query_row([seq], |row| Ok((row.get(0)?, row.get(1)?)))?;
        for tag in row::tags_in(tags.as_deref()) {
            let tag = self.names.id(self.db, Kind::Tag, &tag)?;
            self.db.prepare_cached("DELETE FROM run_tag WHERE tag = ? AND run = ?")?.execute([tag, seq])?;
            self.count_tag(tag, state, -1);
            self.tally.lost.insert(tag);
        }
        Ok(state)
    }

    fn add_event(&mut self, run: i64, before: Option<i64>, applied: &Applied) -> rusqlite::Result<i64> {
        self.counters.event += 1;
        let mut insert = self.db.prepare_cached(
            "INSERT INTO event (seq, run, before, version, at, state, change, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )?;
        insert.execute(params![
            self.counters.event,
            run,
            before,
            applied.version.cast_signed(),
            exact(applied.at),
            applied.state as i64,
            change::code(applied.change),
            applied.fact.as_ref().map(hostel_core::RunFact::encode),
        ])?;
        Ok(self.counters.event)
    }

    fn count_tag(&mut self, tag: i64, state: i64, change: i64) {
        *self.tally.tags.entry((tag, state)).or_default() += change;
    }

    /// `created` is that of the run, `state` a code.
    fn count(&mut self, created: i64, state: i64, change: i64) {
        let place = usize::try_from(state).ok().and_then(|place| self.tally.states.get_mut(place));
        place.into_iter().for_each(|count| *count += change);
        let minute = minute_of(row::time(created)).cast_signed();
        *self.tally.minutes.entry((minute, state)).or_default() += change;
    }
}
