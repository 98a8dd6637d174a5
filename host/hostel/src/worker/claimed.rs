//! One claimed run: what the journal knows of it, and which facts follow from what the host did with it.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use hostel_core::journal::{Append, Fence, JournalEntry};
use hostel_core::{
    Event, Failure, Outcome, Receipt, RunFact, State, StoredOutcome, TaskKey, Timestamp, Transition,
};

use super::prepared::Prepared;
use super::room::Held;
use crate::calls;
use crate::course::last_event;
use crate::run::{TaskFuture, now};
use crate::runner::Position;
use crate::task::Task;

/// Facts about a run, in order, and when each happened.
type Facts = Vec<(Timestamp, RunFact)>;

/// A run that the worker has claimed.
pub(super) struct Claimed {
    /// As the journal has it, as far as is known.
    pub(super) entry: JournalEntry,
    pub(super) fence: Fence,
    pub(super) claimed_at: Instant,
    /// When it was last read, if its start is not recorded.
    pub(super) read_at: Instant,
    /// Whether the worker has taken its length into account.
    pub(super) is_counted: bool,
    pub(super) execution: Execution,
    /// Whether the worker gives the run back when it has stopped.
    pub(super) is_released: bool,
}

/// What the host does with a claimed run.
pub(super) enum Execution {
    /// Its component is loaded, or the host's queue is full.
    Preparing,
    /// The host has it.
    Accepted {
        future: TaskFuture,
        task: Task,
        #[expect(dead_code, reason = "dropping it is its use")]
        result: Arc<OnceLock<Held>>,
    },
    /// It ended without an attempt.
    Ended { at: Timestamp, event: Event, outcome: Outcome },
}

/// What there is to write about a claimed run.
pub(super) enum Report {
    /// Nothing new.
    Nothing,
    /// Facts.
    Facts(Append),
    /// It was stopped, and not because it was cancelled: another worker may have it, after these facts.
    Release(Option<Append>),
}

/// An attempt that has ended, as the host reports it.
struct Ended {
    began: Option<Timestamp>,
    last: Transition,
    outcome: Arc<Outcome>,
    receipt: Receipt,
}

impl Claimed {
    pub(super) fn new(entry: JournalEntry, fence: Fence, claimed_at: Instant) -> Self {
        Self {
            entry,
            fence,
            claimed_at,
            read_at: claimed_at,
            is_counted: false,
            execution: Execution::Preparing,
            is_released: false,
        }
    }

    /// The host has accepted the run, or never will.
    pub(super) fn prepared(&mut self, prepared: Prepared) {
        let at = now();
        self.execution = match prepared {
            Prepared::Accepted { future, task, result } => Execution::Accepted { future, task, result },
            Prepared::Refused(reason) => {
                Execution::Ended { at, event: Event::Crashed, outcome: Outcome::Crashed { reason } }
            }
            Prepared::OutOfTime(after) => Execution::Ended {
                at,
                event: Event::TimedOut,
                outcome: Outcome::Failed(Failure::TimedOut { after }),
            },
            Prepared::Postponed | Prepared::ShutDown => return,
        };
    }

    /// Whether its guest waits, or it waits for an equal run.
    pub(super) fn rests(&self) -> bool {
        self.position().is_some_and(Position::rests)
    }

    /// Whether its guest has computed for long, and does not rest now.
    pub(super) fn is_long(&self) -> bool {
        self.position().is_some_and(Position::is_long)
    }

    /// Whether the host has it, and no thread has begun with it.
    pub(super) fn is_pending(&self) -> bool {
        self.position().is_some_and(Position::is_pending)
    }

    /// Whether the host has executed it.
    pub(super) fn has_ended(&self) -> bool {
        matches!(&self.execution, Execution::Accepted { future, .. } if future.try_outcome().is_some())
    }

    pub(super) fn task(&self) -> &TaskKey {
        &self.entry.record().spec().task
    }

    /// Its status in the scheduler, if the host has accepted it.
    fn position(&self) -> Option<&Position> {
        match &self.execution {
            Execution::Accepted { future, .. } => Some(future.run().position()),
            Execution::Preparing | Execution::Ended { .. } => None,
        }
    }

    /// Stops the guest, if it has one.
    pub(super) fn stop(&self) {
        if let Execution::Accepted { future, .. } = &self.execution {
            future.cancel();
        }
    }

    /// What there is to write about the run. `random` is uniform from 0 up to, but not including, 1.
    pub(super) fn report(&self, random: f64) -> Report {
        let facts = match &self.execution {
            Execution::Preparing => Vec::new(),
            Execution::Ended { at, event, outcome } => self.without_attempt(*at, *event, outcome),
            Execution::Accepted { future, task, .. } => match self.of_attempt(future, task, random) {
                Ok(facts) => facts,
                Err(facts) => return Report::Release(self.append(facts)),
            },
        };
        self.append(facts).map_or(Report::Nothing, Report::Facts)
    }

    fn append(&self, facts: Facts) -> Option<Append> {
        let (run, expected, fence) = (self.entry.run(), self.entry.version(), Some(self.fence));
        (!facts.is_empty()).then_some(Append { run, expected, fence, facts })
    }

    fn without_attempt(&self, at: Timestamp, event: Event, outcome: &Outcome) -> Facts {
        // Neither case has a value, so no type is needed.
        let stored = outcome.clone().try_map(|_| Err(()));
        stored.map(|outcome| (at, RunFact::Ended { event, outcome })).into_iter().collect()
    }

    /// The facts about an attempt; as an error if it was stopped and the run is to be given back.
    fn of_attempt(&self, future: &TaskFuture, task: &Task, random: f64) -> Result<Facts, Facts> {
        let history = future.history();
        let mut facts = Vec::new();
        let began = history.iter().find(|transition| transition.cause == Some(Event::Started));
        if let Some(began) = began.filter(|_| !self.entry.state().is_executing()) {
            facts.extend(self.name(future, task).map(|name| (began.at, name)));
            facts.push((began.at, RunFact::Event(Event::Started)));
        }
        let outcome = future.try_outcome();
        let last = history.last().copied().filter(|last| last.state.is_terminal());
        let Some((last, outcome)) = last.zip(outcome) else { return Ok(facts) };
        let is_cancelled = self.entry.state() == State::Cancelling;
        if matches!(*outcome, Outcome::Cancelled) && !is_cancelled {
            // What it used is known. It counts neither as failed nor as a crash.
            let is_new = self.entry.record().attempts().last().is_none_or(|attempt| attempt.ended.is_none());
            if began.is_some() && (is_new || !facts.is_empty()) {
                let (outcome, receipt) = (Outcome::Cancelled, Box::new(future.receipt()));
                facts.push((last.at, RunFact::AttemptEnded { outcome, receipt }));
            }
            return Err(facts);
        }
        if began.is_none() {
            facts.extend(self.name(future, task).map(|name| (last.at, name)));
        }
        let began = began.map(|began| began.at);
        let ended = Ended { began, last, outcome, receipt: future.receipt() };
        facts.extend(self.of_end(ended, task, is_cancelled, random));
        Ok(facts)
    }

    fn of_end(&self, ended: Ended, task: &Task, is_cancelled: bool, random: f64) -> Facts {
        let Ended { began, last, outcome, receipt } = ended;
        let (at, outcome) = (last.at, self.in_terms_of_the_run(&outcome));
        let outcome = if is_cancelled { Outcome::Cancelled } else { outcome };
        let stored = stored(&outcome, task);
        let attempt = RunFact::AttemptEnded { outcome: stored.clone(), receipt: Box::new(receipt) };
        let mut facts = Vec::from_iter(began.map(|_| (at, attempt)));
        let due =
            if is_cancelled { None } else { self.retry(task, &outcome, began.unwrap_or(at), at, random) };
        let end = match (due, last.cause) {
            (Some(due), _) => RunFact::Event(Event::RetryPlanned { due }),
            (None, Some(hit @ Event::CacheHit { .. })) if !is_cancelled => {
                RunFact::Ended { event: hit, outcome: stored }
            }
            (None, _) => {
                let event = match &stored {
                    // The value is not what the signature says, which is a bug of the host.
                    Outcome::Crashed { .. } => Event::Crashed,
                    Outcome::Completed(_) | Outcome::Failed(_) | Outcome::Cancelled => last_event(&outcome),
                };
                RunFact::Ended { event, outcome: stored }
            }
        };
        facts.push((at, end));
        facts
    }

    /// The run's name, if it has one from a template and the journal does not have it.
    fn name(&self, future: &TaskFuture, task: &Task) -> Option<RunFact> {
        let is_new = task.options().name().is_some() && self.entry.record().name().is_none();
        is_new.then(|| RunFact::Named(future.name()))
    }

    /// When the next attempt is due; `None` if there is none.
    fn retry(
        &self,
        task: &Task,
        outcome: &Outcome,
        began: Timestamp,
        at: Timestamp,
        random: f64,
    ) -> Option<Timestamp> {
        let spec = &self.entry.record().spec().spec;
        let record = self.entry.record();
        let attempt = record.ended_attempts().saturating_add(1);
        if !spec.retry.retries_after(attempt, outcome) {
            return None;
        }
        let due = at.after(spec.retry.delay_before(attempt, random));
        let first = record.first_counted_attempt().map_or(began, |first| first.began);
        let in_time = spec.run_timeout.is_none_or(|timeout| due < first.after(timeout));
        let wanted = match (&task.options().retry_if, outcome) {
            (Some(retry_if), Outcome::Failed(failure)) => calls::ask(|| retry_if(failure)).unwrap_or(false),
            _ => true,
        };
        (in_time && wanted).then_some(due)
    }

    /// The host gave this attempt only the time that was left for the run: a timeout is of the whole run.
    fn in_terms_of_the_run(&self, outcome: &Outcome) -> Outcome {
        let spec = &self.entry.record().spec().spec;
        match (outcome, spec.run_timeout, spec.limits.timeout) {
            (Outcome::Failed(Failure::TimedOut { after }), Some(whole), attempt)
                if Some(*after) != attempt =>
            {
                Outcome::Failed(Failure::TimedOut { after: whole })
            }
            _ => outcome.clone(),
        }
    }
}

fn stored(outcome: &Outcome, task: &Task) -> StoredOutcome {
    outcome.to_stored(task.guest_signature()).unwrap_or_else(|error| Outcome::Crashed {
        reason: format!("the result does not have the type of the task: {error}"),
    })
}
