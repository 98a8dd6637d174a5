//! The threads that execute guests.

use std::collections::HashMap;
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hostel_core::Tag;
use hostel_engine::Engine;
use tokio::runtime::{Builder, Runtime};

use super::clock::Clock;
use super::gates::TagLimit;
use super::queue::{Bounds, Next};
use super::scheduler::{Schedule, Scheduler};
use super::wakes::Wakes;
use super::work::{Phase, Polled, Work};
use crate::calls::{Backlog, panic_text};

/// Owns the worker threads and the timer runtime. Dropping it stops them.
pub(crate) struct Runner<W: Work> {
    scheduler: Arc<Scheduler<W>>,
    workers: Vec<JoinHandle<()>>,
    runtime: Option<Runtime>,
}

impl<W: Work> Runner<W> {
    pub(crate) fn start(
        bounds: Bounds,
        limits: &HashMap<Tag, TagLimit>,
        backlog: Backlog,
        engine: Engine,
    ) -> io::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("hostel-timer").enable_all().build()?;
        let timers = runtime.handle().clone();
        let scheduler = Scheduler::new(bounds, limits, backlog, engine, timers, Clock::system());
        let scheduler = Arc::new(scheduler);
        // It ends with the runtime, which the runner owns.
        runtime.spawn(Arc::clone(&scheduler).keep_time());
        // Created before its threads, so that the threads already started are stopped if one cannot start.
        let mut runner =
            Self { scheduler, workers: Vec::with_capacity(bounds.workers), runtime: Some(runtime) };
        for number in 0..bounds.workers {
            let scheduler = Arc::clone(&runner.scheduler);
            let name = format!("hostel-worker-{number}");
            runner.workers.push(thread::Builder::new().name(name).spawn(move || scheduler.work())?);
        }
        runner.scheduler.lock().worker_threads =
            runner.workers.iter().map(|worker| worker.thread().id()).collect();
        Ok(runner)
    }

    pub(crate) fn scheduler(&self) -> &Arc<Scheduler<W>> {
        &self.scheduler
    }
}

impl<W: Work> Drop for Runner<W> {
    /// Cancels all work, and waits for the workers. Guests yield within a tick.
    fn drop(&mut self) {
        self.scheduler.close();
        self.scheduler.cancel_pending();
        self.scheduler.cancel_live();
        self.scheduler.lock().quit = true;
        self.scheduler.work.notify_all();
        let this_thread = thread::current().id();
        for worker in self.workers.drain(..) {
            // If a callback drops the host on a worker, that worker cannot wait for itself.
            if worker.thread().id() != this_thread && worker.join().is_err() {
                tracing::error!("a worker thread had panicked");
            }
        }
        // Jobs left in the queues would keep the host alive, and it them.
        let left = self.scheduler.lock().queue.drain();
        drop(left);
        if let Some(runtime) = self.runtime.take() {
            // A plain drop would panic if the host is dropped inside another async runtime.
            runtime.shutdown_background();
        }
    }
}

/// What the last poll of a worker has left, to be dropped and called without the lock, because it may run code of the program.
struct Last<W: Work> {
    /// The polled job, which may be the last handle to it.
    job: Option<Arc<W>>,
    /// When the poll began, by the scheduler's clock.
    began: Duration,
    /// How many guests that compute for long shared each thread when the poll had ended.
    share: u32,
    /// The waiters of runs that have ended; `None` in a test, where they are woken at once.
    wakes: Option<Wakes>,
}

impl<W: Work> Last<W> {
    fn has_left_something(&self) -> bool {
        self.job.is_some() || self.wakes.as_ref().is_some_and(Wakes::any)
    }

    /// Nothing follows the poll, which ended `now`.
    fn clear(&mut self, now: Duration) {
        if let Some(job) = self.job.take() {
            job.position().computed(now, now.saturating_sub(self.began), self.share);
        }
        self.wakes.iter_mut().for_each(Wakes::wake);
    }

    /// Makes way for the next poll, which begins `now`.
    fn before_poll(&mut self, next: &Next<Arc<W>>, now: Duration) {
        let took = now.saturating_sub(mem::replace(&mut self.began, now));
        let last = self.job.take();
        last.iter().for_each(|last| last.position().computed(now, took, self.share));
        if let Next::Ready(next) = next {
            next.position().rested(now);
        }
        let alike = match (next, &last) {
            (Next::Pending(next), Some(last)) if next.task_key() == last.task_key() => Some(took),
            _ => None,
        };
        drop(last);
        let may_block = || next.job().may_block();
        self.wakes.iter_mut().for_each(|wakes| wakes.before_poll(now, alike, may_block));
    }
}

impl<W: Work> Scheduler<W> {
    /// The loop of a worker thread.
    fn work(&self) {
        let _timers = self.timers().enter();
        let mut last = Last { job: None, began: Duration::ZERO, share: 1, wakes: Some(Wakes::collect()) };
        let mut state = self.lock();
        while !state.quit {
            let now = self.now();
            last.share = state.queue.share();
            let next = state.queue.pop(now);
            if mem::take(&mut state.asked_to_give_way) {
                self.engine.nobody_waits();
            }
            state = match next {
                Some(next) => self.do_next(state, next, now, &mut last),
                None if last.has_left_something() => {
                    drop(state);
                    last.clear(now);
                    self.lock()
                }
                None => self.idle(state),
            };
        }
    }

    /// One iteration of a worker, in a test that has none. `false` if there is no work.
    #[cfg(test)]
    pub(crate) fn turn(&self) -> bool {
        let mut state = self.lock();
        let now = self.now();
        let Some(next) = state.queue.pop(now) else { return false };
        let mut last = Last { job: None, began: Duration::ZERO, share: 1, wakes: None };
        drop(self.do_next(state, next, now, &mut last));
        true
    }

    /// Polls an item from the queue, without the lock, and then puts it where it belongs.
    fn do_next<'s>(
        &'s self,
        mut state: MutexGuard<'s, Schedule<W>>,
        next: Next<Arc<W>>,
        now: Duration,
        last: &mut Last<W>,
    ) -> MutexGuard<'s, Schedule<W>> {
        if let Next::Pending(job) = &next {
            job.position().enter_life();
            state.live.insert(job.id(), Arc::clone(job));
        }
        let again = usize::from(next.job().position().was_preempted());
        state.polled_again += again;
        drop(self.tell(state));
        last.before_poll(&next, now);
        let polled = poll(&next);
        let (Next::Pending(job) | Next::Ready(job) | Next::Preempted(job)) = next;
        let mut state = self.lock();
        state.polled_again -= again;
        match polled {
            Polled::Ended => {
                state.ended(&job);
                self.admit(&mut state);
            }
            Polled::GaveWay => self.preempt(&mut state, &job, now),
            Polled::Waits => state.rests(&job),
            Polled::Gone => {}
        }
        last.job = Some(job);
        self.tell(state)
    }

    fn idle<'s>(&self, mut state: MutexGuard<'s, Schedule<W>>) -> MutexGuard<'s, Schedule<W>> {
        state.idle_workers += 1;
        state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        state.idle_workers -= 1;
        state.called_workers = state.called_workers.saturating_sub(1);
        state
    }

    /// Queues a guest that yielded, and had been polled since `since`.
    fn preempt(&self, state: &mut Schedule<W>, job: &Arc<W>, since: Duration) {
        let now = self.now();
        if job.position().advance(Phase::PolledAndWoken, Phase::Preempted) {
            // If it was cancelled meanwhile, it has ended and is no longer counted.
            let first = job.position().is_live() && job.position().is_first_preemption();
            state.queue.push_preempted(Arc::clone(job), now, now.saturating_sub(since), first);
        }
    }
}

/// Polls an item from a queue. A panic, which can only be a bug in the host, ends that run alone.
fn poll<W: Work>(next: &Next<Arc<W>>) -> Polled {
    catch_unwind(AssertUnwindSafe(|| poll_valid(next))).unwrap_or_else(|panic| {
        let job = next.job();
        let reason = panic_text(panic.as_ref());
        tracing::error!("run {}: {reason}", job.id());
        job.crash(reason)
    })
}

/// Polls an item from a queue, unless its entry is stale.
fn poll_valid<W: Work>(next: &Next<Arc<W>>) -> Polled {
    match next {
        Next::Pending(job) if job.position().advance(Phase::Pending, Phase::Polled) => job.begin(),
        Next::Ready(job) if job.position().advance(Phase::Ready, Phase::Polled) => job.poll(),
        Next::Preempted(job) if job.position().advance(Phase::Preempted, Phase::Polled) => job.poll(),
        Next::Pending(_) | Next::Ready(_) | Next::Preempted(_) => Polled::Gone,
    }
}
