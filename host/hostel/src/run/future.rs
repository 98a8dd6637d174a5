//! A handle to one run.

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use hostel_core::{FromValue, LogLine, Outcome, Progress, Receipt, RunId, State, Transition, Value};
use serde::de::DeserializeOwned;

use super::Run;
use super::history::Attempt;
use crate::cache::CacheReport;
use crate::calls::{Call, call_safely};
use crate::error::ResultError;
use crate::tag::Tag;
use crate::task::Task;

/// A handle to one run, which goes on whether or not anyone holds it.
///
/// Cheap to clone. Any number of people can await it, any number of times, on any async runtime or on none.
#[derive(Clone)]
pub struct TaskFuture(Arc<Run>);

impl TaskFuture {
    pub(crate) fn new(run: Arc<Run>) -> Self {
        Self(run)
    }

    pub(crate) fn run(&self) -> &Arc<Run> {
        &self.0
    }

    /// The run's identity.
    pub fn id(&self) -> RunId {
        self.0.id()
    }

    /// The task that runs.
    pub fn task(&self) -> &Task {
        self.0.task()
    }

    /// Where the run stands now.
    pub fn state(&self) -> State {
        self.0.state()
    }

    /// Every state the run has come to, in order, from the one it was born in.
    pub fn history(&self) -> Vec<Transition> {
        self.0.history()
    }

    /// The run's name: from its task's template as soon as its inputs are there, or else its function and the end of its
    /// id.
    pub fn name(&self) -> Arc<str> {
        self.0.name()
    }

    /// The run's tags, in alphabetical order.
    pub fn tags(&self) -> &[Tag] {
        self.0.tags()
    }

    /// Every attempt so far, each with how it ended, how long it took, and what it printed.
    pub fn attempts(&self) -> Vec<Attempt> {
        self.0.attempts()
    }

    /// What the run has used up, in all its attempts that have ended; all of it is zero for a run whose value was cached.
    pub fn receipt(&self) -> Receipt {
        self.0.receipt()
    }

    /// What the guest has last reported of how far it is.
    pub fn progress(&self) -> Option<Progress> {
        self.0.progress()
    }

    /// What the run has printed so far, in all its attempts.
    pub fn log(&self) -> Vec<LogLine> {
        self.0.log()
    }

    /// Whether the run has ended, in whatever way.
    pub fn done(&self) -> bool {
        self.state().is_terminal()
    }

    /// What the cache did for the run, and why. Complete when the run has ended.
    pub fn cache_report(&self) -> CacheReport {
        self.0.cache_report()
    }

    /// Whether the run has ended with a value.
    pub(crate) fn is_completed(&self) -> bool {
        self.try_outcome().is_some_and(|outcome| outcome.is_completed())
    }

    /// Whether the run executes now.
    pub fn running(&self) -> bool {
        self.state().is_executing()
    }

    /// Whether the run ended by being cancelled.
    pub fn cancelled(&self) -> bool {
        self.state() == State::Cancelled
    }

    /// How the run ended, if it has.
    pub fn try_outcome(&self) -> Option<Arc<Outcome>> {
        self.0.outcome()
    }

    /// Waits for the run to end, in whatever way.
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time: the run goes on, and can be awaited again.
    pub async fn outcome(&self) -> Arc<Outcome> {
        WaitForEnd { run: &self.0, slot: None }.await
    }

    /// Waits for the run to complete, and gives its value as a Rust type, or as it is as a [`hostel_core::Value`].
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

    /// Waits for the run to complete, and gives its value as a type that serde can read from the value's JSON form: a
    /// record as a struct, a variant as an enum.
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

    /// Like [`TaskFuture::result`], but waits no longer than `timeout`. The run itself goes on.
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

    /// Waits for the run to end, in whatever way, but no longer than a timeout, if one is given. Whether it has.
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

    /// Waits for the run to end, and gives what went wrong: `None` if it completed.
    ///
    /// # Errors
    ///
    /// [`ResultError::Cancelled`] if the run was cancelled, which is no failure of its own.
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

    /// Calls `callback` once, when the run has ended in whatever way, cancelled too; at once, on this thread, if it has
    /// ended already.
    ///
    /// Callbacks of a run are called in the order in which they were added, on the thread that calls hooks (see
    /// [`Task::on_running`]): one that blocks holds up other callbacks and no runs, and one that panics is logged and
    /// changes nothing. Whoever awaits the run may go on before they are done.
    pub fn add_done_callback(&self, callback: impl FnOnce(&Self) + Send + 'static) {
        let future = self.clone();
        let call: Call = Box::new(move || callback(&future));
        self.0.call_on_end(call).into_iter().for_each(call_safely);
    }

    fn result_of<T: FromValue>(&self, outcome: &Outcome) -> Result<T, ResultError> {
        let run = self.id();
        match outcome {
            Outcome::Completed(value) => {
                T::from_value(value.clone()).map_err(|source| ResultError::Type { run, source })
            }
            Outcome::Failed(failure) => Err(ResultError::Failed { run, failure: failure.clone() }),
            Outcome::Crashed { reason } => Err(ResultError::Crashed { run, reason: reason.clone() }),
            Outcome::Cancelled => Err(ResultError::Cancelled { run }),
        }
    }
}

/// Waits for a run to end. When it is dropped, nothing of it remains with the run.
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

/// Two handles are equal if they are of the same run.
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

/// Awaits `what` for no longer than `timeout`, timed by the host's own runtime, so that the caller needs none.
pub(crate) async fn timed<T>(run: &Run, timeout: Duration, what: impl Future<Output = T>) -> Option<T> {
    let mut what = pin!(what);
    // A host that is gone times nothing any more; but then its runs have ended, and there is nothing to wait for.
    if let Some(done) = what.as_mut().now_or_never() {
        return Some(done);
    }
    let timed = {
        let _timers = run.scheduler().timers().enter();
        tokio::time::timeout(timeout, what)
    };
    timed.await.ok()
}
