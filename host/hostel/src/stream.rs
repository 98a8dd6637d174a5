//! A map that submits runs as its results are taken.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_util::StreamExt;

use crate::args::{Args, Rows};
use crate::error::SubmitError;
use crate::run::TaskFuture;
use crate::submit::Offer;
use crate::task::Task;
use crate::wait::AsCompleted;

/// The stream of [`Task::map_stream`]: ended runs, in the order of the elements or in the order in which they end.
///
/// An error stops the submission, and is returned after the runs submitted before it. Dropping the stream lets
/// submitted runs go on; [`MapStream::cancel`] cancels them.
pub struct MapStream {
    task: Task,
    rows: Rows,
    window: usize,
    flight: InFlight,
    /// A run that was refused because the queue was full.
    held: Option<Offer>,
    room: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// The error that stopped the submission, until it is returned.
    error: Option<SubmitError>,
    exhausted: bool,
}

/// The runs that were submitted and not returned yet.
enum InFlight {
    Ordered {
        futures: VecDeque<TaskFuture>,
        /// The slot of this stream's waker in the first run.
        slot: Option<usize>,
    },
    AsCompleted(AsCompleted),
}

impl Task {
    /// Like [`Task::map`], but submits as results are taken. At most [`MapStream::WINDOW`] runs are in flight, however
    /// long the input is, so memory use is bounded. Also takes streams: [`each_of_stream`](crate::each_of_stream).
    ///
    /// # Errors
    ///
    /// If lengths are known and differ, or no argument is marked. Other errors are returned by the stream, at their
    /// position.
    pub fn map_stream(&self, args: Args) -> Result<MapStream, SubmitError> {
        Ok(MapStream::new(self.clone(), args.rows()?))
    }
}

impl MapStream {
    /// The default maximum number of runs in flight: enough to keep the workers busy while the caller takes results,
    /// and to let all runs of an ordinary map sleep at the same time.
    pub const WINDOW: usize = 10_000;

    pub(crate) fn new(task: Task, rows: Rows) -> Self {
        Self {
            task,
            rows,
            window: Self::WINDOW,
            flight: InFlight::Ordered { futures: VecDeque::new(), slot: None },
            held: None,
            room: None,
            error: None,
            exhausted: false,
        }
    }

    /// The next ended run, or the error that stopped the submission; `None` after the last.
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time: nothing is lost.
    pub async fn next(&mut self) -> Option<Result<TaskFuture, SubmitError>> {
        StreamExt::next(self).await
    }

    /// Returns runs as they end instead of in the order of the elements. Call it before taking the first run.
    #[must_use]
    pub fn as_completed(mut self) -> Self {
        self.flight = InFlight::AsCompleted(AsCompleted::default());
        self
    }

    /// Sets the maximum number of runs in flight; at least 1.
    #[must_use]
    pub fn window(mut self, runs: usize) -> Self {
        self.window = runs.max(1);
        self
    }

    /// Stops the submission, and cancels the runs in flight. The stream still returns them.
    pub fn cancel(&mut self) {
        self.exhausted = true;
        self.held = None;
        match &self.flight {
            InFlight::Ordered { futures, .. } => futures.iter().for_each(|future| _ = future.cancel()),
            InFlight::AsCompleted(ended) => ended.cancel(),
        }
    }

    /// Submits until the window or the queue is full, or nothing is left.
    fn submit(&mut self, context: &mut Context<'_>) {
        while !self.exhausted && self.flight.len() < self.window && self.has_room(context) {
            if let Some(offer) = self.held.take() {
                self.submit_one(offer);
                continue;
            }
            match self.rows.poll_next(context) {
                Poll::Ready(Some(row)) => match row.and_then(|row| self.task.bind(row)) {
                    Ok(bound) => self.submit_one(self.task.offer(bound)),
                    Err(error) => self.end(Some(error)),
                },
                Poll::Ready(None) => self.end(None),
                Poll::Pending => return,
            }
        }
    }

    fn submit_one(&mut self, mut offer: Offer) {
        match self.task.try_accept(&mut offer) {
            Ok(future) => self.flight.add(future),
            Err(SubmitError::QueueFull { .. }) => {
                self.held = Some(offer);
                let scheduler = Arc::clone(&self.task.host().scheduler);
                self.room = Some(Box::pin(async move { scheduler.room().await }));
            }
            Err(error) => self.end(Some(error)),
        }
    }

    fn end(&mut self, error: Option<SubmitError>) {
        self.exhausted = true;
        self.error = error;
    }

    fn has_room(&mut self, context: &mut Context<'_>) -> bool {
        let full = self.room.as_mut().is_some_and(|room| room.as_mut().poll(context).is_pending());
        if !full {
            self.room = None;
        }
        !full
    }
}

impl InFlight {
    fn len(&self) -> usize {
        match self {
            Self::Ordered { futures, .. } => futures.len(),
            Self::AsCompleted(ended) => ended.remaining(),
        }
    }

    fn add(&mut self, future: TaskFuture) {
        match self {
            Self::Ordered { futures, .. } => futures.push_back(future),
            Self::AsCompleted(ended) => ended.add(future),
        }
    }

    /// The next ended run; `None` if none is in flight.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<TaskFuture>> {
        match self {
            Self::Ordered { futures, slot } => {
                let Some(next) = futures.front() else {
                    return Poll::Ready(None);
                };
                next.run().poll_outcome(slot, context).map(|_| {
                    *slot = None;
                    futures.pop_front()
                })
            }
            Self::AsCompleted(ended) => Pin::new(ended).poll_next(context),
        }
    }
}

impl Stream for MapStream {
    type Item = Result<TaskFuture, SubmitError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.submit(context);
        match self.flight.poll_next(context) {
            Poll::Ready(Some(future)) => Poll::Ready(Some(Ok(future))),
            Poll::Ready(None) if self.exhausted => Poll::Ready(self.error.take().map(Err)),
            // The queue is full of other runs, or the next element has not arrived. `submit` has registered the waker.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}
