//! The record of a run: the fold of all facts about it.

use std::sync::Arc;

use super::{Amendment, RunSpec, StoredOutcome};
use crate::{
    ErrorKind, Event, Failure, IllegalTransition, Outcome, Receipt, RunId, State, Timestamp, Transition,
};

/// Something that happened to a run, as a journal appends it. With its time it is never changed afterwards.
#[derive(Clone, Debug, PartialEq)]
pub enum RunFact {
    /// The run was submitted. The first fact of every run, and of none a later one.
    Born(Box<RunSpec>),
    /// An event that does not end the run, or that undoes it after its end.
    Event(Event),
    /// A person changed something about the run while it waited for its first attempt.
    Amended(Box<Amendment>),
    /// The run has its name, which needed the values of its inputs.
    Named(Arc<str>),
    /// The attempt that executes has ended. What follows from that, another attempt or the end of the run, is a fact of
    /// its own.
    AttemptEnded {
        /// How it ended.
        outcome: StoredOutcome,
        /// What it used up.
        receipt: Box<Receipt>,
    },
    /// The run has ended.
    Ended {
        /// The event that leads to the terminal state.
        event: Event,
        /// How the run ended, which fits the event.
        outcome: StoredOutcome,
    },
}

/// One execution of a run, as its record has it.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptRecord {
    /// Counted from 1, lost attempts included.
    pub number: u32,
    /// When it began.
    pub began: Timestamp,
    /// When it ended; `None` while it executes.
    pub ended: Option<Timestamp>,
    /// How it ended; `None` while it executes, and for an attempt that was lost with its host.
    pub outcome: Option<StoredOutcome>,
    /// What it used up; `None` where the outcome is.
    pub receipt: Option<Box<Receipt>>,
    /// How many transitions the record had when the end was known; the largest number while it executes.
    pub(super) reported_after: usize,
}

/// All that is known of a run: the fold of its facts. There is no other way to change one than [`RunRecord::apply`].
///
/// ```
/// # use hostel_core::*;
/// # let task = TaskKey { component: Digest::of(b""), export: ExportPath::top_level("add") };
/// # let at = Timestamp::from_unix_nanos(1);
/// let spec = RunSpec::new(RunId::from_bytes([1; 16]), task, TaskSpec::default().into(), at);
/// let mut run = RunRecord::born(at, spec);
/// run.apply(at, RunFact::Event(Event::Started))?;
/// let outcome = StoredOutcome::Completed(StoredValue::new(&Value::U8(41), &Type::U8)?);
/// run.apply(at, RunFact::Ended { event: Event::Completed, outcome })?;
/// assert_eq!((run.state(), run.version()), (State::Completed, 3));
/// assert_eq!(RunRecord::decode(&run.encode())?, run);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RunRecord {
    spec: Box<RunSpec>,
    /// As it was submitted, if it was amended since.
    submitted: Option<Box<RunSpec>>,
    /// In order, each after so many transitions.
    amendments: Vec<(usize, Timestamp, Box<Amendment>)>,
    name: Option<(usize, Timestamp, Arc<str>)>,
    history: Vec<Transition>,
    attempts: Vec<AttemptRecord>,
    /// One for each end, in order.
    outcomes: Vec<StoredOutcome>,
    retried: Option<Retried>,
    version: u64,
}

/// The last retry by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Retried {
    at: Timestamp,
    /// How many attempts there were before.
    attempts: usize,
}

/// A fact that cannot follow those before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IllegalFact {
    /// The event cannot happen in the run's state.
    #[error(transparent)]
    Transition(#[from] IllegalTransition),
    /// Facts of a run do not begin with its birth.
    #[error("the first fact of a run must be its birth")]
    NotBorn,
    /// A run is born a second time.
    #[error("the run {run} is born already")]
    BornTwice {
        /// The run.
        run: RunId,
    },
    /// An event ends the run, and the fact has no outcome.
    #[error("the event {event} ends the run: expected an outcome with it")]
    NoOutcome {
        /// The event.
        event: Event,
    },
    /// An outcome comes with an event that does not end the run.
    #[error("the event {event} does not end the run: expected no outcome with it")]
    NotAnEnd {
        /// The event.
        event: Event,
    },
    /// An outcome does not fit its event.
    #[error("the event {event} cannot have this outcome")]
    OtherOutcome {
        /// The event.
        event: Event,
    },
    /// An attempt ends where none executes, or its end is known already.
    #[error("no attempt of a run that is {state} can end now")]
    NoAttempt {
        /// The state.
        state: State,
    },
    /// The run has started, or ended.
    #[error(
        "nothing about a run that is {state} can be changed: expected one that waits for its first attempt"
    )]
    AmendedLate {
        /// The state.
        state: State,
    },
    /// The run has a name already.
    #[error("the run {run} has a name already")]
    NamedTwice {
        /// The run.
        run: RunId,
    },
}

impl IllegalFact {
    /// [`ErrorKind::Conflict`]: someone else appended a fact first, or the facts were not written by this fold.
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Conflict
    }
}

impl Event {
    /// Whether the event matters only to the host that the run waits in, and no journal stores it: waiting for a slot of
    /// a concurrency limit. Facts without these events are legal if they are with them, so a record that is read back
    /// after a crash can be started.
    pub const fn is_local(self) -> bool {
        matches!(self, Self::SlotAwaited | Self::SlotGranted)
    }
}

impl RunFact {
    /// Whether no journal stores the fact: see [`Event::is_local`].
    pub const fn is_local(&self) -> bool {
        match self {
            Self::Event(event) => event.is_local(),
            Self::Born(_)
            | Self::Amended(_)
            | Self::Named(_)
            | Self::AttemptEnded { .. }
            | Self::Ended { .. } => false,
        }
    }
}

impl RunFact {
    /// The outcome of a fact that has one.
    pub const fn outcome_mut(&mut self) -> Option<&mut StoredOutcome> {
        match self {
            Self::AttemptEnded { outcome, .. } | Self::Ended { outcome, .. } => Some(outcome),
            Self::Born(_) | Self::Event(_) | Self::Amended(_) | Self::Named(_) => None,
        }
    }
}

impl RunRecord {
    /// The record of a run that was just submitted: [`State::Scheduled`] if it has a due time, and otherwise
    /// [`State::Pending`].
    pub fn born(at: Timestamp, spec: impl Into<Box<RunSpec>>) -> Self {
        let spec = spec.into();
        let state = if spec.due.is_some() { State::Scheduled } else { State::Pending };
        let history = vec![Transition { at, state, cause: None }];
        Self {
            spec,
            submitted: None,
            amendments: Vec::new(),
            name: None,
            history,
            attempts: Vec::new(),
            outcomes: Vec::new(),
            retried: None,
            version: 1,
        }
    }

    /// The record that these facts lead to, the first of which is [`RunFact::Born`].
    ///
    /// # Errors
    ///
    /// [`IllegalFact`] for the first fact that cannot follow those before it.
    pub fn replay(facts: impl IntoIterator<Item = (Timestamp, RunFact)>) -> Result<Self, IllegalFact> {
        let mut facts = facts.into_iter();
        let Some((at, RunFact::Born(spec))) = facts.next() else { return Err(IllegalFact::NotBorn) };
        let mut record = Self::born(at, spec);
        facts.try_for_each(|(at, fact)| record.apply(at, fact))?;
        Ok(record)
    }

    /// Adds a fact: the only way in which a record changes.
    ///
    /// # Errors
    ///
    /// [`IllegalFact`] if the fact cannot follow those before it. Then nothing has changed.
    pub fn apply(&mut self, at: Timestamp, fact: RunFact) -> Result<(), IllegalFact> {
        let counts = !fact.is_local();
        match fact {
            RunFact::Born(_) => return Err(IllegalFact::BornTwice { run: self.spec.id }),
            RunFact::Event(event) => self.event(at, event)?,
            RunFact::Amended(amendment) => self.amended(at, amendment)?,
            RunFact::Named(name) => self.named(at, name)?,
            RunFact::AttemptEnded { outcome, receipt } => self.attempt_ended(at, outcome, receipt)?,
            RunFact::Ended { event, outcome } => self.ended(at, event, outcome)?,
        }
        self.version += u64::from(counts);
        Ok(())
    }

    /// The run as it was submitted, with its [amendments](Amendment).
    pub fn spec(&self) -> &RunSpec {
        &self.spec
    }

    /// The run as it was submitted.
    pub fn submitted(&self) -> &RunSpec {
        self.submitted.as_ref().unwrap_or(&self.spec)
    }

    /// Its name, once it has one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_ref().map(|(_, _, name)| &**name)
    }

    /// Its state.
    pub fn state(&self) -> State {
        self.history.last().map_or(State::Pending, |last| last.state)
    }

    /// Every state that it came to, in order, from the one in which it was born.
    pub fn history(&self) -> &[Transition] {
        &self.history
    }

    /// Its attempts in order, with the one that executes.
    pub fn attempts(&self) -> &[AttemptRecord] {
        &self.attempts
    }

    /// The run that computed its value, if the value came from the cache.
    pub fn cached_from(&self) -> Option<RunId> {
        self.history.iter().rev().find_map(|transition| match transition.cause {
            Some(Event::CacheHit { producer }) => Some(producer),
            _ => None,
        })
    }

    /// How many attempts count for the retry policy: those since the last [retry by hand](Event::RetryRequested), or all. Lost ones
    /// and the one that executes are among them.
    pub fn counted_attempts(&self) -> usize {
        self.attempts.len() - self.retried.map_or(0, |retried| retried.attempts)
    }

    /// The attempts that [count](RunRecord::counted_attempts).
    fn counted(&self) -> &[AttemptRecord] {
        self.attempts.get(self.attempts.len() - self.counted_attempts()..).unwrap_or_default()
    }

    /// The first attempt that [counts](RunRecord::counted_attempts): the time for the whole run begins with it.
    pub fn first_counted_attempt(&self) -> Option<&AttemptRecord> {
        self.counted().first()
    }

    /// How many of the attempts that [count](RunRecord::counted_attempts) have a known end: attempts that were lost with their worker,
    /// or given back, use up no retry. One that was given back ended as `Cancelled`.
    pub fn ended_attempts(&self) -> u32 {
        let is_counted = |outcome: &StoredOutcome| !matches!(outcome, Outcome::Cancelled);
        let ended = self.counted().iter().filter(|attempt| attempt.outcome.as_ref().is_some_and(is_counted));
        u32::try_from(ended.count()).unwrap_or(u32::MAX)
    }

    /// The number of the next attempt, counted from 1 over all attempts of the run.
    pub fn next_attempt(&self) -> u32 {
        u32::try_from(self.attempts.len() + 1).unwrap_or(u32::MAX)
    }

    /// When it was last retried by hand.
    pub fn retried_at(&self) -> Option<Timestamp> {
        self.retried.map(|retried| retried.at)
    }

    /// How it ended, if it has. A run that was rolled back keeps its outcome, and one that was retried by hand has none until it ends
    /// again.
    pub fn outcome(&self) -> Option<&StoredOutcome> {
        self.outcomes.last().filter(|_| self.state().is_terminal())
    }

    /// How it ended each time, in order: more than once only if it was retried by hand.
    pub fn outcomes(&self) -> &[StoredOutcome] {
        &self.outcomes
    }

    /// When it ended, if it has. A later rollback does not change that.
    pub fn ended_at(&self) -> Option<Timestamp> {
        let end = self.history.iter().rev().find(|transition| transition.cause != Some(Event::RolledBack))?;
        end.state.is_terminal().then_some(end.at)
    }

    /// How many facts were applied, its birth included, and [local](RunFact::is_local) ones not: equal for a record in memory
    /// and the same one read back from a journal.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// How many of its attempts were lost with their host.
    pub fn rescues(&self) -> usize {
        self.history.iter().filter(|transition| transition.cause == Some(Event::Rescued)).count()
    }

    /// The facts that lead to this record, in order, with their times.
    pub fn facts(&self) -> impl Iterator<Item = (Timestamp, RunFact)> {
        let (born, later) = match self.history.split_first() {
            Some((born, later)) => (born.at, later),
            None => (self.spec.created, [].as_slice()),
        };
        let first = std::iter::once((born, RunFact::Born(self.submitted().clone().into())))
            .chain(self.reported_after(1));
        let mut outcomes = self.outcomes.iter();
        first.chain(later.iter().enumerate().flat_map(move |(index, transition)| {
            let ends = transition.state.is_terminal() && transition.cause != Some(Event::RolledBack);
            let outcome = if ends { outcomes.next().cloned() } else { None };
            let fact = transition.cause.map(|cause| (transition.at, fact_of(cause, outcome)));
            fact.into_iter().chain(self.reported_after(index + 2))
        }))
    }

    /// The facts that were applied when there were so many transitions, and that are no transitions.
    fn reported_after(&self, transitions: usize) -> impl Iterator<Item = (Timestamp, RunFact)> {
        let named = self.name.iter().filter(move |(after, _, _)| *after == transitions);
        let named = named.map(|(_, at, name)| (*at, RunFact::Named(Arc::clone(name))));
        // In ascending order.
        let first = self.attempts.partition_point(|attempt| attempt.reported_after < transitions);
        let attempts = self.attempts.iter().skip(first);
        let attempts = attempts.take_while(move |attempt| attempt.reported_after == transitions);
        let attempts = attempts.filter_map(|attempt| {
            let (outcome, receipt) = (attempt.outcome.clone()?, attempt.receipt.clone()?);
            Some((attempt.ended?, RunFact::AttemptEnded { outcome, receipt }))
        });
        let amended = self.amendments.iter().filter(move |(after, _, _)| *after == transitions);
        let amended = amended.map(|(_, at, amendment)| (*at, RunFact::Amended(amendment.clone())));
        named.chain(amended).chain(attempts)
    }

    fn event(&mut self, at: Timestamp, event: Event) -> Result<(), IllegalFact> {
        let state = self.state().apply(event)?;
        if state.is_terminal() && event != Event::RolledBack {
            return Err(IllegalFact::NoOutcome { event });
        }
        self.enter(at, event, state);
        Ok(())
    }

    fn ended(&mut self, at: Timestamp, event: Event, outcome: StoredOutcome) -> Result<(), IllegalFact> {
        let state = self.state().apply(event)?;
        if !state.is_terminal() || event == Event::RolledBack {
            return Err(IllegalFact::NotAnEnd { event });
        }
        if !fits(event, &outcome) {
            return Err(IllegalFact::OtherOutcome { event });
        }
        self.outcomes.push(outcome);
        self.enter(at, event, state);
        Ok(())
    }

    fn amended(&mut self, at: Timestamp, amendment: Box<Amendment>) -> Result<(), IllegalFact> {
        let state = self.state();
        if !self.attempts.is_empty() || !matches!(state, State::Scheduled | State::Pending) {
            return Err(IllegalFact::AmendedLate { state });
        }
        if self.submitted.is_none() {
            self.submitted = Some(self.spec.clone());
        }
        amendment.apply_to(&mut self.spec);
        self.amendments.push((self.history.len(), at, amendment));
        Ok(())
    }

    fn named(&mut self, at: Timestamp, name: Arc<str>) -> Result<(), IllegalFact> {
        if self.name.is_some() {
            return Err(IllegalFact::NamedTwice { run: self.spec.id });
        }
        self.name = Some((self.history.len(), at, name));
        Ok(())
    }

    fn attempt_ended(
        &mut self,
        at: Timestamp,
        outcome: StoredOutcome,
        receipt: Box<Receipt>,
    ) -> Result<(), IllegalFact> {
        let (state, transitions) = (self.state(), self.history.len());
        let last = self.attempts.last_mut().filter(|attempt| attempt.ended.is_none());
        let attempt = last.ok_or(IllegalFact::NoAttempt { state })?;
        attempt.ended = Some(at);
        attempt.outcome = Some(outcome);
        attempt.receipt = Some(receipt);
        attempt.reported_after = transitions;
        Ok(())
    }

    /// Comes to a state. An attempt begins where the run starts to execute; one that has not ended is lost where it stops.
    fn enter(&mut self, at: Timestamp, event: Event, state: State) {
        self.history.push(Transition { at, state, cause: Some(event) });
        if event == Event::RetryRequested {
            self.retried = Some(Retried { at, attempts: self.attempts.len() });
        }
        if event == Event::Started {
            let number = self.next_attempt();
            self.attempts.push(AttemptRecord {
                number,
                began: at,
                ended: None,
                outcome: None,
                receipt: None,
                reported_after: usize::MAX,
            });
        }
        if !state.is_executing()
            && let Some(attempt) = self.attempts.last_mut().filter(|attempt| attempt.ended.is_none())
        {
            attempt.ended = Some(at);
            attempt.reported_after = self.history.len();
        }
    }
}

fn fact_of(event: Event, outcome: Option<StoredOutcome>) -> RunFact {
    match outcome {
        Some(outcome) => RunFact::Ended { event, outcome },
        None => RunFact::Event(event),
    }
}

/// Whether a run can end so by this event.
fn fits(event: Event, outcome: &StoredOutcome) -> bool {
    match event {
        Event::Completed | Event::CacheHit { .. } => outcome.is_completed(),
        Event::TimedOut => matches!(outcome, Outcome::Failed(Failure::TimedOut { .. })),
        Event::UpstreamFailed => matches!(outcome, Outcome::Failed(Failure::Upstream { .. })),
        Event::Failed => match outcome {
            Outcome::Failed(Failure::TimedOut { .. } | Failure::Upstream { .. }) => false,
            Outcome::Failed(_) => true,
            Outcome::Completed(_) | Outcome::Crashed { .. } | Outcome::Cancelled => false,
        },
        Event::Crashed => matches!(outcome, Outcome::Crashed { .. }),
        Event::Cancelled | Event::CancelRequested | Event::Rescued => matches!(outcome, Outcome::Cancelled),
        Event::CameDue
        | Event::SlotAwaited
        | Event::SlotGranted
        | Event::Started
        | Event::RetryPlanned { .. }
        | Event::RolledBack
        | Event::RetryRequested
        | Event::Postponed => false,
    }
}

#[cfg(test)]
mod tests;
