//! Stopping runs.

use std::sync::{Arc, TryLockError};

use hostel_core::{Event, Outcome, State};

use super::end::finish;
use crate::run::{Run, TaskFuture};

impl TaskFuture {
    /// Stops the run, whether it is pending, waits for other runs, for a slot or for its next attempt, sleeps or
    /// computes. One that has no guest now is cancelled when this returns; one that computes is stopped within a few
    /// milliseconds. Runs that depend on it end `UpstreamFailed`, unless they take its outcome or wait for any.
    ///
    /// `true` if the run is cancelled or will be; `false` if it has ended otherwise. Asking again changes nothing.
    pub fn cancel(&self) -> bool {
        cancel(self.run())
    }
}

/// Asks a run to stop, and drops its guest if nobody polls that. `false` if it had ended otherwise.
pub(crate) fn cancel(run: &Arc<Run>) -> bool {
    let accepted = request(run);
    if stop_if_asked(run) {
        run.scheduler().ended(run);
    } else if accepted {
        run.scheduler().forget(run);
    }
    accepted
}

/// Asks a run to stop. One that does not execute is cancelled by this alone; one that executes is [`State::Cancelling`] until
/// its guest is gone. `false` if it had ended otherwise.
pub(super) fn request(run: &Arc<Run>) -> bool {
    let mut cell = run.cell();
    if [State::Cancelled, State::Cancelling].contains(&cell.state) {
        return true;
    }
    if cell.state.is_executing() {
        return run.apply(&mut cell, Event::CancelRequested).is_ok();
    }
    drop(cell);
    finish(run, Event::CancelRequested, Outcome::Cancelled)
}

/// Drops the guest if its run is to be cancelled and nobody polls it. Of several callers at most one gets `true`.
pub(super) fn stop_if_asked(run: &Arc<Run>) -> bool {
    if !run.is_cancelling() {
        return false;
    }
    let guest = match run.guest().try_lock() {
        Ok(mut guest) => guest.take(),
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().take(),
        // A worker polls it, and looks again when it is through.
        Err(TryLockError::WouldBlock) => None,
    };
    let Some(guest) = guest else { return false };
    drop(guest);
    stopped(run);
    true
}

/// The guest was dropped because the run is to be cancelled.
pub(super) fn stopped(run: &Arc<Run>) {
    finish(run, Event::Cancelled, Outcome::Cancelled);
}
