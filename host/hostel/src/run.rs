//! One run: its inputs, its states in order, its attempts, its outcome, and those who wait for it.

use std::collections::BTreeMap;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

use hostel_core::{
    CacheKey, Event, Failure, IllegalTransition, Limits, LogLine, Outcome, Progress, RunId, State, Timestamp,
    UpstreamChain, UpstreamRun, Value,
};
use hostel_engine::{AttemptError, AttemptOptions, Echo, LogBook};

use crate::attempt::{Attempt, Past};
use crate::events::{EventKind, RunEvent};
use crate::future::TaskFuture;
use crate::inputs::{Input, Inputs};
use crate::options::Tag;
use crate::runner::Job;
use crate::task::Task;
use crate::transaction::Scope;
use crate::turns;

/// An attempt that executes.
pub(crate) type Guest = Pin<Box<dyn Future<Output = Result<Outcome, AttemptError>> + Send>>;

/// Is called once when a run has ended, on the thread that ended it: it must not block.
pub(crate) type Callback = Box<dyn FnOnce() + Send>;

/// A state that a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// When it came to the state.
    pub at: Timestamp,
    /// The state.
    pub state: State,
    /// What led to it; `None` for the state that the run was born in.
    pub cause: Option<Event>,
}

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
    progress: Option<Progress>,
    outcome: Option<Arc<Outcome>>,
    wakers: Vec<Waker>,
    /// In the order in which they were added.
    callbacks: BTreeMap<u64, Callback>,
    next_callback: u64,
}

/// A run that this one depends on.
struct Awaited {
    future: TaskFuture,
    must_complete: bool,
    callback: Option<u64>,
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
            began: None,
            attempts: 0,
            log: None,
            past: Vec::new(),
            progress: None,
            outcome: None,
            wakers: Vec::new(),
            callbacks: BTreeMap::new(),
            next_callback: 0,
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
        drop(cell);
        self.end_from_memory();
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
        Attempt::all(&cell.history, &cell.past, cell.outcome.as_ref(), cell.log.as_ref())
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
    pub(crate) fn on_end(&self, callback: Callback) -> Option<u64> {
        let mut cell = self.cell();
        if cell.outcome.is_none() {
            let number = cell.next_callback;
            cell.next_callback += 1;
            cell.callbacks.insert(number, callback);
            return Some(number);
        }
        drop(cell);
        turns::take([callback]);
        None
    }

    /// Withdraws a callback that has not been called.
    pub(crate) fn forget(&self, callback: u64) {
        let forgotten = self.cell().callbacks.remove(&callback);
        // What it holds may be the last of something that looks at this run.
        drop(forgotten);
    }

    /// How many runs it depends on.
    pub(crate) fn upstream_count(&self) -> usize {
        self.cell().upstreams.len()
    }

    /// Has `job`, which is this run's, told of each run it depends on, when that ends.
    pub(crate) fn watch_upstreams(&self, job: &Arc<Job>) {
        let upstreams: Vec<_> = {
            let cell = self.cell();
            cell.upstreams.iter().map(|awaited| (awaited.future.clone(), awaited.must_complete)).collect()
        };
        for (index, (upstream, must_complete)) in upstreams.into_iter().enumerate() {
            let (job, ended) = (Arc::clone(job), upstream.clone());
            let callback =
                upstream.job().run().on_end(Box::new(move || job.upstream_ended(&ended, must_complete)));
            let mut cell = self.cell();
            match cell.upstreams.get_mut(index) {
                Some(awaited) => awaited.callback = callback,
                // Ended meanwhile, and has let go of all of them.
                None => {
                    drop(cell);
                    callback.into_iter().for_each(|callback| upstream.job().run().forget(callback));
                    return;
                }
            }
        }
    }

    /// Ends a run that has not begun because `upstream` did not complete. `false` if it had ended.
    pub(crate) fn fail_upstream(&self, upstream: &TaskFuture) -> bool {
        let chain = chain_from(upstream);
        self.finish(Event::UpstreamFailed, Outcome::Failed(Failure::Upstream { chain }))
    }

    /// Makes ready for an attempt: the inputs are put together, and another run's value is looked for. `false` if the
    /// run has ended.
    pub(crate) fn prepare(&self) -> bool {
        let state = self.state();
        if state.is_terminal() {
            return false;
        }
        if self.time_left() == Some(Duration::ZERO) {
            return self.out_of_time();
        }
        if state == State::AwaitingRetry {
            return true;
        }
        if !self.put_inputs_together() {
            return false;
        }
        let cache = &self.task.shared().cache;
        let found = self.key_to_look_up().and_then(|key| cache.get(&key, self.task.completed_type()));
        match found {
            Some((value, producer)) => {
                !self.finish(Event::CacheHit { producer }, Outcome::Completed(value))
                    && !self.state().is_terminal()
            }
            None => true,
        }
    }

    /// Begins an attempt, unless the run has ended.
    pub(crate) fn begin(&self) -> Option<Guest> {
        let options = self.task.options();
        let mut cell = self.cell();
        self.apply(&mut cell, Event::Started).ok()?;
        let state = cell.state;
        cell.attempts += 1;
        if options.run_timeout.is_some() {
            cell.began.get_or_insert_with(Instant::now);
        }
        let limits = self.limits(&cell);
        let log = Arc::new(LogBook::new(limits.log_bytes, self.echo()));
        cell.log = Some(Arc::clone(&log));
        let Inputs::Values(inputs) = &cell.inputs else { return None };
        let inputs = Arc::clone(inputs);
        let attempt = AttemptOptions::new(limits).log(log).attempt_of(self.id, cell.attempts);
        let attempt = match &cell.name {
            Some(name) => attempt.name(Arc::clone(name)),
            None => attempt,
        };
        drop(cell);
        self.call_hooks(state);
        let attempt = self.reporting(attempt);
        let function = self.task.function().clone();
        Some(Box::pin(async move { function.attempt(&inputs, &attempt).await }))
    }

    /// The attempt came to its end by itself. If another one is to follow: after how long.
    pub(crate) fn end(&self, result: Result<Outcome, AttemptError>) -> Option<Duration> {
        let outcome = result.unwrap_or_else(|error| Outcome::Crashed { reason: error.to_string() });
        if self.is_cancelling() {
            self.stopped();
            return None;
        }
        let outcome = self.told_of_run_timeout(outcome);
        if let Some(delay) = self.delay_of_retry(&outcome) {
            return self.plan_retry(outcome, delay);
        }
        self.keep(&outcome);
        let event = match &outcome {
            Outcome::Completed(_) => Event::Completed,
            Outcome::Failed(Failure::TimedOut { .. }) => Event::TimedOut,
            Outcome::Failed(Failure::Upstream { .. }) => Event::UpstreamFailed,
            Outcome::Failed(_) => Event::Failed,
            Outcome::Crashed { .. } => Event::Crashed,
            Outcome::Cancelled => Event::Cancelled,
        };
        if !self.finish(event, outcome) {
            // Someone asked it to stop since the look above.
            self.stopped();
        }
        None
    }

    /// The attempt's guest was dropped because the run is to be cancelled.
    pub(crate) fn stopped(&self) {
        self.finish(Event::Cancelled, Outcome::Cancelled);
    }

    /// The host made a mistake that ended the attempt.
    pub(crate) fn crashed(&self, reason: String) {
        tracing::error!("run {}: {reason}", self.id);
        self.finish(Event::Crashed, Outcome::Crashed { reason });
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
        if cell.state == State::Cancelled {
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
        self.apply(&mut cell, Event::RolledBack).is_ok()
    }

    /// Its transaction needs its inputs no longer.
    pub(crate) fn release_inputs(&self) {
        let inputs = mem::replace(&mut self.cell().inputs, Inputs::none());
        drop(inputs);
    }

    /// How long the run may still take, if its time is limited and it has begun.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let run_timeout = self.task.options().run_timeout?;
        time_left(&self.cell(), Some(run_timeout))
    }

    /// Ends a run that has not begun with the value another run made, if the first cache layers have it.
    fn end_from_memory(&self) {
        let cache = &self.task.shared().cache;
        if let Some((value, producer)) =
            self.key_to_look_up().and_then(|key| cache.get_quick(&key, self.task.completed_type()))
        {
            self.finish(Event::CacheHit { producer }, Outcome::Completed(value));
        }
    }

    /// The key to look for another run's value under, unless the task asks for a fresh one.
    fn key_to_look_up(&self) -> Option<CacheKey> {
        self.key().filter(|_| !self.task.options().refresh)
    }

    /// Makes values of inputs that were results of other runs, all of which have ended. `false` if the run has ended.
    fn put_inputs_together(&self) -> bool {
        let mut cell = self.cell();
        let awaited = match &mut cell.inputs {
            Inputs::Values(_) => return true,
            Inputs::Awaited(inputs) => mem::take(inputs),
        };
        drop(cell);
        let values = match self.task.resolve(&awaited) {
            Ok(values) => values,
            Err((upstream, cause)) => return self.refuse_inputs(upstream, &cause),
        };
        let key = self.task.cache_key(&values);
        let mut cell = self.cell();
        cell.inputs = Inputs::Values(Arc::new(values));
        cell.key = key;
        self.fix_name(&mut cell);
        drop(cell);
        // What the inputs hold may be the last of other runs.
        drop(awaited);
        true
    }

    /// A result that it depends on does not fit.
    fn refuse_inputs(&self, upstream: Option<&TaskFuture>, cause: &str) -> bool {
        let chain = match upstream {
            Some(upstream) => UpstreamChain::root(named(upstream), format!("completed, but {cause}")),
            None => UpstreamChain::root(UpstreamRun { run: self.id, name: self.name() }, cause),
        };
        self.finish(Event::UpstreamFailed, Outcome::Failed(Failure::Upstream { chain }));
        false
    }

    fn fix_name(&self, cell: &mut Cell) {
        if let (Some(template), Inputs::Values(values)) = (&self.task.options().name, &cell.inputs) {
            cell.name = Some(template.render(values).into());
        }
    }

    /// The limits of the next attempt: it may take no longer than the run, and log what is left.
    fn limits(&self, cell: &Cell) -> Limits {
        let limits = self.task.options().limits;
        let left = time_left(cell, self.task.options().run_timeout);
        let logged: u64 = cell.past.iter().map(|past| past.log.kept_bytes()).sum();
        Limits {
            timeout: [limits.timeout, left].into_iter().flatten().min(),
            log_bytes: limits.log_bytes.saturating_sub(logged),
            ..limits
        }
    }

    /// Whoever is to hear of each line: the task's echo, and those who listen to the host.
    fn echo(&self) -> Option<Echo> {
        let echo = self.task.options().echo.clone();
        if !self.task.shared().events.were_asked_for() {
            return echo;
        }
        let job = Weak::clone(&self.job);
        Some(Arc::new(move |line: &LogLine| {
            if let Some(job) = job.upgrade() {
                let run = job.run();
                run.publish(&run.cell(), || EventKind::Log(line.clone()));
            }
            echo.iter().for_each(|echo| echo(line));
        }))
    }

    /// Has an attempt's reports of progress come here.
    fn reporting(&self, attempt: AttemptOptions) -> AttemptOptions {
        if !self.task.reports_progress() {
            return attempt;
        }
        let job = Weak::clone(&self.job);
        attempt.on_progress(Arc::new(move |progress: Progress| {
            if let Some(job) = job.upgrade() {
                job.run().progressed(progress);
            }
        }))
    }

    fn progressed(&self, progress: Progress) {
        let mut cell = self.cell();
        cell.progress = Some(progress.clone());
        self.publish(&cell, || EventKind::Progress(progress));
    }

    /// A timeout of the run, if it was that which stopped the attempt.
    fn told_of_run_timeout(&self, outcome: Outcome) -> Outcome {
        match (&outcome, self.task.options().run_timeout) {
            (Outcome::Failed(Failure::TimedOut { .. }), Some(after))
                if self.time_left() == Some(Duration::ZERO) =>
            {
                Outcome::Failed(Failure::TimedOut { after })
            }
            _ => outcome,
        }
    }

    /// How long to wait before the next attempt; `None` if this one was the last.
    fn delay_of_retry(&self, outcome: &Outcome) -> Option<Duration> {
        let options = self.task.options();
        if options.retry.retries == 0 {
            return None;
        }
        let attempts = self.cell().attempts;
        if !options.retry.retries_after(attempts, outcome) {
            return None;
        }
        let delay = options.retry.delay_before(attempts, self.task.shared().random());
        let in_time = self.time_left().is_none_or(|left| delay < left);
        let wanted = match (&options.retry_if, outcome) {
            (Some(retry_if), Outcome::Failed(failure)) => turns::ask(|| retry_if(failure)).unwrap_or(false),
            _ => true,
        };
        (in_time && wanted).then_some(delay)
    }

    fn plan_retry(&self, outcome: Outcome, delay: Duration) -> Option<Duration> {
        let mut cell = self.cell();
        let at = now();
        if self.apply_at(&mut cell, Event::RetryPlanned { due: at.after(delay) }, at).is_err() {
            drop(cell);
            // Someone asked it to stop.
            self.stopped();
            return None;
        }
        if let Some(log) = cell.log.take() {
            cell.past.push(Past { outcome: Arc::new(outcome), log });
        }
        Some(delay)
    }

    /// Keeps the value for later runs, unless the transaction decides about that.
    fn keep(&self, outcome: &Outcome) {
        let waits = self.transaction.as_ref().is_some_and(|transaction| !transaction.is_eager());
        if let (Outcome::Completed(value), Some(key), false) = (outcome, self.key(), waits) {
            self.task.shared().cache.put(&key, value, self.task.completed_type(), self.id);
        }
    }

    fn out_of_time(&self) -> bool {
        let after = self.task.options().run_timeout.unwrap_or_default();
        self.finish(Event::TimedOut, Outcome::Failed(Failure::TimedOut { after }));
        false
    }

    /// The run's last event: records state and outcome, then tells everyone, callbacks in the order they came.
    /// `false`, and nothing happens, if the event does not fit the state.
    fn finish(&self, event: Event, outcome: Outcome) -> bool {
        let mut cell = self.cell();
        if self.apply(&mut cell, event).is_err() {
            return false;
        }
        let state = cell.state;
        cell.outcome = Some(Arc::new(outcome));
        let inputs = match self.transaction {
            Some(_) => Inputs::none(),
            None => mem::replace(&mut cell.inputs, Inputs::none()),
        };
        let upstreams = mem::take(&mut cell.upstreams);
        let wakers = mem::take(&mut cell.wakers);
        let callbacks = mem::take(&mut cell.callbacks);
        drop(cell);
        drop(inputs);
        for Awaited { future, callback, .. } in upstreams {
            callback.into_iter().for_each(|callback| future.job().run().forget(callback));
        }
        // Before anyone who awaits the run can cause other hooks to be called.
        self.call_hooks(state);
        wakers.into_iter().for_each(Waker::wake);
        if !callbacks.is_empty() {
            turns::take(callbacks.into_values());
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

    fn call_hooks(&self, state: State) {
        let hooks = self.task.options().hooks.of(state);
        if hooks.is_empty() {
            return;
        }
        let Some(job) = self.job.upgrade() else { return };
        let future = TaskFuture::new(job);
        for hook in hooks {
            let (hook, future) = (Arc::clone(hook), future.clone());
            self.task.shared().caller.call(Box::new(move || hook(&future, state)));
        }
    }

    /// Nothing panics while it holds the lock, so a poisoned one is as good as any.
    fn cell(&self) -> MutexGuard<'_, Cell> {
        self.cell.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The runs that inputs and `wait_for` name, each once; one that must complete for either must complete.
fn upstreams(inputs: &Inputs, wait_for: Vec<(TaskFuture, bool)>) -> Vec<Awaited> {
    let mut upstreams = BTreeMap::new();
    let mut add = |future: &TaskFuture, must_complete: bool| {
        let awaited = upstreams.entry(future.id()).or_insert_with(|| Awaited {
            future: future.clone(),
            must_complete: false,
            callback: None,
        });
        awaited.must_complete |= must_complete;
    };
    if let Inputs::Awaited(inputs) = inputs {
        for input in inputs {
            Input::each_upstream(input, &mut |upstream| add(upstream.future, upstream.must_complete));
        }
    }
    wait_for.iter().for_each(|(future, must_complete)| add(future, *must_complete));
    upstreams.into_values().collect()
}

fn chain_from(upstream: &TaskFuture) -> UpstreamChain {
    let cause = match upstream.try_outcome().as_deref() {
        Some(Outcome::Failed(Failure::Upstream { chain })) => return chain.followed_by(named(upstream)),
        Some(Outcome::Failed(failure)) => failure.to_string(),
        Some(Outcome::Crashed { reason }) => format!("crashed: {reason}"),
        Some(Outcome::Cancelled) => "was cancelled".to_owned(),
        Some(Outcome::Completed(_)) | None => "did not end".to_owned(),
    };
    UpstreamChain::root(named(upstream), cause)
}

fn named(future: &TaskFuture) -> UpstreamRun {
    UpstreamRun { run: future.id(), name: future.name() }
}

fn time_left(cell: &Cell, run_timeout: Option<Duration>) -> Option<Duration> {
    Some(run_timeout?.saturating_sub(cell.began?.elapsed()))
}

fn now() -> Timestamp {
    SystemTime::now().into()
}
