//! Pages of lists, answers, and what is removed.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::WorkerId;
use crate::{ErrorKind, QueueName, RunId, State, Tags, TaskKey, Timestamp};

/// The most runs that [`Journal::prune`](super::Journal::prune) removes in one call.
pub const MAX_PRUNED: usize = 500;

/// The most runs that one page looks at if a filter has conditions that no index answers: texts of names and errors, and inputs.
pub const MAX_SCANNED: usize = 200_000;

/// The most runs that are submitted in one call.
pub const MAX_SUBMITTED: usize = 1_000;

/// Which part of a list to return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// The end of the page before; `None` for the first page.
    pub after: Option<Cursor>,
    /// How many runs at most: 1 to [`Page::MAX_LIMIT`].
    pub limit: usize,
}

/// A place in a list, which stays valid while runs are added and removed: that of a run. As text it is opaque, and
/// good for a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(u64);

/// A text that is no cursor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid cursor {text:?}: expected one that a list ended with")]
pub struct CursorError {
    text: String,
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The runs, newest first.
    pub runs: Vec<RunHead>,
    /// Where the next page begins; `None` if there is none.
    pub next: Option<Cursor>,
    /// The places of the first and the last run of the page.
    pub span: Option<(Cursor, Cursor)>,
    /// If the page ended because many runs had been looked at that do not match: when the last one of them was submitted. The next
    /// page goes on from there.
    pub scanned_to: Option<Timestamp>,
}

/// What lists show of a run: all of it that is small.
#[derive(Clone, Debug, PartialEq)]
pub struct RunHead {
    /// Its id.
    pub run: RunId,
    /// The component and the export.
    pub task: TaskKey,
    /// The function of a script that it calls, if its task is that of a language runtime.
    pub function: Option<Arc<str>>,
    /// Its name.
    pub name: Arc<str>,
    /// Its tags, with those of the task.
    pub tags: Tags,
    /// Its priority.
    pub priority: i32,
    /// Its state.
    pub state: State,
    /// Its version.
    pub version: u64,
    /// When it was submitted.
    pub created: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How many attempts have begun.
    pub attempts: u32,
    /// How often a lease of it was over.
    pub crashes: u32,
    /// The worker that has claimed it.
    pub worker: Option<WorkerId>,
    /// Its queue.
    pub queue: QueueName,
    /// When its next attempt is or was due.
    pub due: Timestamp,
    /// When its last attempt began.
    pub started: Option<Timestamp>,
    /// The schedule that submitted it.
    pub schedule: Option<Arc<str>>,
    /// What went wrong, in one line, if it ended badly.
    pub error: Option<Arc<str>>,
    /// Whether it ended badly, and nobody has seen that.
    pub needs_attention: bool,
}

/// What became of a run that was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// The run is stored now.
    New,
    /// It was stored before, with the same specification.
    Existing,
    /// It is stored now, and a run that had its key and had not started was cancelled for it.
    Replaced {
        /// The run that was cancelled.
        of: RunId,
    },
    /// It is not stored: an unfinished run has its key.
    Duplicate {
        /// The run that has the key.
        of: RunId,
    },
}

/// How a request to cancel a run went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancellation {
    /// The run has ended, by this request.
    Now,
    /// It executes, and was asked to stop; by this request, or an earlier one.
    Requested,
    /// It had ended before.
    TooLate,
}

/// Which ended runs to remove: those to which one of these applies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prune {
    /// Those that ended before this.
    pub ended_before: Option<Timestamp>,
    /// All but so many, which ended last.
    pub keep: Option<u64>,
}

/// What was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pruned {
    /// How many runs.
    pub runs: u64,
    /// Whether there are more to remove, by another call.
    pub more: bool,
}

impl Page {
    /// The most runs of one page.
    pub const MAX_LIMIT: usize = 1_000;

    /// The first page.
    pub const fn first(limit: usize) -> Self {
        Self { after: None, limit }
    }
}

impl Cursor {
    /// The place behind the run with this number, where later runs have larger numbers; for drivers.
    pub const fn behind(number: u64) -> Self {
        Self(number)
    }

    /// The number, for drivers: the page has runs with smaller numbers.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{:x}", self.0)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let number = text.strip_prefix('c').and_then(|digits| u64::from_str_radix(digits, 16).ok());
        let cursor = number.map(Self).filter(|cursor| cursor.to_string() == text);
        cursor.ok_or_else(|| CursorError { text: text.chars().take(CursorError::SHOWN).collect() })
    }
}

impl CursorError {
    /// How many characters of a wrong text the error shows.
    const SHOWN: usize = 40;

    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_has_one_text() {
        for number in [0, 1, 255, u64::MAX] {
            let cursor = Cursor::behind(number);
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for wrong in ["", "c", "1", "c01", "cFF", "c+1", "c11112222333344445", "d1", "c1 "] {
            let error = wrong.parse::<Cursor>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{wrong}");
        }
    }
}
