//! From arguments to a run that is taken in.

use std::sync::Arc;

use hostel_core::{Param, Value, bytes_text};

use crate::args::{Args, Call, Extra};
use crate::data_dir::check_grants;
use crate::error::SubmitError;
use crate::future::TaskFuture;
use crate::ids::new_id;
use crate::inputs::{Input, Inputs, Upstream};
use crate::run::{Run, Submission};
use crate::runner::{Job, Offer, PushError};
use crate::stream::MapStream;
use crate::tag::check_tag;
use crate::task::Task;
use crate::transaction::Scope;

/// What a run is made of, before it is accepted.
pub(crate) struct Bound {
    inputs: Vec<Input>,
    extra: Option<Arc<Extra>>,
}

/// Inputs that do not fit, with the run that one of them is the result of, if it is one.
pub(crate) type Unfit<'a> = (Option<&'a TaskFuture>, String);

impl Task {
    /// Checks arguments and options as [`Task::submit`] would, and submits nothing.
    ///
    /// # Errors
    ///
    /// [`SubmitError`] for arguments that do not fit, or options that are out of range.
    pub fn check(&self, args: Args) -> Result<(), SubmitError> {
        self.bind(args.single()?).map(drop)
    }

    /// Submits one run and returns at once. Blocks only while the queue is full; on an async runtime, where that
    /// matters, see [`Task::submit_async`].
    ///
    /// # Errors
    ///
    /// [`SubmitError`] for arguments that do not fit, options that are out of range, or a host that shuts down. Nothing
    /// runs then.
    pub fn submit(&self, args: Args) -> Result<TaskFuture, SubmitError> {
        let bound = self.bind(args.single()?)?;
        self.accept(&mut self.offer(bound), |job| self.0.shared.runner.accept(job))
    }

    /// Submits one run, or refuses if the queue is full.
    ///
    /// # Errors
    ///
    /// As [`Task::submit`], and [`SubmitError::QueueFull`].
    pub fn try_submit(&self, args: Args) -> Result<TaskFuture, SubmitError> {
        let bound = self.bind(args.single()?)?;
        self.try_accept(&mut self.offer(bound))
    }

    /// Submits one run, and waits while the queue is full.
    ///
    /// # Errors
    ///
    /// As [`Task::submit`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is ready submits nothing.
    pub async fn submit_async(&self, args: Args) -> Result<TaskFuture, SubmitError> {
        let mut offer = self.offer(self.bind(args.single()?)?);
        loop {
            match self.try_accept(&mut offer) {
                Err(SubmitError::QueueFull { .. }) => self.0.shared.runner.room().await,
                submitted => return submitted,
            }
        }
    }

    /// Submits one run for each element of what is marked [`each`](crate::each), and gives their futures in the order
    /// of the elements. All arguments are checked before anything runs.
    ///
    /// Holds all inputs and futures; for a million runs, or an endless iterator, see [`Task::map_stream`]. Blocks while
    /// the queue is full.
    ///
    /// # Errors
    ///
    /// As [`Task::submit`], and for lengths that differ or nothing marked. Nothing runs then, unless the host shuts down
    /// in the middle: the runs before that go on as the shutdown says.
    pub fn map(&self, args: Args) -> Result<Vec<TaskFuture>, SubmitError> {
        let rows = args.all_rows()?.map(|row| self.bind(row?)).collect::<Result<Vec<_>, _>>()?;
        let runner = &self.0.shared.runner;
        rows.into_iter().map(|bound| self.accept(&mut self.offer(bound), |job| runner.accept(job))).collect()
    }

    /// Like [`Task::map`], but submits as results are taken: at most [`MapStream::WINDOW`] runs are in flight, whatever
    /// the length, so that memory stays flat. Takes streams too: [`each_of_stream`](crate::each_of_stream).
    ///
    /// # Errors
    ///
    /// For lengths that are known and differ, or nothing marked. Other errors come in the stream, in their place.
    pub fn map_stream(&self, args: Args) -> Result<MapStream, SubmitError> {
        Ok(MapStream::new(self.clone(), args.rows()?))
    }

    /// Checks what a run is to be made of.
    pub(crate) fn bind(&self, call: Call) -> Result<Bound, SubmitError> {
        if self.0.function.component().is_surface() {
            return Err(SubmitError::NotLoaded);
        }
        if let Some(missing) = self.0.function.missing() {
            return Err(SubmitError::NotLinked(missing.clone()));
        }
        self.0.options.problem.clone().map_or(Ok(()), Err)?;
        check_grants(&self.0.options.grants, &self.0.shared.protected)?;
        if self.0.options.limits.fuel.is_some() && !self.0.shared.engine.counts_fuel() {
            return Err(SubmitError::FuelIsNotCounted);
        }
        let Call { arguments, extra } = call;
        if let Some(extra) = &extra {
            extra.tags.iter().try_for_each(|tag| check_tag(tag))?;
        }
        let inputs = self.signature().bind_with(arguments, |param, input| input.check(&param.ty))?;
        let bytes = inputs.iter().map(Input::footprint).sum::<usize>() as u64;
        let limit = self.0.options.limits.input_bytes;
        if bytes > limit {
            Err(SubmitError::InputTooLarge { bytes, limit })
        } else {
            Ok(Bound { inputs, extra })
        }
    }

    /// A run, not yet taken in.
    pub(crate) fn offer(&self, bound: Bound) -> Offer {
        let id = new_id();
        let inputs = Inputs::new(bound.inputs);
        let key = match &inputs {
            Inputs::Values(values) => self.cache_key(values),
            Inputs::Awaited(_) => None,
        };
        let extra = bound.extra.map(Arc::unwrap_or_clone).unwrap_or_default();
        let submission = Submission {
            inputs,
            key,
            wait_for: extra.wait_for,
            tags: self.0.options.tags_with(extra.tags),
            transaction: self.0.transaction.clone(),
        };
        let runner = Arc::clone(&self.0.shared.runner);
        Offer::new(Job::new(runner, |job| Run::new(id, self.clone(), submission, job)))
    }

    pub(crate) fn try_accept(&self, offer: &mut Offer) -> Result<TaskFuture, SubmitError> {
        self.accept(offer, |job| self.0.shared.runner.try_accept(job))
    }

    fn accept(
        &self,
        offer: &mut Offer,
        accept: impl FnOnce(&Arc<Job>) -> Result<(), PushError>,
    ) -> Result<TaskFuture, SubmitError> {
        // It is taken in at most once.
        let Some(job) = offer.job().map(Arc::clone) else { return Err(SubmitError::ShutDown) };
        self.0.transaction.as_ref().map_or(Ok(()), Scope::check_open)?;
        job.run().born();
        let accepted = match job.run().state().is_terminal() {
            true if self.0.shared.runner.is_closed() => Err(PushError::Closed),
            true => Ok(()),
            false => accept(&job),
        };
        accepted.map_err(|error| match error {
            PushError::Full => SubmitError::QueueFull { capacity: self.0.shared.queue_capacity },
            PushError::Closed => SubmitError::ShutDown,
        })?;
        offer.taken_in();
        let future = TaskFuture::new(Arc::clone(&job));
        if let Some(scope) = &self.0.transaction {
            // It may have ended since the look above.
            scope.join(future.clone()).inspect_err(|_| _ = future.cancel())?;
        }
        job.watch_upstreams();
        Ok(future)
    }

    /// The values of inputs that were results of other runs, all of which have ended.
    pub(crate) fn resolve<'a>(&self, inputs: &'a [Input]) -> Result<Vec<Value>, Unfit<'a>> {
        let params = self.signature().params.iter();
        let values = inputs.iter().zip(params).map(|(input, param)| resolve(input, param));
        let values = values.collect::<Result<Vec<_>, _>>()?;
        let bytes = values.iter().map(Value::footprint).sum::<usize>() as u64;
        let limit = self.0.options.limits.input_bytes;
        if bytes > limit {
            let (bytes, limit) = (bytes_text(bytes), bytes_text(limit));
            return Err((None, format!("the arguments take {bytes}, over the limit `input` of {limit}")));
        }
        Ok(values)
    }
}

fn resolve<'a>(input: &'a Input, param: &Param) -> Result<Value, Unfit<'a>> {
    param.ty.conform(input.resolve()).map_err(|error| {
        let mut upstream = None;
        input.each_upstream(&mut |Upstream { future, .. }| upstream = upstream.or(Some(future)));
        (upstream, format!("its result is no argument {:?}: {error}", &*param.name))
    })
}
