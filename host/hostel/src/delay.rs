//! Delayed runs: stored in a journal when they are submitted, and executed by a worker of any process.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use futures_util::future::{Either, select};

use hostel_core::journal::{Append, Cancellation, Journal, JournalEntry, JournalError, Submitted};
use hostel_core::{
    ErrorKind, FromValue, InputSpec, QueueName, RunFact, RunId, RunSpec, State, StoredValue, Timestamp,
    Unique, Value,
};
use tokio::task::JoinSet;

use crate::args::Args;
use crate::error::{ResultError, SubmitError, in_full};
use crate::host_state::HostState;
use crate::ids::new_run_id;
use crate::journal::OpenJournalError;
use crate::run::now;
use crate::task::Task;

/// How a run is delayed; the default is immediately, in the default queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DelayOptions {
    /// The run's id, chosen by the caller. Repeating a submission with the same id, arguments and options has no further effect;
    /// the due time of the first one counts.
    pub id: Option<RunId>,
    /// When the run is due; in the past, or `None`, means now.
    pub at: Option<Timestamp>,
    /// The queue. Workers may serve only some queues.
    pub queue: QueueName,
    /// At most one unfinished run with this key in the queue.
    pub unique: Option<Unique>,
}

/// A run was not stored. Nothing of it remains.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DelayError {
    /// The arguments or options are not accepted.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The task has something that exists only in this program.
    #[error(
        "the task cannot be delayed with {what}, which exists only in this program: submit it here, or set {what} on the \
             task that the worker serves"
    )]
    Unwritable {
        /// The option.
        what: &'static str,
    },
    /// An argument, or a run to wait for, is a future of this program.
    #[error("a delayed run cannot wait for a future of this program: wait for its result, and pass that")]
    Future,
    /// The queue is one of the host's own.
    #[error(
        "no run can be submitted to the queue `{queue}`: names that begin with `hostel.` are the host's own; choose another name"
    )]
    ReservedQueue {
        /// Its name.
        queue: QueueName,
    },
    /// The journal cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenJournalError),
    /// The journal did not store the run.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl DelayError {
    /// The kind of this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Submit(error) => error.kind(),
            Self::Unwritable { .. } | Self::Future | Self::ReservedQueue { .. } => ErrorKind::Invalid,
            Self::Open(error) => error.kind(),
            Self::Journal(error) => error.kind(),
        }
    }
}

/// A handle to a run in a journal. Cheap to clone. The run does not depend on it.
#[derive(Clone)]
pub struct DelayedRun {
    id: RunId,
    host: Arc<HostState>,
    journal: Arc<dyn Journal>,
}

impl Task {
    /// Stores a run in the host's [journal](crate::Host::journal) and returns: with a data directory, the run is durable then. A
    /// [`Worker`](crate::Worker) executes it, in this process or another one, now or later.
    ///
    /// Blocks until the run is stored, a few milliseconds.
    ///
    /// # Errors
    ///
    /// [`DelayError`] if the arguments or options are not accepted, something of the task exists only in this program, or the
    /// journal fails.
    pub fn delay(&self, args: Args) -> Result<DelayedRun, DelayError> {
        self.delay_with(args, DelayOptions::default())
    }

    /// Stores a run like [`Task::delay`], with a due time, a queue and more.
    ///
    /// # Errors
    ///
    /// As [`Task::delay`].
    pub fn delay_with(&self, args: Args, options: DelayOptions) -> Result<DelayedRun, DelayError> {
        let is_named = options.id.is_some();
        let mut spec = self.delayed_spec(args, options)?;
        let name = self.name_of(&spec);
        let journal = Arc::clone(self.host().journal()?);
        if let Some(stored) = if is_named { journal.get(spec.id)? } else { None } {
            // The times of the first submission count.
            let stored = stored.record().spec();
            spec.created = stored.created;
            spec.due = spec.due.and(stored.due);
        }
        let asked = spec.id;
        let id = match self.host().standing.submit(&*journal, now(), &[spec])?.first() {
            Some(Submitted::Duplicate { of }) => *of,
            Some(Submitted::New | Submitted::Replaced { .. }) => {
                name.into_iter().for_each(|name| name_run(&*journal, asked, name));
                asked
            }
            Some(Submitted::Existing) | None => asked,
        };
        Ok(DelayedRun { id, host: Arc::clone(self.host()), journal })
    }

    /// The run's name, if the task has a template for it.
    fn name_of(&self, spec: &RunSpec) -> Option<Arc<str>> {
        let template = self.options().name()?;
        let inputs = spec.inputs.iter().map(|input| {
            // Only blobs are read from a journal, and a new run has none yet.
            let InputSpec::Value(StoredValue::Bytes(bytes)) = input else { return None };
            decoded(Some(Arc::clone(bytes))).ok()
        });
        let inputs = inputs.collect::<Option<Vec<_>>>()?;
        Some(template.render(&self.named_inputs(&inputs)).into())
    }

    /// A run as data, checked as [`Task::delay_with`] does, and not stored.
    ///
    /// # Errors
    ///
    /// As [`Task::delay`], without those of the journal.
    pub fn delayed_spec(&self, args: Args, options: DelayOptions) -> Result<RunSpec, DelayError> {
        if let Some(what) = unwritable(self) {
            return Err(DelayError::Unwritable { what });
        }
        if options.queue.is_reserved() {
            return Err(DelayError::ReservedQueue { queue: options.queue });
        }
        let call = args.single()?;
        let tags = call.extra.as_ref().map(|extra| extra.tags.clone()).unwrap_or_default();
        if call.extra.as_ref().is_some_and(|extra| !extra.wait_for.is_empty()) {
            return Err(DelayError::Future);
        }
        let inputs = self.bind(call)?;
        let params = self.guest_signature().params.iter();
        let inputs = inputs.inputs().iter().zip(params).map(|(input, param)| {
            let value = input.as_value().ok_or(DelayError::Future)?;
            // Inputs are in normal form, so all of them have canonical bytes.
            StoredValue::new(value, &param.ty).map(InputSpec::Value).map_err(|_| DelayError::Future)
        });
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        let created = now();
        let DelayOptions { id, at, queue, unique } = options;
        let mut spec =
            RunSpec::new(id.unwrap_or_else(new_run_id), self.key().clone(), self.spec().clone(), created);
        spec.inputs = inputs;
        if let Some(script) = self.script() {
            // A worker knows the runtime's function only: its name says nothing, and templates cannot name arguments.
            let name = self.name_of(&spec).unwrap_or_else(|| Arc::clone(&script.function));
            let literal = name.replace('{', "{{").replace('}', "}}");
            Arc::make_mut(&mut spec.spec).name = Some(literal.into());
        }
        spec.tags = tags.into_iter().collect();
        spec.due = at.filter(|at| *at > created);
        spec.queue = queue;
        spec.unique = unique;
        Ok(spec)
    }
}

impl crate::Host {
    /// Stores runs that are data, such as those of [`Task::delayed_spec`], in the host's journal, as [`Journal::submit`] does. A
    /// [worker](crate::Worker) of this host that is idle has claimed the first of them when this returns.
    ///
    /// # Errors
    ///
    /// [`JournalError::Medium`] if the journal cannot be opened, and those of [`Journal::submit`].
    pub fn delay_specs(&self, specs: &[RunSpec]) -> Result<Vec<Submitted>, JournalError> {
        self.state().standing.submit(&**self.opened_journal()?, now(), specs)
    }

    /// A handle to a run in the host's journal, whether or not there is one.
    ///
    /// # Errors
    ///
    /// [`OpenJournalError`] if the journal cannot be opened.
    pub fn delayed(&self, run: RunId) -> Result<DelayedRun, OpenJournalError> {
        let journal = Arc::clone(self.journal()?);
        Ok(DelayedRun { id: run, host: Arc::clone(self.state()), journal })
    }
}

impl DelayedRun {
    /// The run's id.
    pub fn id(&self) -> RunId {
        self.id
    }

    /// The run as the journal has it.
    ///
    /// # Errors
    ///
    /// [`JournalError::NotFound`] if the run is not stored, or not any more; and errors of the medium.
    pub fn entry(&self) -> Result<JournalEntry, JournalError> {
        self.journal.get(self.id)?.ok_or(JournalError::NotFound { run: self.id })
    }

    /// The run's state.
    ///
    /// # Errors
    ///
    /// As [`DelayedRun::entry`].
    pub fn state(&self) -> Result<State, JournalError> {
        self.entry().map(|entry| entry.state())
    }

    /// Cancels the run, wherever it executes.
    ///
    /// # Errors
    ///
    /// As [`DelayedRun::entry`].
    pub fn cancel(&self) -> Result<Cancellation, JournalError> {
        self.journal.cancel(now(), self.id)
    }

    /// Waits until the run has ended, for at most `timeout` if one is given; `None` if it has not ended by then.
    ///
    /// # Errors
    ///
    /// As [`DelayedRun::entry`].
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time: the run goes on.
    pub async fn wait(
        &self,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<Option<JournalEntry>, JournalError> {
        let mut ending = self.host.journal_watch.wait_for(&self.journal, self.id).map_err(unwatched)?;
        let timers = self.host.scheduler.timers();
        let (mut timeout, mut timer) = (timeout.into(), JoinSet::new());
        let mut is_over = false;
        loop {
            ending.mark_known();
            let run = self.clone();
            let known = match timers.spawn_blocking(move || run.entry()).await {
                Ok(entry) => {
                    let entry = entry?;
                    if entry.state().is_terminal() || is_over {
                        return Ok(Some(entry).filter(|entry| entry.state().is_terminal()));
                    }
                    entry.version()
                }
                // The host was dropped.
                Err(_) => return Ok(Some(self.entry()?).filter(|entry| entry.state().is_terminal())),
            };
            if let Some(timeout) = timeout.take() {
                timer.spawn_on(async move { tokio::time::sleep(timeout).await }, timers);
            }
            match first(ending.changed(), &mut timer).await {
                // A worker may tell of an earlier end late: the run has been retried since then.
                Some(Some(ended)) if ended.version() > known => return Ok(Some(Arc::unwrap_or_clone(ended))),
                Some(_) => {}
                None => is_over = true,
            }
        }
    }

    /// Waits for the run to complete, and returns its value as a Rust type.
    ///
    /// # Errors
    ///
    /// [`ResultError`] if the run did not complete, or completed with a value that does not fit the type.
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time: the run goes on.
    pub async fn result<T: FromValue>(&self) -> Result<T, ResultError> {
        let lost = |reason: String| ResultError::Crashed { run: self.id, reason };
        let entry = self.wait(None).await.map_err(|error| lost(error.to_string()))?;
        let entry = entry.ok_or_else(|| lost("the host was dropped".to_owned()))?;
        let outcome = entry.record().outcome().ok_or_else(|| lost("its end is not recorded".to_owned()))?;
        let outcome = outcome.clone().try_map(|stored| read_stored(&*self.journal, &stored)).map_err(lost)?;
        ResultError::value_of(self.id, &outcome)
    }
}

/// What the wait returns, or `None` if the time is over before that.
async fn first<T>(wait: impl Future<Output = T>, timer: &mut JoinSet<()>) -> Option<T> {
    if timer.is_empty() {
        return Some(wait.await);
    }
    match select(pin!(wait), pin!(timer.join_next())).await {
        Either::Left((ended, _)) => Some(ended),
        Either::Right(_) => None,
    }
}

/// The system refused a thread for the journal's watch.
pub(crate) fn unwatched(error: io::Error) -> JournalError {
    JournalError::Medium { action: "wait for a change", source: error.into() }
}

/// Gives a new run its name, so that it has one while it waits. If a worker was faster, it does so itself.
fn name_run(journal: &dyn Journal, run: RunId, name: Arc<str>) {
    let facts = vec![(now(), RunFact::Named(name))];
    if let Err(error) = journal.append(&Append { run, expected: 1, fence: None, facts }) {
        tracing::debug!("run {run} has no name yet: {error}");
    }
}

/// What of the task cannot be written down, and so cannot leave this process; `None` if there is nothing.
fn unwritable(task: &Task) -> Option<&'static str> {
    let options = task.options();
    let parts = [
        (options.retry_if.is_some(), "`retry_if`"),
        (options.echo.is_some(), "`log_prints`"),
        (options.on_stdout.is_some(), "`on_stdout`"),
        (options.stdin.is_some(), "`stdin`"),
        (!task.hooks().is_empty(), "hooks"),
        (task.group().is_some(), "a transaction"),
        (
            task.script()
                .is_some_and(|script| options.user_key().is_some() || script.leaves_out(&options.spec.cache)),
            "a cache policy that names arguments of a script",
        ),
    ];
    parts.into_iter().find_map(|(is_there, what)| is_there.then_some(what))
}

/// A value of a run in a journal. The error says what is wrong.
pub(crate) fn read_stored(journal: &dyn Journal, stored: &StoredValue) -> Result<Value, String> {
    decoded(stored_bytes(journal, stored).map_err(|error| in_full(&error))?)
}

/// The bytes of a value of a run in a journal; `None` if they are missing.
pub(crate) fn stored_bytes(
    journal: &dyn Journal,
    stored: &StoredValue,
) -> Result<Option<Arc<[u8]>>, JournalError> {
    match stored {
        StoredValue::Bytes(bytes) => Ok(Some(Arc::clone(bytes))),
        StoredValue::Blob(blob) => journal.blob(blob),
    }
}

/// The value of these bytes. The error says what is wrong.
pub(crate) fn decoded(bytes: Option<Arc<[u8]>>) -> Result<Value, String> {
    let bytes = bytes.ok_or_else(|| "its value is missing from the journal".to_owned())?;
    let (_, value) =
        Value::from_canonical(&bytes).map_err(|error| format!("its value is damaged: {error}"))?;
    Ok(value)
}

impl fmt::Debug for DelayedRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DelayedRun").field("id", &self.id).finish_non_exhaustive()
    }
}
