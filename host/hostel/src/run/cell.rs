//! What changes in a run's life, under one lock.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use hostel_core::{
    CacheKey, Dependencies, Event, IllegalTransition, Outcome, Progress, Receipt, State, Timestamp,
    Transition,
};
use hostel_engine::LogBook;

use super::future::TaskFuture;
use super::history::EndedAttempt;
use super::inputs::Inputs;
use crate::cache::{Kept, LookUp, RemoteAnswer};
use crate::calls::{Call, Callback};

/// The changing part of a run. Its lock is never held while a guest runs.
pub(crate) struct Cell {
    pub(crate) state: State,
    pub(crate) history: Vec<Transition>,
    /// What a worker does next when it picks the run up.
    pub(crate) step: Step,
    /// Until the run ends; in a transaction, until that ends.
    pub(crate) inputs: Inputs,
    /// From its template, as soon as the inputs are there.
    pub(crate) name: Option<Arc<str>>,
    /// The runs it depends on, until it ends.
    pub(crate) upstreams: Vec<Awaited>,
    pub(crate) cache: CacheCell,
    /// When the first attempt began, by the scheduler's clock, if the time of the run is limited.
    pub(crate) began: Option<Duration>,
    /// How many attempts have begun.
    pub(crate) attempts: u32,
    /// The log of the last of them.
    pub(crate) log: Option<Arc<LogBook>>,
    /// The attempts that were followed by another.
    pub(crate) ended_attempts: Vec<EndedAttempt>,
    /// What the last attempt that has ended used, unless another followed.
    pub(crate) receipt: Option<Box<Receipt>>,
    pub(crate) progress: Option<Progress>,
    pub(crate) outcome: Option<Arc<Outcome>>,
    pub(crate) waiting: Wakers,
    /// Callbacks of the host for the run's end, each under its index.
    pub(crate) followers: Vec<Option<Callback>>,
    /// Callbacks of the program for the run's end, in the order in which they were added.
    pub(crate) callbacks: Vec<Call>,
}

/// The steps of a run on the way to its next attempt, in their order. A run that was parked goes on with the step at which
/// it was.
pub(crate) enum Step {
    /// Put the inputs together, and derive the cache key from them.
    Inputs,
    /// Own the key, or wait for the run that owns it, and look for a value in memory and on disk.
    LookUp(CacheKey),
    /// Check what the remote cache has answered; `None` if it has not.
    Remote(CacheKey, Option<RemoteAnswer>),
    /// Take a slot of each limit that concerns the run.
    Slot,
    /// Begin the attempt.
    Attempt,
}

/// What the cache has to do with a run.
pub(crate) struct CacheCell {
    pub(crate) key: Option<CacheKey>,
    /// Whether others with the same key wait for it.
    pub(crate) owns_key: bool,
    /// The result of looking for another run's value.
    pub(crate) look_up: LookUp,
    /// Whether the cache holds its value.
    pub(crate) kept: Kept,
    /// What its value depends on outside of its key.
    pub(crate) depends_on: Option<Dependencies>,
}

/// A run that this one depends on.
pub(crate) struct Awaited {
    pub(crate) future: TaskFuture,
    pub(crate) must_complete: bool,
    /// The follower of that run that releases this one.
    pub(crate) follower: Option<usize>,
}

/// The wakers of those who wait for a run, each in a slot of its own, which is free again when its waiter is gone.
#[derive(Default)]
pub(crate) struct Wakers {
    slots: Vec<Option<Waker>>,
    free: Vec<usize>,
}

/// Most runs enter three states: Pending, Running, and one that ends them.
const USUAL_STATES: usize = 3;

impl Cell {
    /// A run that was just created, and has no history yet.
    pub(crate) fn new(inputs: Inputs, key: Option<CacheKey>, upstreams: Vec<Awaited>) -> Self {
        Self {
            state: State::Pending,
            history: Vec::with_capacity(USUAL_STATES),
            step: Step::Inputs,
            inputs,
            name: None,
            upstreams,
            cache: CacheCell {
                key,
                owns_key: false,
                look_up: LookUp::Pending,
                kept: Kept::Pending,
                depends_on: None,
            },
            began: None,
            attempts: 0,
            log: None,
            ended_attempts: Vec::new(),
            receipt: None,
            progress: None,
            outcome: None,
            waiting: Wakers::default(),
            followers: Vec::new(),
            callbacks: Vec::new(),
        }
    }

    /// The only place in which a run's state changes.
    ///
    /// # Errors
    ///
    /// [`IllegalTransition`] if the event does not fit the state; nothing has changed then.
    pub(super) fn apply(&mut self, at: Timestamp, event: Event) -> Result<Transition, IllegalTransition> {
        let state = self.state.apply(event)?;
        let transition = Transition { at, state, cause: Some(event) };
        self.state = state;
        self.history.push(transition);
        Ok(transition)
    }

    /// Adds up a number over the logs of the attempts that were followed by another.
    pub(crate) fn logged(&self, count: fn(&LogBook) -> u64) -> u64 {
        self.ended_attempts.iter().map(|ended| count(&ended.log)).sum()
    }
}

impl Wakers {
    /// Registers a waker in the slot of its waiter, which is `None` before the first time.
    pub(super) fn register(&mut self, slot: &mut Option<usize>, waker: &Waker) {
        let index = *slot.get_or_insert_with(|| {
            self.free.pop().unwrap_or_else(|| {
                self.slots.push(None);
                self.slots.len() - 1
            })
        });
        if let Some(registered) = self.slots.get_mut(index)
            && !registered.as_ref().is_some_and(|registered| registered.will_wake(waker))
        {
            *registered = Some(waker.clone());
        }
    }

    /// Frees the slot of a waiter that is gone, and returns its waker, which the caller drops without the lock.
    pub(super) fn free(&mut self, slot: usize) -> Option<Waker> {
        let waker = self.slots.get_mut(slot)?.take();
        self.free.push(slot);
        waker
    }

    /// Wakes all of them.
    pub(crate) fn wake(self) {
        self.slots.into_iter().flatten().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiter_that_is_gone_leaves_its_slot_to_the_next() {
        let mut wakers = Wakers::default();
        for _ in 0..40_000 {
            let mut slot = None;
            wakers.register(&mut slot, Waker::noop());
            wakers.register(&mut slot, Waker::noop());
            assert_eq!(slot, Some(0));
            assert!(wakers.free(0).is_some());
        }
        let (mut one, mut two) = (None, None);
        wakers.register(&mut one, Waker::noop());
        wakers.register(&mut two, Waker::noop());
        assert_eq!((one, two, wakers.slots.len()), (Some(0), Some(1), 2));
        assert!(wakers.free(7).is_none());
    }
}
