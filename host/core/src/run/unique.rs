//! Keys of which one unfinished run at a time may have each, and slots of schedules.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::value::excerpt;
use crate::{ErrorKind, Timestamp, grammar};

/// A request that at most one unfinished run of a queue has a key. As text: `KEY`, `KEY:existing`, `KEY:reject`, `KEY:replace` or
/// `KEY:debounce:WAIT..MOST`.
///
/// ```
/// # use hostel_core::{Unique, UniqueMode};
/// # use std::time::Duration;
/// let unique: Unique = "report:debounce:2s..10s".parse()?;
/// let (wait, most) = (Duration::from_secs(2), Duration::from_secs(10));
/// assert_eq!((&*unique.key, unique.mode), ("report", UniqueMode::Debounce { wait, most }));
/// # Ok::<(), hostel_core::UniqueError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unique {
    /// The key: 1 to [`Unique::MAX_KEY_BYTES`] bytes without control characters. Compared byte by byte.
    pub key: Arc<str>,
    /// What happens to a new run if another one has the key.
    pub mode: UniqueMode,
}

/// What happens to a new run if an unfinished run of its queue, the holder, has its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UniqueMode {
    /// The new run is not stored, and the answer names the holder.
    #[default]
    Existing,
    /// The submission is refused, and the error names the holder.
    Reject,
    /// A holder that has not started is cancelled, and the new run takes its place. If it has started, as `Existing`.
    Replace,
    /// As `Replace`, and the new run is due when no other one has come for `wait`, but at most `most` after the first of them
    /// came. Its own due time is ignored.
    Debounce {
        /// The time without a new submission.
        wait: Duration,
        /// The longest time from the first submission.
        most: Duration,
    },
}

/// The time of a schedule for which it submitted a run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ScheduleSlot {
    /// The name of the schedule.
    pub schedule: Arc<str>,
    /// The time at which the schedule was due, which is not always the time of the submission.
    pub slot: Timestamp,
}

/// A text that is no [`Unique`], or one that is out of range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UniqueError {
    /// The key.
    #[error(
        "invalid unique key {key:?}: expected 1 to {} bytes without control characters",
        Unique::MAX_KEY_BYTES
    )]
    Key {
        /// The key, shortened.
        key: String,
    },
    /// The mode.
    #[error(
        "invalid mode {mode:?} of a unique key: expected existing, reject, replace or debounce:WAIT..MOST"
    )]
    Mode {
        /// The mode, shortened.
        mode: String,
    },
    /// The times of `debounce`.
    #[error(
        "debounce cannot wait {wait:?} and at most {most:?}: expected more than zero, and the first not above the second"
    )]
    Times {
        /// The time without a new submission.
        wait: Duration,
        /// The longest time.
        most: Duration,
    },
}

impl UniqueError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl Unique {
    /// The longest key.
    pub const MAX_KEY_BYTES: usize = 200;

    /// This key, in the default mode.
    pub fn new(key: impl Into<Arc<str>>) -> Self {
        Self { key: key.into(), mode: UniqueMode::Existing }
    }

    /// The same key in another mode.
    #[must_use]
    pub fn mode(self, mode: UniqueMode) -> Self {
        Self { mode, ..self }
    }

    /// Checks the key and the times.
    ///
    /// # Errors
    ///
    /// The first that is out of range.
    pub fn check(&self) -> Result<(), UniqueError> {
        let fits =
            (1..=Self::MAX_KEY_BYTES).contains(&self.key.len()) && !self.key.contains(char::is_control);
        if !fits {
            return Err(UniqueError::Key { key: excerpt(&self.key) });
        }
        match self.mode {
            UniqueMode::Debounce { wait, most } if wait.is_zero() || wait > most => {
                Err(UniqueError::Times { wait, most })
            }
            UniqueMode::Debounce { .. } | UniqueMode::Existing | UniqueMode::Reject | UniqueMode::Replace => {
                Ok(())
            }
        }
    }
}

impl FromStr for Unique {
    type Err = UniqueError;

    fn from_str(text: &str) -> Result<Self, UniqueError> {
        let (key, mode) = text.split_once(':').unwrap_or((text, "existing"));
        let unique = Self::new(key).mode(mode_of(mode)?);
        unique.check()?;
        Ok(unique)
    }
}

fn mode_of(text: &str) -> Result<UniqueMode, UniqueError> {
    let wrong = || UniqueError::Mode { mode: excerpt(text) };
    Ok(match text {
        "existing" => UniqueMode::Existing,
        "reject" => UniqueMode::Reject,
        "replace" => UniqueMode::Replace,
        other => {
            let (wait, most) =
                other.strip_prefix("debounce:").and_then(|times| times.split_once("..")).ok_or_else(wrong)?;
            let time = |text| grammar::duration(text).map_err(|_| wrong());
            UniqueMode::Debounce { wait: time(wait)?, most: time(most)? }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_key_and_mode() {
        let of = |text: &str| text.parse::<Unique>();
        assert_eq!(of("a"), Ok(Unique::new("a")));
        assert_eq!(of("a:replace"), Ok(Unique::new("a").mode(UniqueMode::Replace)));
        assert_eq!(of("a:reject"), Ok(Unique::new("a").mode(UniqueMode::Reject)));
        let check = |text: &str, expected: &str| {
            let error = of(text).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.kind()), (expected, ErrorKind::Invalid));
        };
        check("", "invalid unique key \"\": expected 1 to 200 bytes without control characters");
        let modes = "expected existing, reject, replace or debounce:WAIT..MOST";
        check("a:b", &format!("invalid mode \"b\" of a unique key: {modes}"));
        check("a:debounce:2s", &format!("invalid mode \"debounce:2s\" of a unique key: {modes}"));
        check(
            "a:debounce:3s..2s",
            "debounce cannot wait 3s and at most 2s: expected more than zero, and the first not above the second",
        );
        assert!(Unique::new("a".repeat(201)).check().is_err() && Unique::new("a\nb").check().is_err());
    }
}
