//! Directories, and runs to put there.

use std::path::Path;
use std::time::Duration;

use hostel_core::journal::{
    Append, ClaimRequest, ExpireRequest, Expired, Fence, Journal, JournalEntry, JournalError, WorkerId,
};
use hostel_core::{
    Digest, Event, ExportPath, Failure, InputSpec, Outcome, RunFact, RunId, RunSpec, StoredValue, TaskKey,
    TaskSpec, Timestamp,
};
use hostel_journal::SqliteJournal;
use tempfile::TempDir;

/// How long leases last.
pub(crate) const LEASE: Duration = Duration::from_nanos(100);

pub(crate) const STARTED: RunFact = RunFact::Event(Event::Started);

/// A directory in memory where there is one: most tests are about what is written, and not about how long a disk takes.
pub(crate) fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

pub(crate) fn open(dir: &TempDir) -> SqliteJournal {
    SqliteJournal::open(dir.path()).unwrap()
}

pub(crate) const fn at(nanos: u64) -> Timestamp {
    Timestamp::from_unix_nanos(nanos)
}

pub(crate) const fn id(number: u64) -> RunId {
    RunId::from_bytes((number as u128).to_be_bytes())
}

pub(crate) fn spec(number: u64) -> RunSpec {
    let task = TaskKey { component: Digest::of(b"abc"), export: ExportPath::top_level("add") };
    RunSpec::new(id(number), task, TaskSpec::default().into(), at(1))
}

/// A value of so many bytes.
pub(crate) fn value(byte: u8, length: usize) -> StoredValue {
    StoredValue::Bytes(vec![byte; length].into())
}

/// A run with an input of so many bytes.
pub(crate) fn spec_with_input(number: u64, length: usize) -> RunSpec {
    RunSpec { inputs: vec![InputSpec::Value(value(number as u8, length))], ..spec(number) }
}

pub(crate) fn completed(length: usize) -> RunFact {
    RunFact::Ended { event: Event::Completed, outcome: Outcome::Completed(value(42, length)) }
}

pub(crate) fn failed() -> RunFact {
    let outcome = Outcome::Failed(Failure::Exit { code: 1, stderr_tail: Vec::new() });
    RunFact::Ended { event: Event::Failed, outcome }
}

pub(crate) fn request(worker: &str, limit: usize, now: u64) -> ClaimRequest {
    let worker = WorkerId::new(worker);
    ClaimRequest {
        worker,
        limit,
        now: at(now),
        lease: LEASE,
        queues: Vec::new(),
        tasks: Vec::new(),
        without: Vec::new(),
        is_idle: true,
    }
}

/// Ends the claims that are over, whether they could be renewed or not.
pub(crate) fn expire(journal: &dyn Journal, now: Timestamp) -> Vec<Expired> {
    journal.expire(&ExpireRequest { now, lease: Duration::MAX }).unwrap().runs
}

/// Appends facts to what the run is now.
pub(crate) fn add(
    journal: &dyn Journal,
    number: u64,
    now: u64,
    facts: impl IntoIterator<Item = RunFact>,
) -> Result<u64, JournalError> {
    let entry = journal.get(id(number))?.ok_or(JournalError::NotFound { run: id(number) })?;
    let facts = facts.into_iter().map(|fact| (at(now), fact)).collect();
    journal.append(&Append { run: id(number), expected: entry.version(), fence: fence(&entry), facts })
}

pub(crate) fn fence(entry: &JournalEntry) -> Option<Fence> {
    entry.claim().map(|claim| claim.fence)
}

pub(crate) fn check(journal: &SqliteJournal) {
    let check = journal.fsck().unwrap();
    assert_eq!((check.problems, check.more), (Vec::<String>::new(), false));
}
