//! Submitting runs.

use hostel_core::journal::{Admission, JournalEntry, Submitted};
use hostel_core::{Digest, RunSpec, Timestamp};
use rusqlite::{OptionalExtension, params};

use super::blobs::{Blobs, Spilled};
use super::error::Fault;
use super::names::Kind;
use super::row::{self, Loaded};
use super::writing::Writing;

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
}

/// Submits runs in order, all of them or none.
pub(super) fn submit(
    writing: &mut Writing<'_>,
    at: Timestamp,
    runs: &[Prepared],
) -> Result<Vec<Submitted>, Fault> {
    // The refusal of a single run comes before anything is written.
    if let [run] = runs {
        return Ok(vec![submit_one(writing, at, run)?]);
    }
    let mark = writing.mark();
    writing.db.execute_batch("SAVEPOINT submit")?;
    let submitted = runs.iter().map(|run| submit_one(writing, at, run)).collect();
    match submitted {
        // The whole transaction is rolled back, and SQLite may have done so already.
        Err(Fault::Medium(error)) => return Err(Fault::Medium(error)),
        Err(Fault::Refused(_)) => {
            writing.db.execute_batch("ROLLBACK TO submit")?;
            writing.go_back(mark);
        }
        Ok(_) => {}
    }
    writing.db.execute_batch("RELEASE submit")?;
    submitted
}

fn submit_one(writing: &mut Writing<'_>, at: Timestamp, run: &Prepared) -> Result<Submitted, Fault> {
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
        return writing.add(run, &entry, &born);
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
    writing.add(&changed, &entry, &born)
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
