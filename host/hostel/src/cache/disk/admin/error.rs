//! What can go wrong when kept results are looked at or removed.

use std::error::Error;
use std::path::PathBuf;

use hostel_core::{CacheKey, ErrorKind};

use crate::cache::disk::results::Results;
use crate::cache::disk::trouble::{Broken, Trouble};
use crate::data_dir::DataDirError;

/// Kept results cannot be looked at or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResultCacheError {
    /// The text can be no key nor the beginning of one.
    #[error("{text:?} is no key: expected 1 to 64 hex digits")]
    NotAKey {
        /// What was given.
        text: String,
    },
    /// Nothing is kept under such a key.
    #[error("no cached result has a key that begins with {prefix}")]
    NotFound {
        /// What was given.
        prefix: String,
    },
    /// The beginning of a key is the beginning of several.
    #[error("several cached results have keys that begin with {prefix}: {}", listed(candidates))]
    Ambiguous {
        /// What was given.
        prefix: String,
        /// Some of them, in order.
        candidates: Vec<CacheKey>,
    },
    /// What is kept under a key is not what was put there. It counts as missing, and is replaced when it is computed anew.
    #[error("cached result {key} is damaged ({problem})")]
    Damaged {
        /// The key.
        key: CacheKey,
        /// What does not fit.
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
        /// What kind of thing is wrong with it.
        kind: ErrorKind,
        /// What the system or the database said.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl ResultCacheError {
    /// What kind of thing went wrong.
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
