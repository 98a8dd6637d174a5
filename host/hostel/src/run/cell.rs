//! The changing part of a run, under one lock.

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
use crate::runner;

/// The changing part of a run. Its lock is never held while a guest runs.
pub(crate) struct Cell {
    pub(crate) state: State,
    pub(crate) history: Vec<Transition>,
    /// What a worker does next when it picks the run up.
    pub(crate) step: Step,
    /// Available until the run ends; in a transaction, until that ends.
    pub(crate) inputs: Inputs,
    /// From its template, as soon as the inputs are available.
    pub(crate) name: Option<Arc<str>>,
    /// Its upstream runs, until it ends.
    pub(crate) upstreams: Vec<Awaited>,
    pub(crate) cache: CacheCell,
    /// When the first attempt began, by the scheduler's clock, if the run has a timeout.
    pub(crate) began: Option<Duration>,
    /// The number of attempts that have begun.
    pub(crate) attempts: u32,
    /// The log of the last attempt.
    pub(crate) log: Option<Arc<LogBook>>,
    /// The attempts before the last one.
    pub(crate) ended_attempts: Vec<EndedAttempt>,
    /// The resource use of the last ended attempt, unless another one followed.
    pub(crate) receipt: Option<Box<Receipt>>,
    pub(crate) progress: Option<Progress>,
    pub(crate) outcome: Option<Arc<Outcome>>,
    pub(crate) waiting: Wakers,
    /// Callbacks of the host for the end of the run, each under its index.
    pub(crate) followers: Vec<Option<Callback>>,
    /// Callbacks of the program for the end of the run, in the order in which they were added.
    pub(crate) callbacks: Vec<Call>,
}

/// The steps of a run on the way to its next attempt, in their order. A parked run resumes at its step.
pub(crate) enum Step {
    /// Put the inputs together, and derive the cache key from them.
    Inputs,
    /// Own the key, or wait for the run that owns it, and look for a value in memory and on disk.
    LookUp(CacheKey),
    /// Check the answer of the remote cache; `None` if there is none.
    Remote(CacheKey, Option<RemoteAnswer>),
    /// Take a slot of each limit that applies to the run.
    Slot,
    /// Begin the attempt.
    Attempt,
}

/// The relation of a run to the cache.
pub(crate) struct CacheCell {
    pub(crate) key: Option<CacheKey>,
    /// Whether runs with the same key wait for it.
    pub(crate) owns_key: bool,
    /// The result of the look-up.
    pub(crate) look_up: LookUp,
    /// Whether the cache holds its value.
    pub(crate) kept: Kept,
    /// The dependencies of its value outside its key.
    pub(crate) depends_on: Option<Dependencies>,
}

/// An upstream run.
pub(crate) struct Awaited {
    pub(crate) future: TaskFuture,
    pub(crate) must_complete: bool,
    /// The follower entry in that run that releases this one.
    pub(crate) follower: Option<usize>,
}

/// The wakers of a run's waiters, each in its own slot. A slot is free again when its waiter is dropped.
#[derive(Default)]
pub(crate) struct Wakers {
    slots: Vec<Option<Waker>>,
    free: Vec<usize>,
}

/// Most runs enter three states: Pending, Running, and a final one.
const USUAL_STATES: usize = 3;

impl Cell {
    /// A new run, without history.
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

    /// The only place where a run's state changes.
    ///
    /// # Errors
    ///
    /// [`IllegalTransition`] if the event does not fit the state. The run is unchanged then.
    pub(super) fn apply(&mut self, at: Timestamp, event: Event) -> Result<Transition, IllegalTransition> {
        let state = self.state.apply(event)?;
        let transition = Transition { at, state, cause: Some(event) };
        self.state = state;
        self.history.push(transition);
        Ok(transition)
    }

    /// The sum of a number over the logs of all attempts before the last one.
    pub(crate) fn logged(&self, count: fn(&LogBook) -> u64) -> u64 {
        self.ended_attempts.iter().map(|ended| count(&ended.log)).sum()
    }
}

impl Wakers {
    /// Registers a waker in the slot of its waiter; the slot is `None` the first time.
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

    /// Frees the slot of a dropped waiter, and returns its waker, which the caller drops without the lock.
    pub(super) fn free(&mut self, slot: usize) -> Option<Waker> {
        let waker = self.slots.get_mut(slot)?.take();
        self.free.push(slot);
        waker
    }

    /// Wakes all of them; on a worker together with those of the next runs, if these are short.
    pub(crate) fn wake(self) {
        runner::wake(self.slots.into_iter().flatten());
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
