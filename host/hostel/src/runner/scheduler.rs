//! The scheduler: what waits, what executes, and who is told when that changes.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use hostel_core::RunId;
use hostel_engine::Engine;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::clock::Clock;
use super::gates::{Gates, TagLimit};
use super::parking::Parking;
use super::queue::{Bounds, Queue};
use super::work::Work;
use crate::calls::Backlog;
use crate::tag::Tag;

/// Decides what executes when. Workers, submitters, wakers and cancellers share it.
pub(crate) struct Scheduler<W: Work> {
    state: Mutex<State<W>>,
    /// Something may have come that an idle worker can do.
    pub(super) work: Condvar,
    /// The queue may have room.
    pub(super) room: Condvar,
    /// What is due next may have changed.
    pub(super) clock_changed: Notify,
    /// Calls of hooks that wait; runs that would add to them wait as well.
    pub(super) backlog: Backlog,
    pub(super) clock: Clock,
    timers: Handle,
    pub(super) engine: Engine,
}

pub(super) struct State<W: Work> {
    pub(super) queue: Queue<Arc<W>>,
    pub(super) parking: Parking<Arc<W>>,
    pub(super) gates: Gates<Arc<W>>,
    /// Guests that have begun and not ended, so that they can be stopped.
    pub(super) live: HashMap<RunId, Arc<W>>,
    pub(super) worker_threads: Vec<ThreadId>,
    /// Workers that wait for something to do, and how many of them were told that there is something.
    pub(super) idle_workers: usize,
    pub(super) called_workers: usize,
    /// Guests that are polled and were preempted before: they give way when they are asked.
    pub(super) polled_again: usize,
    /// They were asked.
    pub(super) asked_to_give_way: bool,
    /// Submitters that block until there is room.
    pub(super) waiting_for_room: usize,
    /// Submitters that await room, and those who await that nothing is left.
    wakers: Vec<Waker>,
    pub(super) closed: bool,
    /// What would wait for its turn from now on is cancelled instead.
    pub(super) cancels_pending: bool,
    pub(super) quit: bool,
}

/// A job was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PushError {
    /// The queue is full.
    Full,
    /// The runner accepts no more.
    Closed,
}

impl<W: Work> Scheduler<W> {
    pub(crate) fn new(
        bounds: Bounds,
        limits: &HashMap<Tag, TagLimit>,
        backlog: Backlog,
        engine: Engine,
        timers: Handle,
        clock: Clock,
    ) -> Self {
        Self {
            state: Mutex::new(State {
                queue: Queue::new(bounds),
                parking: Parking::new(),
                gates: Gates::new(limits),
                live: HashMap::new(),
                worker_threads: Vec::new(),
                idle_workers: 0,
                called_workers: 0,
                polled_again: 0,
                asked_to_give_way: false,
                waiting_for_room: 0,
                wakers: Vec::new(),
                closed: false,
                cancels_pending: false,
                quit: false,
            }),
            work: Condvar::new(),
            room: Condvar::new(),
            clock_changed: Notify::new(),
            backlog,
            clock,
            timers,
            engine,
        }
    }

    /// Is done when the queue has room, or accepts no more; someone else may be quicker to use it.
    pub(crate) async fn room(&self) {
        self.until(|state| state.closed || (state.queue.has_room() && !self.backlog.is_full())).await;
    }

    /// Those who wait for room may look again.
    pub(crate) fn tell_of_room(&self) {
        drop(self.tell(self.lock()));
    }

    /// Is done when nothing is pending or live.
    pub(crate) async fn drained(&self) {
        self.until(|state| state.queue.unfinished() == 0).await;
    }

    /// Accepts no more jobs.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        drop(self.tell(state));
    }

    /// Whether no more jobs are accepted.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Cancels all jobs that do not execute, and those that would stop executing to wait for another attempt.
    pub(crate) fn cancel_pending(&self) {
        let mut state = self.lock();
        state.cancels_pending = true;
        let mut jobs = state.queue.drain_pending();
        // They count until they are cancelled, so that nobody takes the host for idle.
        jobs.iter().for_each(|_| state.queue.park());
        for parked in state.parking.drain() {
            if let Some(ticket) = parked.ticket {
                state.gates.withdraw(parked.job.tags(), ticket);
            }
            jobs.push(parked.job);
        }
        drop(state);
        jobs.iter().for_each(|job| _ = job.cancel());
        let mut state = self.lock();
        jobs.iter().for_each(|_| state.queue.forget_parked());
        drop(self.tell(state));
    }

    /// Cancels all jobs that have begun.
    pub(crate) fn cancel_live(&self) {
        let live: Vec<_> = self.lock().live.values().cloned().collect();
        for job in live {
            job.cancel();
        }
    }

    /// A guest was woken.
    pub(crate) fn push_ready(&self, job: Arc<W>) {
        let mut state = self.lock();
        if !state.quit {
            state.queue.push_ready(job);
            self.call_worker(&mut state);
        }
    }

    /// A guest that had begun has ended.
    pub(crate) fn ended(&self, job: &Arc<W>) {
        let mut state = self.lock();
        state.ended(job);
        self.admit(&mut state);
        // One that could not begin for want of room may now.
        self.call_worker(&mut state);
        drop(self.tell(state));
    }

    /// The runtime on which waits with a timeout are timed.
    pub(crate) fn timers(&self) -> &Handle {
        &self.timers
    }

    /// Tells those who wait for room or for the end to look again, without the lock, since they may call back.
    pub(super) fn tell<'s>(&'s self, mut state: MutexGuard<'s, State<W>>) -> MutexGuard<'s, State<W>> {
        if state.waiting_for_room > 0 {
            self.room.notify_all();
        }
        if state.wakers.is_empty() {
            return state;
        }
        let wakers = mem::take(&mut state.wakers);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        self.lock()
    }

    /// Gets an idle worker to look for something to do, if there is one that was not called already. If there is none, and
    /// nothing else waits, guests that have computed for long give way at once: who comes to them one by one is served
    /// as if they were not there. Where many wait, turns are longer, and time is shared by halves.
    pub(super) fn call_worker(&self, state: &mut State<W>) {
        if state.idle_workers > state.called_workers {
            state.called_workers += 1;
            self.work.notify_one();
        } else if state.polled_again > 0 && !state.asked_to_give_way && state.queue.has_one_alone() {
            state.asked_to_give_way = true;
            self.engine.someone_waits();
        }
    }

    /// The time since the scheduler started.
    pub(crate) fn now(&self) -> Duration {
        self.clock.now()
    }

    /// Sets a manual clock.
    #[cfg(test)]
    pub(crate) fn set_time(&self, now: Duration) {
        self.clock.set(now);
    }

    /// When something is due that waits.
    #[cfg(test)]
    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.lock().next_due(self.now())
    }

    /// The moment of a time of the scheduler's clock; `None` if no clock can reach it.
    pub(crate) fn instant(&self, at: Duration) -> Option<Instant> {
        self.clock.instant(at)
    }

    async fn until(&self, reached: impl Fn(&State<W>) -> bool) {
        std::future::poll_fn(|context| {
            let mut state = self.lock();
            if reached(&state) {
                return Poll::Ready(());
            }
            if !state.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
                state.wakers.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    /// Nothing panics while it holds the lock, so a poisoned one is as good as any.
    pub(super) fn lock(&self) -> MutexGuard<'_, State<W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: Work> State<W> {
    /// A job that had begun has no guest any more.
    pub(super) fn ended(&mut self, job: &Arc<W>) {
        if self.live.remove(&job.id()).is_some() {
            self.queue.ended(job, job.position().take_preempted());
            if job.position().leave_slots() {
                self.gates.leave(job.tags());
            }
        }
    }
}
