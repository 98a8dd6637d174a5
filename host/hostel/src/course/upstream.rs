//! The upstream runs of a run: waiting for them, and using their results as inputs.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use hostel_core::{CacheKey, Event, Failure, Outcome, Param, UpstreamChain, UpstreamRun, Value, bytes_text};

use super::end::finish;
use crate::run::{Awaited, Input, Inputs as RunInputs, Run, TaskFuture, Upstream};
use crate::task::Task;

/// Inputs that do not fit, with the upstream run whose result does not fit, if there is one.
type Unfit<'a> = (Option<&'a TaskFuture>, String);

/// The runs in inputs and in `wait_for`, without duplicates. A run that must complete for either must complete.
pub(crate) fn upstreams(inputs: &RunInputs, wait_for: Vec<(TaskFuture, bool)>) -> Vec<Awaited> {
    let mut upstreams = BTreeMap::new();
    let mut add = |future: &TaskFuture, must_complete: bool| {
        let awaited = upstreams.entry(future.id()).or_insert_with(|| Awaited {
            future: future.clone(),
            must_complete: false,
            follower: None,
        });
        awaited.must_complete |= must_complete;
    };
    if let RunInputs::Awaited(inputs) = inputs {
        for input in inputs {
            Input::each_upstream(input, &mut |upstream| add(upstream.future, upstream.must_complete));
        }
    }
    wait_for.iter().for_each(|(future, must_complete)| add(future, *must_complete));
    upstreams.into_values().collect()
}

/// Makes a run wait for its upstream runs. Called once, when the scheduler has accepted the run.
pub(crate) fn watch_upstreams(run: &Arc<Run>) {
    if !run.awaits_others() {
        return;
    }
    let upstreams: Vec<_> = {
        let cell = run.cell();
        cell.upstreams.iter().map(|awaited| (awaited.future.clone(), awaited.must_complete)).collect()
    };
    for (index, (upstream, must_complete)) in upstreams.into_iter().enumerate() {
        let (waiting, ended) = (Arc::clone(run), upstream.clone());
        let follower =
            upstream.run().on_end(Box::new(move || upstream_ended(&waiting, &ended, must_complete)));
        let mut cell = run.cell();
        match cell.upstreams.get_mut(index) {
            Some(awaited) => awaited.follower = follower,
            // The run has ended meanwhile, and waits no longer.
            None => {
                drop(cell);
                follower.into_iter().for_each(|follower| upstream.run().forget(follower));
                break;
            }
        }
    }
    one_less_awaited(run);
}

/// An upstream run has ended.
fn upstream_ended(run: &Arc<Run>, upstream: &TaskFuture, must_complete: bool) {
    if upstream.is_completed() || !must_complete {
        return one_less_awaited(run);
    }
    let chain = chain_from(upstream);
    if finish(run, Event::UpstreamFailed, Outcome::Failed(Failure::Upstream { chain })) {
        run.scheduler().forget(run);
    }
}

fn one_less_awaited(run: &Arc<Run>) {
    if run.one_less_awaited() {
        run.scheduler().release(run);
    }
}

/// The state of a run's inputs.
pub(super) enum Inputs {
    /// They are available, and this is the key derived from them.
    Keyed(CacheKey),
    /// They are available, and there is no key.
    Unkeyed,
    /// The run has ended.
    Ended,
}

impl From<Option<CacheKey>> for Inputs {
    fn from(key: Option<CacheKey>) -> Self {
        key.map_or(Self::Unkeyed, Self::Keyed)
    }
}

/// Replaces the results of upstream runs, all of which have ended, by their values.
pub(super) fn put_inputs_together(run: &Arc<Run>) -> Inputs {
    let mut cell = run.cell();
    let awaited = match &mut cell.inputs {
        RunInputs::Values(_) => return cell.cache.key.into(),
        RunInputs::Awaited(inputs) => mem::take(inputs),
    };
    drop(cell);
    let values = match resolve(run.task(), &awaited) {
        Ok(values) => values,
        Err((upstream, cause)) => {
            refuse_inputs(run, upstream, &cause);
            return Inputs::Ended;
        }
    };
    let key = run.task().cache_key(&values);
    let mut cell = run.cell();
    if cell.state.is_terminal() {
        return Inputs::Ended;
    }
    cell.inputs = RunInputs::Values(Arc::new(values));
    cell.cache.key = key;
    run.fix_name(&mut cell);
    drop(cell);
    // The inputs may hold the last handles to other runs.
    drop(awaited);
    key.into()
}

/// The result of an upstream run does not fit.
fn refuse_inputs(run: &Arc<Run>, upstream: Option<&TaskFuture>, cause: &str) {
    let chain = match upstream {
        Some(upstream) => UpstreamChain::root(named(upstream), format!("completed, but {cause}")),
        None => UpstreamChain::root(UpstreamRun { run: run.id(), name: run.name() }, cause),
    };
    finish(run, Event::UpstreamFailed, Outcome::Failed(Failure::Upstream { chain }));
}

/// The values of the inputs. All upstream runs have ended.
fn resolve<'a>(task: &Task, inputs: &'a [Input]) -> Result<Vec<Value>, Unfit<'a>> {
    let params = task.guest_signature().params.iter();
    let values = inputs.iter().zip(params).map(|(input, param)| resolve_one(input, param));
    let values = values.collect::<Result<Vec<_>, _>>()?;
    let bytes = values.iter().map(Value::footprint).sum::<usize>() as u64;
    let limit = task.spec().limits.input_bytes;
    if bytes > limit {
        let (bytes, limit) = (bytes_text(bytes), bytes_text(limit));
        return Err((None, format!("has arguments of {bytes}, over the limit `input` of {limit}")));
    }
    Ok(values)
}

fn resolve_one<'a>(input: &'a Input, param: &Param) -> Result<Value, Unfit<'a>> {
    param.ty.conform(input.resolve()).map_err(|error| {
        let mut upstream = None;
        input.each_upstream(&mut |Upstream { future, .. }| upstream = upstream.or(Some(future)));
        (upstream, format!("its result does not fit the argument {:?}: {error}", &*param.name))
    })
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
