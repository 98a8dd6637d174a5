//! What can go wrong when runs are submitted and results are taken.

mod option;
mod transaction;

use std::path::PathBuf;
use std::time::Duration;

use hostel_core::{ArgumentError, ErrorKind, Failure, RunId, ValueError, bytes_text};
use hostel_engine::{MissingImports, OpenDirError};

pub(crate) use self::option::MAX_TAG_BYTES;
pub use self::option::OptionError;
pub use self::transaction::TransactionError;

/// A run was not submitted; nothing of it remains.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// An argument does not fit the task's signature.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// The arguments are larger than the task's limits allow.
    #[error("the arguments take {}, over the limit `input` of {}", bytes_text(*bytes), bytes_text(*limit))]
    InputTooLarge {
        /// What the arguments take.
        bytes: u64,
        /// [`hostel_core::Limits::input_bytes`] of the task.
        limit: u64,
    },
    /// The component was loaded only to look at it.
    #[error("the component was loaded without its code, to look at it: load it to run its tasks")]
    NotLoaded,
    /// The component imports what this host does not provide.
    #[error("the component cannot be run: {0}")]
    NotLinked(MissingImports),
    /// The task has a limit of fuel, which the host does not count.
    #[error("the limit `fuel` is set, and this host does not count fuel: build it with `count_fuel(true)`")]
    FuelIsNotCounted,
    /// An option of the task is out of range.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// A directory that is granted is not there.
    #[error(transparent)]
    Dir(#[from] OpenDirError),
    /// A directory that is granted to be written has the host's data directory in it, or lies in it.
    #[error("{} is granted to be written, which reaches the data directory {}, whose content the host trusts: expected \
             another data directory, or a grant of a directory apart from it", granted.display(), data_dir.display())]
    WritableDataDir {
        /// The directory that is granted.
        granted: PathBuf,
        /// The host's data directory.
        data_dir: PathBuf,
    },
    /// A directory that is granted to be written has the directory of the remote cache in it, or lies in it.
    #[error("{} is granted to be written, which reaches the directory {} of the remote cache, whose content the host trusts: \
             expected another remote cache, or a grant of a directory apart from it", granted.display(), dir.display())]
    WritableRemoteCache {
        /// The directory that is granted.
        granted: PathBuf,
        /// Where the remote cache is.
        dir: PathBuf,
    },
    /// The transaction that the run was to join is over.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// An argument is marked `each`, which only a map can take.
    #[error("argument {position} is marked `each`: use `map` to run the task for each element")]
    Each {
        /// The argument's place, counted from 1.
        position: usize,
    },
    /// An argument of a map is a stream, whose elements are not all there.
    #[error("argument {position} is a stream: use `map_stream`, which takes its elements as they come")]
    Stream {
        /// The argument's place, counted from 1.
        position: usize,
    },
    /// No argument of a map is marked `each`.
    #[error("no argument is marked `each`: mark what is to be mapped, or use `submit` for one run")]
    NothingMapped,
    /// The mapped arguments have different lengths.
    #[error("the mapped arguments have different lengths: {}", lengths.iter().map(usize::to_string).collect::<Vec<_>>().join(", "))]
    LengthsDiffer {
        /// The lengths, in the order of the arguments; for streams, how far each came.
        lengths: Vec<usize>,
    },
    /// The queue holds as many pending runs as it may.
    #[error("the queue is full: {capacity} runs are pending")]
    QueueFull {
        /// How many the queue holds.
        capacity: usize,
    },
    /// The host is shutting down.
    #[error("the host is shut down and takes no more runs")]
    ShutDown,
}

impl SubmitError {
    /// What kind of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Argument(_)
            | Self::Option(_)
            | Self::InputTooLarge { .. }
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

/// A run's result is not there, or not of the type that was asked for.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResultError {
    /// The guest failed.
    #[error("run {run} failed: it {failure}")]
    Failed {
        /// The run.
        run: RunId,
        /// How it failed.
        failure: Failure,
    },
    /// The host lost the run.
    #[error("run {run} crashed: {reason}")]
    Crashed {
        /// The run.
        run: RunId,
        /// What was lost.
        reason: String,
    },
    /// The run was cancelled.
    #[error("run {run} was cancelled")]
    Cancelled {
        /// The run.
        run: RunId,
    },
    /// The run has not ended in the time that the caller would wait. It goes on.
    #[error("run {run} has not ended within {waited:?}")]
    NotYet {
        /// The run.
        run: RunId,
        /// How long the caller waited.
        waited: Duration,
    },
    /// The run completed with a value that the wanted Rust type cannot hold.
    #[error("the result of run {run} does not fit the type it is wanted in: {source}")]
    Type {
        /// The run.
        run: RunId,
        /// What does not fit.
        source: ValueError,
    },
    /// The run completed with a value whose JSON form the wanted type cannot be read from.
    #[error("the result of run {run} does not fit the type it is wanted in: {problem}")]
    Shape {
        /// The run.
        run: RunId,
        /// What does not fit.
        problem: String,
    },
}

impl ResultError {
    /// What kind of thing went wrong. The guest's failure counts as [`ErrorKind::Internal`] to whoever needed its
    /// result.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Failed { .. } | Self::Crashed { .. } => ErrorKind::Internal,
            Self::Cancelled { .. } | Self::NotYet { .. } => ErrorKind::Unavailable,
            Self::Type { .. } | Self::Shape { .. } => ErrorKind::Invalid,
        }
    }
}

/// An error with what led to it, in one line.
pub(crate) fn in_full(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", in_full(source)),
        None => error.to_string(),
    }
}
