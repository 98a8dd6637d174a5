//! One run: its inputs, its states in order, its outcome, and those who wait for it.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use hostel_core::{CacheKey, Event, Failure, LogLine, Outcome, RunId, State, Timestamp, Value};
use hostel_engine::{AttemptError, AttemptOptions, LogBook};

use crate::runner::panic_text;
use crate::task::Task;

/// An attempt that executes.
pub(crate) type Guest = Pin<Box<dyn Future<Output = Result<Outcome, AttemptError>> + Send>>;

/// Is called once when a run has ended.
pub(crate) type Callback = Box<dyn FnOnce() + Send>;

/// A state that a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// When it came to the state.
    pub at: Timestamp,
    /// The state.
    pub state: State,
    /// What led to it; `None` for the state that the run was born in.
    pub cause: Option<Event>,
}

/// One request to run a task with inputs.
pub(crate) struct Run {
    id: RunId,
    task: Task,
    key: Option<CacheKey>,
    cell: Mutex<Cell>,
}

/// What changes in a run's life, under one lock that is never held while a guest runs.
struct Cell {
    state: State,
    history: Vec<Transition>,
    /// Until the run begins.
    inputs: Vec<Value>,
    log: Option<Arc<LogBook>>,
    outcome: Option<Arc<Outcome>>,
    wakers: Vec<Waker>,
    /// Each with its owner, who may want to withdraw it.
    callbacks: Vec<(usize, Callback)>,
}

/// Most runs come to three states: Pending, Running, and one that ends them.
const USUAL_STATES: usize = 3;

impl Run {
    /// A run that is born Pending. `inputs` are in normal form and in the order of the parameters.
    pub(crate) fn new(id: RunId, task: Task, key: Option<CacheKey>, inputs: Vec<Value>) -> Self {
        let mut history = Vec::with_capacity(USUAL_STATES);
        history.push(Transition { at: now(), state: State::Pending, cause: None });
        let cell = Cell {
            state: State::Pending,
            history,
            inputs,
            log: None,
            outcome: None,
            wakers: Vec::new(),
            callbacks: Vec::new(),
        };
        Self { id, task, key, cell: Mutex::new(cell) }
    }

    pub(crate) fn id(&self) -> RunId {
        self.id
    }

    pub(crate) fn task(&self) -> &Task {
        &self.task
    }

    pub(crate) fn state(&self) -> State {
        self.cell().state
    }

    pub(crate) fn history(&self) -> Vec<Transition> {
        self.cell().history.clone()
    }

    pub(crate) fn log(&self) -> Vec<LogLine> {
        let log = self.cell().log.clone();
        log.map(|log| log.lines()).unwrap_or_default()
    }

    pub(crate) fn outcome(&self) -> Option<Arc<Outcome>> {
        self.cell().outcome.clone()
    }

    pub(crate) fn is_cancelling(&self) -> bool {
        self.cell().state == State::Cancelling
    }

    /// Is ready with the outcome when the run has ended.
    pub(crate) fn poll_outcome(&self, context: &Context<'_>) -> Poll<Arc<Outcome>> {
        let mut cell = self.cell();
        if let Some(outcome) = &cell.outcome {
            return Poll::Ready(Arc::clone(outcome));
        }
        if !cell.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
            cell.wakers.push(context.waker().clone());
        }
        Poll::Pending
    }

    /// Has `callback` called when the run has ended: at once if it has.
    pub(crate) fn on_end(&self, owner: usize, callback: Callback) {
        let mut cell = self.cell();
        if cell.outcome.is_none() {
            return cell.callbacks.push((owner, callback));
        }
        drop(cell);
        call(callback);
    }

    /// Withdraws the callbacks of `owner` that have not been called.
    pub(crate) fn forget(&self, owner: usize) {
        self.cell().callbacks.retain(|(of, _)| *of != owner);
    }

    /// Ends a run that has not begun with the value another run made, if the first cache layers have it.
    pub(crate) fn end_from_memory(&self) {
        let cache = &self.task.shared().cache;
        if let Some((value, producer)) =
            self.key_to_look_up().and_then(|key| cache.get_quick(key, self.task.completed_type()))
        {
            self.finish(Event::CacheHit { producer }, Outcome::Completed(value));
        }
    }

    /// Begins the first attempt, unless the run was cancelled or another run's value can stand for it.
    pub(crate) fn begin(&self) -> Option<Guest> {
        if self.state() != State::Pending {
            return None;
        }
        let cache = &self.task.shared().cache;
        if let Some((value, producer)) =
            self.key_to_look_up().and_then(|key| cache.get(key, self.task.completed_type()))
        {
            self.finish(Event::CacheHit { producer }, Outcome::Completed(value));
            return None;
        }
        let options = self.task.options();
        let log = Arc::new(LogBook::new(options.limits.log_bytes, options.echo.clone()));
        let mut cell = self.cell();
        cell.apply(Event::Started).ok()?;
        cell.log = Some(Arc::clone(&log));
        let inputs = mem::take(&mut cell.inputs);
        drop(cell);
        let function = self.task.function().clone();
        let options = AttemptOptions::new(options.limits).log(log).attempt_of(self.id, 1);
        Some(Box::pin(async move { function.attempt(&inputs, &options).await }))
    }

    /// The key to look for another run's value under, unless the task asks for a fresh one.
    fn key_to_look_up(&self) -> Option<&CacheKey> {
        self.key.as_ref().filter(|_| !self.task.options().refresh)
    }

    /// The attempt came to its end by itself.
    pub(crate) fn end(&self, result: Result<Outcome, AttemptError>) {
        let outcome = result.unwrap_or_else(|error| Outcome::Crashed { reason: error.to_string() });
        if self.is_cancelling() {
            return self.stopped();
        }
        if let (Outcome::Completed(value), Some(key)) = (&outcome, &self.key) {
            self.task.shared().cache.put(key, value, self.task.completed_type(), self.id);
        }
        let event = match &outcome {
            Outcome::Completed(_) => Event::Completed,
            Outcome::Failed(Failure::TimedOut { .. }) => Event::TimedOut,
            Outcome::Failed(Failure::Upstream { .. }) => Event::UpstreamFailed,
            Outcome::Failed(_) => Event::Failed,
            Outcome::Crashed { .. } => Event::Crashed,
            Outcome::Cancelled => Event::Cancelled,
        };
        if !self.finish(event, outcome) {
            // Someone asked it to stop since the look above.
            self.stopped();
        }
    }

    /// The attempt's guest was dropped because the run is to be cancelled.
    pub(crate) fn stopped(&self) {
        self.finish(Event::Cancelled, Outcome::Cancelled);
    }

    /// The host made a mistake that ended the attempt.
    pub(crate) fn crashed(&self, reason: String) {
        tracing::error!("run {}: {reason}", self.id);
        self.finish(Event::Crashed, Outcome::Crashed { reason });
    }

    /// Asks the run to stop. A run that has not begun is cancelled by this alone; one that executes is
    /// [`State::Cancelling`] until its guest is gone. `false` if it had ended otherwise.
    pub(crate) fn request_cancel(&self) -> bool {
        let mut cell = self.cell();
        if cell.state == State::Cancelled {
            return true;
        }
        if cell.state.is_executing() {
            return cell.apply(Event::CancelRequested).is_ok();
        }
        drop(cell);
        self.finish(Event::CancelRequested, Outcome::Cancelled)
    }

    /// The run's last event: records state and outcome, then tells everyone, callbacks in the order they came.
    /// `false`, and nothing happens, if the event does not fit the state.
    fn finish(&self, event: Event, outcome: Outcome) -> bool {
        let mut cell = self.cell();
        if cell.apply(event).is_err() {
            return false;
        }
        cell.outcome = Some(Arc::new(outcome));
        let inputs = mem::take(&mut cell.inputs);
        let wakers = mem::take(&mut cell.wakers);
        let callbacks = mem::take(&mut cell.callbacks);
        drop(cell);
        drop(inputs);
        wakers.into_iter().for_each(Waker::wake);
        callbacks.into_iter().for_each(|(_, callback)| call(callback));
        true
    }

    /// Nothing panics while it holds the lock, so a poisoned one is as good as any.
    fn cell(&self) -> MutexGuard<'_, Cell> {
        self.cell.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cell {
    /// The only place in which a run's state changes.
    fn apply(&mut self, event: Event) -> Result<(), hostel_core::IllegalTransition> {
        self.state = self.state.apply(event)?;
        self.history.push(Transition { at: now(), state: self.state, cause: Some(event) });
        Ok(())
    }
}

fn call(callback: Callback) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(callback)) {
        tracing::error!("a callback at the end of a run failed: {}", panic_text(panic.as_ref()));
    }
}

fn now() -> Timestamp {
    SystemTime::now().into()
}
