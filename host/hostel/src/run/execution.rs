//! The attempts of a run: made ready, begun, ended, and followed by another.

use std::mem;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use hostel_core::{
    CacheEntry, CacheKey, Event, Failure, Limits, LogLine, Observation, Outcome, Progress, State,
};
use hostel_engine::{AttemptError, AttemptOptions, Attempted, Echo, LogBook};

use super::{Cell, Fetched, Guest, Run, now};
use crate::attempt::Past;
use crate::cache::{Existing, Found, Kept, LookUp, Made, Recipe, Wanted, dependencies_of};
use crate::caller::call_safely;
use crate::events::EventKind;
use crate::flight::Takeoff;
use crate::host::Shared;
use crate::inputs::Inputs;
use crate::options::Options;
use crate::runner::Job;
use crate::turns;

impl Run {
    /// Makes ready for an attempt: the inputs are put together, the key is taken, and another run's value looked for.
    pub(crate) fn prepare(&self, job: &Arc<Job>) -> Takeoff {
        let state = self.state();
        if state.is_terminal() {
            return Takeoff::Ended;
        }
        if self.time_left() == Some(Duration::ZERO) {
            self.out_of_time();
            return Takeoff::Ended;
        }
        if state == State::AwaitingRetry {
            return Takeoff::Owner;
        }
        if !self.put_inputs_together() {
            return Takeoff::Ended;
        }
        let Some(key) = self.key_to_look_up() else {
            self.cell().look_up = LookUp::Refresh;
            return Takeoff::Owner;
        };
        let Shared { cache, flights, .. } = self.task.shared();
        if self.shares_flight() {
            // What is there at once needs no key.
            if self.end_from_memory() {
                return Takeoff::Ended;
            }
            let takeoff = flights.join(&key, job);
            if takeoff != Takeoff::Owner {
                return takeoff;
            }
        }
        let found = match self.take_fetched() {
            Some(entries) => cache.get_fetched(&entries, &key, self.wanted()),
            None => cache.get(&key, self.wanted()),
        };
        match found {
            Ok(found) => {
                self.finish_with(found);
                if self.state().is_terminal() { Takeoff::Ended } else { Takeoff::Owner }
            }
            Err(miss) => {
                self.cell().look_up = LookUp::Miss(miss);
                if cache.is_shared() { self.ask_remote(key, job) } else { Takeoff::Owner }
            }
        }
    }

    /// What the remote layer had, once.
    fn take_fetched(&self) -> Option<Arc<[CacheEntry]>> {
        let mut cell = self.cell();
        if !matches!(cell.fetched, Fetched::Answer(_)) {
            return None;
        }
        match mem::replace(&mut cell.fetched, Fetched::Asked) {
            Fetched::Answer(entries) => Some(entries),
            Fetched::Unasked | Fetched::Asked => None,
        }
    }

    /// Has the remote layer asked, and the run wait aside for the answer; only once.
    fn ask_remote(&self, key: CacheKey, job: &Arc<Job>) -> Takeoff {
        if matches!(mem::replace(&mut self.cell().fetched, Fetched::Asked), Fetched::Asked) {
            return Takeoff::Owner;
        }
        if !job.runner().park_for_key(job, None) {
            self.request_cancel();
            return Takeoff::Ended;
        }
        let (task, asking) = (self.task.clone(), Arc::clone(job));
        let asked = async move {
            if let Some(entries) = task.shared().cache.fetch(&key).await {
                asking.run().cell().fetched = Fetched::Answer(entries);
            }
            asking.runner().release(&asking);
        };
        // It ends with the runtime, which the runner owns, and before: the layer's answer has a time limit.
        job.runner().timers().spawn(asked);
        Takeoff::Waits
    }

    /// Ends the run with another one's value. `false` if it has ended.
    fn finish_with(&self, Found { value, hit }: Found) -> bool {
        let producer = hit.producer;
        let mut cell = self.cell();
        if cell.state.is_terminal() {
            return false;
        }
        cell.look_up = LookUp::Hit(Arc::new(hit));
        cell.kept = Kept::Hit;
        drop(cell);
        self.finish(Event::CacheHit { producer }, Outcome::Completed(value))
    }

    /// The run has its key from now on, until its end. `false` if it has ended.
    pub(crate) fn takes_key(&self) -> bool {
        let mut cell = self.cell();
        cell.has_key = !cell.state.is_terminal();
        cell.has_key
    }

    /// Whether other runs wait for this one's value, or it for theirs: not if it would not be kept at once.
    fn shares_flight(&self) -> bool {
        !self.is_lazy() && (!self.task.options().cache.is_observed() || self.task.may_be_pure())
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
        let attempt = AttemptOptions::new(limits)
            .log(log)
            .attempt_of(self.id, cell.attempts)
            .grants(Arc::clone(&options.grants))
            .determinism(options.determinism);
        let attempt = match &cell.name {
            Some(name) => attempt.name(Arc::clone(name)),
            None => attempt,
        };
        let attempt = match cell.key {
            Some(key) => attempt.seed_of(*key.as_bytes()),
            None => attempt,
        };
        drop(cell);
        self.call_hooks(state);
        let attempt = self.noticing_touches(self.reporting(attempt));
        let function = self.task.function().clone();
        Some(Box::pin(async move { function.attempt(&inputs, &attempt).await }))
    }

    /// The attempt came to its end by itself. If another one is to follow: after how long.
    pub(crate) fn end(&self, result: Result<Attempted, AttemptError>) -> Option<Duration> {
        let crashed = |error: AttemptError| Attempted {
            outcome: Outcome::Crashed { reason: error.to_string() },
            observation: Observation::default(),
        };
        let Attempted { outcome, observation } = result.unwrap_or_else(crashed);
        if self.is_cancelling() {
            self.stopped();
            return None;
        }
        let outcome = self.told_of_run_timeout(outcome);
        if let Some(delay) = self.delay_of_retry(&outcome) {
            return self.plan_retry(outcome, delay);
        }
        self.keep(&outcome, observation);
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
        self.finish(Event::Crashed, Outcome::Crashed { reason });
    }

    /// How long the run may still take, if its time is limited and it has begun.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let run_timeout = self.task.options().run_timeout?;
        time_left(&self.cell(), Some(run_timeout))
    }

    /// Ends a run that has not begun with the value another run made, if the first cache layers have it.
    pub(super) fn end_from_memory(&self) -> bool {
        let cache = &self.task.shared().cache;
        let found = self.key_to_look_up().and_then(|key| cache.get_quick(&key, self.wanted()));
        found.is_some_and(|found| self.finish_with(found))
    }

    /// What another run's value must be to stand for this one's.
    fn wanted(&self) -> Wanted<'_> {
        let Options { cache_expiration: expiration, grants, .. } = self.task.options();
        Wanted { ty: self.task.completed_type(), expiration: *expiration, grants }
    }

    /// The key to look for another run's value under, unless the task asks for a fresh one.
    fn key_to_look_up(&self) -> Option<CacheKey> {
        let Options { refresh, only_compared, .. } = self.task.options();
        self.key().filter(|_| !refresh && !only_compared)
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
            let echo = echo?;
            return Some(Arc::new(move |line: &LogLine| call_safely(|| echo(line))));
        }
        let job = Weak::clone(&self.job);
        Some(Arc::new(move |line: &LogLine| {
            if let Some(job) = job.upgrade() {
                let run = job.run();
                run.publish(&run.cell(), || EventKind::Log(line.clone()));
            }
            echo.iter().for_each(|echo| call_safely(|| echo(line)));
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

    /// Has an attempt tell when it touches what no key has, so that nobody waits for its value any longer.
    fn noticing_touches(&self, attempt: AttemptOptions) -> AttemptOptions {
        if !self.task.options().cache.is_observed() {
            return attempt;
        }
        let job = Weak::clone(&self.job);
        attempt.on_touch(Arc::new(move || {
            let Some(job) = job.upgrade() else { return };
            let run = job.run();
            run.task.seems_pure(false);
            if let Some(key) = run.key() {
                run.task.shared().flights.release_waiting(&key, run.id);
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

    /// Keeps the value for later runs, unless the policy wants it to be a function of its key and it is none, or the
    /// transaction decides about it.
    fn keep(&self, outcome: &Outcome, observation: Observation) {
        let (Outcome::Completed(value), Some(key)) = (outcome, self.key()) else { return };
        if self.task.options().only_compared {
            return;
        }
        let is_observed = self.task.options().cache.is_observed();
        let depends_on = if is_observed { dependencies_of(observation.trace()) } else { None };
        let kept = if is_observed && !observation.is_reproducible() {
            Kept::Touched(Arc::new(observation))
        } else if self.is_lazy() {
            self.cell().depends_on = depends_on;
            Kept::InTransaction
        } else {
            self.task.seems_pure(true);
            self.cell().depends_on = depends_on;
            self.task.shared().cache.put(&key, value, self.task.completed_type(), self.made());
            Kept::Yes
        };
        self.cell().kept = kept;
    }

    /// Whether its value is for its transaction to keep.
    fn is_lazy(&self) -> bool {
        self.transaction.as_ref().is_some_and(|transaction| !transaction.is_eager())
    }

    /// What the cache is told of the value: it is there now, or was there when the run ended.
    pub(crate) fn made(&self) -> Made {
        let cell = self.cell();
        let began = cell.history.iter().rev().find(|transition| transition.cause == Some(Event::Started));
        let ended = cell.history.last().filter(|transition| transition.state.is_terminal());
        let ended = ended.map_or_else(now, |transition| transition.at);
        let took = began.map_or(Duration::ZERO, |began| ended.since(began.at));
        let recipe = match &cell.inputs {
            Inputs::Values(inputs) if self.task.shared().cache.is_lasting() => Recipe::of(&self.task, inputs),
            Inputs::Values(_) | Inputs::Awaited(_) => None,
        };
        // A result that was looked for and is made all the same is not there, or was not good enough.
        let Options { refresh, cache_expiration, .. } = self.task.options();
        let is_wanted_new = *refresh || cache_expiration.is_some();
        Made {
            producer: self.id,
            took,
            task: Arc::clone(self.task.key_text()),
            recipe: recipe.map(Arc::from),
            depends_on: cell.depends_on.clone(),
            existing: if is_wanted_new { Existing::Replace } else { Existing::Keep },
        }
    }

    fn out_of_time(&self) {
        let after = self.task.options().run_timeout.unwrap_or_default();
        self.finish(Event::TimedOut, Outcome::Failed(Failure::TimedOut { after }));
    }
}

fn time_left(cell: &Cell, run_timeout: Option<Duration>) -> Option<Duration> {
    Some(run_timeout?.saturating_sub(cell.began?.elapsed()))
}
