//! The tasks of claimed runs: from a task key and options to a run that the host has accepted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use hostel_core::journal::{Journal, JournalEntry};
use hostel_core::{Digest, ErrorKind, LogLine, RunId, RunSpec, TaskKey, Timestamp};
use hostel_engine::{Component, Echo, LoadError};

use super::inputs::ClaimedInputs;
use super::mailbox::Mailbox;
use super::prepared::{Prepared, Unprepared, of_kind};
use super::room::Room;
use crate::args::Args;
use crate::error::{SubmitError, in_full};
use crate::host_state::HostState;
use crate::journal::RunLogs;
use crate::run::now;
use crate::runner::Places;
use crate::submit::Numbered;
use crate::task::Task;

/// Results that are not recorded yet may take this part of what all guests may take.
const RESULTS_SHARE: u64 = 4;

/// Shorter results are not counted, in bytes.
const LONG_RESULT: u64 = 64 << 10;

/// The most components that a worker keeps loaded.
const MAX_COMPONENTS: usize = 64;

/// Returns the bytes of a component, or `None` if it has none with this digest.
pub(super) type ComponentSource = Arc<dyn Fn(&Digest) -> std::io::Result<Option<Vec<u8>>> + Send + Sync>;

/// The tasks that a worker can execute.
pub(super) struct Tasks {
    host: Arc<HostState>,
    /// The tasks of the program, whose hooks are called.
    served: HashMap<TaskKey, Task>,
    /// Where the lines of runs go.
    logs: Option<Arc<RunLogs>>,
    source: Option<ComponentSource>,
    loaded: Mutex<HashMap<Digest, Component>>,
    inputs: ClaimedInputs,
    /// For results that are not recorded yet.
    results: Arc<Room>,
    /// Counts the runs that rest.
    places: Arc<Places>,
}

impl Tasks {
    pub(super) fn new(
        host: Arc<HostState>,
        journal: Arc<dyn Journal>,
        served: impl IntoIterator<Item = Task>,
        source: Option<ComponentSource>,
        logs: Option<Arc<RunLogs>>,
        places: Arc<Places>,
    ) -> Self {
        let served = served.into_iter().map(|task| (task.key().clone(), task)).collect();
        let inputs = ClaimedInputs::new(
            Arc::clone(&host),
            journal,
            Arc::clone(&places),
            host.engine.max_memory_bytes(),
        );
        let results = Arc::new(Room::new(host.engine.max_memory_bytes() / RESULTS_SHARE));
        Self { host, logs, served, source, loaded: Mutex::default(), inputs, results, places }
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
    /// # Errors
    ///
    /// Why this host cannot execute it for now.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future submits nothing.
    pub(super) async fn prepare(
        &self,
        entry: &JournalEntry,
        mailbox: &Arc<Mailbox>,
    ) -> Result<Prepared, String> {
        match self.submit(entry, mailbox).await {
            Ok(prepared) => Ok(prepared),
            Err(Unprepared::Refused(reason)) => Ok(Prepared::Refused(reason)),
            Err(Unprepared::Postponed(reason)) => Err(reason),
        }
    }

    async fn submit(&self, entry: &JournalEntry, mailbox: &Arc<Mailbox>) -> Result<Prepared, Unprepared> {
        let spec = entry.record().spec();
        let first = entry.record().first_counted_attempt();
        let left = time_left(spec, first.map(|first| first.began), now());
        if left == Some(Duration::ZERO) {
            return Ok(Prepared::OutOfTime(spec.spec.run_timeout.unwrap_or_default()));
        }
        let task = self.find(&spec.task).await?.with_spec(Arc::clone(&spec.spec));
        let (inputs, room) = self.inputs.of(spec).await?;
        let args = Args::from(inputs).tags(spec.tags.iter().cloned());
        let earlier = entry.record().next_attempt().saturating_sub(1);
        let on_line = self.logs.as_ref().map(|logs| lines(logs, spec.id, earlier.saturating_add(1)));
        let attempt = task.clone().one_attempt(left, begun(mailbox, spec.id), on_line);
        let places = Some(Arc::clone(&self.places));
        let identity = Numbered { id: spec.id, earlier, places, is_solo: entry.is_solo() };
        match attempt.submit_numbered(args, identity).await {
            Ok(future) => {
                let (moved, run, results) =
                    (moved(mailbox, spec.id), Arc::clone(future.run()), Arc::clone(&self.results));
                let result = Arc::new(OnceLock::new());
                let of_run = Arc::clone(&result);
                future.run().on_end(Box::new(move || {
                    drop(room);
                    moved();
                    let bytes = run.value_bytes();
                    // Those who compute wait for the journal, so that results do not pile up.
                    if bytes >= LONG_RESULT {
                        _ = of_run.set(results.take_blocking(bytes));
                    }
                }));
                Ok(Prepared::Accepted { future, task, result })
            }
            Err(SubmitError::ShutDown) => Ok(Prepared::ShutDown),
            Err(error) => Err(of_kind(error.kind(), in_full(&error))),
        }
    }

    async fn find(&self, key: &TaskKey) -> Result<Task, Unprepared> {
        if let Some(task) = self.served.get(key) {
            return Ok(task.clone());
        }
        let component = match self.loaded(&key.component) {
            Some(component) => component,
            None => self.load(key.component).await?,
        };
        let function = component.function(Some(&key.export.to_string()));
        let function = function.map_err(|error| Unprepared::Refused(in_full(&error)))?;
        Ok(Task::new(Arc::clone(&self.host), function))
    }

    fn loaded(&self, digest: &Digest) -> Option<Component> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    async fn load(&self, digest: Digest) -> Result<Component, Unprepared> {
        let missing =
            || Unprepared::Refused(format!("the component {digest} is not registered here: push it again"));
        let source = self.source.clone().ok_or_else(missing)?;
        let loaded = self.host.load_with(move |engine| {
            // An error of the medium, since there is an answer for a component that is missing.
            let bytes = source(&digest).map_err(|error| Some(Unprepared::Postponed(in_full(&error))))?;
            let bytes = bytes.ok_or(None)?;
            engine.load_bytes(&bytes).map_err(|error| Some(of_kind(load_kind(&error), in_full(&error))))
        });
        let panicked = || Unprepared::Refused("loading the component panicked".to_owned());
        let loaded = loaded.await.map_err(|_| panicked())?;
        let component = loaded.map_err(|error| error.unwrap_or_else(missing))?;
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.len() >= MAX_COMPONENTS {
            loaded.clear();
        }
        loaded.insert(digest, component.clone());
        Ok(component)
    }
}

/// The kind of an error of loading. A compiler that panics will panic again.
fn load_kind(error: &LoadError) -> ErrorKind {
    if matches!(error, LoadError::Panicked(_)) { ErrorKind::Invalid } else { error.kind() }
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

/// Reports that an attempt has begun.
fn begun(mailbox: &Arc<Mailbox>, run: RunId) -> impl Fn() + Send + Sync + 'static {
    let mailbox = Arc::clone(mailbox);
    move || _ = mailbox.put(|mail| mail.begun.push(run))
}

/// Reports that a run has ended.
fn moved(mailbox: &Arc<Mailbox>, run: RunId) -> impl Fn() + Send + Sync + 'static {
    let mailbox = Arc::clone(mailbox);
    move || _ = mailbox.put(|mail| mail.moved.push(run))
}

/// How much of the time for the whole run is left, if it is limited and the first attempt has begun.
fn time_left(spec: &RunSpec, began: Option<Timestamp>, now: Timestamp) -> Option<Duration> {
    let timeout = spec.spec.run_timeout?;
    Some(began.map_or(timeout, |began| timeout.saturating_sub(now.since(began))))
}
