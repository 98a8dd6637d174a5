//! Runs of this host as data, for the history in a journal that had no part in them.

use std::sync::Arc;

use hostel_core::{
    EnvGrant, Event, InputSpec, Outcome, QueueName, Receipt, RunFact, RunId, RunRecord, RunSpec, StoredValue,
    TaskSpec, Timestamp, Transition,
};

use crate::args::Args;
use crate::error::SubmitError;
use crate::ids::new_run_id;
use crate::run::{TaskFuture, now};
use crate::task::Task;

/// Where a run in a journal was executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// By a worker.
    Worker,
    /// By the program that submitted it, such as `hostel run`. It is in the history, in the queue `hostel.run`, and was never
    /// in a real queue.
    Program,
    /// Not at all: it is the record of a [map](MapRecord), in the queue `hostel.map`.
    Map,
}

impl Origin {
    /// That of a run.
    pub fn of(spec: &RunSpec) -> Self {
        Self::of_queue(spec.queue.as_str())
    }

    /// That of a run in the queue with this name.
    pub fn of_queue(queue: &str) -> Self {
        match queue {
            QueueName::PROGRAMS => Self::Program,
            QueueName::MAPS => Self::Map,
            _ => Self::Worker,
        }
    }

    fn queue(self) -> QueueName {
        let name = match self {
            Self::Worker => return QueueName::default(),
            Self::Program => QueueName::PROGRAMS,
            Self::Map => QueueName::MAPS,
        };
        // Both are names of queues.
        QueueName::new(name).unwrap_or_default()
    }
}

impl Task {
    /// Arguments as the record of a run has them.
    ///
    /// # Errors
    ///
    /// [`SubmitError`] if the arguments do not fit.
    pub fn stored_inputs(&self, args: Args) -> Result<Vec<InputSpec>, SubmitError> {
        let bound = self.bind(args.single()?)?;
        let params = self.guest_signature().params.iter();
        // A future has no value yet, and inputs in normal form have canonical bytes.
        let inputs = bound.inputs().iter().zip(params).map_while(|(input, param)| {
            StoredValue::new(input.as_value()?, &param.ty).map(InputSpec::Value).ok()
        });
        Ok(inputs.collect())
    }
}

impl TaskFuture {
    /// The run as a record, for [`Journal::import`](crate::journal::Journal::import). `inputs` are its arguments, from
    /// [`Task::stored_inputs`]; without them it cannot be [replayed](crate::Host::replay). `map` is the id of its map.
    /// `None` if the run has not ended. Of granted variables it has the names only.
    pub fn record(&self, inputs: Vec<InputSpec>, map: Option<RunId>) -> Option<RunRecord> {
        self.try_outcome()?;
        let (task, history) = (self.task(), self.history());
        let born = history.first()?.at;
        let mut spec = RunSpec::new(self.id(), task.key().clone(), without_variables(task.spec()), born);
        spec.inputs = inputs;
        spec.tags = self.tags().iter().cloned().collect();
        spec.parent = map;
        spec.queue = Origin::Program.queue();
        let mut record = RunRecord::born(born, spec);
        if task.options().name().is_some() || task.is_script() {
            record.apply(born, RunFact::Named(self.name())).ok()?;
        }
        let mut attempts = self.attempts().into_iter();
        for Transition { at, state, cause } in history.into_iter().skip(1) {
            let event = cause?;
            if record.state().is_executing() && event != Event::CancelRequested {
                let attempt = attempts.next();
                let ended = attempt.and_then(|attempt| Some((attempt.outcome?, attempt.receipt?)));
                if let Some((outcome, receipt)) = ended {
                    let outcome = outcome.to_stored(task.guest_signature()).ok()?;
                    record.apply(at, RunFact::AttemptEnded { outcome, receipt: receipt.into() }).ok()?;
                }
            }
            let is_end = state.is_terminal() && event != Event::RolledBack;
            let fact = match self.try_outcome().filter(|_| is_end) {
                Some(outcome) => {
                    RunFact::Ended { event, outcome: outcome.to_stored(task.guest_signature()).ok()? }
                }
                None => RunFact::Event(event),
            };
            record.apply(at, fact).ok()?;
        }
        Some(record)
    }
}

/// The options without the values of variables, which may be secret, and which nobody has asked to store.
fn without_variables(spec: &Arc<TaskSpec>) -> Arc<TaskSpec> {
    if spec.grants.env.is_empty() {
        return Arc::clone(spec);
    }
    let mut spec = TaskSpec::clone(spec);
    let grants = Arc::make_mut(&mut spec.grants);
    // Every name is one that was granted already.
    grants.env = grants.env.iter().filter_map(|env| EnvGrant::new(env.name(), "").ok()).collect();
    Arc::new(spec)
}

/// The record of a map, which a history lists as one run. Records of its items may refer to it.
#[derive(Debug)]
pub struct MapRecord {
    id: RunId,
    began: Timestamp,
    task: Task,
}

/// How a map ended.
#[derive(Clone, Debug, PartialEq)]
pub enum MapEnd {
    /// Every item completed.
    Completed,
    /// An item did not complete.
    Failed,
    /// It was stopped.
    Cancelled,
}

impl MapRecord {
    /// A map of a task, which begins now.
    pub fn begin(task: &Task) -> Self {
        Self { id: new_run_id(), began: now(), task: task.clone() }
    }

    /// Its id.
    pub fn id(&self) -> RunId {
        self.id
    }

    /// When it began.
    pub fn began(&self) -> Timestamp {
        self.began
    }

    /// The record of the map, which ends now. `summary` is a value with the counts of its items, `inputs` one that describes the items,
    /// and `name` says both in few words. `receipt` is what all items used together, if it is known.
    pub fn end(
        self,
        end: &MapEnd,
        name: &str,
        inputs: StoredValue,
        summary: StoredValue,
        receipt: Receipt,
    ) -> Option<RunRecord> {
        let mut spec =
            RunSpec::new(self.id, self.task.key().clone(), without_variables(self.task.spec()), self.began);
        spec.inputs = vec![InputSpec::Value(inputs)];
        spec.queue = Origin::Map.queue();
        let at = now();
        let summarised = match end {
            MapEnd::Completed | MapEnd::Cancelled => Outcome::Completed(summary),
            MapEnd::Failed => Outcome::Failed(hostel_core::Failure::Error(summary)),
        };
        let attempt = RunFact::AttemptEnded { outcome: summarised.clone(), receipt: receipt.into() };
        let mut facts =
            vec![(self.began, RunFact::Named(name.into())), (self.began, RunFact::Event(Event::Started))];
        let (event, outcome) = match end {
            MapEnd::Completed => (Event::Completed, summarised),
            MapEnd::Failed => (Event::Failed, summarised),
            MapEnd::Cancelled => {
                facts.push((at, RunFact::Event(Event::CancelRequested)));
                (Event::Cancelled, Outcome::Cancelled)
            }
        };
        facts.extend([(at, attempt), (at, RunFact::Ended { event, outcome })]);
        let mut record = RunRecord::born(self.began, spec);
        facts.into_iter().try_for_each(|(at, fact)| record.apply(at, fact)).ok()?;
        Some(record)
    }
}
