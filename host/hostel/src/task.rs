//! A task: one exported function, with options, ready to be submitted.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hostel_core::{
    CacheKey, CachePolicy, Clock, Determinism, DirGrant, Failure, FlowRun, Grants, KeyBase, Limits, LogLine,
    NameTemplate, Randomness, RetryDelay, RetryOn, RetryPolicy, RunFacts, Signature, State, TaskKey,
    TemplateError, Type, UnknownImports, Value,
};
use hostel_engine::{Capability, Function, Hook, Stdin};

use crate::attempts::{Attempts, InProcess};
use crate::error::TransactionError;
use crate::group::{Membership, TransactionValues};
use crate::hooks::Hooks;
use crate::host_state::HostState;
use crate::options::Options;
use crate::run::TaskFuture;
use crate::tag::{self, Tag};

/// One exported function with options. Cheap to clone.
///
/// Setters consume the task and give one with the option changed; a clone made before keeps its own. What is out of
/// range is refused when a run is submitted.
#[derive(Clone)]
pub struct Task(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    host: Arc<HostState>,
    function: Function,
    /// What executes its attempts.
    attempts: Arc<dyn Attempts>,
    /// Its key as text.
    key_text: Arc<str>,
    options: Options,
    hooks: Arc<Hooks<TaskFuture>>,
    /// The transaction that its runs join.
    group: Option<Arc<dyn Group>>,
    /// Whether its results, as far as is known, depend on nothing that is not in their key.
    may_be_pure: Arc<AtomicBool>,
    /// Whether the component asks who it runs for, and so may report.
    reports_progress: bool,
}

/// A transaction, as far as its runs use it.
pub(crate) trait Group: Send + Sync {
    /// What the runs know of it.
    fn membership(&self) -> &Membership;

    /// Whether runs can still join.
    fn check_open(&self) -> Result<(), TransactionError>;

    /// Takes a run in.
    fn join(&self, run: TaskFuture) -> Result<(), TransactionError>;

    /// A run has completed whose value is visible at once. Called under the lock of the run's cell.
    fn completed(&self, run: &TaskFuture);
}

impl Task {
    pub(crate) fn new(host: Arc<HostState>, function: Function) -> Self {
        let attempts = Arc::new(InProcess(function.clone()));
        Self::with_attempts(host, function, attempts)
    }

    /// A task whose attempts something else executes.
    pub(crate) fn with_attempts(
        host: Arc<HostState>,
        function: Function,
        attempts: Arc<dyn Attempts>,
    ) -> Self {
        let imports = function.component().imports();
        let reports_progress = imports.iter().any(|import| import.capability == Capability::RunContext);
        let mut options = Options::default();
        options.settle(function.key(), function.signature());
        let may_be_pure = Arc::new(AtomicBool::new(true));
        let key_text = function.key().to_string().into();
        Self(Arc::new(Inner {
            host,
            function,
            attempts,
            key_text,
            options,
            hooks: Arc::default(),
            group: None,
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

    /// Where the guest's random numbers come from. Default the system; another source is no touch, and part of a run's
    /// cache key.
    #[must_use]
    pub fn randomness(self, randomness: Randomness) -> Self {
        self.with(|options| options.determinism.randomness = randomness)
    }

    /// Gives the guest virtual clocks, and randomness that follows from the run's cache key
    /// ([`Determinism::DETERMINISTIC`]): results that would not be kept because the guest read a clock or drew random
    /// numbers, as the runtimes of Python, JavaScript and Go do, are functions of the key then, and kept. Sets what
    /// [`Task::clock`] and [`Task::randomness`] set.
    ///
    /// Anyone who knows the inputs can predict these numbers, and equal runs draw equal ones. Do not use them for keys, tokens,
    /// passwords or unique ids.
    #[must_use]
    pub fn deterministic(self) -> Self {
        self.with(|options| options.determinism = Determinism::DETERMINISTIC)
    }

    /// What becomes of runs if the component imports what the host does not provide. By default they are refused; with
    /// [`UnknownImports::Trap`] they run, and a guest that calls such an import traps.
    #[must_use]
    pub fn unknown_imports(mut self, unknown_imports: UnknownImports) -> Self {
        let inner = Arc::make_mut(&mut self.0);
        inner.function = inner.function.unknown_imports(unknown_imports);
        inner.attempts = Arc::new(InProcess(inner.function.clone()));
        self
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

    /// Gives a program (`wasi:cli/run`) a standard input that it reads while it runs, such as a pipe. It is used where the
    /// argument `stdin` is none. Functions have no standard input: for them this changes nothing.
    ///
    /// Nothing is read before the program reads. What was read is stored, so each run of this task and of its clones, and each
    /// attempt of a run, reads the same bytes from the start; they may execute at the same time. What a run reads counts towards
    /// [`Limits::input_bytes`], together with its arguments. A run that waits for the standard input holds no worker, and can be
    /// cancelled.
    ///
    /// Reading is a touch. A result for which the program read, or asked whether it can, is never cached, whatever the policy.
    /// One for which it did not is cached as others are, under a key of its own: the key says that there was such a stream.
    ///
    /// ```
    /// # use hostel::{Host, Stdin, args, blocking};
    /// # let path = hostel_guests::COMMAND;
    /// # let host = Host::builder().max_workers(1).build()?;
    /// let program = blocking::load(&host, path)?.only_task()?;
    /// let (reader, mut writer) = std::io::pipe()?;
    /// let run = program.stdin(Stdin::new(reader)).submit(args![])?;
    /// std::io::Write::write_all(&mut writer, b"hello\n")?;
    /// drop(writer);
    /// assert_eq!(blocking::result::<hostel::Value>(&run)?.to_wave(), "{stdout: [72, 69, 76, 76, 79, 10]}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn stdin(self, stdin: Stdin) -> Self {
        if !self.is_program() {
            return self;
        }
        self.with(|options| options.stdin = Some(stdin))
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
    /// ([`HostBuilder::tag_limit`](crate::HostBuilder::tag_limit)). One submission can add more: [`Args::tags`](crate::Args::tags).
    #[must_use]
    pub fn tags(self, tags: impl IntoIterator<Item = impl Into<Tag>>) -> Self {
        let tags = tag::sorted(tags);
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

    pub(crate) fn cache_key(&self, inputs: &[Value]) -> Option<CacheKey> {
        let Options { cache, key_base, .. } = &self.0.options;
        self.key_from(key_base.as_deref()?, cache, inputs)
    }

    /// What the randomness of a run without a cache key follows from, if it is to follow from a key.
    pub(crate) fn seed(&self, inputs: &[Value]) -> Option<CacheKey> {
        self.key_from(self.0.options.seed_base.as_deref()?, &CachePolicy::AUTO, inputs)
    }

    fn key_from(&self, base: &KeyBase, policy: &CachePolicy, inputs: &[Value]) -> Option<CacheKey> {
        let Options { flow, user_key, .. } = &self.0.options;
        let params = self.signature().params.iter();
        // Inputs are in normal form, so they all have canonical bytes.
        let canonical = inputs.iter().zip(params).map(|(input, param)| {
            let counts = !policy.leaves_out(&param.name);
            counts.then(|| input.to_canonical(&param.ty)).transpose()
        });
        let canonical = canonical.collect::<Result<Vec<_>, _>>().ok()?;
        let user_key = user_key.as_ref().map(|template| template.render_in_full(inputs));
        let facts = RunFacts { inputs: &canonical, flow: flow.as_deref(), user_key: user_key.as_deref() };
        base.key(&facts)
    }

    /// The task of the guest's own hook, if its component exports it, with the same limits and grants.
    pub(crate) fn hook(&self, hook: Hook) -> Option<Self> {
        let function = &self.0.function;
        let function = function.component().hook(hook)?.unknown_imports(function.choice_of_unknown_imports());
        let Options { limits, grants, determinism, echo, .. } = self.0.options.clone();
        let hook = Self::new(Arc::clone(&self.0.host), function);
        Some(hook.with(|options| {
            options.cache = CachePolicy::NONE;
            options.limits = limits;
            options.grants = grants;
            options.determinism = determinism;
            options.echo = echo;
        }))
    }

    pub(crate) fn host(&self) -> &Arc<HostState> {
        &self.0.host
    }

    pub(crate) fn attempts(&self) -> &dyn Attempts {
        &*self.0.attempts
    }

    pub(crate) fn hooks(&self) -> &Hooks<TaskFuture> {
        &self.0.hooks
    }

    pub(crate) fn group(&self) -> Option<&Arc<dyn Group>> {
        self.0.group.as_ref()
    }

    /// A task whose runs join a transaction.
    pub(crate) fn in_group(mut self, group: Arc<dyn Group>) -> Self {
        Arc::make_mut(&mut self.0).group = Some(group);
        self
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

    fn with_hooks(mut self, change: impl FnOnce(&mut Hooks<TaskFuture>)) -> Self {
        change(Arc::make_mut(&mut Arc::make_mut(&mut self.0).hooks));
        self
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
