//! Errors of submitting runs and of taking results.

mod transaction;

use std::path::PathBuf;
use std::time::Duration;

use hostel_core::{
    ArgumentError, ErrorKind, Failure, FromValue, OptionError, Outcome, RunId, TagError, ValueError,
    bytes_text,
};
use hostel_engine::{MissingImports, OpenDirError};

pub use self::transaction::TransactionError;

/// A run was not submitted. Nothing of it remains.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// An argument does not fit the task's signature.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// The arguments are larger than the task's limits allow.
    #[error("the arguments take {}, over the limit `input` of {}", bytes_text(*bytes), bytes_text(*limit))]
    InputTooLarge {
        /// The size of the arguments.
        bytes: u64,
        /// [`hostel_core::Limits::input_bytes`] of the task.
        limit: u64,
    },
    /// The text of the run's cache key is longer than [`NameTemplate::MAX_KEY_BYTES`](hostel_core::NameTemplate::MAX_KEY_BYTES).
    #[error("the text of the cache key {template:?} takes more than {}: expected shorter arguments, or the policy `inputs`, which \
             takes arguments of any length", bytes_text(*limit))]
    KeyTooLong {
        /// The template of the key.
        template: String,
        /// The maximum length, in bytes.
        limit: u64,
    },
    /// The component was loaded only for inspection.
    #[error("the component was loaded only for inspection: load it with its code to run its tasks")]
    NotLoaded,
    /// The component imports what this host does not provide.
    #[error("the component cannot be run: {0}")]
    NotLinked(MissingImports),
    /// The task has a fuel limit, but the host does not count fuel.
    #[error("the limit `fuel` is set, but this host does not count fuel: build it with `count_fuel(true)`")]
    FuelIsNotCounted,
    /// An option of the task is out of range.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// A granted directory does not exist.
    #[error(transparent)]
    Dir(#[from] OpenDirError),
    /// A directory granted for writing contains the host's data directory, or lies inside it.
    #[error("{} is granted for writing, which reaches the data directory {}, whose content the host trusts: expected \
             another data directory, or a grant of a separate directory", granted.display(), data_dir.display())]
    WritableDataDir {
        /// The granted directory.
        granted: PathBuf,
        /// The host's data directory.
        data_dir: PathBuf,
    },
    /// A directory granted for writing contains the directory of the remote cache, or lies inside it.
    #[error("{} is granted for writing, which reaches the directory {} of the remote cache, whose content the host trusts: \
             expected another remote cache, or a grant of a separate directory", granted.display(), dir.display())]
    WritableRemoteCache {
        /// The granted directory.
        granted: PathBuf,
        /// The directory of the remote cache.
        dir: PathBuf,
    },
    /// The transaction that the run was to join has ended.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// An argument is marked `each`, which is only allowed in a map.
    #[error("argument {position} is marked `each`: use `map` to run the task for each element")]
    Each {
        /// The argument's position, counted from 1.
        position: usize,
    },
    /// An argument of a map is a stream. Only a stream map accepts streams.
    #[error("argument {position} is a stream: use `map_stream`, which takes its elements as they arrive")]
    Stream {
        /// The argument's position, counted from 1.
        position: usize,
    },
    /// No argument of a map is marked `each`.
    #[error("no argument is marked `each`: mark an argument to map over, or use `submit` for one run")]
    NothingMapped,
    /// The mapped arguments have different lengths.
    #[error("the mapped arguments have different lengths: {}", lengths.iter().map(usize::to_string).collect::<Vec<_>>().join(", "))]
    LengthsDiffer {
        /// The lengths, in the order of the arguments. For streams, the number of elements so far.
        lengths: Vec<usize>,
    },
    /// The queue is full.
    #[error("the queue is full: {capacity} runs are pending")]
    QueueFull {
        /// The capacity of the queue.
        capacity: usize,
    },
    /// The host is shutting down.
    #[error("the host is shut down and accepts no more runs")]
    ShutDown,
}

impl From<TagError> for SubmitError {
    fn from(error: TagError) -> Self {
        Self::Option(error.into())
    }
}

impl SubmitError {
    /// The kind of this error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Argument(_)
            | Self::Option(_)
            | Self::InputTooLarge { .. }
            | Self::KeyTooLong { .. }
            | Self::NotLoaded
            | Self::NotLinked(_)
            | Self::FuelIsNotCounted
            | Self::WritableDataDir { .. }
            | Self::WritableRemoteCache { .. }
            | Self::Each { .. }
            | Self::Stream { .. }
            | Self::NothingMapped
            | Self::LengthsDiffer { .. } => ErrorKind::Invalid,
            Self::Transaction(error) => error.kind(),
            Self::Dir(error) => error.kind(),
            Self::QueueFull { .. } => ErrorKind::Exhausted,
            Self::ShutDown => ErrorKind::Unavailable,
        }
    }
}

/// A run's result is not available, or not of the requested type.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResultError {
    /// The guest failed.
    #[error("run {run} failed: {failure}")]
    Failed {
        /// The run.
        run: RunId,
        /// The failure.
        failure: Failure,
    },
    /// The run crashed because of the host.
    #[error("run {run} crashed: {reason}")]
    Crashed {
        /// The run.
        run: RunId,
        /// The reason.
        reason: String,
    },
    /// The run was cancelled.
    #[error("run {run} was cancelled")]
    Cancelled {
        /// The run.
        run: RunId,
    },
    /// The run did not end within the time that the caller waited. The run goes on.
    #[error("run {run} has not ended within {waited:?}")]
    NotYet {
        /// The run.
        run: RunId,
        /// The time that the caller waited.
        waited: Duration,
    },
    /// The run completed with a value that the requested Rust type cannot hold.
    #[error("the result of run {run} does not fit the requested type: {source}")]
    Type {
        /// The run.
        run: RunId,
        /// The mismatch.
        source: ValueError,
    },
    /// The run completed with a value whose JSON form does not deserialise into the requested type.
    #[error("the result of run {run} does not fit the requested type: {problem}")]
    Shape {
        /// The run.
        run: RunId,
        /// The mismatch.
        problem: String,
    },
}

impl ResultError {
    /// The value of a run with this outcome, as a Rust type.
    pub(crate) fn value_of<T: FromValue>(run: RunId, outcome: &Outcome) -> Result<T, Self> {
        match outcome {
            Outcome::Completed(value) => {
                T::from_value(value.clone()).map_err(|source| Self::Type { run, source })
            }
            Outcome::Failed(failure) => Err(Self::Failed { run, failure: failure.clone() }),
            Outcome::Crashed { reason } => Err(Self::Crashed { run, reason: reason.clone() }),
            Outcome::Cancelled => Err(Self::Cancelled { run }),
        }
    }

    /// The kind of this error. A failure of the guest is [`ErrorKind::Internal`] for code that needed its result.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Failed { .. } | Self::Crashed { .. } => ErrorKind::Internal,
            Self::Cancelled { .. } | Self::NotYet { .. } => ErrorKind::Unavailable,
            Self::Type { .. } | Self::Shape { .. } => ErrorKind::Invalid,
        }
    }
}

/// An error and its causes, in one line.
pub(crate) fn in_full(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", in_full(source)),
        None => error.to_string(),
    }
}
