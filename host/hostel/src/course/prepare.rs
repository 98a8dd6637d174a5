//! The steps of a run before its attempt: inputs, cache, and slots.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use hostel_core::{CacheKey, Event, Outcome, TaskSpec};

use super::upstream::{self, Inputs};
use super::{Next, cancel, end, keep};
use crate::cache::{CacheMatch, CacheQuery, Kept, LookUp, RemoteAnswer};
use crate::flight::Takeoff;
use crate::options::Options;
use crate::run::{Run, Step};
use crate::runner::Entry;

/// Takes the run through its steps until it may begin an attempt, is parked, or has ended.
pub(super) fn prepare(run: &Arc<Run>) -> Next {
    let mut step = {
        let mut cell = run.cell();
        if cell.state.is_terminal() {
            return Next::Ended;
        }
        mem::replace(&mut cell.step, Step::Inputs)
    };
    if run.time_left() == Some(Duration::ZERO) {
        end::out_of_time(run);
        return Next::Ended;
    }
    loop {
        let next = match step {
            Step::Inputs => inputs(run),
            Step::LookUp(key) => look_up(run, key),
            Step::Remote(key, answer) => check_answer(run, key, answer),
            Step::Slot => enter(run),
            Step::Attempt => return Next::Step(Step::Attempt),
        };
        match next {
            Next::Step(following) => step = following,
            Next::Parked | Next::Ended => return next,
        }
    }
}

/// Ends a run that has not begun with a cached value, if it is in memory.
pub(crate) fn end_from_memory(run: &Arc<Run>) {
    let Some(key) = key_to_look_up(run) else { return };
    let found = run.host().cache.get_quick(&key, query(run, &|| run.has_ended()));
    found.into_iter().for_each(|found| _ = end_with(run, found));
}

/// Stores the step with which the run goes on if it is parked now. Before it is parked, since it may be resumed at once.
fn park_at(run: &Run, step: Step) {
    let before = mem::replace(&mut run.cell().step, step);
    drop(before);
}

fn inputs(run: &Arc<Run>) -> Next {
    let Options { spec, only_compared, .. } = run.task().options();
    match upstream::put_inputs_together(run) {
        Inputs::Ended => Next::Ended,
        Inputs::Keyed(key) if !spec.refresh && !only_compared => Next::Step(Step::LookUp(key)),
        Inputs::Keyed(_) | Inputs::Unkeyed => {
            if spec.refresh {
                run.cell().cache.look_up = LookUp::Refresh;
            }
            Next::Step(Step::Slot)
        }
    }
}

fn look_up(run: &Arc<Run>, key: CacheKey) -> Next {
    let (host, is_stopped) = (run.host(), || run.has_ended());
    if keep::shares_flight(run) {
        // An available value can be used without owning the key.
        if host.cache.may_have(&key)
            && let Ok(found) = host.cache.get(&key, query(run, &is_stopped))
            && end_with(run, found)
        {
            return Next::Ended;
        }
        park_at(run, Step::LookUp(key));
        match host.flights.join(&keep::flight_key(run, key), run) {
            Takeoff::Owner => {}
            Takeoff::Waits => return Next::Parked,
            Takeoff::Ended => return Next::Ended,
        }
    }
    match host.cache.get(&key, query(run, &is_stopped)) {
        Ok(found) => {
            end_with(run, found);
            ended_or(run, Step::Slot)
        }
        Err(miss) => {
            run.cell().cache.look_up = LookUp::Miss(miss);
            if host.cache.is_shared() && keep::may_be_kept(run) {
                ask_remote(run, key)
            } else {
                Next::Step(Step::Slot)
            }
        }
    }
}

/// Requests the entries of the key from the remote layer, and parks the run until the answer arrives.
fn ask_remote(run: &Arc<Run>, key: CacheKey) -> Next {
    park_at(run, Step::Remote(key, None));
    if !run.scheduler().park_for_key(run, None) {
        cancel::request(run);
        return Next::Ended;
    }
    let resume = Resume(Arc::clone(run));
    let task = run.task().clone();
    let asked = async move {
        let cache = &task.host().cache;
        let Some(turn) = cache.turn_to_ask().await else { return };
        if let Some(entries) = cache.fetch(&key).await {
            answered(&resume.0, RemoteAnswer { entries, turn });
        }
    };
    // The task ends with the runtime, which the runner owns, and usually earlier: requests to the layer have a timeout.
    run.scheduler().timers().spawn(asked);
    Next::Parked
}

/// Resumes a run that waits for an answer, even if the request panics.
struct Resume(Arc<Run>);

impl Drop for Resume {
    fn drop(&mut self) {
        self.0.scheduler().release(&*self.0);
    }
}

/// The remote layer has answered. The next run may send its request after this answer is checked.
fn answered(run: &Run, answer: RemoteAnswer) {
    let mut cell = run.cell();
    if let Step::Remote(_, waits) = &mut cell.step {
        *waits = Some(answer);
    }
}

fn check_answer(run: &Arc<Run>, key: CacheKey, answer: Option<RemoteAnswer>) -> Next {
    let Some(answer) = answer else { return Next::Step(Step::Slot) };
    let own = (Arc::clone(run.task().key_text()), || keep::recipe(run));
    match run.host().cache.get_fetched(&answer.entries, &key, query(run, &|| run.has_ended()), own) {
        Ok(found) => {
            end_with(run, found);
            ended_or(run, Step::Slot)
        }
        Err(miss) => {
            run.cell().cache.look_up = LookUp::Miss(miss);
            Next::Step(Step::Slot)
        }
    }
}

/// Takes a slot of each limit that concerns the run, or parks it until it has one.
fn enter(run: &Arc<Run>) -> Next {
    if run.tags().is_empty() {
        return Next::Step(Step::Attempt);
    }
    park_at(run, Step::Slot);
    match run.scheduler().enter(run) {
        Entry::Granted => Next::Step(Step::Attempt),
        Entry::Parked => Next::Parked,
        Entry::Ended => Next::Ended,
    }
}

fn ended_or(run: &Run, step: Step) -> Next {
    if run.has_ended() { Next::Ended } else { Next::Step(step) }
}

/// Ends the run with a cached value. `false` if it has ended already.
fn end_with(run: &Arc<Run>, found: CacheMatch) -> bool {
    let CacheMatch { value, hit } = found;
    let producer = hit.producer;
    let mut cell = run.cell();
    if cell.state.is_terminal() {
        return false;
    }
    cell.cache.look_up = LookUp::Hit(Arc::new(hit));
    cell.cache.kept = Kept::Hit;
    drop(cell);
    end::finish(run, Event::CacheHit { producer }, Outcome::Completed(value))
}

/// The requirements on a cached value for this run.
fn query<'a>(run: &'a Run, is_stopped: &'a dyn Fn() -> bool) -> CacheQuery<'a> {
    let TaskSpec { cache_expiration: expiration, grants, .. } = &**run.task().spec();
    let ty = run.task().guest_completed_type();
    CacheQuery { ty, longest: u64::MAX, expiration: *expiration, grants, is_stopped }
}

/// The key for the look-up, unless the task requests a refresh.
fn key_to_look_up(run: &Run) -> Option<CacheKey> {
    let Options { spec, only_compared, .. } = run.task().options();
    run.key().filter(|_| !spec.refresh && !only_compared)
}
