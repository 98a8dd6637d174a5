//! Options of a task that are out of range.

use std::time::Duration;

use hostel_core::{ErrorKind, GrantsError, LimitsError, PolicyError, RetryError};

/// The maximum length of a tag, in bytes.
pub(crate) const MAX_TAG_BYTES: usize = 100;

/// An option of a task is out of range.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionError {
    /// Invalid limits.
    #[error(transparent)]
    Limits(#[from] LimitsError),
    /// Invalid retries.
    #[error(transparent)]
    Retry(#[from] RetryError),
    /// An invalid time for the whole run.
    #[error("the run timeout cannot be {timeout:?}: expected more than zero and at most {most:?}")]
    RunTimeout {
        /// The value of the option.
        timeout: Duration,
        /// The maximum.
        most: Duration,
    },
    /// Invalid grants.
    #[error(transparent)]
    Grants(#[from] GrantsError),
    /// An invalid cache policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The age at which results expire is zero.
    #[error(
        "the cache expiration cannot be zero: expected a longer time, or the cache policy `none` to disable caching"
    )]
    CacheExpiration,
    /// An invalid tag.
    #[error(
        "invalid tag {tag:?}: expected 1 to {MAX_TAG_BYTES} bytes without commas, control characters, or leading or trailing blanks"
    )]
    Tag {
        /// The tag.
        tag: String,
    },
}

impl OptionError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}
