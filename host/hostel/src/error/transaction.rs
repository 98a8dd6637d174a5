//! Errors of transactions.

use hostel_core::{ErrorKind, RunId};

/// A transaction has ended, or cannot be committed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransactionError {
    /// A run did not complete, so all runs are rolled back.
    #[error("the transaction is rolled back, because run {run} did not complete: {cause}")]
    RolledBack {
        /// The first run that did not complete.
        run: RunId,
        /// Its outcome.
        cause: String,
    },
    /// The results cannot be stored on disk, so all that were not committed before are rolled back.
    #[error("the transaction is rolled back, because its results cannot be stored: {cause}")]
    NotKept {
        /// The error of the disk.
        cause: String,
    },
    /// The transaction, or the enclosing one, was committed or rolled back earlier, or is about to be.
    #[error("the transaction is no longer open: it {how}")]
    Over {
        /// `was committed`, `was rolled back`, or `is about to end`.
        how: &'static str,
    },
}

impl TransactionError {
    /// The kind of this error.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::RolledBack { .. } | Self::NotKept { .. } => ErrorKind::Internal,
            Self::Over { .. } => ErrorKind::Conflict,
        }
    }
}
