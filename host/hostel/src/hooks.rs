//! What a program is told as runs go on: hooks of tasks and callbacks of futures, called on a thread of their own.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, ThreadId};

use hostel_core::{State, StateType};
use tokio::sync::oneshot;

use crate::future::TaskFuture;
use crate::runner::panic_text;
use crate::transaction::TransactionValues;
use crate::turns;

/// How many calls may wait behind one that blocks, before no more runs are taken in.
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
/// worker too. While [`MAX_WAITING`] calls wait, no more runs are taken in, so that those of the runs that are there
/// are all that can still come.
pub(crate) struct Caller(Arc<Shared>);

/// How much a [`Caller`] has to do.
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
    is_calling: bool,
    ended: bool,
}

impl Caller {
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

    /// What tells how much there is to do.
    pub(crate) fn backlog(&self) -> Backlog {
        Backlog(Arc::clone(&self.0))
    }

    /// Has this called whenever the backlog is full no longer; to be said once.
    pub(crate) fn when_there_is_room(&self, tell: impl Fn() + Send + Sync + 'static) {
        self.0.when_there_is_room.get_or_init(|| Box::new(tell));
    }

    /// Has `call` made after those before it.
    pub(crate) fn call(&self, call: Call) {
        let mut state = self.0.lock();
        let is_idle = state.calls.is_empty() && !state.is_calling;
        state.calls.push_back(call);
        self.0.length.store(state.calls.len(), Ordering::Relaxed);
        drop(state);
        if is_idle {
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
            while let Some(call) = state.calls.pop_front() {
                let left = state.calls.len();
                self.length.store(left, Ordering::Relaxed);
                state.is_calling = true;
                drop(state);
                if left + 1 == MAX_WAITING {
                    self.when_there_is_room.get().iter().for_each(|tell| tell());
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
        self.thread.get() == Some(&thread::current().id())
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
