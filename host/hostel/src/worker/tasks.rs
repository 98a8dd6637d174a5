//! The tasks of claimed runs: from a task key and options to a run that the host has accepted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hostel_core::journal::{Journal, JournalEntry};
use hostel_core::{Digest, InputSpec, LogLine, RunId, RunSpec, TaskKey, Timestamp, Value};
use hostel_engine::{Component, Echo};

use super::mailbox::Mailbox;
use crate::args::Args;
use crate::delay::read_stored;
use crate::error::{SubmitError, in_full};
use crate::host_state::HostState;
use crate::journal::RunLogs;
use crate::run::{TaskFuture, now};
use crate::submit::Numbered;
use crate::task::Task;

/// The most components that a worker keeps loaded.
const MAX_COMPONENTS: usize = 64;

/// Returns the bytes of a component, or `None` if it has none with this digest.
pub(super) type ComponentSource = Arc<dyn Fn(&Digest) -> std::io::Result<Option<Vec<u8>>> + Send + Sync>;

/// The tasks that a worker can execute.
pub(super) struct Tasks {
    host: Arc<HostState>,
    journal: Arc<dyn Journal>,
    /// The tasks of the program, whose hooks are called.
    served: HashMap<TaskKey, Task>,
    /// Where the lines of runs go.
    logs: Option<Arc<RunLogs>>,
    source: Option<ComponentSource>,
    loaded: Mutex<HashMap<Digest, Component>>,
}

/// A claimed run after its preparation.
pub(super) enum Prepared {
    /// The host has accepted it.
    Accepted {
        /// The run of one attempt.
        future: TaskFuture,
        /// The task with its hooks.
        task: Task,
    },
    /// It cannot execute, for this reason.
    Refused(String),
    /// Its time was over before this attempt.
    OutOfTime(Duration),
    /// The host is shut down.
    ShutDown,
}

impl Prepared {
    /// Stops the run, whose worker no longer has it.
    pub(super) fn abandon(&self) {
        if let Self::Accepted { future, .. } = self {
            future.cancel();
        }
    }
}

impl Tasks {
    pub(super) fn new(
        host: Arc<HostState>,
        journal: Arc<dyn Journal>,
        served: impl IntoIterator<Item = Task>,
        source: Option<ComponentSource>,
        logs: Option<Arc<RunLogs>>,
    ) -> Self {
        let served = served.into_iter().map(|task| (task.key().clone(), task)).collect();
        Self { host, journal, logs, served, source, loaded: Mutex::default() }
    }

    /// Makes the lines of runs visible to other processes.
    pub(super) fn flush_logs(&self) {
        if let Some(Err(error)) = self.logs.as_ref().map(|logs| logs.flush()) {
            tracing::warn!("lines of runs are not stored: {error}");
        }
    }

    /// The tasks whose runs the worker claims; none for all.
    pub(super) fn claimed(&self) -> Vec<TaskKey> {
        if self.source.is_some() { Vec::new() } else { self.served.keys().cloned().collect() }
    }

    /// Submits one attempt of a claimed run to the host.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future submits nothing.
    pub(super) async fn prepare(&self, entry: &JournalEntry, mailbox: &Arc<Mailbox>) -> Prepared {
        let spec = entry.record().spec();
        let first = entry.record().first_counted_attempt();
        let left = time_left(spec, first.map(|first| first.began), now());
        if left == Some(Duration::ZERO) {
            return Prepared::OutOfTime(spec.spec.run_timeout.unwrap_or_default());
        }
        let task = match self.find(&spec.task).await {
            Ok(task) => task.with_spec(Arc::clone(&spec.spec)),
            Err(reason) => return Prepared::Refused(reason),
        };
        let args = match values(&*self.journal, spec) {
            Ok(values) => Args::from(values).tags(spec.tags.iter().cloned()),
            Err(reason) => return Prepared::Refused(reason),
        };
        let earlier = entry.record().next_attempt().saturating_sub(1);
        let on_line = self.logs.as_ref().map(|logs| lines(logs, spec.id, earlier.saturating_add(1)));
        let attempt = task.clone().one_attempt(left, moved(mailbox, spec.id), on_line);
        match attempt.submit_numbered(args, Numbered { id: spec.id, earlier }).await {
            Ok(future) => {
                future.run().on_end(Box::new(moved(mailbox, spec.id)));
                Prepared::Accepted { future, task }
            }
            Err(SubmitError::ShutDown) => Prepared::ShutDown,
            Err(error) => Prepared::Refused(in_full(&error)),
        }
    }

    async fn find(&self, key: &TaskKey) -> Result<Task, String> {
        if let Some(task) = self.served.get(key) {
            return Ok(task.clone());
        }
        let component = match self.loaded(&key.component) {
            Some(component) => component,
            None => self.load(key.component).await?,
        };
        let function = component.function(Some(&key.export.to_string())).map_err(|error| in_full(&error))?;
        Ok(Task::new(Arc::clone(&self.host), function))
    }

    fn loaded(&self, digest: &Digest) -> Option<Component> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    async fn load(&self, digest: Digest) -> Result<Component, String> {
        let missing = || format!("the component {digest} is not registered here: push it again");
        let source = self.source.clone().ok_or_else(missing)?;
        let loaded = self.host.load_with(move |engine| {
            let bytes = source(&digest).map_err(|error| Some(in_full(&error)))?.ok_or(None)?;
            engine.load_bytes(&bytes).map_err(|error| Some(in_full(&error)))
        });
        let loaded = loaded.await.map_err(|_| Some("loading the component panicked".to_owned()));
        let component = loaded.and_then(|loaded| loaded).map_err(|error| error.unwrap_or_else(missing))?;
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.len() >= MAX_COMPONENTS {
            loaded.clear();
        }
        loaded.insert(digest, component.clone());
        Ok(component)
    }
}

/// Stores the lines of an attempt.
fn lines(logs: &Arc<RunLogs>, run: RunId, attempt: u32) -> Echo {
    let logs = Arc::clone(logs);
    Arc::new(move |line: &LogLine| {
        if let Err(error) = logs.append(run, attempt, vec![line.clone()]) {
            tracing::warn!("a line of run {run} is not stored: {error}");
        }
    })
}

/// Reports that a run has moved.
fn moved(mailbox: &Arc<Mailbox>, run: RunId) -> impl Fn() + Send + Sync + 'static {
    let mailbox = Arc::clone(mailbox);
    move || _ = mailbox.put(|mail| mail.moved.push(run))
}

/// How much of the time for the whole run is left, if it is limited and the first attempt has begun.
fn time_left(spec: &RunSpec, began: Option<Timestamp>, now: Timestamp) -> Option<Duration> {
    let timeout = spec.spec.run_timeout?;
    Some(began.map_or(timeout, |began| timeout.saturating_sub(now.since(began))))
}

/// The inputs of a run.
fn values(journal: &dyn Journal, spec: &RunSpec) -> Result<Vec<Value>, String> {
    spec.inputs.iter().enumerate().map(|(index, input)| value(journal, index + 1, input)).collect()
}

fn value(journal: &dyn Journal, position: usize, input: &InputSpec) -> Result<Value, String> {
    let InputSpec::Value(stored) = input else {
        return Err(format!(
            "input {position} is the result of another run, which workers do not support yet"
        ));
    };
    read_stored(journal, stored).map_err(|reason| format!("input {position}: {reason}"))
}
