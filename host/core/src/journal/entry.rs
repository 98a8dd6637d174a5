//! One run in a journal, and the rules of every operation on it. Drivers load an entry, call it and store the result.

use std::sync::Arc;

use super::{
    Cancellation, Claim, ClaimRequest, Expired, Fence, JournalConflict, JournalError, RunChange, RunHead,
};
use crate::{
    Event, IllegalFact, Outcome, RunFacets, RunFact, RunFilter, RunId, RunRecord, RunSpec, State, Timestamp,
};

/// The most facts that are appended in one call.
pub const MAX_APPENDED: usize = 1_000;

/// Facts to add to a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Append {
    /// The run.
    pub run: RunId,
    /// The version that the run has; the run must not have changed since it was read.
    pub expected: u64,
    /// The fence of the run's claim; `None` for a run that nobody has claimed.
    pub fence: Option<Fence>,
    /// The facts in order, each with its time; at most [`MAX_APPENDED`].
    pub facts: Vec<(Timestamp, RunFact)>,
}

/// A run as a journal has it: its record, and who has claimed it.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalEntry {
    record: RunRecord,
    claim: Option<Claim>,
    crashes: u32,
}

/// What an operation added to a run's record, for the journal's events: the time, the kind of the fact, and version and state
/// after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub change: RunChange,
    /// The run's version after it.
    pub version: u64,
    /// The run's state after it.
    pub state: State,
}

/// The order in which runs are claimed: ascending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClaimOrder {
    /// The negated priority.
    pub priority: i64,
    /// When the run is due.
    pub due: Timestamp,
}

impl JournalEntry {
    /// A run that was just submitted.
    pub fn born(at: Timestamp, spec: RunSpec) -> (Self, Applied) {
        let entry = Self { record: RunRecord::born(at, spec), claim: None, crashes: 0 };
        let applied = entry.applied(at, RunChange::Born);
        (entry, applied)
    }

    /// An entry from its stored parts.
    pub fn from_parts(record: RunRecord, claim: Option<Claim>, crashes: u32) -> Self {
        Self { record, claim, crashes }
    }

    /// Its record.
    pub fn record(&self) -> &RunRecord {
        &self.record
    }

    /// Its id.
    pub fn run(&self) -> RunId {
        self.record.spec().id
    }

    /// Its state.
    pub fn state(&self) -> State {
        self.record.state()
    }

    /// Its version.
    pub fn version(&self) -> u64 {
        self.record.version()
    }

    /// Who has claimed it.
    pub fn claim(&self) -> Option<&Claim> {
        self.claim.as_ref()
    }

    /// How often a lease of it was over.
    pub fn crashes(&self) -> u32 {
        self.crashes
    }

    /// When it ended. A later rollback does not change that.
    pub fn ended(&self) -> Option<Timestamp> {
        let ended = self.record.history().iter().find(|transition| transition.state.is_terminal());
        ended.map(|transition| transition.at)
    }

    /// When its next attempt is due: for a run that waits for a retry the time of that, and otherwise the due time of the
    /// specification, or else the time of its creation.
    pub fn due(&self) -> Timestamp {
        let spec = self.record.spec();
        match self.record.history().last().and_then(|last| last.cause) {
            Some(Event::RetryPlanned { due }) => due,
            Some(_) | None => spec.due.unwrap_or(spec.created),
        }
    }

    /// Its place among the runs that are due. Runs with the same one are claimed in the order in which they arrived.
    pub fn claim_order(&self) -> ClaimOrder {
        ClaimOrder { priority: -i64::from(self.record.spec().spec.priority), due: self.due() }
    }

    /// Whether a worker can claim it at some time without anything else happening before: it has not ended, does not execute,
    /// and nobody has it.
    pub fn is_waiting(&self) -> bool {
        self.claim.is_none() && !self.state().is_terminal() && !self.state().is_executing()
    }

    /// Whether a worker can claim it now. A run that is `Pending` is due, whatever the clock says.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.is_waiting() && (!self.waits_for_time() || self.due() <= now)
    }

    /// Whether its state is one that lasts until the due time.
    pub fn waits_for_time(&self) -> bool {
        matches!(self.state(), State::Scheduled | State::AwaitingRetry)
    }

    /// What lists show of it.
    pub fn head(&self) -> RunHead {
        let spec = self.record.spec();
        let name = self.record.name().map_or_else(|| spec.task.run_name(spec.id).into(), Arc::from);
        RunHead {
            run: spec.id,
            task: spec.task.clone(),
            name,
            tags: spec.all_tags(),
            priority: spec.spec.priority,
            state: self.state(),
            version: self.version(),
            created: spec.created,
            ended: self.ended(),
            attempts: u32::try_from(self.record.attempts().len()).unwrap_or(u32::MAX),
            crashes: self.crashes,
            worker: self.claim.as_ref().map(|claim| claim.worker.clone()),
        }
    }

    /// Whether a filter matches it.
    pub fn matches(&self, filter: &RunFilter) -> bool {
        let spec = self.record.spec();
        filter.matches(&RunFacets {
            state: self.state(),
            task: &spec.task,
            run: spec.id,
            name: self.record.name(),
            tags: &spec.all_tags(),
            created: spec.created,
        })
    }

    /// The rule of [`Journal::submit`](super::Journal::submit) for an id that is stored.
    ///
    /// # Errors
    ///
    /// [`JournalConflict::OtherSpec`].
    pub fn submit_again(&self, spec: &RunSpec) -> Result<(), JournalConflict> {
        if self.record.spec() == spec { Ok(()) } else { Err(JournalConflict::OtherSpec { run: spec.id }) }
    }

    /// The rule of [`Journal::append`](super::Journal::append).
    ///
    /// # Errors
    ///
    /// [`JournalError::TooMany`] and [`JournalConflict`]. Nothing has changed then.
    pub fn append(&mut self, append: &Append) -> Result<Vec<Applied>, JournalError> {
        let (run, actual) = (self.run(), self.version());
        if append.facts.len() > MAX_APPENDED {
            let (count, most) = (append.facts.len(), MAX_APPENDED);
            return Err(JournalError::TooMany { what: "facts", count, most });
        }
        // First, so that a worker whose claim is over learns that, and not only that it should read the run again.
        self.check_fence(append.fence)?;
        if append.expected != actual {
            return Err(JournalConflict::Version { run, expected: append.expected, actual }.into());
        }
        let mut changed = self.clone();
        let mut applied = Vec::with_capacity(append.facts.len());
        for (index, (at, fact)) in append.facts.iter().enumerate().filter(|(_, (_, fact))| !fact.is_local()) {
            let added = changed.add(*at, fact.clone());
            applied.push(added.map_err(|source| JournalConflict::Fact { run, index, source })?);
        }
        *self = changed;
        Ok(applied)
    }

    /// The rule of [`Journal::claim`](super::Journal::claim): `None`, and nothing has changed, if the run is not due. The fence
    /// must be larger than every earlier one.
    pub fn claim_for(&mut self, request: &ClaimRequest, fence: Fence) -> Option<Vec<Applied>> {
        if !self.is_due(request.now) {
            return None;
        }
        let mut applied = Vec::new();
        if self.state() == State::Scheduled {
            applied.push(self.add(request.now, RunFact::Event(Event::CameDue)).ok()?);
        }
        let until = request.now.after(request.lease);
        self.claim = Some(Claim { worker: request.worker.clone(), fence, until });
        Some(applied)
    }

    /// The rule of [`Journal::renew`](super::Journal::renew): `false` if the claim is over.
    pub fn renew(&mut self, fence: Fence, until: Timestamp) -> bool {
        let claim = self.claim.as_mut().filter(|claim| claim.fence == fence);
        claim.map(|claim| claim.until = claim.until.max(until)).is_some()
    }

    /// The rule of [`Journal::release`](super::Journal::release).
    ///
    /// # Errors
    ///
    /// [`JournalConflict::Fence`].
    pub fn release(&mut self, at: Timestamp, fence: Fence) -> Result<Option<Applied>, JournalConflict> {
        self.check_fence(Some(fence))?;
        Ok(self.give_back(at))
    }

    /// The rule of [`Journal::expire`](super::Journal::expire): `None`, and nothing has changed, if the run has no lease that ends
    /// at `now` or before.
    pub fn expire(&mut self, now: Timestamp) -> Option<(Expired, Option<Applied>)> {
        let worker = self.claim.as_ref().filter(|claim| claim.until <= now)?.worker.clone();
        let applied = self.give_back(now);
        self.crashes = self.crashes.saturating_add(1);
        Some((Expired { run: self.run(), worker, state: self.state(), crashes: self.crashes }, applied))
    }

    /// The rule of [`Journal::cancel`](super::Journal::cancel).
    pub fn cancel(&mut self, at: Timestamp) -> (Cancellation, Option<Applied>) {
        let state = self.state();
        if state.is_terminal() {
            return (Cancellation::TooLate, None);
        }
        if !state.is_executing() {
            let ended = RunFact::Ended { event: Event::CancelRequested, outcome: Outcome::Cancelled };
            return (Cancellation::Now, self.add(at, ended).ok());
        }
        let is_new = state != State::Cancelling;
        let applied = is_new.then(|| self.add(at, RunFact::Event(Event::CancelRequested)).ok());
        (Cancellation::Requested, applied.flatten())
    }

    fn check_fence(&self, given: Option<Fence>) -> Result<(), JournalConflict> {
        let actual = self.claim.as_ref().map(|claim| claim.fence);
        if given == actual { Ok(()) } else { Err(JournalConflict::Fence { run: self.run(), given, actual }) }
    }

    /// Ends the claim. An attempt that executes is lost.
    fn give_back(&mut self, at: Timestamp) -> Option<Applied> {
        self.claim = None;
        let state = self.state();
        let rescued = if state == State::Cancelling {
            RunFact::Ended { event: Event::Rescued, outcome: Outcome::Cancelled }
        } else {
            RunFact::Event(Event::Rescued)
        };
        if state.is_executing() { self.add(at, rescued).ok() } else { None }
    }

    fn add(&mut self, at: Timestamp, fact: RunFact) -> Result<Applied, IllegalFact> {
        let change = RunChange::from(&fact);
        self.record.apply(at, fact)?;
        if self.state().is_terminal() || matches!(change, RunChange::Event(Event::RetryPlanned { .. })) {
            self.claim = None;
        }
        Ok(self.applied(at, change))
    }

    fn applied(&self, at: Timestamp, change: RunChange) -> Applied {
        Applied { at, change, version: self.version(), state: self.state() }
    }
}
