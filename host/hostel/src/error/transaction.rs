//! A transaction that is over.

use hostel_core::{ErrorKind, RunId};

/// A transaction is over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransactionError {
    /// A run did not complete, so all of them are undone.
    #[error("the transaction is rolled back, because run {run} did not complete: {cause}")]
    RolledBack {
        /// The first run, in time, that did not complete.
        run: RunId,
        /// How it ended.
        cause: String,
    },
    /// The results cannot be kept on disk, so what was not committed before is undone.
    #[error("the transaction is rolled back, because its results cannot be kept: {cause}")]
    NotKept {
        /// What the disk said.
        cause: String,
    },
    /// It was committed or rolled back before, or is about to be, or the one around it was.
    #[error("the transaction is over already: it {how}")]
    Over {
        /// `was committed`, `was rolled back`, or `is about to end`.
        how: &'static str,
    },
}

impl TransactionError {
    /// What kind of thing went wrong.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::RolledBack { .. } | Self::NotKept { .. } => ErrorKind::Internal,
            Self::Over { .. } => ErrorKind::Conflict,
        }
    }
}
