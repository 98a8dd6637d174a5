//! The runs that a run depends on: waiting for them, and taking their results as inputs.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use hostel_core::{Event, Failure, Outcome, UpstreamChain, UpstreamRun};

use super::{Awaited, Run};
use crate::future::TaskFuture;
use crate::inputs::{Input, Inputs};
use crate::runner::Job;

impl Run {
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

    /// Makes values of inputs that were results of other runs, all of which have ended. `false` if the run has ended.
    pub(super) fn put_inputs_together(&self) -> bool {
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
        if cell.state.is_terminal() {
            return false;
        }
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
}

/// The runs that inputs and `wait_for` name, each once; one that must complete for either must complete.
pub(super) fn upstreams(inputs: &Inputs, wait_for: Vec<(TaskFuture, bool)>) -> Vec<Awaited> {
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
