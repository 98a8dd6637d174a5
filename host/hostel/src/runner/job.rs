//! One run on its way through the runner: which of worker, waker and canceller may touch its guest.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Wake, Waker};

use super::workers::Shared;
use crate::run::{Guest, Run};

/// A run, and its guest from when it begins to when it ends.
///
/// The phase says in which queue the job is, if in any. An entry whose phase has moved on is stale, and skipped when
/// it is taken out.
pub(crate) struct Job {
    run: Run,
    runner: Arc<Shared>,
    phase: AtomicU8,
    was_preempted: AtomicBool,
    guest: Mutex<Option<Guest>>,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// In the queue of pending runs.
    Pending,
    /// A worker polls its guest; also what remains when it has ended.
    Polled,
    /// A worker polls its guest, which was woken meanwhile.
    PolledAndWoken,
    /// Its guest waits for something, and is in no queue.
    Waiting,
    /// Its guest was woken, and is in the queue of ready ones.
    Ready,
    /// Its guest gave way, and is in the queue of preempted ones.
    Preempted,
}

/// What came of polling a guest.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Polled {
    /// It has ended, or was stopped.
    Ended,
    /// It waits for something.
    Waits,
    /// It computed for a whole tick, and gave way.
    GaveWay,
    /// It had been stopped by someone else before.
    Gone,
}

impl Job {
    pub(crate) fn new(run: Run, runner: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self {
            run,
            runner,
            phase: AtomicU8::new(Phase::Pending as u8),
            was_preempted: AtomicBool::new(false),
            guest: Mutex::new(None),
        })
    }

    pub(crate) fn run(&self) -> &Run {
        &self.run
    }

    pub(crate) fn runner(&self) -> &Arc<Shared> {
        &self.runner
    }

    /// Moves from one phase to the next; `false` if the job was not in that phase.
    pub(crate) fn advance(&self, from: Phase, to: Phase) -> bool {
        self.phase.compare_exchange(from as u8, to as u8, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Whether this is the first time that the job is preempted.
    pub(crate) fn is_first_preemption(&self) -> bool {
        !self.was_preempted.swap(true, Ordering::Relaxed)
    }

    /// Begins the guest and polls it. To be called by a worker that took the job to [`Phase::Polled`].
    pub(crate) fn begin(self: &Arc<Self>) -> Polled {
        match self.run.begin() {
            Some(guest) => {
                *self.guest() = Some(guest);
                self.poll()
            }
            // Cancelled before it began, or found in the cache.
            None => Polled::Ended,
        }
    }

    /// Polls the guest once. To be called by a worker that took the job to [`Phase::Polled`].
    pub(crate) fn poll(self: &Arc<Self>) -> Polled {
        let mut guest = self.guest();
        let Some(future) = guest.as_mut() else {
            return Polled::Gone;
        };
        let waker = Waker::from(Arc::clone(self));
        let mut context = Context::from_waker(&waker);
        let Poll::Ready(result) = future.as_mut().poll(&mut context) else {
            drop(guest);
            return self.paused();
        };
        // The instance is gone before anyone hears of the outcome.
        *guest = None;
        drop(guest);
        self.run.end(result);
        Polled::Ended
    }

    /// Gives up on a guest whose poll panicked, which is the host's fault and not the guest's.
    pub(crate) fn crash(&self, reason: String) {
        drop(self.guest().take());
        self.run.crashed(reason);
    }

    /// After a poll that did not end the guest: it waits, gives way, or is stopped.
    fn paused(&self) -> Polled {
        if self.stop_if_asked() {
            return Polled::Ended;
        }
        if !self.advance(Phase::Polled, Phase::Waiting) {
            return Polled::GaveWay;
        }
        // Someone may have asked after the look above, and before `Waiting` told that nobody polls any more.
        if self.stop_if_asked() { Polled::Ended } else { Polled::Waits }
    }

    /// Drops the guest if its run is to be cancelled and nobody polls it. Of several callers at most one gets `true`.
    pub(crate) fn stop_if_asked(&self) -> bool {
        if !self.run.is_cancelling() {
            return false;
        }
        let guest = match self.guest.try_lock() {
            Ok(mut guest) => guest.take(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().take(),
            // A worker polls it, and looks again when it is through.
            Err(TryLockError::WouldBlock) => None,
        };
        let Some(guest) = guest else { return false };
        drop(guest);
        self.run.stopped();
        true
    }

    /// Asks the run to stop; see [`crate::TaskFuture::cancel`].
    pub(crate) fn cancel(self: &Arc<Self>) -> bool {
        let accepted = self.run.request_cancel();
        if self.stop_if_asked() {
            self.runner.ended(self);
        }
        accepted
    }

    fn guest(&self) -> MutexGuard<'_, Option<Guest>> {
        self.guest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Job {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        loop {
            if self.advance(Phase::Polled, Phase::PolledAndWoken) {
                return;
            }
            if self.advance(Phase::Waiting, Phase::Ready) || self.advance(Phase::Preempted, Phase::Ready) {
                return self.runner.push_ready(Arc::clone(self));
            }
            let phase = self.phase.load(Ordering::Acquire);
            if [Phase::Pending, Phase::Ready, Phase::PolledAndWoken]
                .iter()
                .any(|&settled| settled as u8 == phase)
            {
                return;
            }
            // It moved on between the looks: look again.
        }
    }
}
