//! One run in a journal, and the rules of every operation on it. Drivers load an entry, call it and store the result.

use std::sync::Arc;

use super::{
    Cancellation, Claim, ClaimRequest, ExpireRequest, Expired, Fence, Gap, JournalConflict, JournalError,
    MAX_CRASHES, RunChange, RunHead, SOLO_CRASHES, WorkerId,
};
use crate::{
    Amendment, Event, IllegalFact, Outcome, RunFacets, RunFact, RunFilter, RunId, RunRecord, RunSpec, State,
    StoredOutcome, StoredValue, Timestamp, UniqueMode,
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

impl Append {
    /// How many canonical bytes the values of its outcomes have.
    pub fn value_bytes(&self) -> u64 {
        let outcomes = self.facts.iter().filter_map(|(_, fact)| match fact {
            RunFact::AttemptEnded { outcome, .. } | RunFact::Ended { outcome, .. } => Some(outcome),
            RunFact::Born(_) | RunFact::Event(_) | RunFact::Amended(_) | RunFact::Named(_) => None,
        });
        outcomes.filter_map(Outcome::returned).map(StoredValue::size_bytes).sum()
    }
}

/// A run as a journal has it: its record, and who has claimed it.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalEntry {
    record: RunRecord,
    claim: Option<Claim>,
    crashes: u32,
    is_seen: bool,
}

/// What an operation added to a run's record: a fact with its time, and version and state after it.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub change: RunChange,
    /// The fact; `None` for the birth, of which the fact is the specification.
    pub fact: Option<RunFact>,
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
        let entry = Self { record: RunRecord::born(at, spec), claim: None, crashes: 0, is_seen: false };
        let applied = entry.applied(at, RunChange::Born, None);
        (entry, applied)
    }

    /// A run that ended elsewhere, and what was applied to it there. It needs no attention: the program that executed it has reported its end.
    ///
    /// # Errors
    ///
    /// [`JournalConflict::Unfinished`].
    pub fn imported(record: &RunRecord) -> Result<(Self, Vec<Applied>), JournalConflict> {
        let run = record.spec().id;
        let born = record.history().first().map_or(record.spec().created, |born| born.at);
        let (mut entry, born) = Self::born(born, record.spec().clone());
        let mut applied = vec![born];
        let facts = record.facts().skip(1).filter(|(_, fact)| !fact.is_local());
        for (index, (at, fact)) in facts.enumerate() {
            let added = entry.add(at, fact);
            applied.push(added.map_err(|source| JournalConflict::Fact { run, index, source })?);
        }
        entry.check_ended()?;
        entry.mark_seen();
        Ok((entry, applied))
    }

    /// An entry from its stored parts.
    pub fn from_parts(record: RunRecord, claim: Option<Claim>, crashes: u32, is_seen: bool) -> Self {
        Self { record, claim, crashes, is_seen }
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

    /// How often a lease of it was over, since it was last retried by hand.
    pub fn crashes(&self) -> u32 {
        self.crashes
    }

    /// Whether it crashed [so often](SOLO_CRASHES) that it executes alone.
    pub fn is_solo(&self) -> bool {
        self.crashes >= SOLO_CRASHES
    }

    /// The schedule that works again, because this run of it has a value.
    pub fn recovered_schedule(&self) -> Option<&str> {
        let has_value = matches!(self.state(), State::Completed | State::Cached);
        self.record.spec().schedule.as_ref().filter(|_| has_value).map(|slot| &*slot.schedule)
    }

    /// Whether someone has seen how it ended.
    pub fn is_seen(&self) -> bool {
        self.is_seen
    }

    /// Whether it ended badly (it failed or crashed, and was not cancelled), and nobody has seen that.
    pub fn needs_attention(&self) -> bool {
        use State::{Crashed, Failed, TimedOut, UpstreamFailed};
        !self.is_seen && matches!(self.state(), Failed | TimedOut | UpstreamFailed | Crashed)
    }

    /// When it ended, if it has. A later rollback does not change that.
    pub fn ended(&self) -> Option<Timestamp> {
        self.record.ended_at()
    }

    /// What went wrong, in one line; `None` for a run that has not ended, completed, or was cancelled.
    pub fn error(&self) -> Option<String> {
        self.record.outcome().and_then(StoredOutcome::error_line)
    }

    /// When its next attempt is due: for a run that waits for a retry the time of that; otherwise the time at which it was last
    /// retried by hand; otherwise the due time of the specification, or else the time of its creation.
    pub fn due(&self) -> Timestamp {
        let spec = self.record.spec();
        match self.record.history().last().and_then(|last| last.cause) {
            Some(Event::RetryPlanned { due }) => due,
            Some(_) | None => self.record.retried_at().or(spec.due).unwrap_or(spec.created),
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
            function: spec.script_function(),
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
            queue: spec.queue.clone(),
            due: self.due(),
            started: self.record.attempts().last().map(|attempt| attempt.began),
            schedule: spec.schedule.as_ref().map(|slot| Arc::clone(&slot.schedule)),
            error: self.error().map(Arc::from),
            needs_attention: self.needs_attention(),
        }
    }

    /// Whether a filter matches it. Inputs are found by their places, since a record has no names of parameters.
    pub fn matches(&self, filter: &RunFilter) -> bool {
        let spec = self.record.spec();
        let error = filter.wanted_error().and_then(|_| self.error());
        filter.matches(&RunFacets {
            state: self.state(),
            task: &spec.task,
            run: spec.id,
            name: self.record.name(),
            tags: &spec.all_tags(),
            created: spec.created,
            queue: Some(spec.queue.as_str()),
            schedule: spec.schedule.as_ref().map(|slot| &*slot.schedule),
            error: error.as_deref(),
            needs_attention: self.needs_attention(),
            has_inputs: filter.matches_inputs(&[], &spec.inputs),
        })
    }

    /// The rule of [`Journal::submit`](super::Journal::submit) for an id that is stored.
    ///
    /// # Errors
    ///
    /// [`JournalConflict::OtherSpec`].
    pub fn submit_again(&self, spec: &RunSpec) -> Result<(), JournalConflict> {
        let stored = self.record.submitted();
        // Each repetition may come from another span.
        let mut asked = RunSpec { trace: stored.trace, ..spec.clone() };
        if is_debounced(spec) && is_debounced(stored) {
            (asked.due, asked.debounced) = (stored.due, stored.debounced);
        }
        let is_same = *stored == asked;
        if is_same { Ok(()) } else { Err(JournalConflict::OtherSpec { run: spec.id }) }
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

    /// Whether the request may have the run: it is due, it is of a queue and a task that are asked for, and the worker is idle if the run executes
    /// alone. The caller sees to it that such a run is the only one of its answer.
    pub fn fits(&self, request: &ClaimRequest) -> bool {
        self.is_due(request.now)
            && request.serves(&self.record.spec().queue, &self.record.spec().task)
            && (request.gets_solo() || !self.is_solo())
    }

    /// The rule of [`Journal::claim`](super::Journal::claim): `None`, and nothing has changed, if the run does not
    /// [fit](JournalEntry::fits). The fence must be larger than every earlier one.
    pub fn claim_for(&mut self, request: &ClaimRequest, fence: Fence) -> Option<Vec<Applied>> {
        if !self.fits(request) {
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

    /// The rule of [`Journal::expire`](super::Journal::expire) for a time in which nobody could write, and for a clock that was put
    /// back: neither shortens nor lengthens what is left of a lease.
    pub fn outlast(&mut self, request: &ExpireRequest, gap: Gap) {
        self.claim.iter_mut().for_each(|claim| claim.until = request.after_gap(claim.until, gap));
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
        self.crashes = self.crashes.saturating_add(1);
        let applied = if self.crashes >= MAX_CRASHES && self.state() != State::Cancelling {
            self.give_up(now, &worker)
        } else {
            self.give_back(now)
        };
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

    /// The rule of [`Journal::amend`](super::Journal::amend). `holder` is the unfinished run with its key in the queue that it goes to.
    ///
    /// # Errors
    ///
    /// [`JournalConflict::ReservedQueue`], [`JournalConflict::Started`], and [`JournalConflict::KeyTaken`]. Nothing has changed then.
    pub fn amend(
        &mut self,
        at: Timestamp,
        amendment: &Amendment,
        holder: Option<RunId>,
    ) -> Result<Vec<Applied>, JournalConflict> {
        let (run, state, is_claimed) = (self.run(), self.state(), self.claim.is_some());
        let started = JournalConflict::Started { run, state, is_claimed };
        if let Some(queue) = amendment.queue.as_ref().filter(|queue| queue.is_reserved()) {
            return Err(JournalConflict::ReservedQueue { run, queue: queue.clone() });
        }
        if is_claimed {
            return Err(started);
        }
        let mut changed = self.clone();
        let amended = RunFact::Amended(amendment.clone().into());
        let mut applied = vec![changed.add(at, amended).map_err(|_| started)?];
        if let Some(holder) = holder.filter(|holder| *holder != run) {
            return Err(JournalConflict::key_taken(changed.record.spec(), holder));
        }
        if amendment.due.is_some_and(|due| due > at) {
            // A run that is Scheduled stays so.
            applied.extend(changed.add(at, RunFact::Event(Event::Postponed)).ok());
        }
        *self = changed;
        Ok(applied)
    }

    /// Refuses a run that has grants, for [`BatchAction::RetryWithoutGrants`](super::BatchAction::RetryWithoutGrants).
    ///
    /// # Errors
    ///
    /// [`JournalConflict::Granted`].
    pub fn refuse_grants(&self) -> Result<(), JournalConflict> {
        let has_none = self.record().spec().spec.grants.is_empty();
        if has_none { Ok(()) } else { Err(JournalConflict::Granted { run: self.run() }) }
    }

    /// The rule of [`Journal::retry`](super::Journal::retry). `holder` is the unfinished run of its queue that has its key.
    ///
    /// # Errors
    ///
    /// [`JournalConflict::History`], [`JournalConflict::KeyTaken`], and [`JournalConflict::Fact`] for a run that has not ended or has a
    /// value.
    pub fn retry(&mut self, at: Timestamp, holder: Option<RunId>) -> Result<Applied, JournalConflict> {
        let run = self.run();
        let queue = &self.record.spec().queue;
        if queue.is_of_history() {
            return Err(JournalConflict::History { run, queue: queue.clone() });
        }
        if let Some(holder) = holder.filter(|holder| *holder != run) {
            return Err(JournalConflict::key_taken(self.record.spec(), holder));
        }
        let applied = self.add(at, RunFact::Event(Event::RetryRequested));
        let applied = applied.map_err(|source| JournalConflict::Fact { run, index: 0, source })?;
        self.crashes = 0;
        Ok(applied)
    }

    /// The rule of [`Journal::remove`](super::Journal::remove).
    ///
    /// # Errors
    ///
    /// [`JournalConflict::Unfinished`].
    pub fn check_ended(&self) -> Result<(), JournalConflict> {
        let (run, state) = (self.run(), self.state());
        if state.is_terminal() { Ok(()) } else { Err(JournalConflict::Unfinished { run, state }) }
    }

    /// The rule of [`Journal::mark_seen`](super::Journal::mark_seen). Nothing happens to a run that needs no attention.
    pub fn mark_seen(&mut self) {
        self.is_seen |= self.needs_attention();
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

    /// Ends a run that crashed too often.
    fn give_up(&mut self, at: Timestamp, worker: &WorkerId) -> Option<Applied> {
        let crashes = self.crashes;
        let reason =
            format!("its worker was lost {crashes} times while it had the run, the last time {worker}");
        self.add(at, RunFact::Ended { event: Event::Crashed, outcome: Outcome::Crashed { reason } }).ok()
    }

    fn add(&mut self, at: Timestamp, fact: RunFact) -> Result<Applied, IllegalFact> {
        let change = RunChange::from(&fact);
        self.record.apply(at, fact.clone())?;
        if !self.state().is_terminal() {
            self.is_seen = false;
        }
        if self.state().is_terminal() || matches!(change, RunChange::Event(Event::RetryPlanned { .. })) {
            self.claim = None;
        }
        Ok(self.applied(at, change, Some(fact)))
    }

    fn applied(&self, at: Timestamp, change: RunChange, fact: Option<RunFact>) -> Applied {
        Applied { at, change, fact, version: self.version(), state: self.state() }
    }
}

/// Whether the journal decides when the run is due.
fn is_debounced(spec: &RunSpec) -> bool {
    spec.unique.as_ref().is_some_and(|unique| matches!(unique.mode, UniqueMode::Debounce { .. }))
}
