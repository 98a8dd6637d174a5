//! What a run has to do with the cache: the value of another that may stand for its own, and its own for later ones.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hostel_core::{CacheEntry, CacheKey, Event, Observation, Outcome, State, Touch};

use super::{Fetched, Run, now};
use crate::cache::{Asking, Existing, Found, Kept, LookUp, Made, Recipe, Wanted, dependencies_of};
use crate::flight::Takeoff;
use crate::host::Shared;
use crate::inputs::Inputs;
use crate::options::Options;
use crate::runner::Job;

/// Releases a job that waits for an answer, however the asking ends.
struct Answered(Arc<Job>);

impl Drop for Answered {
    fn drop(&mut self) {
        self.0.runner().release(&self.0);
    }
}

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
        match self.key_to_look_up() {
            Some(key) => self.look_up(key, job),
            None => {
                if self.task.options().refresh {
                    self.cell().look_up = LookUp::Refresh;
                }
                Takeoff::Owner
            }
        }
    }

    fn look_up(&self, key: CacheKey, job: &Arc<Job>) -> Takeoff {
        let Shared { cache, flights, .. } = self.task.shared();
        // One that has slots already keeps them instead of waiting for others.
        if self.shares_flight() && !job.holds_slots.load(Ordering::Relaxed) {
            // What is there needs no key.
            if cache.may_have(&key) && self.end_with(cache.get(&key, self.wanted(&|| self.has_ended())).ok())
            {
                return Takeoff::Ended;
            }
            let takeoff = flights.join(&self.flight_key(key), job);
            if takeoff != Takeoff::Owner {
                return takeoff;
            }
        }
        let found = match self.take_fetched() {
            Some(entries) => {
                let own = (Arc::clone(self.task.key_text()), || self.recipe());
                cache.get_fetched(&entries, &key, self.wanted(&|| self.has_ended()), own)
            }
            None => cache.get(&key, self.wanted(&|| self.has_ended())),
        };
        match found {
            Ok(found) => {
                self.end_with(Some(found));
                if self.state().is_terminal() { Takeoff::Ended } else { Takeoff::Owner }
            }
            Err(miss) => {
                self.cell().look_up = LookUp::Miss(miss);
                if cache.is_shared() && self.may_be_kept() {
                    self.ask_remote(key, job)
                } else {
                    Takeoff::Owner
                }
            }
        }
    }

    /// What the remote layer had, once.
    fn take_fetched(&self) -> Option<Arc<[CacheEntry]>> {
        let mut cell = self.cell();
        if !matches!(cell.fetched, Fetched::Answer { .. }) {
            return None;
        }
        match mem::replace(&mut cell.fetched, Fetched::Asked) {
            Fetched::Answer { entries, .. } => Some(entries),
            Fetched::Unasked | Fetched::Asked => None,
        }
    }

    /// Has the remote layer asked, and the run wait aside for the answer; only once.
    fn ask_remote(&self, key: CacheKey, job: &Arc<Job>) -> Takeoff {
        if !matches!(mem::replace(&mut self.cell().fetched, Fetched::Asked), Fetched::Unasked) {
            return Takeoff::Owner;
        }
        if !job.runner().park_for_key(job, None) {
            self.request_cancel();
            return Takeoff::Ended;
        }
        let (task, asking) = (self.task.clone(), Answered(Arc::clone(job)));
        let asked = async move {
            let Some(turn) = task.shared().cache.turn_to_ask().await else { return };
            if let Some(entries) = task.shared().cache.fetch(&key).await {
                asking.0.run().fetched(entries, turn);
            }
        };
        // It ends with the runtime, which the runner owns, and before: the layer's answer has a time limit.
        job.runner().timers().spawn(asked);
        Takeoff::Waits
    }

    /// The remote layer has answered. Others ask in this one's place when the answer was taken.
    fn fetched(&self, entries: Arc<[CacheEntry]>, turn: Asking) {
        let mut cell = self.cell();
        if !cell.state.is_terminal() {
            cell.fetched = Fetched::Answer { entries, _turn: turn };
        }
    }

    /// Ends the run with another one's value, if one was found. `false` if there is none, or the run has ended.
    fn end_with(&self, found: Option<Found>) -> bool {
        let Some(Found { value, hit }) = found else { return false };
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

    /// Ends a run that has not begun with the value another run made, if the first cache layers have it.
    pub(super) fn end_from_memory(&self) -> bool {
        let cache = &self.task.shared().cache;
        self.end_with(
            self.key_to_look_up().and_then(|key| cache.get_quick(&key, self.wanted(&|| self.has_ended()))),
        )
    }

    /// The run has its key from now on, until its end. `false` if it has ended.
    pub(crate) fn takes_key(&self) -> bool {
        let mut cell = self.cell();
        cell.has_key = !cell.state.is_terminal();
        cell.has_key
    }

    /// What the run shares with those that wait for it: the key of its value, and where the files are that it may read.
    pub(super) fn flight_key(&self, key: CacheKey) -> CacheKey {
        self.task.options().place.as_ref().map_or(key, |place| key.at(place))
    }

    /// Whether other runs wait for this one's value, or it for theirs: not if it would not be kept at once, nor if it may wait
    /// for its standard input first.
    fn shares_flight(&self) -> bool {
        !self.is_lazy()
            && self.task.options().stdin.is_none()
            && self.may_be_kept()
            && self.task.shared().cache.keeps()
    }

    /// Whether its value will be kept, as far as is known.
    fn may_be_kept(&self) -> bool {
        !self.task.options().cache.is_observed() || self.task.may_be_pure()
    }

    /// Whether its value is for its transaction to keep.
    fn is_lazy(&self) -> bool {
        self.transaction.as_ref().is_some_and(|transaction| !transaction.is_eager())
    }

    /// What another run's value must be to stand for this one's.
    fn wanted<'a>(&'a self, is_stopped: &'a dyn Fn() -> bool) -> Wanted<'a> {
        let Options { cache_expiration: expiration, grants, .. } = self.task.options();
        Wanted { ty: self.task.completed_type(), expiration: *expiration, grants, is_stopped }
    }

    /// Whether it was cancelled. Its time limits count from its first attempt only.
    fn has_ended(&self) -> bool {
        self.state().is_terminal()
    }

    /// The key to look for another run's value under, unless the task asks for a fresh one.
    fn key_to_look_up(&self) -> Option<CacheKey> {
        let Options { refresh, only_compared, .. } = self.task.options();
        self.key().filter(|_| !refresh && !only_compared)
    }

    /// Keeps the value for later runs, unless the policy wants it to be a function of its key and it is none, the program read
    /// a stream, or the transaction decides about it.
    pub(super) fn keep(&self, outcome: &Outcome, observation: Observation) {
        let (Outcome::Completed(value), Some(key)) = (outcome, self.key()) else { return };
        let Options { cache, only_compared, .. } = self.task.options();
        let is_touched =
            (cache.is_observed() && !observation.is_reproducible()) || observation.has(Touch::StandardInput);
        if *only_compared && !is_touched {
            return;
        }
        let depends_on = if cache.is_observed() { dependencies_of(observation.trace()) } else { None };
        let kept = if is_touched {
            Kept::Touched(Arc::new(observation))
        } else if self.is_lazy() {
            self.cell().depends_on = depends_on;
            Kept::InTransaction
        } else {
            self.task.seems_pure(true);
            self.cell().depends_on = depends_on;
            let is_kept = self.task.shared().cache.put(&key, value, self.task.completed_type(), self.made());
            if is_kept { Kept::Yes } else { Kept::NoRoom }
        };
        self.cell().kept = kept;
    }

    /// What the cache is told of the value: it is there now, or was there when the run ended.
    pub(crate) fn made(&self) -> Made {
        let recipe = self.recipe();
        let cell = self.cell();
        let depends_on = cell.depends_on.clone();
        let began = cell.history.iter().rev().find(|transition| transition.cause == Some(Event::Started));
        let ended = cell.history.last().filter(|transition| transition.state.is_terminal());
        let created = ended.map_or_else(now, |transition| transition.at);
        let took = began.map_or(Duration::ZERO, |began| created.since(began.at));
        drop(cell);
        // A result that was looked for and is made all the same is not there, or was not good enough.
        let Options { refresh, cache_expiration, .. } = self.task.options();
        let is_wanted_new = *refresh || cache_expiration.is_some();
        Made {
            producer: self.id,
            created,
            took,
            task: Arc::clone(self.task.key_text()),
            recipe,
            depends_on,
            existing: if is_wanted_new { Existing::Replace } else { Existing::Keep },
        }
    }

    /// What is needed to run it again, if it is stored where that is of use and is not too long. Writes all inputs as text.
    fn recipe(&self) -> Option<Arc<str>> {
        if !self.task.shared().cache.is_lasting() {
            return None;
        }
        let inputs = match &self.cell().inputs {
            Inputs::Values(inputs) => Arc::clone(inputs),
            Inputs::Awaited(_) => return None,
        };
        Recipe::of(&self.task, &inputs).map(Arc::from)
    }
}
