//! What a program is told as runs go on: hooks of tasks and callbacks of futures, called on a thread of their own.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use hostel_core::{State, StateType};
use tokio::sync::oneshot;

use crate::future::TaskFuture;
use crate::runner::panic_text;
use crate::transaction::TransactionValues;
use crate::turns;

/// How many calls may wait behind one that blocks, before the runs wait too.
const MAX_WAITING: usize = 100_000;

/// Is told of a run that has come to a state.
pub(crate) type Hook = Arc<dyn Fn(&TaskFuture, State) + Send + Sync>;

/// Is told of a run whose transaction was committed or rolled back.
pub(crate) type TransactionHook = Arc<dyn Fn(&TaskFuture, &TransactionValues) + Send + Sync>;

/// The hooks of a task, each kind in the order in which they were added.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) on_running: Vec<Hook>,
    pub(crate) on_completion: Vec<Hook>,
    pub(crate) on_failure: Vec<Hook>,
    pub(crate) on_cancellation: Vec<Hook>,
    pub(crate) on_crashed: Vec<Hook>,
    pub(crate) on_commit: Vec<TransactionHook>,
    pub(crate) on_rollback: Vec<TransactionHook>,
}

impl Hooks {
    /// Those that are told of a run that has come to `state`.
    pub(crate) fn of(&self, state: State) -> &[Hook] {
        match state.state_type() {
            StateType::Running => &self.on_running,
            StateType::Completed if state != State::RolledBack => &self.on_completion,
            StateType::Failed => &self.on_failure,
            StateType::Cancelled => &self.on_cancellation,
            StateType::Crashed => &self.on_crashed,
            StateType::Scheduled | StateType::Pending | StateType::Cancelling | StateType::Completed => &[],
        }
    }
}

/// A call to code of the program's.
pub(crate) type Call = Box<dyn FnOnce() + Send>;

/// Calls hooks and callbacks, one after the other, on one thread.
///
/// So a hook that blocks holds up the hooks after it, and no worker; and a hook may wait for other runs, with one
/// worker too. Only when [`MAX_WAITING`] calls wait do the runs that would add to them wait as well.
pub(crate) struct Caller(Arc<Shared>);

struct Shared {
    state: Mutex<Waiting>,
    changed: Condvar,
    thread: Mutex<Option<ThreadId>>,
}

#[derive(Default)]
struct Waiting {
    calls: VecDeque<Call>,
    is_calling: bool,
    ended: bool,
}

impl Caller {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Self> {
        let shared =
            Arc::new(Shared { state: Mutex::default(), changed: Condvar::new(), thread: Mutex::new(None) });
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("hostel-hooks".to_owned())
            .spawn(move || of_thread.call_until_ended())?;
        *shared.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread.thread().id());
        Ok(Self(shared))
    }

    /// Has `call` made after those before it. Waits while too many are waiting, unless it is one of them that asks.
    pub(crate) fn call(&self, call: Call) {
        let mut state = self.0.lock();
        if state.calls.len() >= MAX_WAITING && !self.0.is_this_thread() {
            let changed = &self.0.changed;
            state = changed
                .wait_while(state, |state| state.calls.len() >= MAX_WAITING)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let is_idle = state.calls.is_empty() && !state.is_calling;
        state.calls.push_back(call);
        drop(state);
        if is_idle {
            self.0.changed.notify_all();
        }
    }

    /// Has `call` made after those before it, and waits for its answer; `None` if it panics. At once if it is one of
    /// them that asks, which could not wait for itself.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        if self.0.is_this_thread() {
            return turns::ask(call);
        }
        let (send, receive) = oneshot::channel();
        self.call(Box::new(move || {
            // Nobody waits any more if the asking was dropped.
            let _ = send.send(call());
        }));
        receive.await.ok()
    }
}

impl Drop for Caller {
    /// What waits is still called, but nobody waits for it: a hook that blocks must not hold up the program's end.
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.changed.notify_all();
    }
}

impl Shared {
    fn call_until_ended(&self) {
        let mut state = self.lock();
        loop {
            while let Some(call) = state.calls.pop_front() {
                let was_full = state.calls.len() + 1 == MAX_WAITING;
                state.is_calling = true;
                drop(state);
                if was_full {
                    self.changed.notify_all();
                }
                call_safely(call);
                state = self.lock();
            }
            state.is_calling = false;
            if state.ended {
                return;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn is_this_thread(&self) -> bool {
        let thread = *self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        thread == Some(thread::current().id())
    }

    /// Nothing panics while it holds the lock, so a poisoned one is as good as any.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a call; a panic in it is logged and changes nothing.
pub(crate) fn call_safely(call: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(call)) {
        tracing::error!("a hook or callback failed: {}", panic_text(panic.as_ref()));
    }
}
