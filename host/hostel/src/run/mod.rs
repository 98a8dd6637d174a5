//! One run: its inputs, its states in order, its attempts, its outcome, and those who wait for it.

mod caching;
mod execution;
mod upstream;

use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Instant, SystemTime};

use hostel_core::{
    CacheEntry, CacheKey, Dependencies, Event, IllegalTransition, LogLine, Outcome, Progress, Receipt, RunId,
    State, StateType, Timestamp, Transition, Value,
};
use hostel_engine::{AttemptError, Attempted, LogBook};

use self::upstream::upstreams;
use crate::attempt::{Attempt, Past, Told};
use crate::cache::{Asking, CacheReport, Kept, LookUp};
use crate::calls::{Call, Callback, trampoline};
use crate::events::{EventKind, RunEvent};
use crate::future::TaskFuture;
use crate::host::Shared;
use crate::inputs::Inputs;
use crate::runner::Job;
use crate::tag::Tag;
use crate::task::Task;
use crate::transaction::Scope;
use crate::undo;

/// An attempt that executes.
pub(crate) type Guest = Pin<Box<dyn Future<Output = Result<Attempted, AttemptError>> + Send>>;

/// One request to run a task with inputs.
pub(crate) struct Run {
    id: RunId,
    task: Task,
    tags: Arc<[Tag]>,
    transaction: Option<Scope>,
    job: Weak<Job>,
    cell: Mutex<Cell>,
}

/// What a run is made of.
pub(crate) struct Submission {
    pub(crate) inputs: Inputs,
    pub(crate) key: Option<CacheKey>,
    pub(crate) wait_for: Vec<(TaskFuture, bool)>,
    pub(crate) tags: Arc<[Tag]>,
    pub(crate) transaction: Option<Scope>,
}

/// What changes in a run's life, under one lock that is never held while a guest runs.
struct Cell {
    state: State,
    history: Vec<Transition>,
    /// Until the run ends; in a transaction, until that ends.
    inputs: Inputs,
    key: Option<CacheKey>,
    /// Whether others with the same key wait for it.
    has_key: bool,
    /// What came of looking for another run's value.
    look_up: LookUp,
    /// What the remote layer answered, once it was asked.
    fetched: Fetched,
    /// Whether the cache has its value.
    kept: Kept,
    /// What its value depends on outside of its key.
    depends_on: Option<Dependencies>,
    /// From its template, as soon as the inputs are there.
    name: Option<Arc<str>>,
    /// The runs it depends on, until it ends: whether each must complete, and the callback that tells.
    upstreams: Vec<Awaited>,
    /// When the first attempt began, if the time of the run is limited.
    began: Option<Instant>,
    /// How many attempts have begun.
    attempts: u32,
    /// The log of the last of them.
    log: Option<Arc<LogBook>>,
    /// The attempts that were followed by another.
    past: Vec<Past>,
    /// What the last attempt that has ended used up, unless another followed.
    receipt: Option<Box<Receipt>>,
    progress: Option<Progress>,
    outcome: Option<Arc<Outcome>>,
    wakers: Vec<Waker>,
    /// What the host itself wants to hear of the run's end, each under its index.
    followers: Vec<Option<Callback>>,
    /// What the program wants to have called then, in the order in which it was added.
    callbacks: Vec<Call>,
}

/// What the remote cache layer answered.
enum Fetched {
    /// It was not asked.
    Unasked,
    /// It has not answered yet.
    Asked,
    /// It has this, which has not been looked at.
    Answer { entries: Arc<[CacheEntry]>, _turn: Asking },
}

/// A run that this one depends on.
struct Awaited {
    future: TaskFuture,
    must_complete: bool,
    callback: Option<usize>,
}

/// Most runs come to three states: Pending, Running, and one that ends them.
const USUAL_STATES: usize = 3;

impl Run {
    /// A run that is born Pending.
    pub(crate) fn new(id: RunId, task: Task, submission: Submission, job: Weak<Job>) -> Self {
        let Submission { inputs, key, wait_for, tags, transaction } = submission;
        let upstreams = upstreams(&inputs, wait_for);
        let cell = Cell {
            state: State::Pending,
            history: Vec::with_capacity(USUAL_STATES),
            name: None,
            upstreams,
            inputs,
            key,
            has_key: false,
            look_up: LookUp::Pending,
            fetched: Fetched::Unasked,
            kept: Kept::Pending,
            depends_on: None,
            began: None,
            attempts: 0,
            log: None,
            past: Vec::new(),
            receipt: None,
            progress: None,
            outcome: None,
            wakers: Vec::new(),
            followers: Vec::new(),
            callbacks: Vec::new(),
        };
        Self { id, task, tags, transaction, job, cell: Mutex::new(cell) }
    }

    /// Tells of the run's birth, and ends it if another run's value can stand for it at once. Does nothing the second
    /// time, when a full queue is tried again.
    pub(crate) fn born(&self) {
        let mut cell = self.cell();
        if !cell.history.is_empty() {
            return;
        }
        let born = Transition { at: now(), state: cell.state, cause: None };
        cell.history.push(born);
        self.fix_name(&mut cell);
        self.publish(&cell, || EventKind::State(born));
        let waits = !cell.upstreams.is_empty();
        drop(cell);
        if !waits {
            let _ = self.end_from_memory();
        }
    }

    pub(crate) fn id(&self) -> RunId {
        self.id
    }

    pub(crate) fn task(&self) -> &Task {
        &self.task
    }

    pub(crate) fn tags(&self) -> &Arc<[Tag]> {
        &self.tags
    }

    pub(crate) fn name(&self) -> Arc<str> {
        self.cell().name.clone().unwrap_or_else(|| self.task.key().run_name(self.id).into())
    }

    pub(crate) fn transaction(&self) -> Option<&Scope> {
        self.transaction.as_ref()
    }

    pub(crate) fn state(&self) -> State {
        self.cell().state
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
        let books: Vec<_> = cell.past.iter().map(|past| &past.log).chain(&cell.log).cloned().collect();
        drop(cell);
        books.iter().flat_map(|book| book.lines()).collect()
    }

    pub(crate) fn attempts(&self) -> Vec<Attempt> {
        let cell = self.cell();
        let Cell { outcome, log, receipt, .. } = &*cell;
        let last = Told { outcome: outcome.as_ref(), log: log.as_ref(), receipt: receipt.as_deref() };
        Attempt::all(&cell.history, &cell.past, last)
    }

    /// What the attempts that have ended used up.
    pub(crate) fn receipt(&self) -> Receipt {
        let cell = self.cell();
        let mut sum = Receipt::default();
        let past = cell.past.iter().filter_map(|past| past.receipt.as_deref());
        past.chain(cell.receipt.as_deref()).for_each(|receipt| sum.add(receipt));
        sum
    }

    pub(crate) fn outcome(&self) -> Option<Arc<Outcome>> {
        self.cell().outcome.clone()
    }

    /// The inputs, while the run or its transaction may still need them, and they are there.
    pub(crate) fn inputs(&self) -> Option<Arc<Vec<Value>>> {
        match &self.cell().inputs {
            Inputs::Values(values) => Some(Arc::clone(values)),
            Inputs::Awaited(_) => None,
        }
    }

    /// The key that the run's value is kept under, if any.
    pub(crate) fn key(&self) -> Option<CacheKey> {
        self.cell().key
    }

    /// What the cache did for it.
    pub(crate) fn cache_report(&self) -> CacheReport {
        let cell = self.cell();
        let policy = self.task.options().cache.clone();
        let is_off = policy.is_none();
        let look_up = if is_off { LookUp::Off } else { cell.look_up.clone() };
        let kept = if cell.kept != Kept::Pending {
            cell.kept.clone()
        } else if is_off {
            Kept::Off
        } else if cell.state.is_terminal() {
            Kept::NotCompleted
        } else {
            Kept::Pending
        };
        CacheReport { policy, key: cell.key, look_up, kept }
    }

    /// Whether its value is kept as soon as its transaction is committed.
    pub(crate) fn awaits_commit(&self) -> bool {
        self.cell().kept == Kept::InTransaction
    }

    /// Its transaction is committed, and its value kept unless there was no room for it.
    pub(crate) fn committed(&self, is_kept: bool) {
        self.cell().kept = if is_kept { Kept::Yes } else { Kept::NoRoom };
    }

    pub(crate) fn is_cancelling(&self) -> bool {
        self.cell().state == State::Cancelling
    }

    /// Is ready with the outcome when the run has ended.
    pub(crate) fn poll_outcome(&self, context: &Context<'_>) -> Poll<Arc<Outcome>> {
        let mut cell = self.cell();
        if let Some(outcome) = &cell.outcome {
            return Poll::Ready(Arc::clone(outcome));
        }
        if !cell.wakers.iter().any(|waker| waker.will_wake(context.waker())) {
            cell.wakers.push(context.waker().clone());
        }
        Poll::Pending
    }

    /// Has `callback` called when the run has ended, or at once if it has: then there is no number to withdraw it by.
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

    /// Withdraws a callback that has not been called.
    pub(crate) fn forget(&self, callback: usize) {
        let mut cell = self.cell();
        let forgotten = cell.followers.get_mut(callback).and_then(Option::take);
        while cell.followers.pop_if(|follower| follower.is_none()).is_some() {}
        drop(cell);
        // What it holds may be the last of something that looks at this run.
        drop(forgotten);
    }

    /// Has `call` made, as hooks are, when the run has ended; gives it back if it has.
    pub(crate) fn call_on_end(&self, call: Call) -> Option<Call> {
        let mut cell = self.cell();
        if cell.outcome.is_some() {
            return Some(call);
        }
        cell.callbacks.push(call);
        None
    }

    /// A limit has no slot for it. `false` if it has ended.
    pub(crate) fn slot_awaited(&self) -> bool {
        let mut cell = self.cell();
        // One that awaits its next attempt goes on doing so.
        cell.state == State::AwaitingRetry || self.apply(&mut cell, Event::SlotAwaited).is_ok()
    }

    /// It has a slot of each limit. `false` if it has ended.
    pub(crate) fn slot_granted(&self) -> bool {
        let mut cell = self.cell();
        cell.state == State::AwaitingRetry || self.apply(&mut cell, Event::SlotGranted).is_ok()
    }

    /// Asks the run to stop. A run that does not execute is cancelled by this alone; one that executes is
    /// [`State::Cancelling`] until its guest is gone. `false` if it had ended otherwise.
    pub(crate) fn request_cancel(&self) -> bool {
        let mut cell = self.cell();
        if [State::Cancelled, State::Cancelling].contains(&cell.state) {
            return true;
        }
        if cell.state.is_executing() {
            return self.apply(&mut cell, Event::CancelRequested).is_ok();
        }
        drop(cell);
        self.finish(Event::CancelRequested, Outcome::Cancelled)
    }

    /// Its transaction undid it. `false` if there is nothing to undo.
    pub(crate) fn rolled_back(&self) -> bool {
        let mut cell = self.cell();
        if cell.kept == Kept::InTransaction {
            cell.kept = Kept::RolledBack;
        }
        self.apply(&mut cell, Event::RolledBack).is_ok()
    }

    /// Its transaction needs its inputs no longer.
    pub(crate) fn release_inputs(&self) {
        let inputs = mem::replace(&mut self.cell().inputs, Inputs::none());
        drop(inputs);
    }

    fn fix_name(&self, cell: &mut Cell) {
        if let (Some(template), Inputs::Values(values)) = (&self.task.options().name, &cell.inputs) {
            cell.name = Some(template.render(values).into());
        }
    }

    /// Ends a run that the host would not take in. Its birth was told to those who listen, so they hear of this too; the
    /// task's hooks, which have not heard of it, do not.
    pub(crate) fn refused(&self) {
        let mut cell = self.cell();
        if cell.history.is_empty() {
            // Nobody has heard of it.
            return;
        }
        if self.apply(&mut cell, Event::CancelRequested).is_ok() {
            cell.outcome = Some(Arc::new(Outcome::Cancelled));
            let inputs = mem::replace(&mut cell.inputs, Inputs::none());
            let upstreams = mem::take(&mut cell.upstreams);
            drop(cell);
            drop((inputs, upstreams));
        }
    }

    /// The run's last event: records state and outcome, then tells everyone, callbacks in the order they came.
    /// `false`, and nothing happens, if the event does not fit the state.
    fn finish(&self, event: Event, outcome: Outcome) -> bool {
        let mut cell = self.cell();
        if self.apply(&mut cell, event).is_err() {
            return false;
        }
        let state = cell.state;
        if !state.is_terminal() {
            // It has begun since someone saw that it had not, and is told to stop instead.
            return true;
        }
        cell.outcome = Some(Arc::new(outcome));
        let inputs = match self.transaction {
            Some(_) => Inputs::none(),
            None => mem::replace(&mut cell.inputs, Inputs::none()),
        };
        let upstreams = mem::take(&mut cell.upstreams);
        let wakers = mem::take(&mut cell.wakers);
        let callbacks = mem::take(&mut cell.callbacks);
        let followers = mem::take(&mut cell.followers);
        let key = cell.key.filter(|_| mem::take(&mut cell.has_key));
        let is_written = cell.kept == Kept::Yes;
        let is_kept = is_written || cell.kept == Kept::Hit;
        let fetched = mem::replace(&mut cell.fetched, Fetched::Asked);
        // Under the lock: before anyone who sees the outcome can cause other hooks to be called.
        self.call_hooks(state);
        self.call_commit_hooks(state);
        if !callbacks.is_empty() {
            self.task.shared().caller.call(callbacks);
        }
        drop(cell);
        drop((inputs, fetched));
        if let Some(key) = key {
            let Shared { cache, flights, .. } = self.task.shared();
            if let Some(hold) = flights.land(&self.flight_key(key), self.id, is_kept).filter(|_| is_written) {
                // Others may have the key when they can see what is kept under it.
                cache.hold(hold);
            }
        }
        for Awaited { future, callback, .. } in upstreams {
            callback.into_iter().for_each(|callback| future.job().run().forget(callback));
        }
        wakers.into_iter().for_each(Waker::wake);
        if !followers.is_empty() {
            trampoline::call(followers.into_iter().flatten());
        }
        true
    }

    fn apply(&self, cell: &mut Cell, event: Event) -> Result<(), IllegalTransition> {
        self.apply_at(cell, event, now())
    }

    /// The only place in which a run's state changes.
    fn apply_at(&self, cell: &mut Cell, event: Event, at: Timestamp) -> Result<(), IllegalTransition> {
        let state = cell.state.apply(event)?;
        let transition = Transition { at, state, cause: Some(event) };
        cell.state = state;
        cell.history.push(transition);
        self.publish(cell, || EventKind::State(transition));
        Ok(())
    }

    /// Tells those who listen to the host, under the lock, so that they hear of a run in its order.
    fn publish(&self, cell: &Cell, kind: impl FnOnce() -> EventKind) {
        let events = &self.task.shared().events;
        if events.are_heard() {
            let name = cell.name.clone().unwrap_or_else(|| self.task.key().run_name(self.id).into());
            let at = now();
            events.publish(RunEvent { run: self.id, task: self.task.key().clone(), name, at, kind: kind() });
        }
    }

    /// What an eager transaction has committed by the run's end.
    fn call_commit_hooks(&self, state: State) {
        let is_eager = self.transaction.as_ref().is_some_and(Scope::is_eager);
        if is_eager && state.state_type() == StateType::Completed {
            let job = self.job.upgrade();
            job.into_iter().for_each(|job| undo::call_commit_hooks(&TaskFuture::new(job)));
        }
    }

    fn call_hooks(&self, state: State) {
        let hooks = self.task.options().hooks.of(state);
        if hooks.is_empty() {
            return;
        }
        let Some(job) = self.job.upgrade() else { return };
        let future = TaskFuture::new(job);
        let calls = hooks.iter().map(|hook| -> Call {
            let (hook, future) = (Arc::clone(hook), future.clone());
            Box::new(move || hook(&future, state))
        });
        self.task.shared().caller.call(calls);
    }

    /// Nothing panics while it holds the lock, so a poisoned one is as good as any.
    fn cell(&self) -> MutexGuard<'_, Cell> {
        self.cell.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn now() -> Timestamp {
    SystemTime::now().into()
}
