//! From arguments to a run that the scheduler has accepted.

use std::sync::Arc;

use hostel_core::{NameTemplate, RunId, Value, check_tags};

use crate::args::{Args, Call, Extra};
use crate::course::{end_from_memory, refused, upstreams, watch_upstreams};
use crate::data_dir::check_grants;
use crate::error::SubmitError;
use crate::ids::new_run_id;
use crate::run::{Input, Inputs, Run, Submission, TaskFuture};
use crate::runner::{Places, PushError};
use crate::script_inputs;
use crate::task::Task;

/// The parts of a run before it is accepted.
pub(crate) struct Bound {
    inputs: Vec<Input>,
    extra: Option<Arc<Extra>>,
}

/// The identity of a run that was submitted elsewhere, and of which this host executes an attempt.
#[derive(Clone, Debug)]
pub(crate) struct Numbered {
    pub(crate) id: RunId,
    /// How many attempts came before.
    pub(crate) earlier: u32,
    /// Where the run is counted while it rests.
    pub(crate) places: Option<Arc<Places>>,
    /// Whether it executes even while an equal run does.
    pub(crate) is_solo: bool,
}

impl Bound {
    /// The inputs, one for each parameter.
    pub(crate) fn inputs(&self) -> &[Input] {
        &self.inputs
    }
}

/// A run that the scheduler has not accepted yet. If it is dropped before being accepted, the run ends.
pub(crate) struct Offer(Option<Arc<Run>>);

impl Drop for Offer {
    fn drop(&mut self) {
        self.0.iter().for_each(|run| refused(run));
    }
}

impl Task {
    /// Checks arguments and options as [`Task::submit`] would, without submitting.
    ///
    /// # Errors
    ///
    /// [`SubmitError`] if the arguments do not fit, or options are out of range.
    pub fn check(&self, args: Args) -> Result<(), SubmitError> {
        self.bind(args.single()?).map(drop)
    }

    /// Submits one run and returns immediately. Blocks only while the queue is full. If that is a problem on an async
    /// runtime, use [`Task::submit_async`].
    ///
    /// # Errors
    ///
    /// [`SubmitError`] if the arguments do not fit, options are out of range, or the host is shutting down. Nothing
    /// runs then.
    pub fn submit(&self, args: Args) -> Result<TaskFuture, SubmitError> {
        let bound = self.bind(args.single()?)?;
        self.accept(&mut self.offer(bound), |run| self.host().scheduler.accept(run))
    }

    /// Submits one run, or refuses it if the queue is full.
    ///
    /// # Errors
    ///
    /// As [`Task::submit`], and [`SubmitError::QueueFull`].
    pub fn try_submit(&self, args: Args) -> Result<TaskFuture, SubmitError> {
        let bound = self.bind(args.single()?)?;
        self.try_accept(&mut self.offer(bound))
    }

    /// Submits one run. Waits while the queue is full.
    ///
    /// # Errors
    ///
    /// As [`Task::submit`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is ready submits nothing.
    pub async fn submit_async(&self, args: Args) -> Result<TaskFuture, SubmitError> {
        let offer = self.offer(self.bind(args.single()?)?);
        self.accept_async(offer).await
    }

    /// Submits one run under an identity that it has already. Waits while the queue is full.
    ///
    /// # Errors
    ///
    /// As [`Task::submit`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is ready submits nothing.
    pub(crate) async fn submit_numbered(
        &self,
        args: Args,
        identity: Numbered,
    ) -> Result<TaskFuture, SubmitError> {
        let offer = self.offer_as(identity, self.bind(args.single()?)?);
        self.accept_async(offer).await
    }

    /// Submits one run for each element of the arguments marked [`each`](crate::each), and returns their futures in the
    /// order of the elements. All arguments are checked before anything runs.
    ///
    /// Holds all inputs and futures in memory. For a million runs, or an endless iterator, use [`Task::map_stream`].
    /// Blocks while the queue is full.
    ///
    /// # Errors
    ///
    /// As [`Task::submit`], and if the lengths differ or no argument is marked. Nothing runs then, unless the host
    /// shuts down during the call: runs submitted before that go on as the shutdown defines.
    pub fn map(&self, args: Args) -> Result<Vec<TaskFuture>, SubmitError> {
        let rows = args.all_rows()?.map(|row| self.bind(row?)).collect::<Result<Vec<_>, _>>()?;
        let scheduler = &self.host().scheduler;
        rows.into_iter()
            .map(|bound| self.accept(&mut self.offer(bound), |run| scheduler.accept(run)))
            .collect()
    }

    /// Checks the parts of a run.
    pub(crate) fn bind(&self, call: Call) -> Result<Bound, SubmitError> {
        self.attempts().check()?;
        self.options().problem().cloned().map_or(Ok(()), Err)?;
        check_grants(&self.spec().grants, &self.host().protected)?;
        if self.spec().limits.fuel.is_some() && !self.host().engine.counts_fuel() {
            return Err(SubmitError::FuelIsNotCounted);
        }
        let Call { arguments, extra } = call;
        if let Some(extra) = &extra {
            check_tags(&self.spec().tags.with(extra.tags.iter().cloned()))?;
        }
        let inputs = self.signature().bind_with(arguments, |param, input| input.check(&param.ty))?;
        let inputs = match self.script() {
            Some(script) => script_inputs::wrapped(script, inputs)?,
            None => inputs,
        };
        let bytes = inputs.iter().map(Input::footprint).sum::<usize>() as u64;
        let limit = self.spec().limits.input_bytes;
        if bytes > limit {
            return Err(SubmitError::InputTooLarge { bytes, limit });
        }
        self.check_key(&inputs, bytes)?;
        Ok(Bound { inputs, extra })
    }

    /// Checks that the text of the run's key is not too long, if it has one and no input is awaited. `bytes` is the footprint of the inputs.
    fn check_key(&self, inputs: &[Input], bytes: u64) -> Result<(), SubmitError> {
        /// The most bytes of text for each byte of a value, names of fields and cases aside.
        const TEXT: u64 = 8;
        let Some(template) = self.options().user_key() else { return Ok(()) };
        let longest = bytes.saturating_mul(TEXT).saturating_mul(NameTemplate::MAX_PLACES as u64);
        if longest.saturating_add(NameTemplate::MAX_BYTES as u64) <= NameTemplate::MAX_KEY_BYTES {
            return Ok(());
        }
        let values: Option<Vec<_>> = inputs.iter().map(|input| input.as_value().cloned()).collect();
        let is_too_long = |values: Vec<Value>| template.filled(&self.named_inputs(&values)).is_too_long();
        if values.is_some_and(is_too_long) {
            let (template, limit) = (template.text().to_owned(), NameTemplate::MAX_KEY_BYTES);
            return Err(SubmitError::KeyTooLong { template, limit });
        }
        Ok(())
    }

    /// A run that is not accepted yet.
    pub(crate) fn offer(&self, bound: Bound) -> Offer {
        self.offer_as(Numbered { id: new_run_id(), earlier: 0, places: None, is_solo: false }, bound)
    }

    fn offer_as(&self, identity: Numbered, bound: Bound) -> Offer {
        let inputs = Inputs::new(bound.inputs);
        let key = match &inputs {
            Inputs::Values(values) => self.cache_key(values),
            Inputs::Awaited(_) => None,
        };
        let extra = bound.extra.map(Arc::unwrap_or_clone).unwrap_or_default();
        let submission = Submission {
            upstreams: upstreams(&inputs, extra.wait_for),
            inputs,
            key,
            tags: self.options().tags_with(extra.tags),
            earlier_attempts: identity.earlier,
            places: identity.places,
            may_wait_for_equal: !identity.is_solo,
        };
        Offer(Some(Arc::new(Run::new(identity.id, self.clone(), submission))))
    }

    async fn accept_async(&self, mut offer: Offer) -> Result<TaskFuture, SubmitError> {
        loop {
            match self.try_accept(&mut offer) {
                Err(SubmitError::QueueFull { .. }) => self.host().scheduler.room().await,
                submitted => return submitted,
            }
        }
    }

    pub(crate) fn try_accept(&self, offer: &mut Offer) -> Result<TaskFuture, SubmitError> {
        self.accept(offer, |run| self.host().scheduler.try_accept(run))
    }

    fn accept(
        &self,
        offer: &mut Offer,
        accept: impl FnOnce(&Arc<Run>) -> Result<(), PushError>,
    ) -> Result<TaskFuture, SubmitError> {
        // An offer is accepted at most once.
        let Some(run) = offer.0.as_ref().map(Arc::clone) else { return Err(SubmitError::ShutDown) };
        self.group().map_or(Ok(()), |group| group.check_open())?;
        if run.born() {
            // Before the scheduler has it, so that it cannot end before it is added.
            self.host().book.add(run.id(), &run);
            if !run.awaits_others() {
                end_from_memory(&run);
            }
        }
        let accepted = match run.has_ended() {
            true if self.host().scheduler.is_closed() => Err(PushError::Closed),
            true => Ok(()),
            false => accept(&run),
        };
        accepted.map_err(|error| match error {
            PushError::Full => SubmitError::QueueFull { capacity: self.host().queue_capacity },
            PushError::Closed => SubmitError::ShutDown,
        })?;
        offer.0 = None;
        let future = TaskFuture::new(Arc::clone(&run));
        if let Some(group) = self.group() {
            // The run may have ended since the check above.
            group.join(future.clone()).inspect_err(|_| _ = future.cancel())?;
        }
        watch_upstreams(&run);
        Ok(future)
    }
}
