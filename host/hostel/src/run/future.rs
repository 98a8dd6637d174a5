//! A handle to one run.

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use hostel_core::{FromValue, LogLine, Outcome, Progress, Receipt, RunId, State, Tag, Transition, Value};
use serde::de::DeserializeOwned;

use super::Run;
use super::history::Attempt;
use crate::cache::CacheReport;
use crate::calls::{Call, call_safely};
use crate::error::ResultError;
use crate::task::Task;

/// A handle to one run. The run goes on even if all handles are dropped.
///
/// Cheap to clone. Any number of tasks or threads can await it, any number of times, on any async runtime or without
/// one.
#[derive(Clone)]
pub struct TaskFuture(Arc<Run>);

impl TaskFuture {
    pub(crate) fn new(run: Arc<Run>) -> Self {
        Self(run)
    }

    pub(crate) fn run(&self) -> &Arc<Run> {
        &self.0
    }

    /// The run's id.
    pub fn id(&self) -> RunId {
        self.0.id()
    }

    /// The task of the run.
    pub fn task(&self) -> &Task {
        self.0.task()
    }

    /// The current state of the run.
    pub fn state(&self) -> State {
        self.0.state()
    }

    /// Every state of the run so far, in order, from the initial one.
    pub fn history(&self) -> Vec<Transition> {
        self.0.history()
    }

    /// The run's name. It comes from the task's template as soon as the inputs are available; otherwise it is the
    /// function and the end of the run's id.
    pub fn name(&self) -> Arc<str> {
        self.0.name()
    }

    /// The run's tags, in alphabetical order.
    pub fn tags(&self) -> &[Tag] {
        self.0.tags()
    }

    /// Every attempt so far, with its outcome, duration and output.
    pub fn attempts(&self) -> Vec<Attempt> {
        self.0.attempts()
    }

    /// The resource use of the run, in all its ended attempts. All zero for a cache hit.
    pub fn receipt(&self) -> Receipt {
        self.0.receipt()
    }

    /// The last progress that the guest reported.
    pub fn progress(&self) -> Option<Progress> {
        self.0.progress()
    }

    /// The lines that the run has printed and logged so far, in all its attempts.
    pub fn log(&self) -> Vec<LogLine> {
        self.0.log()
    }

    /// Whether the run has ended, with any outcome.
    pub fn done(&self) -> bool {
        self.state().is_terminal()
    }

    /// The cache's decisions about the run, and the reasons. Complete when the run has ended.
    pub fn cache_report(&self) -> CacheReport {
        self.0.cache_report()
    }

    /// Whether the run has ended with a value.
    pub(crate) fn is_completed(&self) -> bool {
        self.try_outcome().is_some_and(|outcome| outcome.is_completed())
    }

    /// Whether the run is executing now.
    pub fn running(&self) -> bool {
        self.state().is_executing()
    }

    /// Whether the run was cancelled.
    pub fn cancelled(&self) -> bool {
        self.state() == State::Cancelled
    }

    /// The run's outcome; `None` if it has not ended.
    pub fn try_outcome(&self) -> Option<Arc<Outcome>> {
        self.0.outcome()
    }

    /// Waits for the run to end, with any outcome.
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time: the run goes on, and can be awaited again.
    pub async fn outcome(&self) -> Arc<Outcome> {
        WaitForEnd { run: &self.0, slot: None }.await
    }

    /// Waits for the run to complete, and returns its value as a Rust type, or unconverted as a [`hostel_core::Value`].
    ///
    /// # Errors
    ///
    /// [`ResultError`] if the run did not complete, or completed with a value that does not fit the type.
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time: the run goes on, and can be awaited again.
    pub async fn result<T: FromValue>(&self) -> Result<T, ResultError> {
        self.result_of(&*self.outcome().await)
    }

    /// Waits for the run to complete, and returns its value as a type that serde deserialises from the value's JSON
    /// form: a record as a struct, a variant as an enum.
    ///
    /// ```
    /// # use hostel::{Host, Input, args};
    /// #[derive(serde::Deserialize)]
    /// struct Trained {
    ///     model: String,
    ///     score: f64,
    /// }
    ///
    /// # async fn demo() -> Result<(), Box<dyn std::error::Error>> {
    /// # let host = Host::builder().max_workers(1).build()?;
    /// # let train = host.load(hostel_guests::MODELS).await?.task("train-model")?;
    /// # let named = |name| Input::record([("name", name)]);
    /// let trained: Trained = train.submit(args![named("orders"), named("forest")])?.result_as().await?;
    /// assert_eq!(trained.model, "forest");
    /// assert!(trained.score < 1.0);
    /// # Ok(())
    /// # }
    /// # futures_executor::block_on(demo()).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`ResultError`] if the run did not complete, or completed with a value that does not fit the type.
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time: the run goes on, and can be awaited again.
    pub async fn result_as<T: DeserializeOwned>(&self) -> Result<T, ResultError> {
        let json = self.result::<Value>().await?.to_json(self.task().completed_type());
        serde_json::from_value(json)
            .map_err(|error| ResultError::Shape { run: self.id(), problem: error.to_string() })
    }

    /// Like [`TaskFuture::result`], but waits for at most `timeout`. The run itself goes on.
    ///
    /// # Errors
    ///
    /// As [`TaskFuture::result`], and [`ResultError::NotYet`].
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time: the run goes on, and can be awaited again.
    pub async fn result_timeout<T: FromValue>(&self, timeout: Duration) -> Result<T, ResultError> {
        match timed(&self.0, timeout, self.outcome()).await {
            Some(outcome) => self.result_of(&outcome),
            None => Err(ResultError::NotYet { run: self.id(), waited: timeout }),
        }
    }

    /// Waits for the run to end, with any outcome, for at most `timeout` if one is given. Returns whether the run has
    /// ended.
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time: the run goes on, and can be awaited again.
    pub async fn wait(&self, timeout: impl Into<Option<Duration>>) -> bool {
        match timeout.into() {
            Some(timeout) => timed(&self.0, timeout, self.outcome()).await.is_some(),
            None => {
                self.outcome().await;
                true
            }
        }
    }

    /// Waits for the run to end, and returns its error; `None` if it completed.
    ///
    /// # Errors
    ///
    /// [`ResultError::Cancelled`] if the run was cancelled, which does not count as a failure.
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time: the run goes on, and can be awaited again.
    pub async fn exception(&self) -> Result<Option<ResultError>, ResultError> {
        match self.result::<Value>().await {
            Ok(_) => Ok(None),
            Err(error @ ResultError::Cancelled { .. }) => Err(error),
            Err(error) => Ok(Some(error)),
        }
    }

    /// Calls `callback` once when the run has ended, with any outcome, including cancellation. If the run has already
    /// ended, calls it immediately, on this thread.
    ///
    /// Callbacks of a run are called in the order in which they were added, on the thread that calls hooks (see
    /// [`Task::on_running`]). A callback that blocks delays other callbacks but no runs. If a callback panics, the
    /// panic is logged and the run is not affected. Code that awaits the run may continue before its callbacks have
    /// returned.
    pub fn add_done_callback(&self, callback: impl FnOnce(&Self) + Send + 'static) {
        let future = self.clone();
        let call: Call = Box::new(move || callback(&future));
        self.0.call_on_end(call).into_iter().for_each(call_safely);
    }

    fn result_of<T: FromValue>(&self, outcome: &Outcome) -> Result<T, ResultError> {
        ResultError::value_of(self.id(), outcome)
    }
}

/// Waits for a run to end. Dropping it removes its waker from the run.
struct WaitForEnd<'a> {
    run: &'a Run,
    slot: Option<usize>,
}

impl Future for WaitForEnd<'_> {
    type Output = Arc<Outcome>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Arc<Outcome>> {
        let run = self.run;
        run.poll_outcome(&mut self.slot, context)
    }
}

impl Drop for WaitForEnd<'_> {
    fn drop(&mut self) {
        self.slot.into_iter().for_each(|slot| self.run.stop_waiting(slot));
    }
}

/// Two handles are equal if they refer to the same run.
impl PartialEq for TaskFuture {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for TaskFuture {}

impl fmt::Debug for TaskFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskFuture")
            .field("id", &self.id())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

/// Awaits `what` for at most `timeout`. The host's own runtime provides the timer, so the caller needs no runtime.
pub(crate) async fn timed<T>(run: &Run, timeout: Duration, what: impl Future<Output = T>) -> Option<T> {
    let mut what = pin!(what);
    // A dropped host has no timer. But all its runs have ended, so there is nothing to wait for.
    if let Some(done) = what.as_mut().now_or_never() {
        return Some(done);
    }
    let timed = {
        let _timers = run.scheduler().timers().enter();
        tokio::time::timeout(timeout, what)
    };
    timed.await.ok()
}
