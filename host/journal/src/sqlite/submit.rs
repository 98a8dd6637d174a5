//! Submitting runs, and importing those that ended elsewhere.

use hostel_core::journal::{Admission, Applied, JournalConflict, JournalEntry, JournalError, Submitted};
use hostel_core::{Digest, RunFact, RunId, RunRecord, RunSpec, Timestamp};
use rusqlite::{OptionalExtension, params};

use super::blobs::{Blobs, Spilled};
use super::names::Kind;
use super::row::{self, Loaded};
use super::writing::Writing;
use crate::error::{Fault, medium};

/// A run to submit, with its bytes: encoded on the thread of the submitter.
pub(super) struct Prepared {
    spec: RunSpec,
    pub(super) born: Vec<u8>,
    pub(super) options: Vec<u8>,
    pub(super) digest: Digest,
    pub(super) blobs: Vec<Spilled>,
}

impl Prepared {
    /// Encodes a run, and writes its long values.
    pub(super) fn new(mut spec: RunSpec, blobs: &Blobs) -> std::io::Result<Self> {
        let blobs = blobs.spill_spec(&mut spec)?;
        let options = spec.spec.encode();
        let digest = Digest::of(&options);
        Ok(Self { born: spec.encode_without_options(), spec, options, digest, blobs })
    }

    /// The run's id.
    pub(super) fn run(&self) -> RunId {
        self.spec.id
    }
}

/// A run that ended elsewhere, with its bytes.
pub(super) struct Imported {
    run: Prepared,
    entry: JournalEntry,
    applied: Vec<Applied>,
}

impl Imported {
    /// Encodes a run that has ended, and writes its long values.
    pub(super) fn new(record: &RunRecord, blobs: &Blobs) -> Result<Self, JournalError> {
        let written = |error| medium("write a value", error);
        let mut run = Prepared::new(record.spec().clone(), blobs).map_err(written)?;
        let mut facts = Vec::new();
        for (at, mut fact) in record.facts() {
            if let RunFact::Born(spec) = &mut fact {
                **spec = run.spec.clone();
            }
            run.blobs.extend(blobs.spill_fact(&mut fact).map_err(written)?);
            facts.push((at, fact));
        }
        let id = record.spec().id;
        let record = RunRecord::replay(facts);
        let record = record.map_err(|source| JournalConflict::Fact { run: id, index: 0, source })?;
        let (entry, applied) = JournalEntry::imported(&record)?;
        Ok(Self { run, entry, applied })
    }
}

/// Stores runs that ended elsewhere, all of them or none.
pub(super) fn import(writing: &mut Writing<'_>, runs: &[Imported]) -> Result<Vec<Submitted>, Fault> {
    all_or_none(writing, runs, |writing, Imported { run, entry, applied }| {
        if let Some(stored) = row::load(writing.db, writing.names, run.spec.id)? {
            stored.entry.submit_again(&run.spec)?;
            return Ok(Submitted::Existing);
        }
        writing.add(run, entry, applied)?;
        Ok(Submitted::New)
    })
}

/// Submits runs in order, all of them or none.
pub(super) fn submit(
    writing: &mut Writing<'_>,
    at: Timestamp,
    runs: &[Prepared],
) -> Result<Vec<Submitted>, Fault> {
    all_or_none(writing, runs, |writing, run| submit_one(writing, at, run))
}

/// Stores each of some runs. If one is refused, none is stored.
fn all_or_none<T>(
    writing: &mut Writing<'_>,
    runs: &[T],
    mut store: impl FnMut(&mut Writing<'_>, &T) -> Result<Submitted, Fault>,
) -> Result<Vec<Submitted>, Fault> {
    // The refusal of a single run comes before anything is written.
    if let [run] = runs {
        return Ok(vec![store(writing, run)?]);
    }
    let mark = writing.mark();
    writing.db.execute_batch("SAVEPOINT submit")?;
    let stored = runs.iter().map(|run| store(writing, run)).collect();
    match stored {
        // The whole transaction is rolled back, and SQLite may have done so already.
        Err(Fault::Medium(error)) => return Err(Fault::Medium(error)),
        Err(Fault::Refused(_)) => {
            writing.db.execute_batch("ROLLBACK TO submit")?;
            writing.go_back(mark);
        }
        Ok(_) => {}
    }
    writing.db.execute_batch("RELEASE submit")?;
    stored
}

pub(super) fn submit_one(
    writing: &mut Writing<'_>,
    at: Timestamp,
    run: &Prepared,
) -> Result<Submitted, Fault> {
    if let Some(stored) = row::load(writing.db, writing.names, run.spec.id)? {
        stored.entry.submit_again(&run.spec)?;
        return Ok(Submitted::Existing);
    }
    let holder = holder(writing, &run.spec)?;
    match Admission::of(at, run.spec.clone(), holder.as_ref().map(|holder| &holder.entry))? {
        Admission::Store(spec) => {
            add(writing, at, run, spec)?;
            Ok(Submitted::New)
        }
        Admission::Replace { spec, holder: of } => {
            if let Some(holder) = holder {
                let mut cancelled = holder.entry.clone();
                let (_, applied) = cancelled.cancel(at);
                writing.store(&holder, &cancelled, applied.as_slice())?;
            }
            add(writing, at, run, spec)?;
            Ok(Submitted::Replaced { of })
        }
        Admission::Duplicate { holder } => Ok(Submitted::Duplicate { of: holder }),
    }
}

fn add(writing: &mut Writing<'_>, at: Timestamp, run: &Prepared, spec: RunSpec) -> Result<(), Fault> {
    let (entry, born) = JournalEntry::born(at, spec);
    if *entry.record().spec() == run.spec {
        return writing.add(run, &entry, &[born]);
    }
    // The journal has set the due time.
    let spec = entry.record().spec().clone();
    let changed = Prepared {
        born: spec.encode_without_options(),
        spec,
        options: run.options.clone(),
        digest: run.digest,
        blobs: run.blobs.clone(),
    };
    writing.add(&changed, &entry, &[born])
}

/// The unfinished run of the queue that has the key of this one.
pub(super) fn holder(writing: &mut Writing<'_>, spec: &RunSpec) -> Result<Option<Loaded>, Fault> {
    let Some(unique) = &spec.unique else { return Ok(None) };
    let Some(queue) = writing.names.find(writing.db, Kind::Queue, spec.queue.as_str())? else {
        return Ok(None);
    };
    let mut query =
        writing.db.prepare_cached("SELECT seq FROM run WHERE queue = ? AND dedup = ? AND ended IS NULL")?;
    let seq = query.query_row(params![queue, &*unique.key], |row| row.get(0)).optional()?;
    match seq {
        Some(seq) => row::load_by_seq(writing.db, writing.names, seq),
        None => Ok(None),
    }
}
