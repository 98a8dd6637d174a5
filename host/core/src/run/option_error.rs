//! Options of a task that are out of range.

use std::time::Duration;

use crate::{ErrorKind, GrantsError, LimitsError, PolicyError, RetryError, TagError, TemplateError};

/// An option of a task is out of range, or does not fit the task's signature.
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
    #[error(transparent)]
    Tag(#[from] TagError),
    /// An invalid template for the names of runs.
    #[error("invalid run name: {0}")]
    Name(#[from] TemplateError),
}

impl OptionError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}
