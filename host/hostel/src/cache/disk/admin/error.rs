//! Errors of inspecting and removing cached results.

use std::error::Error;
use std::path::PathBuf;

use hostel_core::{CacheKey, ErrorKind};

use crate::cache::disk::results::Results;
use crate::cache::disk::trouble::{Broken, Trouble};
use crate::data_dir::DataDirError;

/// Cached results cannot be read or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResultCacheError {
    /// The text is neither a key nor a prefix of one.
    #[error("{text:?} is not a key: expected 1 to 64 hex digits")]
    NotAKey {
        /// The text.
        text: String,
    },
    /// No cached result has a key with this prefix.
    #[error("no cached result has a key that begins with {prefix}")]
    NotFound {
        /// The prefix.
        prefix: String,
    },
    /// Several keys have this prefix.
    #[error("several cached results have keys that begin with {prefix}: {}", listed(candidates))]
    Ambiguous {
        /// The prefix.
        prefix: String,
        /// Some of the keys, in order.
        candidates: Vec<CacheKey>,
    },
    /// The cached result under a key is damaged. It counts as missing, and is replaced when it is recomputed.
    #[error("cached result {key} is damaged ({problem})")]
    Damaged {
        /// The key.
        key: CacheKey,
        /// The problem.
        problem: &'static str,
    },
    /// Other users can change the data directory.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The directory cannot be used.
    #[error("cached results in {} cannot be {action}", dir.display())]
    Unusable {
        /// The directory.
        dir: PathBuf,
        /// `read` or `changed`.
        action: &'static str,
        /// The kind of problem.
        kind: ErrorKind,
        /// The error of the system or the database.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl ResultCacheError {
    /// The kind of this error.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::NotAKey { .. } | Self::Ambiguous { .. } => ErrorKind::Invalid,
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::Damaged { .. } => ErrorKind::Internal,
            Self::DataDir(error) => error.kind(),
            Self::Unusable { kind, .. } => *kind,
        }
    }
}

pub(super) fn unusable(results: &Results, action: &'static str, error: Broken) -> ResultCacheError {
    let kind = match error.trouble() {
        Trouble::Denied => ErrorKind::Denied,
        Trouble::Full => ErrorKind::Exhausted,
        Trouble::Busy | Trouble::Gone => ErrorKind::Unavailable,
        Trouble::Damaged | Trouble::Failed => ErrorKind::Internal,
    };
    ResultCacheError::Unusable { dir: results.dir().to_owned(), action, kind, source: Box::new(error) }
}

fn listed(keys: &[CacheKey]) -> String {
    keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
