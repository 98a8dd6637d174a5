//! A task: one exported function, with options, ready to be submitted.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hostel_core::{
    Arguments, CacheKey, CachePolicy, Limits, LimitsError, RunId, Signature, TaskKey, Type, Value,
};
use hostel_engine::{Echo, Function};
use uuid::Uuid;

use crate::args::Args;
use crate::error::SubmitError;
use crate::future::TaskFuture;
use crate::host::Shared;
use crate::run::Run;
use crate::runner::{Job, PushError};
use crate::stream::MapStream;

/// One exported function with options. Cheap to clone.
///
/// Setters consume the task and give one with the option changed; a clone made before keeps its own.
#[derive(Clone)]
pub struct Task(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    shared: Arc<Shared>,
    function: Function,
    options: Options,
}

/// The options of a task.
#[derive(Clone, Default)]
pub(crate) struct Options {
    pub(crate) limits: Limits,
    pub(crate) cache: CachePolicy,
    pub(crate) refresh: bool,
    pub(crate) echo: Option<Echo>,
    /// What is wrong with the limits, told when a run is submitted.
    problem: Option<LimitsError>,
}

impl Task {
    pub(crate) fn new(shared: Arc<Shared>, function: Function) -> Self {
        Self(Arc::new(Inner { shared, function, options: Options::default() }))
    }

    /// Stops each attempt that is still executing after this long, in the state `TimedOut`: whether it computes,
    /// sleeps or waits, within a few milliseconds. Zero and more than a year are refused when a run is submitted.
    #[must_use]
    pub fn timeout(self, after: Duration) -> Self {
        let limits = Limits { timeout: Some(after), ..self.0.options.limits };
        self.limits(limits)
    }

    /// What one attempt may use up. Limits out of range are refused when a run is submitted.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        self.with(|options| {
            options.limits = limits;
            options.problem = limits.validate().err();
        })
    }

    /// Which facts two runs must share for one's result to stand for the other's. Default none: nothing is cached.
    #[must_use]
    pub fn cache(self, policy: CachePolicy) -> Self {
        self.with(|options| options.cache = policy)
    }

    /// Runs although the cache has a result, and puts the new one in its place.
    #[must_use]
    pub fn refresh_cache(self, refresh: bool) -> Self {
        self.with(|options| options.refresh = refresh)
    }

    /// Calls `echo` with each line that a run prints, as soon as it is complete, on the worker thread. The lines are
    /// kept in the run's log as well.
    #[must_use]
    pub fn log_prints(self, echo: Echo) -> Self {
        self.with(|options| options.echo = Some(echo))
    }

    /// What identifies the task on every machine.
    pub fn key(&self) -> &TaskKey {
        self.0.function.key()
    }

    /// The task's parameters and result.
    pub fn signature(&self) -> &Signature {
        self.0.function.signature()
    }

    /// Whether it is the `main` of a program, which takes `args` and `stdin` and returns a record of `stdout`.
    pub fn is_program(&self) -> bool {
        self.0.function.is_program()
    }

    /// The type of the value a run completes with: for `result<T, E>` the `T`, and the empty tuple for none.
    pub fn completed_type(&self) -> &Type {
        self.signature().completed_type()
    }

    /// Checks arguments as [`Task::submit`] would, and gives the values in the order of the parameters.
    ///
    /// # Errors
    ///
    /// [`SubmitError`] for arguments that do not fit, or a task whose limits are out of range.
    pub fn check(&self, args: Args) -> Result<Vec<Value>, SubmitError> {
        self.bind(args.single()?)
    }

    /// Submits one run and returns at once. Blocks only while the queue is full; on an async runtime, where that
    /// matters, see [`Task::submit_async`].
    ///
    /// # Errors
    ///
    /// [`SubmitError`] for arguments that do not fit, a task whose limits are out of range, or a host that shuts down.
    /// Nothing runs then.
    pub fn submit(&self, args: Args) -> Result<TaskFuture, SubmitError> {
        let inputs = self.check(args)?;
        self.submit_inputs(inputs, |job| self.0.shared.runner.push(job))
    }

    /// Submits one run, or refuses if the queue is full.
    ///
    /// # Errors
    ///
    /// As [`Task::submit`], and [`SubmitError::QueueFull`].
    pub fn try_submit(&self, args: Args) -> Result<TaskFuture, SubmitError> {
        let inputs = self.check(args)?;
        self.try_submit_inputs(inputs)
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
        let inputs = self.check(args)?;
        loop {
            match self.try_submit_inputs(inputs.clone()) {
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
    /// As [`Task::submit`], and for lengths that differ or nothing marked. Nothing runs then.
    pub fn map(&self, args: Args) -> Result<Vec<TaskFuture>, SubmitError> {
        let rows = args.rows()?.map(|row| self.bind(row?)).collect::<Result<Vec<_>, _>>()?;
        rows.into_iter()
            .map(|inputs| self.submit_inputs(inputs, |job| self.0.shared.runner.push(job)))
            .collect()
    }

    /// Like [`Task::map`], but submits as results are taken: at most [`MapStream::WINDOW`] runs are in flight, whatever
    /// the length, so that memory stays flat.
    ///
    /// # Errors
    ///
    /// For lengths that are known and differ, or nothing marked. Other errors come in the stream, in their place.
    pub fn map_stream(&self, args: Args) -> Result<MapStream, SubmitError> {
        Ok(MapStream::new(self.clone(), args.rows()?))
    }

    pub(crate) fn bind(&self, arguments: Arguments) -> Result<Vec<Value>, SubmitError> {
        if let Some(problem) = &self.0.options.problem {
            return Err(problem.clone().into());
        }
        let inputs = self.signature().bind(arguments)?;
        let bytes = inputs.iter().map(Value::footprint).sum::<usize>() as u64;
        let limit = self.0.options.limits.input_bytes;
        if bytes > limit { Err(SubmitError::InputTooLarge { bytes, limit }) } else { Ok(inputs) }
    }

    pub(crate) fn try_submit_inputs(&self, inputs: Vec<Value>) -> Result<TaskFuture, SubmitError> {
        self.submit_inputs(inputs, |job| self.0.shared.runner.try_push(job))
    }

    fn submit_inputs(
        &self,
        inputs: Vec<Value>,
        push: impl FnOnce(&Arc<Job>) -> Result<(), PushError>,
    ) -> Result<TaskFuture, SubmitError> {
        let id = RunId::from_uuid(Uuid::now_v7());
        let key = self.cache_key(&inputs);
        let job = Job::new(Run::new(id, self.clone(), key, inputs), Arc::clone(&self.0.shared.runner));
        job.run().end_from_memory();
        let pushed = match job.run().state().is_terminal() {
            true if self.0.shared.runner.is_closed() => Err(PushError::Closed),
            true => Ok(()),
            false => push(&job),
        };
        match pushed {
            Ok(()) => Ok(TaskFuture::new(job)),
            Err(PushError::Full) => Err(SubmitError::QueueFull { capacity: self.0.shared.queue_capacity }),
            Err(PushError::Closed) => Err(SubmitError::ShutDown),
        }
    }

    fn cache_key(&self, inputs: &[Value]) -> Option<CacheKey> {
        let policy = self.0.options.cache;
        if policy.is_none() {
            return None;
        }
        let params = self.signature().params.iter();
        // Inputs are in normal form, so they all have canonical bytes.
        let canonical = inputs.iter().zip(params).map(|(input, param)| input.to_canonical(&param.ty));
        let canonical = canonical.collect::<Result<Vec<_>, _>>().ok()?;
        CacheKey::derive(policy, self.key(), canonical.iter().map(Vec::as_slice))
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0.shared
    }

    pub(crate) fn function(&self) -> &Function {
        &self.0.function
    }

    pub(crate) fn options(&self) -> &Options {
        &self.0.options
    }

    fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut Arc::make_mut(&mut self.0).options);
        self
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("key", &self.key().to_string()).finish_non_exhaustive()
    }
}
