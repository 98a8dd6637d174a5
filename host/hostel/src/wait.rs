//! Waiting for several runs: until some condition holds, or one after the other as they end.

use std::collections::{HashSet, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_core::Stream;
use futures_util::StreamExt;
use hostel_core::{Outcome, RunId};

use crate::future::{TaskFuture, timed};

/// When [`wait`] has waited enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnWhen {
    /// When a run has ended.
    FirstCompleted,
    /// When a run has ended otherwise than completed, or all have ended.
    FirstException,
    /// When all runs have ended.
    AllCompleted,
}

/// Waits until `when` holds, or for no longer than `timeout`, and gives the runs that have ended and those that have
/// not, each in the order of `futures`. A run that is named twice counts once.
///
/// Never fails: a timeout shows in the second list.
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
                ReturnWhen::FirstException => !is_completed(&future),
                ReturnWhen::AllCompleted => false,
            };
            if first {
                break;
            }
        }
    };
    match (timeout, futures.first()) {
        (Some(timeout), Some(first)) => {
            timed(first.job(), timeout, enough).await;
        }
        _ => enough.await,
    }
    distinct(futures.iter().cloned()).partition(TaskFuture::done)
}

/// Gives the runs as they end: those that have ended first, in their order; a run that is named twice, once. However a
/// run ended, it is given.
pub fn as_completed(futures: impl IntoIterator<Item = TaskFuture>) -> AsCompleted {
    let mut as_completed = AsCompleted::default();
    distinct(futures).for_each(|future| as_completed.add(future));
    as_completed
}

/// The stream of [`as_completed`].
///
/// # Cancel safety
///
/// Can be dropped at any time: the runs go on.
#[derive(Default)]
pub struct AsCompleted {
    /// Those that have not been given yet.
    unfinished: HashSet<ById>,
    ended: Arc<Mutex<Ended>>,
}

/// The runs that have ended and were not given yet.
#[derive(Default)]
struct Ended {
    futures: VecDeque<TaskFuture>,
    waker: Option<Waker>,
}

struct ById(TaskFuture);

impl AsCompleted {
    /// How many are still to be given.
    pub fn remaining(&self) -> usize {
        self.unfinished.len()
    }

    /// Cancels the runs that have not been given; they still are.
    pub(crate) fn cancel(&self) {
        self.unfinished.iter().for_each(|ById(future)| _ = future.cancel());
    }

    /// Adds a run to those that are to be given.
    pub(crate) fn add(&mut self, future: TaskFuture) {
        let (ended, given) = (Arc::clone(&self.ended), future.clone());
        self.unfinished.insert(ById(future.clone()));
        future.job().run().on_end(
            Arc::as_ptr(&self.ended).addr(),
            Box::new(move || {
                let mut ended = lock(&ended);
                ended.futures.push_back(given);
                let waker = ended.waker.take();
                drop(ended);
                waker.into_iter().for_each(Waker::wake);
            }),
        );
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
    /// Runs that go on for long must not gather the callbacks of those who no longer wait.
    fn drop(&mut self) {
        let owner = Arc::as_ptr(&self.ended).addr();
        self.unfinished.iter().for_each(|ById(future)| future.job().run().forget(owner));
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

fn is_completed(future: &TaskFuture) -> bool {
    future.try_outcome().is_some_and(|outcome| matches!(*outcome, Outcome::Completed(_)))
}

fn distinct(futures: impl IntoIterator<Item = TaskFuture>) -> impl Iterator<Item = TaskFuture> {
    let mut seen: HashSet<RunId> = HashSet::new();
    futures.into_iter().filter(move |future| seen.insert(future.id()))
}

/// Nothing panics while it holds the lock, so a poisoned one is as good as any.
fn lock(ended: &Mutex<Ended>) -> MutexGuard<'_, Ended> {
    ended.lock().unwrap_or_else(PoisonError::into_inner)
}
