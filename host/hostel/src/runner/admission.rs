//! How runs enter the queue, leave it to wait elsewhere, and return.

use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;

use super::parking::Parked;
use super::queue::QueueFull;
use super::scheduler::{PushError, Schedule, Scheduler};
use super::work::{Phase, Work};

/// Whether a run may begin its next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// It holds a slot of each limit that applies.
    Granted,
    /// It waits for a slot.
    Parked,
    /// It has ended.
    Ended,
}

impl<W: Work> Scheduler<W> {
    /// Adds a job, or returns the reason for refusing it.
    pub(crate) fn try_accept(&self, job: &Arc<W>) -> Result<(), PushError> {
        let mut state = self.lock();
        self.take_in(&mut state, job)?;
        self.call_worker(&mut state);
        Ok(())
    }

    /// Adds a job, and blocks while the queue is full; on a worker thread, which must not block, a full queue is an
    /// error.
    pub(crate) fn accept(&self, job: &Arc<W>) -> Result<(), PushError> {
        let mut state = self.lock();
        loop {
            match self.take_in(&mut state, job) {
                Err(PushError::Full) if !state.worker_threads.contains(&thread::current().id()) => {
                    state.waiting_for_room += 1;
                    state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
                    state.waiting_for_room -= 1;
                }
                accepted => {
                    self.call_worker(&mut state);
                    return accepted;
                }
            }
        }
    }

    /// The upstream runs of a job have ended.
    pub(crate) fn release(&self, job: &W) {
        let mut state = self.lock();
        if let Some(parked) = state.parking.remove(job.id()) {
            state.unpark(parked);
            self.call_worker(&mut state);
        }
    }

    /// A parked job has ended.
    pub(crate) fn forget(&self, job: &W) {
        let mut state = self.lock();
        let Some(parked) = state.parking.remove(job.id()) else { return };
        if let Some(ticket) = parked.ticket {
            state.gates.withdraw(job.tags(), ticket);
        }
        job.position().settle(Phase::Polled);
        state.queue.forget_parked();
        drop(self.tell(state));
    }

    /// Gives a job that a worker has picked up a slot of each limit that applies, or parks it without slot and worker.
    pub(crate) fn enter(&self, job: &Arc<W>) -> Entry {
        let mut state = self.lock();
        if job.position().holds_slots() || !state.gates.concern(job.tags()) {
            return Entry::Granted;
        }
        let now = self.now();
        if state.gates.enter(job.tags(), now) {
            job.position().take_slots();
            return Entry::Granted;
        }
        if state.cancels_pending || !job.slot_awaited() {
            drop(state);
            job.request_cancel();
            return Entry::Ended;
        }
        let due = job.time_left().map(|left| now.saturating_add(left));
        let ticket = state.gates.wait(job.tags(), job.priority(), Arc::clone(job));
        state.park(Parked { job: Arc::clone(job), due, ticket: Some(ticket) });
        drop(self.tell(state));
        self.clock_changed.notify_one();
        Entry::Parked
    }

    /// Parks a job whose attempt failed until its next attempt.
    pub(crate) fn retry(&self, job: &Arc<W>, after: Duration) {
        let mut state = self.lock();
        if state.cancels_pending || job.has_ended() {
            drop(state);
            job.request_cancel();
            return self.ended(job);
        }
        let due = self.now().saturating_add(after);
        state.park(Parked { job: Arc::clone(job), due: Some(due), ticket: None });
        if after.is_zero() {
            let parked = state.parking.remove(job.id());
            parked.into_iter().for_each(|parked| state.unpark(parked));
            self.call_worker(&mut state);
        }
        self.admit(&mut state);
        drop(self.tell(state));
        self.clock_changed.notify_one();
    }

    /// Parks a job that a worker has picked up until its cache key is available, or for a limited time. `false` if it
    /// has ended.
    pub(crate) fn park_for_key(&self, job: &Arc<W>, look_again: Option<Duration>) -> bool {
        let mut state = self.lock();
        if state.cancels_pending || job.has_ended() {
            return false;
        }
        let due = look_again.map(|after| self.now().saturating_add(after));
        state.park(Parked { job: Arc::clone(job), due, ticket: None });
        // Calls nothing: the job counts as before, and there is no more room than before. So the caller may hold a
        // lock.
        drop(state);
        if due.is_some() {
            self.clock_changed.notify_one();
        }
        true
    }

    /// Wakes due jobs, as long as the runner's runtime exists.
    pub(crate) async fn keep_time(self: Arc<Self>) {
        loop {
            let next = self.lock().next_due(self.now());
            let changed = self.clock_changed.notified();
            // A time beyond the range of the clock never comes.
            match next.and_then(|at| self.clock.instant(at)) {
                None => changed.await,
                // Whichever comes first: due jobs are checked in any case.
                Some(at) => _ = tokio::time::timeout_at(at.into(), changed).await,
            }
            self.wake_due();
        }
    }

    /// Admits the jobs at the gates that can pass. Whether the others can pass may now depend on time alone.
    pub(super) fn admit(&self, state: &mut Schedule<W>) {
        self.let_in(state);
        if state.gates.have_waiting() {
            self.clock_changed.notify_one();
        }
    }

    fn let_in(&self, state: &mut Schedule<W>) {
        if !state.gates.have_waiting() {
            return;
        }
        let now = self.now();
        while let Some(job) = state.gates.admit(now) {
            match state.parking.remove(job.id()) {
                Some(parked) if job.slot_granted() => {
                    job.position().take_slots();
                    parked.job.position().settle(Phase::Pending);
                    let priority = job.priority();
                    // At the front, because the job holds a slot while it waits for a worker.
                    state.queue.push_parked_first(parked.job, priority);
                    self.call_worker(state);
                }
                // The job has ended meanwhile.
                parked => {
                    state.gates.leave(job.tags());
                    parked.iter().for_each(|_| state.queue.forget_parked());
                }
            }
        }
    }

    /// Accepts a new job: queues it, or parks it if it waits for other runs.
    fn take_in(&self, state: &mut Schedule<W>, job: &Arc<W>) -> Result<(), PushError> {
        if state.closed {
            return Err(PushError::Closed);
        }
        if self.backlog.is_full() || !state.queue.has_room() {
            return Err(PushError::Full);
        }
        if job.awaits_others() {
            state.park(Parked { job: Arc::clone(job), due: None, ticket: None });
            return Ok(());
        }
        let priority = job.priority();
        state.queue.push_pending(Arc::clone(job), priority).map_err(|QueueFull| PushError::Full)
    }

    /// Wakes the parked runs that are due.
    pub(crate) fn wake_due(&self) {
        let mut state = self.lock();
        let now = self.now();
        while let Some(parked) = state.parking.take_due(now) {
            if let Some(ticket) = parked.ticket {
                state.gates.withdraw(parked.job.tags(), ticket);
            }
            state.unpark(parked);
            self.call_worker(&mut state);
        }
        self.let_in(&mut state);
        drop(self.tell(state));
    }
}

impl<W: Work> Schedule<W> {
    /// Parks a job.
    fn park(&mut self, parked: Parked<Arc<W>>) {
        self.ended(&parked.job);
        let phase = if parked.ticket.is_some() { Phase::AtGate } else { Phase::Parked };
        parked.job.position().settle(phase);
        self.queue.park();
        self.parking.insert(parked.job.id(), parked);
    }

    /// Queues a parked job.
    fn unpark(&mut self, parked: Parked<Arc<W>>) {
        let job = parked.job;
        job.position().settle(Phase::Pending);
        let priority = job.priority();
        self.queue.push_parked(job, priority);
    }

    pub(super) fn next_due(&self, now: Duration) -> Option<Duration> {
        [self.parking.next_due(), self.gates.next_at(now)].into_iter().flatten().min()
    }
}
