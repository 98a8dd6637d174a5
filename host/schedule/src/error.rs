//! Errors of schedules that are never due, or of which nobody knows when.

use std::fmt;
use std::ops::Range;

use hostel_core::{ErrorKind, is_deceptive};

/// When a schedule is due cannot be computed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimetableError {
    /// The cron expression.
    #[error(transparent)]
    Cron(#[from] CronTextError),
    /// There is no time zone of this name.
    #[error("unknown time zone {zone:?}: {}", hint(nearest.as_deref()))]
    Zone {
        /// The name, shortened.
        zone: String,
        /// A name that was probably meant.
        nearest: Option<String>,
    },
    /// The interval is zero, or does not fit the range of instants.
    #[error("the interval cannot be {interval:?}: expected 1s to 366d")]
    Interval {
        /// The value.
        interval: std::time::Duration,
    },
}

/// A text that is no cron expression, or one that never fires. Displays three lines: what was expected, the expression, and
/// carets below the mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CronTextError {
    expression: String,
    at: Range<usize>,
    problem: String,
}

impl TimetableError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl CronTextError {
    /// `bytes` is the place of the mistake; it is moved to the characters that it touches.
    pub(crate) fn new(expression: &str, bytes: Range<usize>, problem: impl Into<String>) -> Self {
        let column = |byte| expression.char_indices().take_while(|(at, _)| *at < byte).count();
        let visible = |character| if is_deceptive(character) { '\u{fffd}' } else { character };
        Self {
            expression: expression.chars().map(visible).collect(),
            at: column(bytes.start)..column(bytes.end),
            problem: problem.into(),
        }
    }

    /// The expression, with a replacement for characters that could deceive a reader.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// The place of the mistake: a range of characters, counted from 0. It is empty where something is missing.
    pub fn at(&self) -> Range<usize> {
        self.at.clone()
    }

    /// What is wrong: `expected the minute, 0 to 59`.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl fmt::Display for CronTextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expression, at, problem } = self;
        let (before, carets) = (" ".repeat(at.start), "^".repeat(at.len().max(1)));
        let column = at.start + 1;
        write!(f, "invalid cron expression, column {column}: {problem}\n  {expression}\n  {before}{carets}")
    }
}

impl std::error::Error for CronTextError {}

fn hint(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("did you mean {nearest:?}?"),
        None => "expected a name of the IANA time zone database, such as Europe/Berlin or UTC".to_owned(),
    }
}
