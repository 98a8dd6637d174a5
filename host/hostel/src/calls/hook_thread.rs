//! The thread on which a program's hooks and callbacks are called.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Call, ask, call_safely};

/// How many calls may wait behind one that blocks, before no more runs are taken in.
const MAX_WAITING: usize = 100_000;

/// How long the thread waits for more calls before it has to be woken: to wake a thread costs more than most calls.
const LINGER: Duration = Duration::from_micros(100);

/// Calls hooks and callbacks, one after the other, on one thread.
///
/// So a hook that blocks holds up the hooks after it, and no worker; and a hook may wait for other runs, with one
/// worker too. While [`MAX_WAITING`] calls wait, no more runs are taken in; those that are there can still add calls, a
/// few each and one for each retry, so the backlog is bounded by what the queue holds.
pub(crate) struct HookThread(Arc<Shared>);

/// How much a [`HookThread`] has to do.
pub(crate) struct Backlog(Arc<Shared>);

struct Shared {
    state: Mutex<Waiting>,
    changed: Condvar,
    /// How many calls wait.
    length: AtomicUsize,
    thread: OnceLock<ThreadId>,
    when_there_is_room: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

#[derive(Default)]
struct Waiting {
    calls: VecDeque<Call>,
    /// The thread looks again only when it is told to.
    asleep: bool,
    ended: bool,
}

impl HookThread {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            length: AtomicUsize::new(0),
            thread: OnceLock::new(),
            when_there_is_room: OnceLock::new(),
        });
        let of_thread = Arc::clone(&shared);
        let call = move || of_thread.call_until_ended();
        let thread = thread::Builder::new().name("hostel-hooks".to_owned()).spawn(call)?;
        shared.thread.get_or_init(|| thread.thread().id());
        Ok(Self(shared))
    }

    /// One without a thread: a test makes the calls that wait, with [`HookThread::call_waiting`].
    #[cfg(test)]
    pub(crate) fn manual() -> Self {
        Self(Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            length: AtomicUsize::new(0),
            thread: OnceLock::new(),
            when_there_is_room: OnceLock::new(),
        }))
    }

    /// Makes the next call that waits. `false` if there is none.
    #[cfg(test)]
    pub(crate) fn call_waiting(&self) -> bool {
        let call = self.0.lock().calls.pop_front();
        let Some(call) = call else { return false };
        self.0.length.fetch_sub(1, Ordering::Relaxed);
        call_safely(call);
        true
    }

    /// What tells how much there is to do.
    pub(crate) fn backlog(&self) -> Backlog {
        Backlog(Arc::clone(&self.0))
    }

    /// Has this called whenever the backlog is full no longer; to be said once.
    pub(crate) fn when_there_is_room(&self, tell: impl Fn() + Send + Sync + 'static) {
        self.0.when_there_is_room.get_or_init(|| Box::new(tell));
    }

    /// Has calls made after those before them, in their order.
    pub(crate) fn call(&self, calls: impl IntoIterator<Item = Call>) {
        let mut state = self.0.lock();
        let before = state.calls.len();
        state.calls.extend(calls);
        self.0.length.fetch_add(state.calls.len() - before, Ordering::Relaxed);
        let is_asleep = mem::take(&mut state.asleep);
        drop(state);
        if is_asleep {
            self.0.changed.notify_one();
        }
    }

    /// Has `call` made after those before it, and waits for its answer; `None` if it panics. At once if it is one of
    /// them that asks, which could not wait for itself.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        if self.0.is_this_thread() {
            return ask(call);
        }
        let (send, receive) = oneshot::channel();
        let call: Call = Box::new(move || {
            // Nobody waits any more if the asking was dropped.
            let _ = send.send(call());
        });
        self.call([call]);
        // Someone waits, so it must not linger.
        self.0.changed.notify_one();
        receive.await.ok()
    }
}

impl Drop for HookThread {
    /// What waits is still called, but nobody waits for it: a hook that blocks must not hold up the program's end.
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.changed.notify_one();
    }
}

impl Backlog {
    /// Whether so much waits that nothing should be added; never for one of the calls themselves, which could not wait.
    pub(crate) fn is_full(&self) -> bool {
        self.0.length.load(Ordering::Relaxed) >= MAX_WAITING && !self.0.is_this_thread()
    }
}

impl Shared {
    fn call_until_ended(&self) {
        let mut state = self.lock();
        loop {
            let calls = mem::take(&mut state.calls);
            if calls.is_empty() {
                if state.ended {
                    return;
                }
                state = self.idle(state);
                continue;
            }
            drop(state);
            for call in calls {
                if self.length.fetch_sub(1, Ordering::Relaxed) == MAX_WAITING {
                    self.when_there_is_room.get().iter().for_each(|tell| tell());
                }
                call_safely(call);
            }
            state = self.lock();
        }
    }

    /// Waits for calls: lingers first, in which time nobody has to wake the thread, and then sleeps until it is woken.
    fn idle<'s>(&self, state: MutexGuard<'s, Waiting>) -> MutexGuard<'s, Waiting> {
        let lingered = self.changed.wait_timeout(state, LINGER).unwrap_or_else(PoisonError::into_inner);
        let (mut state, _) = lingered;
        if !state.calls.is_empty() || state.ended {
            return state;
        }
        state.asleep = true;
        state = self
            .changed
            .wait_while(state, |state| state.calls.is_empty() && !state.ended)
            .unwrap_or_else(PoisonError::into_inner);
        state.asleep = false;
        state
    }

    fn is_this_thread(&self) -> bool {
        self.thread.get() == Some(&thread::current().id())
    }

    /// Nothing panics while it holds the lock, so a poisoned one is as good as any.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_full_backlog_is_no_obstacle_for_the_calls_themselves() {
        let hooks = HookThread::start().unwrap();
        let backlog = hooks.backlog();
        let (begin, begun) = mpsc::channel::<()>();
        let (report, reported) = mpsc::channel();
        let of_call = hooks.backlog();
        let first: Call = Box::new(move || {
            begun.recv().unwrap();
            report.send(of_call.is_full()).unwrap();
        });
        hooks.call([first]);
        let others = (0..=MAX_WAITING).map(|_| -> Call { Box::new(|| ()) });
        hooks.call(others);
        assert!(backlog.is_full());
        begin.send(()).unwrap();
        assert!(!reported.recv().unwrap(), "a call that adds runs could not wait for itself");
    }
}
