//! The scheduler: waiting and executing work, and notifications about changes of it.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use hostel_core::{RunId, Tag};
use hostel_engine::Engine;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::clock::Clock;
use super::gates::{Gates, TagLimit};
use super::parking::Parking;
use super::queue::{Bounds, Queue};
use super::work::{Phase, Work};
use crate::calls::Backlog;
use crate::ids::IdHasher;

/// Decides what executes when. Workers, submitters, wakers and cancellers share it.
pub(crate) struct Scheduler<W: Work> {
    state: Mutex<Schedule<W>>,
    /// Notified when there may be work for an idle worker.
    pub(super) work: Condvar,
    /// Notified when the queue may have room.
    pub(super) room: Condvar,
    /// Notified when the next due time may have changed.
    pub(super) clock_changed: Notify,
    /// The backlog of hook calls. Runs that would add to a full one wait.
    pub(super) backlog: Backlog,
    pub(super) clock: Clock,
    timers: Handle,
    pub(super) engine: Engine,
}

pub(super) struct Schedule<W: Work> {
    pub(super) queue: Queue<Arc<W>>,
    pub(super) parking: Parking<Arc<W>>,
    pub(super) gates: Gates<Arc<W>>,
    /// Live guests, so that they can be stopped.
    pub(super) live: HashMap<RunId, Arc<W>, IdHasher>,
    pub(super) worker_threads: Vec<ThreadId>,
    /// Idle workers, and how many of them were notified of work.
    pub(super) idle_workers: usize,
    pub(super) called_workers: usize,
    /// Guests that are being polled and were preempted before. They yield on request.
    pub(super) polled_again: usize,
    /// They were asked to yield.
    pub(super) asked_to_give_way: bool,
    /// Submitters that block until there is room.
    pub(super) waiting_for_room: usize,
    /// Wakers of futures that wait for room, or for the scheduler to be idle.
    wakers: Vec<Waker>,
    pub(super) closed: bool,
    /// From now on, work that would be parked or queued is cancelled instead.
    pub(super) cancels_pending: bool,
    pub(super) quit: bool,
}

/// The reason why a job was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PushError {
    /// The queue is full.
    Full,
    /// The scheduler accepts no more jobs.
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
            state: Mutex::new(Schedule {
                queue: Queue::new(bounds),
                parking: Parking::new(),
                gates: Gates::new(limits),
                live: HashMap::default(),
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

    /// Waits until the queue has room, or the scheduler accepts no more jobs. Another submitter may use the room first.
    pub(crate) async fn room(&self) {
        self.until(|state| state.closed || (state.queue.has_room() && !self.backlog.is_full())).await;
    }

    /// Wakes the submitters that wait for room.
    pub(crate) fn wake_submitters(&self) {
        drop(self.tell(self.lock()));
    }

    /// Waits until no work is pending or live.
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

    /// Cancels all jobs that do not execute, and those that stop executing to wait for another attempt.
    pub(crate) fn cancel_pending(&self) {
        let mut state = self.lock();
        state.cancels_pending = true;
        let mut jobs = state.queue.drain_pending();
        // They count until they are cancelled, so that the host does not look idle before.
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
        // Queue entries of it, if a waker adds one, are stale.
        job.position().settle(Phase::Polled);
        self.admit(&mut state);
        // A job that could not begin for lack of room may begin now.
        self.call_worker(&mut state);
        drop(self.tell(state));
    }

    /// The runtime that provides timers.
    pub(crate) fn timers(&self) -> &Handle {
        &self.timers
    }

    /// Wakes those that wait for room or for the end, without the lock, because wakers may run user code. Not for each place that
    /// becomes free: a submitter that is woken fills several.
    pub(super) fn tell<'s>(&'s self, mut state: MutexGuard<'s, Schedule<W>>) -> MutexGuard<'s, Schedule<W>> {
        if !state.closed && !state.queue.has_much_room() {
            return state;
        }
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

    /// Wakes an idle worker to look for work, if there is one that was not woken yet. If there is none, and no other
    /// work waits, guests that have computed for long yield immediately, so a single new arrival never waits behind a
    /// long-running guest. If much work waits, turns are longer, and time is shared equally.
    pub(super) fn call_worker(&self, state: &mut Schedule<W>) {
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

    /// The next due time of parked work.
    #[cfg(test)]
    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.lock().next_due(self.now())
    }

    /// The instant of a time of the scheduler's clock; `None` if it is out of range.
    pub(crate) fn instant(&self, at: Duration) -> Option<Instant> {
        self.clock.instant(at)
    }

    async fn until(&self, reached: impl Fn(&Schedule<W>) -> bool) {
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

    /// No code panics while it holds the lock, so a poisoned lock is still valid.
    pub(super) fn lock(&self) -> MutexGuard<'_, Schedule<W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: Work> Schedule<W> {
    /// The guest of a job waits for something, and does not compute.
    pub(super) fn rests(&mut self, job: &Arc<W>) {
        if job.position().is_live() {
            if job.position().take_preempted() {
                self.queue.rests(job);
            }
        } else if job.has_ended() {
            // It was cancelled meanwhile.
            job.position().advance(Phase::Waiting, Phase::Polled);
        }
    }

    /// A job that had begun no longer has a guest.
    pub(super) fn ended(&mut self, job: &Arc<W>) {
        // A later run may have the same id: another attempt of a delayed run, which begins when the end of this one is known.
        if self.live.get(&job.id()).is_some_and(|live| Arc::ptr_eq(live, job)) {
            self.live.remove(&job.id());
        }
        if job.position().leave_life() {
            self.queue.ended(job, job.position().take_preempted());
            if job.position().leave_slots() {
                self.gates.leave(job.tags());
            }
        }
    }
}
