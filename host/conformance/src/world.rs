//! Runs, facts and requests for the cases.

use std::sync::Arc;
use std::time::Duration;

use hostel_core::journal::{
    Append, Claim, ClaimRequest, ExpireRequest, Expired, Fence, Journal, JournalConflict, JournalEntry,
    JournalError, Page, WorkerId,
};
use hostel_core::{
    Digest, Event, ExportPath, Failure, Outcome, QueueName, RunFact, RunFilter, RunId, RunSpec, State,
    StoredOutcome, StoredValue, TaskKey, TaskSpec, Timestamp, Value,
};

/// How long leases last.
pub(crate) const LEASE: Duration = Duration::from_nanos(100);

pub(crate) const fn at(nanos: u64) -> Timestamp {
    Timestamp::from_unix_nanos(nanos)
}

pub(crate) const fn id(number: u64) -> RunId {
    RunId::from_bytes((number as u128).to_be_bytes())
}

pub(crate) fn task(export: &str) -> TaskKey {
    TaskKey { component: Digest::of(b"abc"), export: ExportPath::top_level(export) }
}

pub(crate) fn queue(name: &str) -> QueueName {
    name.parse().expect("it is a name")
}

/// A run that is due at once.
pub(crate) fn spec(number: u64) -> RunSpec {
    RunSpec::new(id(number), task("add"), TaskSpec::default().into(), at(1))
}

pub(crate) fn spec_with(number: u64, priority: i32, due: Option<u64>) -> RunSpec {
    let task_spec = Arc::new(TaskSpec { priority, ..TaskSpec::default() });
    RunSpec { due: due.map(at), spec: task_spec, ..spec(number) }
}

pub(crate) fn submit(journal: &dyn Journal, specs: impl IntoIterator<Item = RunSpec>) {
    journal.submit(at(1), &specs.into_iter().collect::<Vec<_>>()).unwrap();
}

/// Submits runs with these numbers, all due at once.
pub(crate) fn submit_some(journal: &dyn Journal, numbers: impl IntoIterator<Item = u64>) {
    submit(journal, numbers.into_iter().map(spec));
}

pub(crate) const fn event(event: Event) -> RunFact {
    RunFact::Event(event)
}

pub(crate) const STARTED: RunFact = event(Event::Started);

pub(crate) const fn retry_at(due: u64) -> RunFact {
    event(Event::RetryPlanned { due: at(due) })
}

pub(crate) fn value() -> StoredOutcome {
    Outcome::Completed(StoredValue::Bytes(Value::U8(41).to_canonical(&hostel_core::Type::U8).unwrap().into()))
}

pub(crate) fn completed() -> RunFact {
    RunFact::Ended { event: Event::Completed, outcome: value() }
}

pub(crate) fn failed() -> RunFact {
    let outcome = Outcome::Failed(Failure::Exit { code: 1, stderr_tail: Vec::new() });
    RunFact::Ended { event: Event::Failed, outcome }
}

pub(crate) fn cancelled() -> RunFact {
    RunFact::Ended { event: Event::Cancelled, outcome: Outcome::Cancelled }
}

pub(crate) fn attempt_ended() -> RunFact {
    RunFact::AttemptEnded { outcome: value(), receipt: Box::default() }
}

pub(crate) fn entry(journal: &dyn Journal, number: u64) -> JournalEntry {
    journal.get(id(number)).unwrap().expect("the run is there")
}

pub(crate) fn state(journal: &dyn Journal, number: u64) -> State {
    entry(journal, number).state()
}

pub(crate) fn fence(entry: &JournalEntry) -> Fence {
    entry.claim().expect("the run is claimed").fence
}

/// Appends facts at a time to what the run is now, with the fence that it has.
pub(crate) fn add(
    journal: &dyn Journal,
    number: u64,
    now: u64,
    facts: impl IntoIterator<Item = RunFact>,
) -> Result<u64, JournalError> {
    let entry = entry(journal, number);
    append(journal, number, entry.version(), entry.claim().map(|claim| claim.fence), now, facts)
}

pub(crate) fn append(
    journal: &dyn Journal,
    number: u64,
    expected: u64,
    fence: Option<Fence>,
    now: u64,
    facts: impl IntoIterator<Item = RunFact>,
) -> Result<u64, JournalError> {
    let facts = facts.into_iter().map(|fact| (at(now), fact)).collect();
    journal.append(&Append { run: id(number), expected, fence, facts })
}

/// Claims up to so many runs at a time.
pub(crate) fn claim(journal: &dyn Journal, worker: &str, limit: usize, now: u64) -> Vec<JournalEntry> {
    journal.claim(&request(worker, limit, now)).unwrap()
}

pub(crate) fn request(worker: &str, limit: usize, now: u64) -> ClaimRequest {
    ClaimRequest {
        worker: WorkerId::new(worker),
        limit,
        now: at(now),
        lease: LEASE,
        queues: Vec::new(),
        tasks: Vec::new(),
        without: Vec::new(),
        is_idle: true,
    }
}

/// Ends the claims that are over, after a time in which leases could have been renewed.
pub(crate) fn expire(journal: &dyn Journal, now: u64) -> Vec<Expired> {
    let expiry = journal.expire(&ExpireRequest { now: at(now), lease: Duration::MAX }).unwrap();
    assert!(!expiry.more);
    expiry.runs
}

/// Claims one run, which must be the one with this number.
pub(crate) fn claim_one(journal: &dyn Journal, number: u64, now: u64) -> Fence {
    let claimed = claim(journal, "w", 1, now);
    assert_eq!(ids(&claimed), [id(number)]);
    fence(&claimed[0])
}

/// Claims a run and starts its attempt.
pub(crate) fn start(journal: &dyn Journal, number: u64, now: u64) -> Fence {
    let fence = claim_one(journal, number, now);
    add(journal, number, now, [STARTED]).unwrap();
    fence
}

/// Submits a run and takes it to an end at a time.
pub(crate) fn end(journal: &dyn Journal, number: u64, now: u64) {
    submit_some(journal, [number]);
    add(journal, number, now, [STARTED, completed()]).unwrap();
}

pub(crate) fn ids<'a>(entries: impl IntoIterator<Item = &'a JournalEntry>) -> Vec<RunId> {
    entries.into_iter().map(JournalEntry::run).collect()
}

pub(crate) fn numbers(numbers: impl IntoIterator<Item = u64>) -> Vec<RunId> {
    numbers.into_iter().map(id).collect()
}

pub(crate) fn found(journal: &dyn Journal, filter: &RunFilter) -> Vec<RunId> {
    let found = journal.find(filter, Page::first(100)).unwrap();
    assert_eq!(found.next, None);
    found.runs.iter().map(|head| head.run).collect()
}

pub(crate) fn conflict<T: std::fmt::Debug>(result: Result<T, JournalError>) -> JournalConflict {
    match result {
        Err(JournalError::Conflict(conflict)) => conflict,
        other => panic!("expected a conflict: {other:?}"),
    }
}

pub(crate) fn fence_conflict(number: u64, given: Option<Fence>, actual: Option<Fence>) -> JournalConflict {
    JournalConflict::Fence { run: id(number), given, actual }
}

pub(crate) fn until(entry: &JournalEntry) -> Option<Timestamp> {
    entry.claim().map(|Claim { until, .. }| *until)
}
