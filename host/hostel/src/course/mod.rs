//! The actions on a run, from its submission to its end.
//!
//! A worker that picks a run up takes it through its [`Step`]s: [`prepare`] puts the inputs together and looks for a
//! cached value, [`attempt`] begins an attempt and polls it, [`retry`] decides whether another attempt follows,
//! [`keep`] stores the value, [`end`] handles the end. [`upstream`] makes runs wait for others, [`cancel`] stops them.

mod attempt;
mod cancel;
mod end;
mod keep;
mod prepare;
mod retry;
mod upstream;

use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

use hostel_core::{Event, RunId, State, Tag, TaskKey};

pub(crate) use self::end::{call_hooks_of, last_event, refused};
pub(crate) use self::keep::write;
pub(crate) use self::prepare::end_from_memory;
pub(crate) use self::upstream::{upstreams, watch_upstreams};
use crate::flight::Waiter;
use crate::run::{Run, Step};
use crate::runner::{Phase, Polled, Position, Woken, Work};

/// The result of one step of a run.
enum Next {
    /// Go on with this step.
    Step(Step),
    /// The run was parked, and goes on later.
    Parked,
    /// It has ended.
    Ended,
}

impl Work for Run {
    fn position(&self) -> &Position {
        Self::position(self)
    }

    fn id(&self) -> RunId {
        Self::id(self)
    }

    fn task_key(&self) -> &TaskKey {
        self.task().key()
    }

    fn tags(&self) -> &[Tag] {
        Self::tags(self)
    }

    fn priority(&self) -> i32 {
        self.task().spec().priority
    }

    fn awaits_others(&self) -> bool {
        Self::awaits_others(self)
    }

    fn has_ended(&self) -> bool {
        Self::has_ended(self)
    }

    fn may_block(&self) -> bool {
        let options = self.task().options();
        // Files are read and written, and the program's callback is called, on the thread that polls the guest.
        !options.spec.grants.dirs.is_empty() || options.echo.is_some()
    }

    fn time_left(&self) -> Option<Duration> {
        Self::time_left(self)
    }

    fn slot_awaited(&self) -> bool {
        let mut cell = self.cell();
        // A run that awaits its next attempt keeps waiting.
        cell.state == State::AwaitingRetry || self.apply(&mut cell, Event::SlotAwaited).is_ok()
    }

    fn slot_granted(&self) -> bool {
        let mut cell = self.cell();
        cell.state == State::AwaitingRetry || self.apply(&mut cell, Event::SlotGranted).is_ok()
    }

    fn begin(self: &Arc<Self>) -> Polled {
        match prepare::prepare(self) {
            Next::Step(_) => {}
            Next::Parked => return Polled::Gone,
            Next::Ended => return Polled::Ended,
        }
        match attempt::begin(self) {
            Some(guest) => {
                *attempt::guest(self) = Some(guest);
                attempt::poll(self)
            }
            // The run was cancelled meanwhile.
            None => Polled::Ended,
        }
    }

    fn poll(self: &Arc<Self>) -> Polled {
        attempt::poll(self)
    }

    fn crash(self: &Arc<Self>, reason: String) -> Polled {
        attempt::crash(self, reason)
    }

    fn cancel(self: &Arc<Self>) -> bool {
        cancel::cancel(self)
    }

    fn request_cancel(self: &Arc<Self>) -> bool {
        cancel::request(self)
    }
}

impl Waiter for Run {
    fn id(&self) -> RunId {
        Self::id(self)
    }

    fn takes_key(&self) -> bool {
        let mut cell = self.cell();
        cell.cache.owns_key = !cell.state.is_terminal();
        cell.cache.owns_key
    }

    fn park(self: &Arc<Self>, look_again: Option<Duration>) -> bool {
        self.scheduler().park_for_key(self, look_again)
    }

    fn resume(&self) {
        self.scheduler().release(self);
    }

    fn withdraw(self: &Arc<Self>) {
        cancel::request(self);
    }
}

/// A waker of the run's guest.
fn waker(run: &Arc<Run>) -> Waker {
    Waker::from(Arc::clone(run))
}

impl Wake for Run {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.position().wake() == Woken::Queue {
            self.scheduler().push_ready(Arc::clone(self));
        }
    }
}

/// After a poll that did not end the guest: the guest waits, yields, or is stopped.
fn paused(run: &Arc<Run>) -> Polled {
    if cancel::stop_if_asked(run) {
        return Polled::Ended;
    }
    if !run.position().advance(Phase::Polled, Phase::Waiting) {
        return Polled::GaveWay;
    }
    // The run may have been asked to stop after the check above, and before `Waiting` showed that no worker polls it.
    if cancel::stop_if_asked(run) { Polled::Ended } else { Polled::Waits }
}
