//! A claimed run on its way to the host.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hostel_core::ErrorKind;

use super::room::Held;
use crate::run::TaskFuture;
use crate::task::Task;

/// A claimed run after its preparation.
pub(super) enum Prepared {
    /// The host has accepted it.
    Accepted {
        /// The run of one attempt.
        future: TaskFuture,
        /// The task with its hooks.
        task: Task,
        /// The room that its result takes when it has ended, until it is recorded.
        result: Arc<OnceLock<Held>>,
    },
    /// It cannot execute, for this reason.
    Refused(String),
    /// Its time was over before this attempt.
    OutOfTime(Duration),
    /// This host could not execute it for now, and the pause after that is over.
    Postponed,
    /// The host is shut down.
    ShutDown,
}

impl Prepared {
    /// Stops the run, whose worker no longer has it.
    pub(super) fn abandon(&self) {
        if let Self::Accepted { future, .. } = self {
            future.cancel();
        }
    }
}

/// Why a run is not executed.
pub(super) enum Unprepared {
    /// It never can be.
    Refused(String),
    /// Something is lacking or failed that may be there later, or on another host.
    Postponed(String),
}

/// Whether to try again after an error of this kind.
pub(super) fn of_kind(kind: ErrorKind, reason: String) -> Unprepared {
    match kind {
        ErrorKind::Exhausted | ErrorKind::Unavailable | ErrorKind::Internal => Unprepared::Postponed(reason),
        ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::Denied => {
            Unprepared::Refused(reason)
        }
    }
}
