//! Replays: a run of a journal is executed again under the conditions that were recorded, and the results are compared.

use std::sync::Arc;

use hostel_core::journal::Journal;
use hostel_core::{
    Clock, Digest, DirAccess, ErrorKind, Failure, FindError, Grants, HostCall, Outcome, Randomness, Receipt,
    RetryPolicy, RunId, RunRecord, RunSpec, State, StoredOutcome, StoredValue, TaskSpec, Value,
};
use hostel_engine::LoadError;

use crate::component::Component;
use crate::delay::read_stored;
use crate::error::SubmitError;
use crate::host::Host;
use crate::recorded::Origin;
use crate::run::TaskFuture;
use crate::task::Task;

/// A replay of a run: [`Host::replay`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Replay {
    /// Whether the run ended as it did before: with the same value, the same typed error, the same trap, exit code or limit.
    pub is_same: bool,
    /// How the run ended, as recorded.
    pub recorded: Outcome,
    /// How it ended this time.
    pub replayed: Arc<Outcome>,
    /// What the result may depend on that was not recorded, each as a sentence without a full stop, such as `it reads the clock`. Empty
    /// if a different result has no excuse.
    pub may_differ: Vec<String>,
    /// The run that executed this time.
    pub run: TaskFuture,
}

/// A run cannot be replayed. Nothing was executed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// It has not ended.
    #[error("run {run} is {state}: expected one that has ended")]
    NotEnded {
        /// The run.
        run: RunId,
        /// Its state.
        state: State,
    },
    /// It ended without a result of its guest.
    #[error("run {run} is {state}: its guest has no result to compare with")]
    NoResult {
        /// The run.
        run: RunId,
        /// Its state.
        state: State,
    },
    /// It is the record of a map.
    #[error("{run} is a map: expected one of its runs")]
    Map {
        /// The record.
        run: RunId,
    },
    /// Its inputs are not in its record.
    #[error("the inputs of run {run} were not recorded: they were too large, or it read them from a pipe")]
    NoInputs {
        /// The run.
        run: RunId,
    },
    /// Its inputs are made of the results of other runs.
    #[error("the inputs of run {run} are results of other runs")]
    OtherRuns {
        /// The run.
        run: RunId,
    },
    /// A value cannot be read.
    #[error("run {run}: {problem}")]
    Value {
        /// The run.
        run: RunId,
        /// The problem.
        problem: String,
    },
    /// Its component is not here.
    #[error("the component {digest} of run {run} is not stored here")]
    NoComponent {
        /// The run.
        run: RunId,
        /// The digest of the component.
        digest: Digest,
    },
    /// The given component is another one.
    #[error("the component is {given}: run {run} had {expected}")]
    OtherComponent {
        /// The run.
        run: RunId,
        /// The digest of the given component.
        given: Digest,
        /// The digest of the run's component.
        expected: Digest,
    },
    /// Its component cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Its component has no such task.
    #[error(transparent)]
    Find(#[from] FindError),
    /// The host does not accept the run.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

impl ReplayError {
    /// The kind of this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotEnded { .. } | Self::NoResult { .. } | Self::Map { .. } => ErrorKind::Conflict,
            Self::NoInputs { .. } | Self::NoComponent { .. } => ErrorKind::NotFound,
            Self::OtherRuns { .. } | Self::OtherComponent { .. } => ErrorKind::Invalid,
            Self::Value { .. } => ErrorKind::Internal,
            Self::Load(error) => error.kind(),
            Self::Find(error) => error.kind(),
            Self::Submit(error) => error.kind(),
        }
    }
}

impl Host {
    /// Executes a run of a journal again, once, and compares the results. The run has the component, the inputs, the limits, the
    /// variables of a delayed run, and the clock and random seed of its record. It has no network, can only read its directories, and changes
    /// nothing: neither files nor the cache.
    ///
    /// `component` is the run's component. If it is `None`, the host [finds](crate::Components::get) it by its digest.
    ///
    /// # Errors
    ///
    /// [`ReplayError`] if something that the run needs is not recorded, or not here.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future discards the comparison. The run goes on to its end.
    pub async fn replay(
        &self,
        journal: &dyn Journal,
        record: &RunRecord,
        component: Option<&Component>,
    ) -> Result<Replay, ReplayError> {
        let run = record.spec().id;
        let recorded = recorded(record)?;
        let key = &record.spec().task;
        let component = match component {
            Some(given) if given.digest() != key.component => {
                let (given, expected) = (given.digest(), key.component);
                return Err(ReplayError::OtherComponent { run, given, expected });
            }
            Some(given) => given.clone(),
            None => {
                let found = self.components().get(&key.component).await?;
                found.ok_or(ReplayError::NoComponent { run, digest: key.component })?
            }
        };
        let task = component.task(&key.export.to_string())?.with_spec(conditions(record.spec()));
        let inputs = inputs(journal, record, &task)?;
        let replay = task.only_compared().submit_async(inputs.into()).await?;
        let replayed = replay.outcome().await;
        let damaged = |problem| ReplayError::Value { run, problem };
        let whole = recorded.clone().try_map(|value| in_full(journal, value)).map_err(damaged)?;
        let is_same = replayed
            .to_stored(replay.task().guest_signature())
            .is_ok_and(|replayed| is_same(&whole, &replayed));
        let recorded = whole.try_map(|value| read_stored(journal, &value)).map_err(damaged)?;
        let may_differ = may_differ(record, &recorded, &replay);
        Ok(Replay { is_same, recorded, replayed, may_differ, run: replay })
    }
}

/// The result of the guest.
fn recorded(record: &RunRecord) -> Result<StoredOutcome, ReplayError> {
    let (run, state) = (record.spec().id, record.state());
    if Origin::of(record.spec()) == Origin::Map {
        return Err(ReplayError::Map { run });
    }
    match record.outcome() {
        None => Err(ReplayError::NotEnded { run, state }),
        Some(Outcome::Failed(Failure::Upstream { .. }) | Outcome::Crashed { .. } | Outcome::Cancelled) => {
            Err(ReplayError::NoResult { run, state })
        }
        Some(outcome) => Ok(outcome.clone()),
    }
}

/// The options of a run as its replay has them: it cannot change anything, and nothing follows from its end.
fn conditions(spec: &RunSpec) -> TaskSpec {
    let recorded = &*spec.spec;
    let dirs = recorded.grants.dirs.iter().map(|dir| dir.clone().with_access(DirAccess::Ro)).collect();
    let env = if lacks_variables(spec) { Vec::new() } else { recorded.grants.env.clone() };
    let grants = Grants { dirs, env, ..Grants::default() };
    TaskSpec {
        grants: grants.into(),
        retry: RetryPolicy::default(),
        run_timeout: None,
        refresh: false,
        ..recorded.clone()
    }
}

/// Whether the run had variables whose values are not in its record.
fn lacks_variables(spec: &RunSpec) -> bool {
    Origin::of(spec) == Origin::Program && !spec.spec.grants.env.is_empty()
}

/// The inputs of a run.
fn inputs(journal: &dyn Journal, record: &RunRecord, task: &Task) -> Result<Vec<Value>, ReplayError> {
    let run = record.spec().id;
    if record.spec().inputs.len() != task.guest_signature().params.len() {
        return Err(ReplayError::NoInputs { run });
    }
    let inputs = record.spec().inputs.iter().map(|input| {
        let value = input.as_value().ok_or(ReplayError::OtherRuns { run })?;
        read_stored(journal, value).map_err(|problem| ReplayError::Value { run, problem })
    });
    inputs.collect()
}

/// The value with its bytes.
fn in_full(journal: &dyn Journal, value: StoredValue) -> Result<StoredValue, String> {
    match value {
        StoredValue::Bytes(_) => Ok(value),
        StoredValue::Blob(blob) => match journal.blob(&blob) {
            Ok(Some(bytes)) => Ok(StoredValue::Bytes(bytes)),
            Ok(None) => Err("its value is missing from the journal".to_owned()),
            Err(error) => Err(crate::error::in_full(&error)),
        },
    }
}

fn is_same(recorded: &StoredOutcome, replayed: &StoredOutcome) -> bool {
    use Failure::{Error, Exit, Limit, TimedOut, Trap};
    match (recorded, replayed) {
        (Outcome::Completed(one), Outcome::Completed(other)) => one == other,
        (Outcome::Failed(one), Outcome::Failed(other)) => match (one, other) {
            (Error(one), Error(other)) => one == other,
            (Trap(one), Trap(other)) => one.message == other.message,
            (Exit { code: one, .. }, Exit { code: other, .. }) => one == other,
            (Limit { limit: one, .. }, Limit { limit: other, .. }) => one == other,
            (TimedOut { .. }, TimedOut { .. }) => true,
            _ => false,
        },
        _ => false,
    }
}

/// What the result may depend on that was not recorded.
fn may_differ(record: &RunRecord, recorded: &Outcome, replay: &TaskFuture) -> Vec<String> {
    let spec = &record.spec().spec;
    let mut used = replay.receipt();
    let receipts = record.attempts().iter().filter_map(|attempt| attempt.receipt.as_deref());
    receipts.for_each(|receipt| used.add(receipt));
    let calls = |used: &Receipt, kinds: &[HostCall]| kinds.iter().any(|kind| used.host_calls.of(*kind) > 0);
    let has_network =
        !(spec.grants.http.is_empty() && spec.grants.net.is_empty() && spec.grants.lookup.is_empty());
    let can_write = spec.grants.dirs.iter().any(|dir| dir.access() == DirAccess::Rw);
    let uses_files = !spec.grants.dirs.is_empty() && calls(&used, &[HostCall::Files]);
    let timed_out = |outcome: &Outcome| matches!(outcome, Outcome::Failed(Failure::TimedOut { .. }));
    let attempts = record.attempts().len();
    let reasons = [
        (
            spec.determinism.clock == Clock::Real && calls(&used, &[HostCall::Clock]),
            "it reads the clock (--clock virtual, or --deterministic, gives it one that repeats)",
        ),
        (
            spec.determinism.randomness == Randomness::Real && calls(&used, &[HostCall::Randomness]),
            "it draws random numbers (--random seed:N, or --deterministic, makes them repeat)",
        ),
        (
            lacks_variables(record.spec()),
            "it had environment variables, whose values are not recorded for `hostel run` and `hostel map`",
        ),
        (uses_files, "it uses files, which may have changed since"),
        (uses_files && can_write, "it may write files, which a replay cannot"),
        (
            has_network && calls(&used, &[HostCall::Http, HostCall::Sockets]),
            "it uses the network, which a replay does not have",
        ),
        (calls(&used, &[HostCall::Context]), "it may ask for its id, its name or the number of its attempt"),
        (attempts == 0, "its recorded value came from the cache"),
        (attempts > 1, "it had more than one attempt, and a replay has one"),
        (
            timed_out(recorded) || replay.try_outcome().is_some_and(|outcome| timed_out(&outcome)),
            "a timeout depends on the speed of the machine",
        ),
    ];
    reasons.into_iter().filter(|(holds, _)| *holds).map(|(_, reason)| reason.to_owned()).collect()
}
