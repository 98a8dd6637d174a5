//! Whether a run's value is stored for later runs.

use std::sync::Arc;
use std::time::Duration;

use hostel_core::{CacheKey, Clock, Event, Observation, Outcome, Randomness, TaskSpec, Touch, Value};

use crate::cache::{CacheWrite, Existing, Kept, MAX_RECIPE_BYTES, Recipe, dependencies_of};
use crate::options::Options;
use crate::run::{Run, now};
use crate::task::Task;

/// Stores the value for later runs, unless the policy requires a function of the key and the value is not one, the
/// program read a stream, or the transaction decides later.
pub(super) fn keep(run: &Run, outcome: &Outcome, observation: Observation) {
    let (Outcome::Completed(value), Some(key)) = (outcome, run.key()) else { return };
    let Options { spec, only_compared, .. } = run.task().options();
    let cache = &spec.cache;
    let is_touched =
        (cache.is_observed() && !observation.is_reproducible()) || observation.has(Touch::StandardInput);
    if *only_compared && !is_touched {
        return;
    }
    let depends_on = if cache.is_observed() { dependencies_of(observation.trace()) } else { None };
    let kept = if is_touched {
        Kept::Touched(Arc::new(observation))
    } else if run.is_lazy() {
        run.cell().cache.depends_on = depends_on;
        Kept::InTransaction
    } else {
        run.task().seems_pure(true);
        run.cell().cache.depends_on = depends_on;
        let is_stored = run.host().cache.put(&key, value, run.task().guest_completed_type(), write(run));
        if is_stored { Kept::Yes } else { Kept::NoRoom }
    };
    run.cell().cache.kept = kept;
}

/// The attempt had a side effect that no key covers, so no other run waits for its value any longer.
pub(super) fn touched(run: &Run) {
    run.task().seems_pure(false);
    if let Some(key) = run.key() {
        run.host().flights.give_up(&flight_key(run, key), run.id());
    }
}

/// Whether equal runs wait for each other. They do not if the run is one that must not, if the value would not be stored at once, or if the run may have
/// to wait for its standard input first.
pub(super) fn shares_flight(run: &Run) -> bool {
    run.may_wait_for_equal()
        && !run.is_lazy()
        && run.task().options().stdin.is_none()
        && may_be_kept(run)
        && run.host().cache.keeps()
}

/// Whether its value will be stored, as far as is known.
pub(super) fn may_be_kept(run: &Run) -> bool {
    !run.task().spec().cache.is_observed() || run.task().may_be_pure()
}

/// The common key of runs that wait for each other: the key of the value, and the directories that the run may read.
pub(super) fn flight_key(run: &Run, key: CacheKey) -> CacheKey {
    run.task().options().place().map_or(key, |place| key.at(place))
}

/// The cache entry of the value, which is available now or was when the run ended.
pub(crate) fn write(run: &Run) -> CacheWrite {
    let recipe = recipe(run);
    let cell = run.cell();
    let depends_on = cell.cache.depends_on.clone();
    let began = cell.history.iter().rev().find(|transition| transition.cause == Some(Event::Started));
    let ended = cell.history.last().filter(|transition| transition.state.is_terminal());
    let created = ended.map_or_else(now, |transition| transition.at);
    let took = began.map_or(Duration::ZERO, |began| created.since(began.at));
    drop(cell);
    // A run that looked for a result and still computes one has found none that it can use.
    let TaskSpec { refresh, cache_expiration, .. } = &**run.task().spec();
    let replaces = *refresh || cache_expiration.is_some();
    CacheWrite {
        producer: run.id(),
        created,
        took,
        task: Arc::clone(run.task().key_text()),
        recipe,
        depends_on,
        existing: if replaces { Existing::Replace } else { Existing::Keep },
    }
}

/// The recipe to run it again, if the value is stored on disk and the recipe is not too long. Writes all inputs as
/// text.
pub(super) fn recipe(run: &Run) -> Option<Arc<str>> {
    if !run.host().cache.is_lasting() {
        return None;
    }
    recipe_of(run.task(), &run.inputs()?).map(Arc::from)
}

/// The recipe of a run, unless it is too long.
fn recipe_of(task: &Task, inputs: &[Value]) -> Option<String> {
    let params = task.guest_signature().params.iter();
    if inputs.iter().map(Value::footprint).sum::<usize>() > MAX_RECIPE_BYTES {
        return None;
    }
    let inputs = params.zip(inputs).map(|(param, input)| (param.name.to_string(), input.to_json(&param.ty)));
    let TaskSpec { cache, grants, determinism, .. } = &**task.spec();
    let recipe = Recipe {
        inputs: serde_json::Value::Object(inputs.collect()),
        policy: cache.to_string(),
        http: texts(&grants.http),
        dirs: texts(&grants.dirs),
        net: texts(&grants.net),
        lookup: texts(&grants.lookup),
        env: grants.env_by_name().into_iter().map(|grant| grant.name().to_owned()).collect(),
        clock: (determinism.clock != Clock::Real).then(|| determinism.clock.to_string()),
        random: (determinism.randomness != Randomness::Real).then(|| determinism.randomness.to_string()),
        stdin_stream: task.options().stdin.is_some(),
    };
    serde_json::to_string(&recipe).ok().filter(|text| text.len() <= MAX_RECIPE_BYTES)
}

fn texts<T: ToString>(grants: &[T]) -> Vec<String> {
    grants.iter().map(ToString::to_string).collect()
}
