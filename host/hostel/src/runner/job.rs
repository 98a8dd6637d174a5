//! One run on its way through the runner: which of worker, waker and canceller may touch its guest.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::task::{Context, Poll, Wake, Waker};

use hostel_core::{Receipt, TaskKey};
use hostel_engine::{Attempted, OnStopped};

use super::admission::Entry;
use super::queue::Queued;
use super::workers::Shared;
use crate::flight::Takeoff;
use crate::future::TaskFuture;
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
    /// Whether it has a slot of each limit that concerns it. Changed under the runner's lock.
    pub(crate) holds_slots: AtomicBool,
    /// How many runs it still waits for, and one more until it is known to wait for all of them.
    awaited: AtomicUsize,
    guest: Mutex<Option<Guest>>,
}

/// A job that the runner has not taken in yet. If it never does, its run ends when this is dropped.
pub(crate) struct Offer(Option<Arc<Job>>);

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
    /// It has no guest, and waits in no queue for something other than a worker.
    Parked,
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
    /// It had been stopped by someone else before, or waits elsewhere for its next attempt.
    Gone,
}

impl Job {
    /// A job for the run that `run` makes, which is told where it is going to live.
    pub(crate) fn new(runner: Arc<Shared>, run: impl FnOnce(Weak<Self>) -> Run) -> Arc<Self> {
        Arc::new_cyclic(|job| {
            let run = run(Weak::clone(job));
            let awaited = match run.upstream_count() {
                0 => 0,
                count => count + 1,
            };
            Self {
                run,
                runner,
                phase: AtomicU8::new(Phase::Pending as u8),
                was_preempted: AtomicBool::new(false),
                holds_slots: AtomicBool::new(false),
                awaited: AtomicUsize::new(awaited),
                guest: Mutex::new(None),
            }
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

    /// Whether it waits for other runs.
    pub(crate) fn waits(&self) -> bool {
        self.awaited.load(Ordering::Acquire) > 0
    }

    /// Begins to wait for the runs it depends on; to be called once, when the runner has accepted it.
    pub(crate) fn watch_upstreams(self: &Arc<Self>) {
        if self.waits() {
            self.run.watch_upstreams(self);
            self.one_less_awaited();
        }
    }

    /// A run that this one depends on has ended.
    pub(crate) fn upstream_ended(&self, upstream: &TaskFuture, must_complete: bool) {
        if upstream.is_completed() || !must_complete {
            return self.one_less_awaited();
        }
        if self.run.fail_upstream(upstream) {
            self.runner.forget(self);
        }
    }

    fn one_less_awaited(&self) {
        if self.awaited.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.runner.release(self);
        }
    }

    /// Comes to a phase in which no worker has it.
    pub(super) fn settle(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    /// Notes that its guest is preempted; `true` if it never was before.
    pub(crate) fn is_first_preemption(&self) -> bool {
        !self.was_preempted.swap(true, Ordering::Relaxed)
    }

    /// Whether its guest was ever preempted.
    pub(crate) fn was_preempted(&self) -> bool {
        self.was_preempted.load(Ordering::Relaxed)
    }

    /// Forgets whether its guest was preempted, which has ended, and tells it.
    pub(crate) fn take_preempted(&self) -> bool {
        self.was_preempted.swap(false, Ordering::Relaxed)
    }

    /// Begins the guest and polls it. To be called by a worker that took the job to [`Phase::Polled`].
    pub(crate) fn begin(self: &Arc<Self>) -> Polled {
        match self.run.prepare(self) {
            Takeoff::Owner => {}
            Takeoff::Waits => return Polled::Gone,
            Takeoff::Ended => return Polled::Ended,
        }
        if !self.run.tags().is_empty() {
            match self.runner.enter(self) {
                Entry::Granted => {}
                Entry::Parked => return Polled::Gone,
                Entry::Ended => return Polled::Ended,
            }
        }
        match self.run.begin() {
            Some(guest) => {
                *self.guest() = Some(guest);
                self.poll()
            }
            // Cancelled meanwhile.
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
        self.ended_by(result.map_err(|error| error.to_string()))
    }

    /// Gives up on a guest whose poll panicked, which is the host's fault and not the guest's.
    pub(crate) fn crash(self: &Arc<Self>, reason: String) -> Polled {
        drop(self.guest().take());
        if self.run.state().is_executing() {
            return self.ended_by(Err(reason));
        }
        self.run.crashed(reason);
        Polled::Ended
    }

    /// After an attempt: the run has ended, or waits for its next one.
    fn ended_by(self: &Arc<Self>, result: Result<Attempted, String>) -> Polled {
        match self.run.end(result) {
            None => Polled::Ended,
            Some(after) => {
                self.runner.retry(self, after);
                Polled::Gone
            }
        }
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
        } else if accepted {
            self.runner.forget(self);
        }
        accepted
    }

    fn guest(&self) -> MutexGuard<'_, Option<Guest>> {
        self.guest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Offer {
    pub(crate) fn new(job: Arc<Job>) -> Self {
        Self(Some(job))
    }

    /// The job, until it is taken in.
    pub(crate) fn job(&self) -> Option<&Arc<Job>> {
        self.0.as_ref()
    }

    /// The runner has taken the job in.
    pub(crate) fn taken_in(&mut self) {
        self.0 = None;
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        self.0.iter().for_each(|job| job.run().refused());
    }
}

impl OnStopped for Job {
    fn stopped(&self, receipt: Receipt) {
        self.run.stopped_with(receipt);
    }
}

impl Queued for Arc<Job> {
    type Task = TaskKey;

    fn task(&self) -> TaskKey {
        self.run.task().key().clone()
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
            if [Phase::Pending, Phase::Ready, Phase::PolledAndWoken, Phase::Parked]
                .iter()
                .any(|&settled| settled as u8 == phase)
            {
                return;
            }
            // It moved on between the looks: look again.
        }
    }
}
