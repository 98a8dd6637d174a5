//! Messages to the thread of a worker.

use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use hostel_core::RunId;
use hostel_core::journal::{Fence, JournalError};
use tokio::sync::oneshot::{self, Receiver, Sender};

use super::prepared::Prepared;

/// Messages to the thread of a worker, and the state that others ask it for. Bounded: each claimed run causes at most
/// three messages, and there is one of each other kind.
#[derive(Default)]
pub(super) struct Mailbox {
    /// Nothing panics while it holds the lock, so a poisoned lock is as good as any.
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    mail: Mail,
    has_mail: bool,
    order: Order,
    ended: bool,
    /// Why the worker could not go on.
    failure: Option<Arc<JournalError>>,
    waiting: Vec<Sender<()>>,
    /// How many runs the worker has claimed.
    claimed: usize,
    /// Those who wait until there is nothing to do: they asked before the thread last took its mail, so it has looked since then.
    waiting_for_idle: Vec<Sender<()>>,
    /// The same, but they asked after that.
    not_yet_looked: Vec<Sender<()>>,
}

/// What happened since the thread last looked.
#[derive(Default)]
pub(super) struct Mail {
    /// The runs that the host has accepted, or that cannot execute.
    pub(super) prepared: Vec<(RunId, Fence, Prepared)>,
    /// The runs whose attempts have begun.
    pub(super) begun: Vec<RunId>,
    /// The runs that have ended, or have stopped before an attempt.
    pub(super) moved: Vec<RunId>,
    /// Whether the journal has changed.
    pub(super) journal_changed: bool,
}

/// What a worker has to do, each more than the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    /// Claim runs and execute them.
    #[default]
    Serve,
    /// Claim no more, and end when all claimed runs have ended.
    Drain,
    /// Stop the claimed runs, give them back, and end.
    Release,
}

impl Mailbox {
    /// Adds to the mail, and wakes the thread. `false` if the thread has ended.
    pub(super) fn put(&self, add: impl FnOnce(&mut Mail)) -> bool {
        let mut state = self.state();
        if state.ended {
            return false;
        }
        add(&mut state.mail);
        state.has_mail = true;
        drop(state);
        self.changed.notify_all();
        true
    }

    /// Gives an order. An order that is less than an earlier one has no effect.
    pub(super) fn order(&self, order: Order) {
        let mut state = self.state();
        state.order = state.order.max(order);
        state.has_mail = true;
        drop(state);
        self.changed.notify_all();
    }

    /// Takes the mail, and waits until then if there is none.
    pub(super) fn take(&self, until: Option<Instant>) -> (Mail, Order) {
        let mut state = self.state();
        while !state.has_mail {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            state = match left {
                Some(left) if left.is_zero() => break,
                Some(left) => {
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        state.has_mail = false;
        let asked = mem::take(&mut state.not_yet_looked);
        state.waiting_for_idle.extend(asked);
        (mem::take(&mut state.mail), state.order)
    }

    /// The thread has ended, because of this error if there is one.
    pub(super) fn end(&self, failure: Option<JournalError>) {
        let mut state = self.state();
        state.ended = true;
        state.failure = failure.map(Arc::new);
        let (mail, mut waiting) = (mem::take(&mut state.mail), mem::take(&mut state.waiting));
        waiting.append(&mut state.waiting_for_idle);
        waiting.append(&mut state.not_yet_looked);
        drop(state);
        // A run that the host accepted after the worker gave it back must not execute.
        mail.prepared.iter().for_each(|(.., prepared)| prepared.abandon());
        // Fails only for those that wait no longer.
        waiting.into_iter().for_each(|waiting| _ = waiting.send(()));
    }

    /// The thread has done everything that there is to do for now.
    pub(super) fn worked(&self, claimed: usize, is_idle: bool) {
        let mut state = self.state();
        state.claimed = claimed;
        let waiting = if is_idle { mem::take(&mut state.waiting_for_idle) } else { Vec::new() };
        drop(state);
        waiting.into_iter().for_each(|waiting| _ = waiting.send(()));
    }

    /// How many runs the worker has claimed.
    pub(super) fn claimed(&self) -> usize {
        self.state().claimed
    }

    /// Ready when the worker has claimed no run and none is due, or when its thread has ended.
    pub(super) async fn idle(&self) {
        if let Some(idle) = self.when_idle() {
            // An error means that the mailbox is gone, and the thread with it.
            _ = idle.await;
        }
    }

    fn when_idle(&self) -> Option<Receiver<()>> {
        let mut state = self.state();
        if state.ended {
            return None;
        }
        // The thread looks once more: a run may have been stored since it last did.
        state.mail.journal_changed = true;
        state.has_mail = true;
        let idle = waiter(&mut state.not_yet_looked);
        drop(state);
        self.changed.notify_all();
        Some(idle)
    }

    /// Why the worker could not go on, if that is why it has ended.
    pub(super) fn failure(&self) -> Option<Arc<JournalError>> {
        self.state().failure.clone()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state().ended
    }

    /// Ready when the thread has ended.
    pub(super) async fn ended(&self) {
        if let Some(ended) = self.when_ended() {
            // An error means that the mailbox is gone, and the thread with it.
            _ = ended.await;
        }
    }

    fn when_ended(&self) -> Option<Receiver<()>> {
        let mut state = self.state();
        let has_ended = state.ended;
        (!has_ended).then(|| waiter(&mut state.waiting))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds a waiter, and forgets those that have given up.
fn waiter(waiting: &mut Vec<Sender<()>>) -> Receiver<()> {
    waiting.retain(|waiting| !waiting.is_closed());
    let (send, receive) = oneshot::channel();
    waiting.push(send);
    receive
}
