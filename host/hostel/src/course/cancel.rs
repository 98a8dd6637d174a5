//! Stopping runs.

use std::sync::{Arc, TryLockError};

use hostel_core::{Event, Outcome, State};

use super::end::finish;
use crate::run::{Run, TaskFuture};

impl TaskFuture {
    /// Stops the run, whether it is pending, executing, or waiting for other runs, a slot or its next attempt. A run
    /// without a guest is cancelled when this returns. A run that computes is stopped within a few milliseconds.
    /// Dependent runs end as `UpstreamFailed`, unless they use its outcome or wait for any outcome.
    ///
    /// Returns `true` if the run is cancelled or will be, `false` if it has ended otherwise. Repeated calls have no
    /// effect.
    pub fn cancel(&self) -> bool {
        cancel(self.run())
    }
}

/// Asks a run to stop, and drops its guest if no worker polls it. `false` if the run has ended otherwise.
pub(crate) fn cancel(run: &Arc<Run>) -> bool {
    let accepted = request(run);
    if stop_if_asked(run) {
        run.scheduler().ended(run);
    } else if accepted {
        run.scheduler().forget(run);
    }
    accepted
}

/// Asks a run to stop. A run that does not execute is cancelled immediately. A run that executes is
/// [`State::Cancelling`] until its guest is dropped. `false` if the run has ended otherwise.
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

/// Drops the guest if its run is to be cancelled and no worker polls it. Among concurrent callers, at most one gets
/// `true`.
pub(super) fn stop_if_asked(run: &Arc<Run>) -> bool {
    if !run.is_cancelling() {
        return false;
    }
    let guest = match run.guest().try_lock() {
        Ok(mut guest) => guest.take(),
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().take(),
        // A worker polls it, and checks again after the poll.
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
