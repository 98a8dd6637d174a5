//! The end of a run, and its consequences.

use std::mem;
use std::sync::Arc;

use hostel_core::{CacheKey, Event, Failure, Outcome, State, StateType};

use crate::cache::Kept;
use crate::calls::{Call, Callback, trampoline};
use crate::course::keep;
use crate::run::{Awaited, Cell, Inputs, Run, Step, TaskFuture, Wakers};
use crate::task::Task;

/// The consequences of the end of a run, after its cell is unlocked, in the order of the methods.
struct Ending {
    /// Dropped without the lock, because they may hold the last handles to other runs.
    _inputs: Inputs,
    _step: Step,
    /// The key that the run owned, and whether the cache holds a value under it.
    key: Option<(CacheKey, Kept)>,
    upstreams: Vec<Awaited>,
    waiting: Wakers,
    followers: Vec<Option<Callback>>,
}

/// The last event of a run: records state and outcome, then does everything that follows. `false`, without a change, if
/// the event does not fit the state.
pub(super) fn finish(run: &Arc<Run>, event: Event, outcome: Outcome) -> bool {
    let mut cell = run.cell();
    if run.apply(&mut cell, event).is_err() {
        return false;
    }
    if !cell.state.is_terminal() {
        // The run began since the caller's check, so it is asked to stop instead.
        return true;
    }
    cell.outcome = Some(Arc::new(outcome));
    // Under the lock, so that these hooks are queued before any hooks caused by the visible outcome.
    call_program(run, &mut cell);
    let ending = Ending::take(run, &mut cell);
    drop(cell);
    ending.give_up_key(run);
    run.host().book.end(run.id(), || run.held_bytes());
    ending.carry_out();
    true
}

/// Ends a run that the host did not accept. Its creation was published, so its end is published too. The task's hooks
/// were never called for it, and are not called now.
pub(crate) fn refused(run: &Run) {
    let mut cell = run.cell();
    if cell.history.is_empty() {
        // Its creation was not published.
        return;
    }
    run.host().book.forget(run.id());
    if run.apply(&mut cell, Event::CancelRequested).is_ok() {
        cell.outcome = Some(Arc::new(Outcome::Cancelled));
        let inputs = mem::replace(&mut cell.inputs, Inputs::none());
        let upstreams = mem::take(&mut cell.upstreams);
        drop(cell);
        drop((inputs, upstreams));
    }
}

/// The event with which a run ends after the outcome of its last attempt.
pub(crate) const fn last_event(outcome: &Outcome) -> Event {
    match outcome {
        Outcome::Completed(_) => Event::Completed,
        Outcome::Failed(Failure::TimedOut { .. }) => Event::TimedOut,
        Outcome::Failed(Failure::Upstream { .. }) => Event::UpstreamFailed,
        Outcome::Failed(_) => Event::Failed,
        Outcome::Crashed { .. } => Event::Crashed,
        Outcome::Cancelled => Event::Cancelled,
    }
}

/// The run timeout has expired.
pub(super) fn out_of_time(run: &Arc<Run>) {
    let after = run.task().spec().run_timeout.unwrap_or_default();
    finish(run, Event::TimedOut, Outcome::Failed(Failure::TimedOut { after }));
}

impl Ending {
    fn take(run: &Run, cell: &mut Cell) -> Self {
        let owned = mem::take(&mut cell.cache.owns_key);
        Self {
            _inputs: match run.membership() {
                Some(_) => Inputs::none(),
                None => mem::replace(&mut cell.inputs, Inputs::none()),
            },
            _step: mem::replace(&mut cell.step, Step::Attempt),
            key: cell.cache.key.filter(|_| owned).map(|key| (key, cell.cache.kept.clone())),
            upstreams: mem::take(&mut cell.upstreams),
            waiting: mem::take(&mut cell.waiting),
            followers: mem::take(&mut cell.followers),
        }
    }

    /// Releases the key. If the value is stored, other processes get the key only after they can see the value, unless
    /// many keys wait for that.
    fn give_up_key(&self, run: &Run) {
        let Some((key, kept)) = &self.key else { return };
        let host = run.host();
        let is_stored = *kept == Kept::Yes;
        let is_there = is_stored || *kept == Kept::Hit;
        let hold = host.flights.land(&keep::flight_key(run, *key), run.id(), is_there);
        if let Some(hold) = hold.filter(|_| is_stored) {
            host.cache.hold(hold);
        }
    }

    /// Stops waiting for other runs, wakes the waiters of this one, and calls the host's own callbacks.
    fn carry_out(self) {
        for Awaited { future, follower, .. } in self.upstreams {
            follower.into_iter().for_each(|follower| future.run().forget(follower));
        }
        self.waiting.wake();
        if !self.followers.is_empty() {
            trampoline::call(self.followers.into_iter().flatten());
        }
    }
}

/// Queues the program's hooks and callbacks.
fn call_program(run: &Arc<Run>, cell: &mut Cell) {
    call_hooks(run, cell.state);
    let eager = run.task().group().filter(|group| group.membership().is_eager());
    if let Some(group) = eager.filter(|_| cell.state.state_type() == StateType::Completed) {
        group.completed(&TaskFuture::new(Arc::clone(run)));
    }
    let callbacks = mem::take(&mut cell.callbacks);
    if !callbacks.is_empty() {
        run.host().hooks.call(callbacks);
    }
}

/// Queues the task's hooks for a state.
pub(super) fn call_hooks(run: &Arc<Run>, state: State) {
    if !run.task().hooks().of(state).is_empty() {
        call_hooks_of(run.task(), &TaskFuture::new(Arc::clone(run)), state);
    }
}

/// Queues the hooks of a task for a state of a run, which may be of a copy of the task without hooks.
pub(crate) fn call_hooks_of(task: &Task, run: &TaskFuture, state: State) {
    let calls = task.hooks().of(state).iter().map(|hook| -> Call {
        let (hook, future) = (Arc::clone(hook), run.clone());
        Box::new(move || hook(&future, state))
    });
    task.host().hooks.call(calls);
}
