//! Errors of journals.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::{BatchId, Fence, HistogramError, Page, RateError};
use crate::{ErrorKind, IllegalFact, QueueName, RunId, RunSpec, State};

/// A journal refused an operation, or could not carry it out. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// There is no such run, or it was pruned.
    #[error("the journal has no run {run}")]
    NotFound {
        /// The run.
        run: RunId,
    },
    /// There is no such batch, or not any more.
    #[error("the journal has no batch {batch}")]
    NoBatch {
        /// The batch.
        batch: BatchId,
    },
    /// The run is not as the request supposes.
    #[error(transparent)]
    Conflict(#[from] JournalConflict),
    /// The request has too many parts.
    #[error("{count} {what} at once: expected at most {most}")]
    TooMany {
        /// `runs`, `claims`, `tasks left out of a claim`, `facts` or `unfinished batches`.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// The page is too small or too large.
    #[error("a page of {limit} runs: expected 1 to {most}", most = Page::MAX_LIMIT)]
    Page {
        /// How many runs the page should have.
        limit: usize,
    },
    /// The rate of a limit is out of range.
    #[error(transparent)]
    Rate(#[from] RateError),
    /// The histogram has too many intervals, or too short ones.
    #[error(transparent)]
    Histogram(#[from] HistogramError),
    /// There is no room for more unfinished runs.
    #[error("the journal is full: it has room for {most} unfinished runs")]
    Full {
        /// How many there may be.
        most: usize,
    },
    /// The medium failed; the same request may succeed later.
    #[error("the journal cannot {action}")]
    Medium {
        /// What failed: `read`, `write`.
        action: &'static str,
        /// The error of the medium.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The journal was opened for reading only, or its file cannot be written any more.
    #[error("the journal can only be read: {reason}")]
    ReadOnly {
        /// Why, and what to do.
        reason: &'static str,
    },
    /// A file of the journal is damaged; the same request fails again.
    #[error("the journal cannot {action}: its file is damaged")]
    DamagedFile {
        /// What failed: `read`, `write`, `read the log`.
        action: &'static str,
        /// The error of the medium.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The medium returned other data than was written, of one run.
    #[error("the journal found run {run} damaged ({problem})")]
    Damaged {
        /// The run.
        run: RunId,
        /// The mismatch.
        problem: &'static str,
    },
}

/// A run is not as a request supposes: someone else was faster, or has it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JournalConflict {
    /// The id belongs to another specification.
    #[error("run {run} was submitted before, with another specification")]
    OtherSpec {
        /// The run.
        run: RunId,
    },
    /// Facts were appended since the run was read.
    #[error("run {run} has version {actual}: expected {expected}")]
    Version {
        /// The run.
        run: RunId,
        /// The version of the request.
        expected: u64,
        /// The run's version.
        actual: u64,
    },
    /// The claim is over, or the run is claimed and the request has no fence.
    #[error("run {run}: {}", Fences { given: *given, actual: *actual })]
    Fence {
        /// The run.
        run: RunId,
        /// The fence of the request.
        given: Option<Fence>,
        /// The fence of the run's claim.
        actual: Option<Fence>,
    },
    /// Another unfinished run of the queue has the key.
    #[error("run {run}: run {holder} of the queue {queue} has the key {key:?} until it ends")]
    KeyTaken {
        /// The run that is submitted or retried.
        run: RunId,
        /// The queue.
        queue: QueueName,
        /// The key.
        key: Arc<str>,
        /// The run that has the key.
        holder: RunId,
    },
    /// The run has started or ended, or a worker has claimed it to start it.
    #[error("run {run} is {state}{}: expected one that waits for its first attempt", if *is_claimed { " and claimed by a worker" } else { "" })]
    Started {
        /// The run.
        run: RunId,
        /// Its state.
        state: State,
        /// Whether a worker has claimed it.
        is_claimed: bool,
    },
    /// The run has not ended.
    #[error("run {run} is {state}: expected one that has ended")]
    Unfinished {
        /// The run.
        run: RunId,
        /// Its state.
        state: State,
    },
    /// The run is of the history of a program, and no worker can execute it.
    #[error("run {run} cannot be retried: it is in the history (queue `{queue}`), which no worker executes")]
    History {
        /// The run.
        run: RunId,
        /// The queue of the history.
        queue: QueueName,
    },
    /// The run has grants, and who wants it to execute again may not grant.
    #[error("run {run} has grants: only someone who may grant can retry it")]
    Granted {
        /// The run.
        run: RunId,
    },
    /// A run cannot be moved to a queue of the host's own.
    #[error(
        "run {run} cannot be moved to the queue `{queue}`: names that begin with `hostel.` are the host's own"
    )]
    ReservedQueue {
        /// The run.
        run: RunId,
        /// The queue.
        queue: QueueName,
    },
    /// A fact cannot follow those before it.
    #[error("run {run}, fact {index}: {source}")]
    Fact {
        /// The run.
        run: RunId,
        /// Which of the facts, counted from 0.
        index: usize,
        /// The reason.
        source: IllegalFact,
    },
}

impl JournalError {
    /// The kind of the error.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. } | Self::NoBatch { .. } => ErrorKind::NotFound,
            Self::Conflict(conflict) => conflict.kind(),
            Self::TooMany { .. } | Self::Page { .. } | Self::Rate(_) | Self::Histogram(_) => {
                ErrorKind::Invalid
            }
            Self::Full { .. } => ErrorKind::Exhausted,
            Self::Medium { .. } => ErrorKind::Unavailable,
            Self::ReadOnly { .. } => ErrorKind::Denied,
            Self::Damaged { .. } | Self::DamagedFile { .. } => ErrorKind::Internal,
        }
    }
}

impl JournalConflict {
    /// Another run has the key of the run with this specification.
    pub fn key_taken(spec: &RunSpec, holder: RunId) -> Self {
        let key = spec.unique.as_ref().map_or_else(|| Arc::from(""), |unique| Arc::clone(&unique.key));
        Self::KeyTaken { run: spec.id, queue: spec.queue.clone(), key, holder }
    }

    /// Always [`ErrorKind::Conflict`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Conflict
    }
}

/// Two fences that differ, in words.
struct Fences {
    given: Option<Fence>,
    actual: Option<Fence>,
}

impl fmt::Display for Fences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.given, self.actual) {
            (Some(given), Some(actual)) => write!(f, "claim {given} is over, it is claimed as {actual} now"),
            (Some(given), None) => write!(f, "claim {given} is over"),
            (None, Some(actual)) => write!(f, "it is claimed as {actual}: expected that fence"),
            (None, None) => write!(f, "it is not claimed"),
        }
    }
}
