//! Many runs in flight: submitted as rows arrive, returned in the order of the rows or as they end.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, FuturesUnordered};
use hostel::{State, TaskFuture, Value};

use crate::failure_limit::FailureLimit;
use crate::problem::Problem;

/// The maximum number of runs in flight: enough to keep the workers busy, and to let all sleepers of an ordinary map
/// sleep at the same time.
const MAX_RUNS: usize = 10_000;

/// The maximum size of the arguments of all runs in flight, except the first.
const MAX_BYTES: usize = 256 << 20;

/// The maximum size of the copies of arguments that are kept for records of failed runs.
const MAX_COPIED_BYTES: usize = 16 << 20;

/// The arguments of one run of a map.
pub(crate) struct Row {
    /// Counted from 0.
    pub(crate) index: usize,
    /// The arguments, as in reports: `x = 5`.
    pub(crate) label: String,
    /// One input for each parameter, in order.
    pub(crate) inputs: Vec<Value>,
}

/// A run of a map.
pub(crate) struct Item {
    pub(crate) index: usize,
    pub(crate) label: String,
    pub(crate) run: TaskFuture,
    /// A copy of its arguments; empty if none is kept.
    pub(crate) inputs: Vec<Value>,
    bytes: usize,
    is_copied: bool,
}

/// A stream of rows.
pub(crate) type Rows = BoxStream<'static, Result<Row, Problem>>;

/// A function that submits a row.
pub(crate) type Submit = Box<dyn FnMut(usize, Vec<Value>) -> Result<TaskFuture, Problem>>;

/// The runs of a map. An error in the rows ends the submission, and is returned after the runs before it.
pub(crate) struct Flight {
    rows: Option<Rows>,
    submit: Submit,
    runs: Runs,
    bytes: usize,
    copies: bool,
    copied: usize,
    failures: FailureLimit,
    submitted: u64,
    error: Option<Problem>,
}

enum Runs {
    Ordered {
        items: VecDeque<Item>,
        /// Waits for the end of the first one.
        first: Option<BoxFuture<'static, ()>>,
    },
    AsCompleted {
        /// By index.
        items: HashMap<usize, Item>,
        ended: FuturesUnordered<BoxFuture<'static, usize>>,
    },
}

impl Flight {
    /// Once `failures` has reached its limit, nothing more is submitted.
    pub(crate) fn new(rows: Rows, as_completed: bool, submit: Submit, failures: FailureLimit) -> Self {
        let runs = if as_completed {
            Runs::AsCompleted { items: HashMap::new(), ended: FuturesUnordered::new() }
        } else {
            Runs::Ordered { items: VecDeque::new(), first: None }
        };
        Self {
            rows: Some(rows),
            submit,
            runs,
            bytes: 0,
            copies: false,
            copied: 0,
            failures,
            submitted: 0,
            error: None,
        }
    }

    /// Keeps copies of the arguments, as far as there is room for them.
    pub(crate) fn copying_inputs(self, copies: bool) -> Self {
        Self { copies, ..self }
    }

    /// Stops submitting.
    pub(crate) fn stop(&mut self) {
        self.rows = None;
    }

    /// The number of runs in flight that have failed and will be retried.
    pub(crate) fn awaiting_retry(&self) -> usize {
        let awaits_retry = |item: &&Item| item.run.state() == State::AwaitingRetry;
        match &self.runs {
            Runs::Ordered { items, .. } => items.iter().filter(awaits_retry).count(),
            Runs::AsCompleted { items, .. } => items.values().filter(awaits_retry).count(),
        }
    }

    /// The number of submitted runs.
    pub(crate) const fn submitted(&self) -> u64 {
        self.submitted
    }

    /// Whether every row was submitted.
    pub(crate) const fn is_complete(&self) -> bool {
        self.rows.is_none()
    }

    /// Submits until there are enough runs in flight, or no row is available.
    fn fill(&mut self, context: &mut Context<'_>) {
        let has_room = |flight: &Self| flight.runs.len() < MAX_RUNS && flight.bytes <= MAX_BYTES;
        while has_room(self) && !self.failures.is_reached() {
            let Some(rows) = &mut self.rows else { return };
            match rows.as_mut().poll_next(context) {
                Poll::Ready(Some(Ok(row))) => self.add(row),
                Poll::Ready(Some(Err(problem))) => self.fail(problem),
                Poll::Ready(None) => self.rows = None,
                Poll::Pending => return,
            }
        }
    }

    fn add(&mut self, row: Row) {
        let Row { index, label, inputs } = row;
        let bytes: usize = inputs.iter().map(Value::footprint).sum();
        let is_copied = self.copies && self.copied + bytes <= MAX_COPIED_BYTES;
        let copy = if is_copied { inputs.clone() } else { Vec::new() };
        match (self.submit)(index, inputs) {
            Ok(run) => {
                self.bytes += bytes;
                self.copied += if is_copied { bytes } else { 0 };
                self.submitted += 1;
                self.runs.add(Item { index, label, run, inputs: copy, bytes, is_copied });
            }
            Err(problem) => self.fail(problem),
        }
    }

    fn fail(&mut self, problem: Problem) {
        self.error = Some(problem);
        self.rows = None;
    }
}

impl Stream for Flight {
    type Item = Result<Item, Problem>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.fill(context);
        match self.runs.poll_next(context) {
            Poll::Ready(Some(item)) => {
                self.bytes -= item.bytes;
                self.copied -= if item.is_copied { item.bytes } else { 0 };
                Poll::Ready(Some(Ok(item)))
            }
            Poll::Ready(None) if self.rows.is_none() => Poll::Ready(self.error.take().map(Err)),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Runs {
    fn len(&self) -> usize {
        match self {
            Self::Ordered { items, .. } => items.len(),
            Self::AsCompleted { items, .. } => items.len(),
        }
    }

    fn add(&mut self, item: Item) {
        match self {
            Self::Ordered { items, .. } => items.push_back(item),
            Self::AsCompleted { items, ended } => {
                let (index, run) = (item.index, item.run.clone());
                items.insert(index, item);
                ended.push(Box::pin(async move {
                    run.outcome().await;
                    index
                }));
            }
        }
    }

    /// The next run that has ended; `None` if none is in flight.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Item>> {
        match self {
            Self::Ordered { items, first } => {
                let Some(item) = items.front() else {
                    return Poll::Ready(None);
                };
                let ended = first.get_or_insert_with(|| {
                    let run = item.run.clone();
                    Box::pin(async move { drop(run.outcome().await) })
                });
                ended.as_mut().poll(context).map(|()| {
                    *first = None;
                    items.pop_front()
                })
            }
            Self::AsCompleted { items, ended } => {
                let index = Pin::new(ended).poll_next(context);
                index.map(|index| items.remove(&index?))
            }
        }
    }
}
