//! One run: its identity, its task, and its cell. Runs are passive; `course` acts on them.

mod cell;
mod future;
mod history;
mod inputs;

use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use hostel_core::{
    CacheKey, Event, IllegalTransition, InputFilter, LogLine, Outcome, Progress, Receipt, RunFacets,
    RunFilter, RunId, State, Tag, Tags, Timestamp, Transition, Value,
};
use hostel_engine::LogBook;

pub(crate) use self::cell::{Awaited, Cell, Step, Wakers};
pub use self::future::TaskFuture;
pub(crate) use self::future::timed;
pub use self::history::Attempt;
use self::history::AttemptView;
pub(crate) use self::history::EndedAttempt;
pub use self::inputs::{Input, IntoInput, allow_failure};
pub(crate) use self::inputs::{Inputs, Upstream};
use crate::attempts::Guest;
use crate::cache::{CacheReport, Kept, LookUp};
use crate::calls::{Call, Callback, trampoline};
use crate::events::{EventKind, RunEvent};
use crate::group::Membership;
use crate::host_state::HostState;
use crate::runner::{Places, Position, Scheduler};
use crate::task::Task;

/// One request to run a task with inputs.
pub(crate) struct Run {
    id: RunId,
    task: Task,
    tags: Tags,
    position: Position,
    may_wait_for_equal: bool,
    /// How many upstream runs it still waits for, plus one until all of them are registered.
    awaited: AtomicUsize,
    guest: Mutex<Option<Guest>>,
    cell: Mutex<Cell>,
}

/// The parts of a run that its submission determines.
pub(crate) struct Submission {
    pub(crate) inputs: Inputs,
    pub(crate) key: Option<CacheKey>,
    pub(crate) upstreams: Vec<Awaited>,
    pub(crate) tags: Tags,
    /// How many attempts of it were made elsewhere.
    pub(crate) earlier_attempts: u32,
    /// Where the run is counted while it rests.
    pub(crate) places: Option<Arc<Places>>,
    /// Whether it may wait for an equal run to end.
    pub(crate) may_wait_for_equal: bool,
}

impl Run {
    /// A new run, in Pending. Its creation is not published yet.
    pub(crate) fn new(id: RunId, task: Task, submission: Submission) -> Self {
        let Submission { inputs, key, upstreams, tags, earlier_attempts, places, may_wait_for_equal } =
            submission;
        let awaited = match upstreams.len() {
            0 => 0,
            count => count + 1,
        };
        Self {
            id,
            task,
            tags,
            position: Position::new(places),
            may_wait_for_equal,
            awaited: AtomicUsize::new(awaited),
            guest: Mutex::new(None),
            cell: Mutex::new(Cell { attempts: earlier_attempts, ..Cell::new(inputs, key, upstreams) }),
        }
    }

    pub(crate) fn id(&self) -> RunId {
        self.id
    }

    pub(crate) fn task(&self) -> &Task {
        &self.task
    }

    pub(crate) fn host(&self) -> &HostState {
        self.task.host()
    }

    pub(crate) fn scheduler(&self) -> &Scheduler<Self> {
        &self.host().scheduler
    }

    pub(crate) fn tags(&self) -> &[Tag] {
        &self.tags
    }

    pub(crate) fn membership(&self) -> Option<&Membership> {
        self.task.group().map(|group| group.membership())
    }

    pub(crate) fn position(&self) -> &Position {
        &self.position
    }

    /// Whether it may wait for an equal run to end.
    pub(crate) fn may_wait_for_equal(&self) -> bool {
        self.may_wait_for_equal
    }

    pub(crate) fn name(&self) -> Arc<str> {
        self.name_in(&self.cell())
    }

    pub(crate) fn state(&self) -> State {
        self.cell().state
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.state().is_terminal()
    }

    pub(crate) fn is_cancelling(&self) -> bool {
        self.state() == State::Cancelling
    }

    pub(crate) fn history(&self) -> Vec<Transition> {
        self.cell().history.clone()
    }

    pub(crate) fn progress(&self) -> Option<Progress> {
        self.cell().progress.clone()
    }

    /// The lines of all attempts.
    pub(crate) fn log(&self) -> Vec<LogLine> {
        let cell = self.cell();
        let books = cell.ended_attempts.iter().map(|ended| &ended.log).chain(&cell.log);
        let books: Vec<_> = books.cloned().collect();
        drop(cell);
        books.iter().flat_map(|book| book.lines()).collect()
    }

    pub(crate) fn attempts(&self) -> Vec<Attempt> {
        let cell = self.cell();
        let Cell { outcome, log, receipt, .. } = &*cell;
        let last = AttemptView { outcome: outcome.as_ref(), log: log.as_ref(), receipt: receipt.as_deref() };
        Attempt::all(&cell.history, &cell.ended_attempts, last)
    }

    /// The resource use of the ended attempts.
    pub(crate) fn receipt(&self) -> Receipt {
        let cell = self.cell();
        let mut sum = Receipt::default();
        let ended = cell.ended_attempts.iter().filter_map(|ended| ended.receipt.as_deref());
        ended.chain(cell.receipt.as_deref()).for_each(|receipt| sum.add(receipt));
        sum
    }

    pub(crate) fn outcome(&self) -> Option<Arc<Outcome>> {
        self.cell().outcome.clone()
    }

    /// The bytes of its value and its log.
    pub(crate) fn held_bytes(&self) -> u64 {
        let cell = self.cell();
        let log = cell.logged(LogBook::kept_bytes) + cell.log.as_ref().map_or(0, |log| log.kept_bytes());
        let outcome = cell.outcome.clone();
        drop(cell);
        let value = outcome.as_deref().and_then(Outcome::returned).map_or(0, Value::footprint);
        log + value as u64
    }

    /// Whether a filter matches it now.
    pub(crate) fn matches(&self, filter: &RunFilter) -> bool {
        let cell = self.cell();
        let created = cell.history.first().map_or_else(now, |born| born.at);
        let (state, name) = (cell.state, cell.name.clone());
        let outcome = cell.outcome.clone().filter(|_| filter.wanted_error().is_some());
        drop(cell);
        let error = outcome.and_then(|outcome| outcome.error_line());
        filter.matches(&RunFacets {
            state,
            task: self.task.key(),
            run: self.id,
            name: name.as_deref(),
            tags: &self.tags,
            created,
            queue: None,
            schedule: None,
            error: error.as_deref(),
            needs_attention: false,
            has_inputs: self.has_inputs(filter.wanted_inputs()),
        })
    }

    /// Whether its inputs, if it still has them, fulfil these conditions.
    fn has_inputs(&self, wanted: &[InputFilter]) -> bool {
        if wanted.is_empty() {
            return true;
        }
        let Some(inputs) = self.inputs() else { return false };
        let params = &self.task.signature().params;
        let inputs = self.task.named_inputs(&inputs);
        let names: Vec<_> = params.iter().map(|param| param.name.clone()).collect();
        wanted.iter().all(|wanted| {
            let found = wanted.place(&names).and_then(|place| Some((params.get(place)?, inputs.get(place)?)));
            found.is_some_and(|(param, input)| wanted.matches(&param.ty, input))
        })
    }

    /// The inputs, if they are available and the run or its transaction may still need them.
    pub(crate) fn inputs(&self) -> Option<Arc<Vec<Value>>> {
        match &self.cell().inputs {
            Inputs::Values(values) => Some(Arc::clone(values)),
            Inputs::Awaited(_) => None,
        }
    }

    /// The key of the run's value, if it has one.
    pub(crate) fn key(&self) -> Option<CacheKey> {
        self.cell().cache.key
    }

    /// The cache's decisions about the run.
    pub(crate) fn cache_report(&self) -> CacheReport {
        let cell = self.cell();
        let policy = self.task.spec().cache.clone();
        let is_off = policy.is_none();
        let look_up = if is_off { LookUp::Off } else { cell.cache.look_up.clone() };
        let kept = if cell.cache.kept != Kept::Pending {
            cell.cache.kept.clone()
        } else if is_off {
            Kept::Off
        } else if cell.state.is_terminal() {
            Kept::NotCompleted
        } else {
            Kept::Pending
        };
        CacheReport { policy, key: cell.cache.key, look_up, kept }
    }

    /// Its remaining time, if that is limited and its first attempt has begun.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let run_timeout = self.task.spec().run_timeout?;
        let began = self.cell().began?;
        Some(run_timeout.saturating_sub(self.scheduler().now().saturating_sub(began)))
    }

    /// How much memory its value or error takes, in bytes; 0 until it has ended.
    pub(crate) fn value_bytes(&self) -> u64 {
        let outcome = self.outcome();
        outcome.as_deref().and_then(Outcome::returned).map_or(0, Value::memory_bytes) as u64
    }

    /// Returns the outcome when the run has ended. Until then the waker stays in the waiter's `slot`.
    pub(crate) fn poll_outcome(&self, slot: &mut Option<usize>, context: &Context<'_>) -> Poll<Arc<Outcome>> {
        let mut cell = self.cell();
        if let Some(outcome) = &cell.outcome {
            return Poll::Ready(Arc::clone(outcome));
        }
        cell.waiting.register(slot, context.waker());
        Poll::Pending
    }

    /// A waiter was dropped.
    pub(crate) fn stop_waiting(&self, slot: usize) {
        let mut cell = self.cell();
        // When the run has ended, all slots are already free.
        let waker = if cell.outcome.is_none() { cell.waiting.free(slot) } else { None };
        drop(cell);
        drop(waker);
    }

    /// Calls `callback` when the run has ended. If it has already ended, calls it immediately, and returns no number to
    /// withdraw it.
    pub(crate) fn on_end(&self, callback: Callback) -> Option<usize> {
        let mut cell = self.cell();
        if cell.outcome.is_none() {
            cell.followers.push(Some(callback));
            return Some(cell.followers.len() - 1);
        }
        drop(cell);
        trampoline::call([callback]);
        None
    }

    /// Withdraws a callback that was not called.
    pub(crate) fn forget(&self, follower: usize) {
        let mut cell = self.cell();
        let forgotten = cell.followers.get_mut(follower).and_then(Option::take);
        while cell.followers.pop_if(|follower| follower.is_none()).is_some() {}
        drop(cell);
        // It may hold the last handle to a value whose drop uses this run.
        drop(forgotten);
    }

    /// Queues `call` like hooks when the run has ended; returns it if the run has already ended.
    pub(crate) fn call_on_end(&self, call: Call) -> Option<Call> {
        let mut cell = self.cell();
        if cell.outcome.is_some() {
            return Some(call);
        }
        cell.callbacks.push(call);
        None
    }

    /// Whether its transaction decides if its value is stored.
    pub(crate) fn is_lazy(&self) -> bool {
        self.membership().is_some_and(|membership| !membership.is_eager())
    }

    /// Whether its value is stored as soon as its transaction is committed.
    pub(crate) fn awaits_commit(&self) -> bool {
        self.cell().cache.kept == Kept::InTransaction
    }

    /// Its transaction is committed, and its value is stored unless there was no room for it.
    pub(crate) fn committed(&self, is_stored: bool) {
        self.cell().cache.kept = if is_stored { Kept::Yes } else { Kept::NoRoom };
    }

    /// Its transaction has undone it. `false` if there is nothing to undo.
    pub(crate) fn rolled_back(&self) -> bool {
        let mut cell = self.cell();
        if cell.cache.kept == Kept::InTransaction {
            cell.cache.kept = Kept::RolledBack;
        }
        self.apply(&mut cell, Event::RolledBack).is_ok()
    }

    /// Its transaction no longer needs its inputs.
    pub(crate) fn release_inputs(&self) {
        let inputs = mem::replace(&mut self.cell().inputs, Inputs::none());
        drop(inputs);
    }

    /// Publishes its creation. `false` if that was done before, when a full queue is tried again.
    pub(crate) fn born(&self) -> bool {
        let mut cell = self.cell();
        if !cell.history.is_empty() {
            return false;
        }
        let born = Transition { at: now(), state: cell.state, cause: None };
        cell.history.push(born);
        self.fix_name(&mut cell);
        self.publish(&cell, || EventKind::State(born));
        true
    }

    /// Renders its name, if the task has a template and the inputs are available.
    pub(crate) fn fix_name(&self, cell: &mut Cell) {
        if let (Some(template), Inputs::Values(values)) = (self.task.options().name(), &cell.inputs) {
            cell.name = Some(template.render(&self.task.named_inputs(values)).into());
        }
    }

    /// Applies an event now.
    pub(crate) fn apply(&self, cell: &mut Cell, event: Event) -> Result<(), IllegalTransition> {
        self.apply_at(cell, event, now())
    }

    /// Applies an event, and publishes the new state under the lock, so that listeners see the states of a run in order.
    pub(crate) fn apply_at(
        &self,
        cell: &mut Cell,
        event: Event,
        at: Timestamp,
    ) -> Result<(), IllegalTransition> {
        let transition = cell.apply(at, event)?;
        self.publish(cell, || EventKind::State(transition));
        Ok(())
    }

    /// Publishes an event to the listeners of the host.
    pub(crate) fn publish(&self, cell: &Cell, kind: impl FnOnce() -> EventKind) {
        let events = &self.host().events;
        if events.are_heard() {
            let (name, task) = (self.name_in(cell), self.task.key().clone());
            events.publish(RunEvent { run: self.id, task, name, at: now(), kind: kind() });
        }
    }

    /// Whether it waits for other runs.
    pub(crate) fn awaits_others(&self) -> bool {
        self.awaited.load(Ordering::Acquire) > 0
    }

    /// One upstream run less to wait for. `true` if it was the last.
    pub(crate) fn one_less_awaited(&self) -> bool {
        self.awaited.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Its cell. ARCHITECTURE.md, "Locks", says which locks may be held when this one is taken.
    ///
    /// No code panics while it holds the lock, so a poisoned lock is still valid.
    pub(crate) fn cell(&self) -> MutexGuard<'_, Cell> {
        self.cell.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its guest, while it has one.
    pub(crate) fn guest(&self) -> &Mutex<Option<Guest>> {
        &self.guest
    }

    fn name_in(&self, cell: &Cell) -> Arc<str> {
        let usual = || match self.task.script() {
            Some(script) => script.run_name(self.id),
            None => self.task.key().run_name(self.id),
        };
        cell.name.clone().unwrap_or_else(|| usual().into())
    }
}

pub(crate) fn now() -> Timestamp {
    SystemTime::now().into()
}
