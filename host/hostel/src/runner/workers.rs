//! The worker threads, the lock they share, and the runtime that wakes sleeping guests.

use std::collections::HashMap;
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use hostel_core::RunId;
use hostel_engine::Engine;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Notify;

use super::gates::{Gates, TagLimit};
use super::job::{Job, Phase, Polled};
use super::parking::Parking;
use super::queue::{Bounds, Next, Queue};
use crate::calls::{Backlog, panic_text};
use crate::flight::{Flights, PULSE};
use crate::tag::Tag;

/// Owns the worker threads and the timer runtime. Dropping it ends them.
pub(crate) struct Runner {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    runtime: Option<Runtime>,
}

/// What workers, submitters, wakers and cancellers share.
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Something may have come that an idle worker can do.
    work: Condvar,
    /// The queue may have room.
    pub(super) room: Condvar,
    /// What is due next may have changed.
    pub(super) clock_changed: Notify,
    /// Calls of hooks that wait; runs that would add to them wait as well.
    pub(super) backlog: Backlog,
    pub(super) epoch: Instant,
    timers: Handle,
    engine: Engine,
}

pub(super) struct State {
    pub(super) queue: Queue<Arc<Job>>,
    pub(super) parking: Parking<Arc<Job>>,
    pub(super) gates: Gates<Arc<Job>>,
    /// Guests that have begun and not ended, so that they can be stopped.
    live: HashMap<RunId, Arc<Job>>,
    pub(super) worker_threads: Vec<ThreadId>,
    /// Workers that wait for something to do, and how many of them were told that there is something.
    idle_workers: usize,
    called_workers: usize,
    /// Guests that are polled and were preempted before: they give way when they are asked.
    polled_again: usize,
    /// They were asked.
    asked_to_give_way: bool,
    /// Submitters that block until there is room.
    pub(super) waiting_for_room: usize,
    /// Submitters that await room, and those who await that nothing is left.
    wakers: Vec<Waker>,
    pub(super) closed: bool,
    /// What would wait for its turn from now on is cancelled instead.
    pub(super) cancels_pending: bool,
    quit: bool,
}

/// A job was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PushError {
    /// The queue is full.
    Full,
    /// The runner accepts no more.
    Closed,
}

impl Runner {
    pub(crate) fn start(
        bounds: Bounds,
        limits: &HashMap<Tag, TagLimit>,
        backlog: Backlog,
        engine: Engine,
    ) -> io::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("hostel-timer").enable_all().build()?;
        let shared = Arc::new(Shared {
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
            epoch: Instant::now(),
            timers: runtime.handle().clone(),
            engine,
        });
        // It ends with the runtime, which the runner owns.
        runtime.spawn(Arc::clone(&shared).keep_time());
        // Made before its threads, so that those already started are ended if one cannot start.
        let mut runner = Self { shared, workers: Vec::with_capacity(bounds.workers), runtime: Some(runtime) };
        for number in 0..bounds.workers {
            let shared = Arc::clone(&runner.shared);
            let name = format!("hostel-worker-{number}");
            runner.workers.push(thread::Builder::new().name(name).spawn(move || shared.work())?);
        }
        runner.shared.lock().worker_threads =
            runner.workers.iter().map(|worker| worker.thread().id()).collect();
        Ok(runner)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Shows other processes that this one lives, for as long as the runner does.
    pub(crate) fn show_life(&self, flights: &Arc<Flights>) {
        if !flights.has_others() {
            return;
        }
        let flights = Arc::clone(flights);
        let pulse = async move {
            loop {
                tokio::time::sleep(PULSE).await;
                flights.pulse();
            }
        };
        // It ends with the runtime, which the runner owns.
        self.shared.timers.spawn(pulse);
    }
}

impl Drop for Runner {
    /// Cancels everything, and waits for the workers; guests give way within a tick.
    fn drop(&mut self) {
        self.shared.close();
        self.shared.cancel_pending();
        self.shared.cancel_live();
        self.shared.lock().quit = true;
        self.shared.work.notify_all();
        let this_thread = thread::current().id();
        for worker in self.workers.drain(..) {
            // A callback that drops the host runs on a worker, which cannot wait for itself.
            if worker.thread().id() != this_thread && worker.join().is_err() {
                tracing::error!("a worker thread had panicked");
            }
        }
        // What is left in the queues would hold the host for ever, and it them.
        let left = self.shared.lock().queue.drain();
        drop(left);
        if let Some(runtime) = self.runtime.take() {
            // A plain drop would panic where the host is dropped inside another async runtime.
            runtime.shutdown_background();
        }
    }
}

impl Shared {
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
                state.gates.withdraw(parked.job.run().tags(), ticket);
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
    pub(crate) fn push_ready(&self, job: Arc<Job>) {
        let mut state = self.lock();
        if !state.quit {
            state.queue.push_ready(job);
            self.call_worker(&mut state);
        }
    }

    /// A guest that had begun has ended.
    pub(crate) fn ended(&self, job: &Arc<Job>) {
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

    /// A worker thread's life.
    fn work(&self) {
        let _timers = self.timers.enter();
        // What it was last busy with may be the last of a run, and with it of things of the program's: it is let go of
        // where the lock is not held.
        let mut spent = None;
        let mut state = self.lock();
        while !state.quit {
            let now = self.now();
            let next = state.queue.pop(now);
            if mem::take(&mut state.asked_to_give_way) {
                self.engine.nobody_waits();
            }
            state = match next {
                Some(next) => self.do_next(state, next, now, &mut spent),
                None if spent.is_some() => {
                    drop(state);
                    spent = None;
                    self.lock()
                }
                None => self.idle(state),
            };
        }
    }

    /// Polls what was taken from the queue, without the lock, and puts it where it then belongs.
    fn do_next<'s>(
        &'s self,
        mut state: MutexGuard<'s, State>,
        next: Next<Arc<Job>>,
        now: Duration,
        spent: &mut Option<Arc<Job>>,
    ) -> MutexGuard<'s, State> {
        if let Next::Pending(job) = &next {
            state.live.insert(job.run().id(), Arc::clone(job));
        }
        let again = usize::from(next.job().was_preempted());
        state.polled_again += again;
        drop(self.tell(state));
        *spent = None;
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
            Polled::Waits | Polled::Gone => {}
        }
        *spent = Some(job);
        self.tell(state)
    }

    fn idle<'s>(&self, mut state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        state.idle_workers += 1;
        state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        state.idle_workers -= 1;
        state.called_workers = state.called_workers.saturating_sub(1);
        state
    }

    /// Queues a guest that gave way, and had been polled since `since`.
    fn preempt(&self, state: &mut State, job: &Arc<Job>, since: Duration) {
        let now = self.now();
        if job.advance(Phase::PolledAndWoken, Phase::Preempted) {
            // One that was cancelled meanwhile has ended, and counts no more.
            let first = state.live.contains_key(&job.run().id()) && job.is_first_preemption();
            state.queue.push_preempted(Arc::clone(job), now, now.saturating_sub(since), first);
        }
    }

    /// Tells those who wait for room or for the end to look again, without the lock, since they may call back.
    pub(super) fn tell<'s>(&'s self, mut state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
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
    pub(super) fn call_worker(&self, state: &mut State) {
        if state.idle_workers > state.called_workers {
            state.called_workers += 1;
            self.work.notify_one();
        } else if state.polled_again > 0 && !state.asked_to_give_way && state.queue.has_one_alone() {
            state.asked_to_give_way = true;
            self.engine.someone_waits();
        }
    }

    /// The time since the runner started.
    pub(super) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    async fn until(&self, reached: impl Fn(&State) -> bool) {
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
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A job that had begun has no guest any more.
    pub(super) fn ended(&mut self, job: &Arc<Job>) {
        if self.live.remove(&job.run().id()).is_some() {
            self.queue.ended(job, job.take_preempted());
            if job.holds_slots.swap(false, Ordering::Relaxed) {
                self.gates.leave(job.run().tags());
            }
        }
    }
}

/// Polls what was taken from a queue; a panic, which only a mistake of the host's can be, ends that run alone.
fn poll(next: &Next<Arc<Job>>) -> Polled {
    catch_unwind(AssertUnwindSafe(|| poll_valid(next))).unwrap_or_else(|panic| {
        let job = next.job();
        let reason = panic_text(panic.as_ref());
        tracing::error!("run {}: {reason}", job.run().id());
        job.crash(reason)
    })
}

/// Polls what was taken from a queue, unless its entry is stale.
fn poll_valid(next: &Next<Arc<Job>>) -> Polled {
    match next {
        Next::Pending(job) if job.advance(Phase::Pending, Phase::Polled) => job.begin(),
        Next::Ready(job) if job.advance(Phase::Ready, Phase::Polled) => job.poll(),
        Next::Preempted(job) if job.advance(Phase::Preempted, Phase::Polled) => job.poll(),
        Next::Pending(_) | Next::Ready(_) | Next::Preempted(_) => Polled::Gone,
    }
}
