//! A task: one exported function, with options, ready to be submitted.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hostel_core::{
    CacheKey, CachePolicy, Clock, DirGrant, Failure, FlowRun, Grants, Limits, LogLine, NameTemplate, Param,
    Randomness, RetryDelay, RetryOn, RetryPolicy, RunFacts, Signature, State, TaskKey, TemplateError, Type,
    Value, bytes_text,
};
use hostel_engine::{Capability, Function, Hook};

use crate::args::{Args, Call};
use crate::data_dir::check_grants;
use crate::error::SubmitError;
use crate::future::TaskFuture;
use crate::hooks::Hooks;
use crate::host::Shared;
use crate::ids::new_id;
use crate::inputs::{Input, Inputs, Upstream};
use crate::options::{self, Options, Tag};
use crate::run::{Run, Submission};
use crate::runner::{Job, Offer, PushError};
use crate::stream::MapStream;
use crate::transaction::{Scope, Transaction, TransactionValues};

/// One exported function with options. Cheap to clone.
///
/// Setters consume the task and give one with the option changed; a clone made before keeps its own. What is out of
/// range is refused when a run is submitted.
#[derive(Clone)]
pub struct Task(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    shared: Arc<Shared>,
    function: Function,
    /// Its key as text.
    key_text: Arc<str>,
    options: Options,
    transaction: Option<Scope>,
    /// Whether its results, as far as is known, depend on nothing that is not in their key.
    may_be_pure: Arc<AtomicBool>,
    /// Whether the component asks who it runs for, and so may report.
    reports_progress: bool,
}

/// What a run is made of, before it is accepted.
pub(crate) struct Bound {
    inputs: Vec<Input>,
    extra: Option<Arc<crate::args::Extra>>,
}

/// Inputs that do not fit, with the run that one of them is the result of, if it is one.
pub(crate) type Unfit<'a> = (Option<&'a TaskFuture>, String);

impl Task {
    pub(crate) fn new(shared: Arc<Shared>, function: Function) -> Self {
        let imports = function.component().imports();
        let reports_progress = imports.iter().any(|import| import.capability == Capability::RunContext);
        let mut options = Options::default();
        options.settle(function.key(), function.signature());
        let may_be_pure = Arc::new(AtomicBool::new(true));
        let key_text = function.key().to_string().into();
        let transaction = None;
        Self(Arc::new(Inner {
            shared,
            function,
            key_text,
            options,
            transaction,
            may_be_pure,
            reports_progress,
        }))
    }

    /// Stops each attempt that is still executing after this long: whether it computes, sleeps or waits, within a few
    /// milliseconds. The attempt has failed by it, and may be retried. More than zero, at most 366 days.
    #[must_use]
    pub fn timeout(self, after: Duration) -> Self {
        self.with(|options| options.limits.timeout = Some(after))
    }

    /// Stops the whole run this long after its first attempt began, be it in an attempt or between two. The run is
    /// `TimedOut` by it, and not retried; a retry that would begin too late is not waited for, and the run fails as its
    /// last attempt did. More than zero, at most 366 days.
    #[must_use]
    pub fn run_timeout(self, after: Duration) -> Self {
        self.with(|options| options.run_timeout = Some(after))
    }

    /// What one attempt may use up.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        self.with(|options| options.limits = limits)
    }

    /// Makes up to this many further attempts when one fails. Each has an instance of its own, and sees nothing of
    /// those before it.
    #[must_use]
    pub fn retries(self, retries: u32) -> Self {
        self.with(|options| options.retry.retries = retries)
    }

    /// Waits so long before each retry. Takes a [`Duration`], a list of them, whose last one repeats, or
    /// [`RetryDelay::Exponential`]. A run that waits holds neither a worker nor a slot of a limit.
    #[must_use]
    pub fn retry_delay(self, delay: impl Into<RetryDelay>) -> Self {
        let delay = delay.into();
        self.with(|options| options.retry.delay = delay)
    }

    /// Spreads the waits before retries: see [`RetryPolicy::jitter`].
    #[must_use]
    pub fn retry_jitter(self, factor: f64) -> Self {
        self.with(|options| options.retry.jitter = factor)
    }

    /// Which failures are retried. Default all but crashes of the host.
    #[must_use]
    pub fn retry_on(self, on: RetryOn) -> Self {
        self.with(|options| options.retry.on = on)
    }

    /// Retries only failures for which `wanted` is true, besides what [`Task::retry_on`] says. Not asked when no retry
    /// is left; one that panics means no. It is called on a worker thread, and must not block.
    #[must_use]
    pub fn retry_if(self, wanted: impl Fn(&Failure) -> bool + Send + Sync + 'static) -> Self {
        self.with(|options| options.retry_if = Some(Arc::new(wanted)))
    }

    /// All about retries at once.
    #[must_use]
    pub fn retry_policy(self, policy: RetryPolicy) -> Self {
        self.with(|options| options.retry = policy)
    }

    /// Which facts two runs must share for one's result to stand for the other's, as in `CachePolicy::INPUTS - "debug"`.
    /// Default [`CachePolicy::AUTO`]: what is proved to be a function of its inputs is cached.
    #[must_use]
    pub fn cache(self, policy: CachePolicy) -> Self {
        self.with(|options| options.cache = policy)
    }

    /// Makes its runs part of a flow run, in place of one before: see [`CachePolicy::RUN_ID`].
    #[must_use]
    pub fn flow(self, flow: &FlowRun) -> Self {
        let flow = Arc::new(flow.clone());
        self.with(|options| options.flow = Some(flow))
    }

    /// Takes no result from the cache that is this old, counted from when its run had completed. Such results stay where
    /// they are, for tasks that take older ones, until a new one takes their place. More than zero.
    #[must_use]
    pub fn cache_expiration(self, age: Duration) -> Self {
        self.with(|options| options.cache_expiration = Some(age))
    }

    /// Runs although the cache has a result, and puts the new one in its place.
    #[must_use]
    pub fn refresh_cache(self, refresh: bool) -> Self {
        self.with(|options| options.refresh = refresh)
    }

    /// What a run is permitted beyond computing, in place of what was permitted before. Default nothing. Grants are part
    /// of a run's cache key.
    ///
    /// A relative path of a directory counts from where the program is now. Whether the directory is there is seen when a
    /// run is submitted, and again by each attempt, which crashes without it.
    #[must_use]
    pub fn grants(self, grants: Grants) -> Self {
        self.with(|options| options.grants = Arc::new(in_place(grants)))
    }

    /// Permits reading one more directory, or also writing in it, as the grant says.
    ///
    /// ```no_run
    /// # fn demo(task: hostel::Task) -> Result<(), Box<dyn std::error::Error>> {
    /// let task = task.dir("testdata::/data".parse()?);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn dir(self, dir: DirGrant) -> Self {
        let grants = Grants { dirs: vec![dir], ..Grants::default() };
        self.with(|options| Arc::make_mut(&mut options.grants).dirs.extend(in_place(grants).dirs))
    }

    /// What time it is for the guest. Default the real one; another is no touch, and part of a run's cache key.
    #[must_use]
    pub fn clock(self, clock: Clock) -> Self {
        self.with(|options| options.determinism.clock = clock)
    }

    /// Where the guest's random numbers come from. Default the system; a seed is no touch, and part of a run's cache key.
    #[must_use]
    pub fn randomness(self, randomness: Randomness) -> Self {
        self.with(|options| options.determinism.randomness = randomness)
    }

    /// Calls `echo` with each line that a run prints or logs, as soon as it is complete, on the worker thread: it must
    /// not block. One that panics is logged and changes nothing. The lines are kept in the run's log as well.
    #[must_use]
    pub fn log_prints(self, echo: impl Fn(&LogLine) + Send + Sync + 'static) -> Self {
        self.with(|options| options.echo = Some(Arc::new(echo)))
    }

    /// Calls `on_stdout` with each piece that a program (`wasi:cli/run`) writes to its stdout, at once, on the worker thread:
    /// it must not block. One that panics is logged and changes nothing. The pieces together, up to the limit of the result,
    /// are [`Attempt::stdout`](crate::Attempt::stdout) or the result as well. A hit prints nothing.
    #[must_use]
    pub fn on_stdout(self, on_stdout: impl Fn(&[u8]) + Send + Sync + 'static) -> Self {
        self.with(|options| options.on_stdout = Some(Arc::new(on_stdout)))
    }

    /// Names runs after their inputs, as in `train on {dataset.name} with {model-config.name}`. Without a template, a
    /// run is named by its function and the end of its id.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] if the template names what the task's signature does not have.
    pub fn run_name(self, template: &str) -> Result<Self, TemplateError> {
        let template = NameTemplate::parse(template, self.signature())?;
        Ok(self.with(|options| options.name = Some(Arc::new(template))))
    }

    /// Labels runs, in place of the labels before: by them they can be limited
    /// ([`HostBuilder::tag_limit`](crate::HostBuilder::tag_limit)). One submission can add more: [`Args::tags`].
    #[must_use]
    pub fn tags(self, tags: impl IntoIterator<Item = impl Into<Tag>>) -> Self {
        let tags = options::tags(tags);
        self.with(|options| options.tags = tags)
    }

    /// Runs of higher priority begin before others that are pending. Default 0.
    #[must_use]
    pub fn priority(self, priority: i32) -> Self {
        self.with(|options| options.priority = priority)
    }

    /// Says which version of the task this is, for people to read.
    #[must_use]
    pub fn version(self, version: impl Into<Arc<str>>) -> Self {
        let version = version.into();
        self.with(|options| options.version = Some(version))
    }

    /// Says what the task does, for people to read.
    #[must_use]
    pub fn description(self, description: impl Into<Arc<str>>) -> Self {
        let description = description.into();
        self.with(|options| options.description = Some(description))
    }

    /// Has its runs join a transaction, in place of one before. Once it is over, submitting is refused.
    #[must_use]
    pub fn within(mut self, transaction: &Transaction) -> Self {
        Arc::make_mut(&mut self.0).transaction = Some(transaction.inner().clone());
        self
    }

    /// Adds a hook: it is called when an attempt begins.
    ///
    /// Hooks of a task are called in the order in which they were added, one after the other, on a thread of the
    /// host's that is there for nothing else. So one that blocks holds up other hooks and no runs, until a hundred
    /// thousand wait; one that panics is logged and changes nothing.
    #[must_use]
    pub fn on_running(self, hook: impl Fn(&TaskFuture, State) + Send + Sync + 'static) -> Self {
        self.with_hooks(|hooks| hooks.on_running.push(Arc::new(hook)))
    }

    /// Adds a hook: it is called when a run has completed, also when the cache had its value. See [`Task::on_running`].
    #[must_use]
    pub fn on_completion(self, hook: impl Fn(&TaskFuture, State) + Send + Sync + 'static) -> Self {
        self.with_hooks(|hooks| hooks.on_completion.push(Arc::new(hook)))
    }

    /// Adds a hook: it is called when a run has failed for good. See [`Task::on_running`].
    #[must_use]
    pub fn on_failure(self, hook: impl Fn(&TaskFuture, State) + Send + Sync + 'static) -> Self {
        self.with_hooks(|hooks| hooks.on_failure.push(Arc::new(hook)))
    }

    /// Adds a hook: it is called when a run was cancelled. See [`Task::on_running`].
    #[must_use]
    pub fn on_cancellation(self, hook: impl Fn(&TaskFuture, State) + Send + Sync + 'static) -> Self {
        self.with_hooks(|hooks| hooks.on_cancellation.push(Arc::new(hook)))
    }

    /// Adds a hook: it is called when the host has lost a run. See [`Task::on_running`].
    #[must_use]
    pub fn on_crashed(self, hook: impl Fn(&TaskFuture, State) + Send + Sync + 'static) -> Self {
        self.with_hooks(|hooks| hooks.on_crashed.push(Arc::new(hook)))
    }

    /// Adds a hook: it is called when a run's transaction was committed. See [`Task::on_running`].
    #[must_use]
    pub fn on_commit(self, hook: impl Fn(&TaskFuture, &TransactionValues) + Send + Sync + 'static) -> Self {
        self.with_hooks(|hooks| hooks.on_commit.push(Arc::new(hook)))
    }

    /// Adds a hook: it is called when a run that had completed is undone by its transaction. See [`Task::on_running`].
    #[must_use]
    pub fn on_rollback(self, hook: impl Fn(&TaskFuture, &TransactionValues) + Send + Sync + 'static) -> Self {
        self.with_hooks(|hooks| hooks.on_rollback.push(Arc::new(hook)))
    }

    /// What identifies the task on every machine.
    pub fn key(&self) -> &TaskKey {
        self.0.function.key()
    }

    /// What its runs are permitted.
    pub fn granted(&self) -> &Grants {
        &self.0.options.grants
    }

    /// The task's parameters and result.
    pub fn signature(&self) -> &Signature {
        self.0.function.signature()
    }

    /// What [`Task::version`] said.
    pub fn version_label(&self) -> Option<&str> {
        self.0.options.version.as_deref()
    }

    /// What [`Task::description`] said.
    pub fn description_text(&self) -> Option<&str> {
        self.0.options.description.as_deref()
    }

    /// Whether it is the `main` of a program, which takes `args` and `stdin` and returns a record of `stdout`: see
    /// [`Function::signature`](hostel_engine::Function::signature).
    pub fn is_program(&self) -> bool {
        self.0.function.is_program()
    }

    /// The type of the value a run completes with: for `result<T, E>` the `T`, and the empty tuple for none.
    pub fn completed_type(&self) -> &Type {
        self.signature().completed_type()
    }

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
        self.0.options.problem.clone().map_or(Ok(()), Err)?;
        check_grants(&self.0.options.grants, &self.0.shared.protected)?;
        if self.0.options.limits.fuel.is_some() && !self.0.shared.engine.counts_fuel() {
            return Err(SubmitError::FuelIsNotCounted);
        }
        let Call { arguments, extra } = call;
        if let Some(extra) = &extra {
            extra.tags.iter().try_for_each(|tag| options::check_tag(tag))?;
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

    pub(crate) fn cache_key(&self, inputs: &[Value]) -> Option<CacheKey> {
        let Options { cache: policy, key_base, flow, user_key, .. } = &self.0.options;
        let key_base = key_base.as_ref()?;
        let params = self.signature().params.iter();
        // Inputs are in normal form, so they all have canonical bytes.
        let canonical = inputs.iter().zip(params).map(|(input, param)| {
            let counts = !policy.leaves_out(&param.name);
            counts.then(|| input.to_canonical(&param.ty)).transpose()
        });
        let canonical = canonical.collect::<Result<Vec<_>, _>>().ok()?;
        let user_key = user_key.as_ref().map(|template| template.render_in_full(inputs));
        let facts = RunFacts { inputs: &canonical, flow: flow.as_deref(), user_key: user_key.as_deref() };
        key_base.key(&facts)
    }

    /// The task of the guest's own hook, if its component exports it, with the same limits and grants.
    pub(crate) fn hook(&self, hook: Hook) -> Option<Self> {
        let function = self.0.function.component().hook(hook)?;
        let Options { limits, grants, determinism, echo, .. } = self.0.options.clone();
        let hook = Self::new(Arc::clone(&self.0.shared), function);
        Some(hook.with(|options| {
            options.cache = CachePolicy::NONE;
            options.limits = limits;
            options.grants = grants;
            options.determinism = determinism;
            options.echo = echo;
        }))
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

    /// A task whose runs do all that makes their key, and leave the cache alone.
    pub(crate) fn only_compared(self) -> Self {
        self.with(|options| options.only_compared = true)
    }

    pub(crate) fn key_text(&self) -> &Arc<str> {
        &self.0.key_text
    }

    pub(crate) fn may_be_pure(&self) -> bool {
        self.0.may_be_pure.load(Ordering::Relaxed)
    }

    /// Tells whether the last attempt touched what no key has.
    pub(crate) fn seems_pure(&self, pure: bool) {
        if self.may_be_pure() != pure {
            self.0.may_be_pure.store(pure, Ordering::Relaxed);
        }
    }

    pub(crate) fn reports_progress(&self) -> bool {
        self.0.reports_progress
    }

    fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        let Inner { options, function, .. } = Arc::make_mut(&mut self.0);
        change(options);
        options.settle(function.key(), function.signature());
        self
    }

    fn with_hooks(self, change: impl FnOnce(&mut Hooks)) -> Self {
        self.with(|options| change(Arc::make_mut(&mut options.hooks)))
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("key", &self.key().to_string())
            .field("options", &self.0.options)
            .finish_non_exhaustive()
    }
}

/// Grants whose directories are the same wherever the program goes.
fn in_place(mut grants: Grants) -> Grants {
    // Without a place of its own a program has relative paths that lead nowhere, as they do for everything else.
    let Ok(here) = std::env::current_dir() else { return grants };
    grants.dirs = grants.dirs.into_iter().map(|dir| dir.below(&here)).collect();
    grants
}

fn resolve<'a>(input: &'a Input, param: &Param) -> Result<Value, Unfit<'a>> {
    param.ty.conform(input.resolve()).map_err(|error| {
        let mut upstream = None;
        input.each_upstream(&mut |Upstream { future, .. }| upstream = upstream.or(Some(future)));
        (upstream, format!("its result is no argument {:?}: {error}", &*param.name))
    })
}
