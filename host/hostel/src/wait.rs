//! Waiting for several runs: until a condition holds, or for one after the other as they end.

use std::collections::{HashMap, HashSet, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_core::Stream;
use futures_util::StreamExt;
use hostel_core::{FromValue, Outcome, RunId, Value};
use tokio::time::Sleep;

use crate::error::ResultError;
use crate::run::{TaskFuture, timed};

/// The condition on which [`wait`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnWhen {
    /// A run has ended.
    FirstCompleted,
    /// A run has ended without completing, or all runs have ended.
    FirstException,
    /// All runs have ended.
    AllCompleted,
}

/// Waits until `when` holds, for at most `timeout`. Returns the runs that have ended and those that have not, each in
/// the order of `futures`. A run that is listed twice counts once.
///
/// Never fails. After a timeout, the second list contains the unfinished runs.
///
/// # Cancel safety
///
/// Can be dropped at any time: the runs go on.
pub async fn wait(
    futures: &[TaskFuture],
    when: ReturnWhen,
    timeout: Option<Duration>,
) -> (Vec<TaskFuture>, Vec<TaskFuture>) {
    let mut ended = as_completed(futures.iter().cloned());
    let enough = async {
        while let Some(future) = ended.next().await {
            let first = match when {
                ReturnWhen::FirstCompleted => true,
                ReturnWhen::FirstException => !future.is_completed(),
                ReturnWhen::AllCompleted => false,
            };
            if first {
                break;
            }
        }
    };
    // An ended run may belong to a dropped host, which has no timer.
    match (timeout, futures.iter().find(|future| !future.done())) {
        (Some(timeout), Some(first)) => {
            timed(first.run(), timeout, enough).await;
        }
        _ => enough.await,
    }
    distinct(futures.iter().cloned()).partition(TaskFuture::done)
}

/// Returns the runs as they end: first those that have already ended, in their order. A run that is listed twice is
/// returned once. Runs are returned with any outcome.
pub fn as_completed(futures: impl IntoIterator<Item = TaskFuture>) -> AsCompleted {
    let mut as_completed = AsCompleted::default();
    distinct(futures).for_each(|future| as_completed.add(future));
    as_completed
}

/// Like [`as_completed`], but ends with an error `timeout` after this call.
pub fn as_completed_within(
    futures: impl IntoIterator<Item = TaskFuture>,
    timeout: Duration,
) -> AsCompletedWithin {
    let ended = as_completed(futures);
    let of = ended.remaining();
    let going_on = ended.unfinished.keys().find(|ById(future)| !future.done());
    let sleep = going_on.map(|ById(future)| {
        let _timers = future.run().scheduler().timers().enter();
        Box::pin(tokio::time::sleep(timeout))
    });
    AsCompletedWithin { ended, of, sleep, is_over: false }
}

/// The stream of [`as_completed_within`].
///
/// # Cancel safety
///
/// Can be dropped at any time: the runs go on.
pub struct AsCompletedWithin {
    ended: AsCompleted,
    of: usize,
    /// `None` if all runs had already ended.
    sleep: Option<Pin<Box<Sleep>>>,
    is_over: bool,
}

/// Some runs have not ended in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{unfinished} (of {of}) futures unfinished")]
pub struct Unfinished {
    /// The number of runs that have not ended.
    pub unfinished: usize,
    /// The number of all runs.
    pub of: usize,
}

impl AsCompletedWithin {
    /// The next ended run, or an error when the time is over; `None` after the last item.
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time: nothing is lost.
    pub async fn next(&mut self) -> Option<Result<TaskFuture, Unfinished>> {
        StreamExt::next(self).await
    }
}

impl Stream for AsCompletedWithin {
    type Item = Result<TaskFuture, Unfinished>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        match Pin::new(&mut self.ended).poll_next(context) {
            Poll::Ready(Some(future)) => return Poll::Ready(Some(Ok(future))),
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => {}
        }
        let is_over = self.sleep.as_mut().is_some_and(|sleep| sleep.as_mut().poll(context).is_ready());
        if !is_over {
            return Poll::Pending;
        }
        self.is_over = true;
        Poll::Ready(Some(Err(Unfinished { unfinished: self.ended.remaining(), of: self.of })))
    }
}

/// The stream of [`as_completed`].
///
/// # Cancel safety
///
/// Can be dropped at any time: the runs go on.
#[derive(Default)]
pub struct AsCompleted {
    /// The runs that were not returned yet, each with the number of the callback on its end.
    unfinished: HashMap<ById, Option<usize>>,
    ended: Arc<Mutex<Ended>>,
}

/// The runs that have ended and were not returned yet.
#[derive(Default)]
struct Ended {
    futures: VecDeque<TaskFuture>,
    waker: Option<Waker>,
}

struct ById(TaskFuture);

impl AsCompleted {
    /// The next ended run; `None` after the last.
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time: nothing is lost.
    pub async fn next(&mut self) -> Option<TaskFuture> {
        StreamExt::next(self).await
    }

    /// The number of runs that were not returned yet.
    pub fn remaining(&self) -> usize {
        self.unfinished.len()
    }

    /// Cancels the runs that were not returned yet. They are still returned.
    pub(crate) fn cancel(&self) {
        self.unfinished.keys().for_each(|ById(future)| _ = future.cancel());
    }

    /// Adds a run to the stream.
    pub(crate) fn add(&mut self, future: TaskFuture) {
        let (ended, given) = (Arc::clone(&self.ended), future.clone());
        let callback = future.run().on_end(Box::new(move || {
            let mut ended = lock(&ended);
            ended.futures.push_back(given);
            let waker = ended.waker.take();
            drop(ended);
            waker.into_iter().for_each(Waker::wake);
        }));
        self.unfinished.insert(ById(future), callback);
    }
}

impl Stream for AsCompleted {
    type Item = TaskFuture;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<TaskFuture>> {
        if self.unfinished.is_empty() {
            return Poll::Ready(None);
        }
        let mut ended = lock(&self.ended);
        let Some(future) = ended.futures.pop_front() else {
            ended.waker = Some(context.waker().clone());
            return Poll::Pending;
        };
        drop(ended);
        let future = ById(future);
        self.unfinished.remove(&future);
        Poll::Ready(Some(future.0))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.unfinished.len(), Some(self.unfinished.len()))
    }
}

impl Drop for AsCompleted {
    /// Removes the callbacks, so that they do not pile up in long runs.
    fn drop(&mut self) {
        for (ById(future), callback) in self.unfinished.drain() {
            callback.into_iter().for_each(|callback| future.run().forget(callback));
        }
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for ById {}

impl std::hash::Hash for ById {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.id().hash(state);
    }
}

/// Waits until all runs have completed, and returns their values in the order of `futures`.
///
/// # Errors
///
/// [`ResultError`] of the first run that fails, as soon as it fails. The other runs go on.
///
/// # Cancel safety
///
/// Can be dropped at any time: the runs go on.
pub async fn results<T: FromValue>(futures: &[TaskFuture]) -> Result<Vec<T>, ResultError> {
    let mut ended = as_completed(futures.iter().cloned());
    while let Some(future) = ended.next().await {
        if !future.is_completed() {
            future.result::<Value>().await?;
        }
    }
    let mut values = Vec::with_capacity(futures.len());
    for future in futures {
        values.push(future.result().await?);
    }
    Ok(values)
}

/// Waits until all runs have ended, and returns their outcomes, including failures, in the order of `futures`.
///
/// # Cancel safety
///
/// Can be dropped at any time: the runs go on.
pub async fn outcomes(futures: &[TaskFuture]) -> Vec<Arc<Outcome>> {
    let mut outcomes = Vec::with_capacity(futures.len());
    for future in futures {
        outcomes.push(future.outcome().await);
    }
    outcomes
}

fn distinct(futures: impl IntoIterator<Item = TaskFuture>) -> impl Iterator<Item = TaskFuture> {
    let mut seen: HashSet<RunId> = HashSet::new();
    futures.into_iter().filter(move |future| seen.insert(future.id()))
}

/// No code panics while it holds the lock, so a poisoned lock is still valid.
fn lock(ended: &Mutex<Ended>) -> MutexGuard<'_, Ended> {
    ended.lock().unwrap_or_else(PoisonError::into_inner)
}
