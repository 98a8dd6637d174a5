//! The thread that calls a program's hooks and callbacks.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Call, ask, call_safely};

/// The maximum backlog of calls before the host accepts no more runs.
const MAX_WAITING: usize = 100_000;

/// How long the thread polls for more calls before it sleeps: waking a thread costs more than most calls.
const LINGER: Duration = Duration::from_micros(100);

/// Calls hooks and callbacks, one after the other, on one thread.
///
/// A blocking hook delays the hooks after it, but no worker, and a hook may wait for other runs even if there is only
/// one worker. While [`MAX_WAITING`] calls wait, the host accepts no more runs. Existing runs can still add calls, a
/// few each and one for each retry, so the backlog is bounded by the size of the queue.
pub(crate) struct HookThread(Arc<Shared>);

/// The backlog of a [`HookThread`].
pub(crate) struct Backlog(Arc<Shared>);

struct Shared {
    state: Mutex<Waiting>,
    changed: Condvar,
    /// The number of waiting calls.
    length: AtomicUsize,
    thread: OnceLock<ThreadId>,
    when_there_is_room: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

#[derive(Default)]
struct Waiting {
    calls: VecDeque<Call>,
    /// The thread sleeps until it is notified.
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

    /// A hook thread without a thread: a test makes the waiting calls with [`HookThread::call_waiting`].
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

    /// Makes the next waiting call. `false` if there is none.
    #[cfg(test)]
    pub(crate) fn call_waiting(&self) -> bool {
        let call = self.0.lock().calls.pop_front();
        let Some(call) = call else { return false };
        self.0.length.fetch_sub(1, Ordering::Relaxed);
        call_safely(call);
        true
    }

    /// A handle to the size of the backlog.
    pub(crate) fn backlog(&self) -> Backlog {
        Backlog(Arc::clone(&self.0))
    }

    /// Sets a function to call whenever the backlog is no longer full. May be set once.
    pub(crate) fn when_there_is_room(&self, tell: impl Fn() + Send + Sync + 'static) {
        self.0.when_there_is_room.get_or_init(|| Box::new(tell));
    }

    /// Adds calls after the existing ones, in their order.
    pub(crate) fn call(&self, calls: impl IntoIterator<Item = Call>) {
        let mut state = self.0.lock();
        let before = state.calls.len();
        state.calls.extend(calls);
        let added = state.calls.len() - before;
        if added == 0 {
            // The thread would go on sleeping, and nobody would know that it sleeps.
            return;
        }
        self.0.length.fetch_add(added, Ordering::Relaxed);
        let is_asleep = mem::take(&mut state.asleep);
        drop(state);
        if is_asleep {
            self.0.changed.notify_one();
        }
    }

    /// Adds `call` after the existing ones, and waits for its result; `None` if it panics. A call that is itself made
    /// by this thread is made at once, because it could not wait for itself.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        if self.0.is_this_thread() {
            return ask(call);
        }
        let (send, receive) = oneshot::channel();
        let call: Call = Box::new(move || {
            // Fails only if the waiting future was dropped.
            let _ = send.send(call());
        });
        self.call([call]);
        // A future waits, so the thread must not linger.
        self.0.changed.notify_one();
        receive.await.ok()
    }
}

impl Drop for HookThread {
    /// The waiting calls are still made, but the program does not wait for them: a blocking hook must not delay the end
    /// of the program.
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.changed.notify_one();
    }
}

impl Backlog {
    /// Whether the backlog is full. Never for code called by the thread itself, which could not wait.
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

    /// Waits for calls: first lingers for a moment, in which it need not be woken, and then sleeps until it is woken.
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

    /// No code panics while it holds the lock, so a poisoned lock is still valid.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn no_calls_change_nothing_for_the_calls_after_them() {
        let hooks = HookThread::start().unwrap();
        while !hooks.0.lock().asleep {
            thread::yield_now();
        }
        hooks.call([]);
        let (send, receive) = mpsc::channel();
        let call: Call = Box::new(move || send.send(()).unwrap());
        hooks.call([call]);
        receive.recv_timeout(Duration::from_secs(60)).unwrap();
    }

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
