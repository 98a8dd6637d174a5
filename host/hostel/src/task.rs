//! A task: one exported function with options, ready to be submitted.

mod keys;

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hostel_core::{
    CachePolicy, Capability, Clock, Determinism, DirGrant, Failure, FlowRun, Grants, Hook, Limits, LogLine,
    NameTemplate, Randomness, RetryDelay, RetryOn, RetryPolicy, Signature, State, Tag, TaskKey, TaskSpec,
    TemplateError, Type, UnknownImports,
};
use hostel_engine::{Function, Stdin};

use crate::attempts::{Attempts, InProcess};
use crate::error::TransactionError;
use crate::group::{Membership, TransactionValues};
use crate::hooks::Hooks;
use crate::host_state::HostState;
use crate::options::Options;
use crate::run::TaskFuture;
use crate::script_call::ScriptCall;

/// One exported function with options. Cheap to clone.
///
/// Setters consume the task and return one with the option changed. Clones made before keep theirs. Options that are
/// out of range are refused when a run is submitted.
#[derive(Clone)]
pub struct Task(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    host: Arc<HostState>,
    function: Function,
    /// Executes its attempts.
    attempts: Arc<dyn Attempts>,
    /// The task key as text.
    key_text: Arc<str>,
    options: Options,
    hooks: Arc<Hooks<TaskFuture>>,
    /// The transaction that its runs join.
    group: Option<Arc<dyn Group>>,
    /// Whether its results depend only on their keys, as far as is known.
    may_be_pure: Arc<AtomicBool>,
    /// Whether the component imports the context of its run, and so may report progress.
    reports_progress: bool,
    /// If the function is a language runtime's: the function of a script that it calls.
    script: Option<Arc<ScriptCall>>,
}

/// The part of a transaction that its runs use.
pub(crate) trait Group: Send + Sync {
    /// The membership that its runs have.
    fn membership(&self) -> &Membership;

    /// Whether runs can still join.
    fn check_open(&self) -> Result<(), TransactionError>;

    /// Adds a run.
    fn join(&self, run: TaskFuture) -> Result<(), TransactionError>;

    /// Called when a run has completed whose value is visible immediately, under the lock of the run's cell.
    fn completed(&self, run: &TaskFuture);
}

impl Task {
    pub(crate) fn new(host: Arc<HostState>, function: Function) -> Self {
        let attempts = Arc::new(InProcess(function.clone()));
        Self::with_attempts(host, function, attempts)
    }

    /// A task whose attempts another executor executes.
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
            script: None,
        }))
    }

    /// A task of the function of a script, made from the task of the runtime's function.
    pub(crate) fn calling(mut self, script: ScriptCall) -> Self {
        Arc::make_mut(&mut self.0).script = Some(Arc::new(script));
        self.settled()
    }

    /// Sets all options that can be written down at once, replacing earlier ones. Hooks, callbacks and the standard input
    /// stay as they are.
    ///
    /// ```
    /// # use hostel::{Host, TaskSpec, blocking};
    /// # let host = Host::builder().max_workers(1).build()?;
    /// # let add = blocking::load(&host, hostel_guests::ARITH)?.task("add")?;
    /// let mut spec = TaskSpec::default();
    /// spec.set("retries", "3")?;
    /// spec.set("timeout", "1.5s")?;
    /// let add = add.with_spec(spec);
    /// assert_eq!(add.spec().retry.retries, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn with_spec(mut self, spec: impl Into<Arc<TaskSpec>>) -> Self {
        Arc::make_mut(&mut self.0).options.spec = spec.into();
        self.settled()
    }

    /// Stops each attempt that is still executing after this time, whether it computes, sleeps or waits, within a few
    /// milliseconds. The attempt counts as failed, and may be retried. More than zero, at most 366 days.
    #[must_use]
    pub fn timeout(self, after: Duration) -> Self {
        self.with(|spec| spec.limits.timeout = Some(after))
    }

    /// Stops the whole run this long after its first attempt began, whether in an attempt or between two. The run ends
    /// as `TimedOut` and is not retried. If the next retry would begin too late, the run does not wait for it, and
    /// fails with the failure of its last attempt. More than zero, at most 366 days.
    #[must_use]
    pub fn run_timeout(self, after: Duration) -> Self {
        self.with(|spec| spec.run_timeout = Some(after))
    }

    /// Sets the resources that one attempt may use.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        self.with(|spec| spec.limits = limits)
    }

    /// Makes up to this many further attempts when one fails. Each attempt has its own instance, with no state from the
    /// attempts before it.
    #[must_use]
    pub fn retries(self, retries: u32) -> Self {
        self.with(|spec| spec.retry.retries = retries)
    }

    /// Sets the delay before each retry. Takes a [`Duration`], a list of durations, whose last one repeats, or
    /// [`RetryDelay::Exponential`]. A waiting run holds neither a worker nor a slot of a limit.
    #[must_use]
    pub fn retry_delay(self, delay: impl Into<RetryDelay>) -> Self {
        let delay = delay.into();
        self.with(|spec| spec.retry.delay = delay)
    }

    /// Randomises the delays before retries: see [`RetryPolicy::jitter`].
    #[must_use]
    pub fn retry_jitter(self, factor: f64) -> Self {
        self.with(|spec| spec.retry.jitter = factor)
    }

    /// Sets which failures are retried. Default: all except crashes of the host.
    #[must_use]
    pub fn retry_on(self, on: RetryOn) -> Self {
        self.with(|spec| spec.retry.on = on)
    }

    /// Retries only failures that match [`Task::retry_on`] and for which `wanted` returns true. `wanted` is not called
    /// when no retry is left. If it panics, the failure is not retried. It is called on a worker thread and must not
    /// block.
    #[must_use]
    pub fn retry_if(self, wanted: impl Fn(&Failure) -> bool + Send + Sync + 'static) -> Self {
        self.with_callback(|options| options.retry_if = Some(Arc::new(wanted)))
    }

    /// Sets all options of retries at once.
    #[must_use]
    pub fn retry_policy(self, policy: RetryPolicy) -> Self {
        self.with(|spec| spec.retry = policy)
    }

    /// Sets the facts that two runs must share for one's result to replace the other's, for example
    /// `CachePolicy::INPUTS - "debug"`. Default: [`CachePolicy::AUTO`], which caches results that are proved to be a
    /// function of their inputs.
    #[must_use]
    pub fn cache(self, policy: CachePolicy) -> Self {
        self.with(|spec| spec.cache = policy)
    }

    /// Makes its runs part of a flow run, replacing an earlier one: see [`CachePolicy::RUN_ID`].
    #[must_use]
    pub fn flow(self, flow: &FlowRun) -> Self {
        self.with(|spec| spec.flow = Some(flow.clone()))
    }

    /// Ignores cached results that are this old or older, counted from the completion of their run. They stay in the
    /// cache for tasks that accept older results, until a new result replaces them. More than zero.
    #[must_use]
    pub fn cache_expiration(self, age: Duration) -> Self {
        self.with(|spec| spec.cache_expiration = Some(age))
    }

    /// Executes even if the cache has a result, and replaces the cached result with the new one.
    #[must_use]
    pub fn refresh_cache(self, refresh: bool) -> Self {
        self.with(|spec| spec.refresh = refresh)
    }

    /// Sets the permissions of a run beyond computing, replacing earlier ones. Default: none. Grants are part of a
    /// run's cache key.
    ///
    /// A relative path of a directory is resolved against the program's current directory. Submitting a run checks that
    /// the directory exists. Each attempt checks it again, and crashes if the directory is missing.
    #[must_use]
    pub fn grants(self, grants: Grants) -> Self {
        self.with(|spec| spec.grants = Arc::new(grants))
    }

    /// Grants one more directory, to read, or also to write, as the grant says.
    ///
    /// ```no_run
    /// # fn demo(task: hostel::Task) -> Result<(), Box<dyn std::error::Error>> {
    /// let task = task.dir("testdata::/data".parse()?);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn dir(self, dir: DirGrant) -> Self {
        self.with(|spec| Arc::make_mut(&mut spec.grants).dirs.push(dir))
    }

    /// Sets the guest's clock. Default: the real one. Reading another clock is not recorded as an observed effect. The
    /// clock is part of a run's cache key.
    #[must_use]
    pub fn clock(self, clock: Clock) -> Self {
        self.with(|spec| spec.determinism.clock = clock)
    }

    /// Sets the source of the guest's random numbers. Default: the system. Reading another source is not recorded as an
    /// observed effect. The source is part of a run's cache key.
    #[must_use]
    pub fn randomness(self, randomness: Randomness) -> Self {
        self.with(|spec| spec.determinism.randomness = randomness)
    }

    /// Gives the guest virtual clocks, and random numbers derived from the run's cache key
    /// ([`Determinism::DETERMINISTIC`]). The runtimes of Python, JavaScript and Go read clocks and random numbers,
    /// which normally prevents caching. With this option their results are functions of the key, and are cached. Sets
    /// the same options as [`Task::clock`] and [`Task::randomness`].
    ///
    /// Anyone who knows the inputs can predict these numbers, and equal runs get equal numbers. Do not use them for
    /// keys, tokens, passwords or unique ids.
    #[must_use]
    pub fn deterministic(self) -> Self {
        self.with(|spec| spec.determinism = Determinism::DETERMINISTIC)
    }

    /// Sets how to treat a component with imports that the host does not provide. By default its runs are refused. With
    /// [`UnknownImports::Trap`] they run, and a guest that calls such an import traps.
    #[must_use]
    pub fn unknown_imports(self, unknown_imports: UnknownImports) -> Self {
        self.with(|spec| spec.unknown_imports = unknown_imports)
    }

    /// Calls `echo` with each line that a run prints or logs, as soon as it is complete. `echo` is called on the worker
    /// thread and must not block. If it panics, the panic is logged and the run is not affected. The lines are also
    /// stored in the run's log.
    #[must_use]
    pub fn log_prints(self, echo: impl Fn(&LogLine) + Send + Sync + 'static) -> Self {
        self.with_callback(|options| options.echo = Some(Arc::new(echo)))
    }

    /// Calls `on_stdout` immediately with each chunk that a program (`wasi:cli/run`) writes to its stdout. `on_stdout`
    /// is called on the worker thread and must not block. If it panics, the panic is logged and the run is not
    /// affected. The chunks together, up to the limit of the result, are also in
    /// [`Attempt::stdout`](crate::Attempt::stdout) or in the result. A cache hit prints nothing.
    #[must_use]
    pub fn on_stdout(self, on_stdout: impl Fn(&[u8]) + Send + Sync + 'static) -> Self {
        self.with_callback(|options| options.on_stdout = Some(Arc::new(on_stdout)))
    }

    /// Gives a program (`wasi:cli/run`) a standard input that it reads while it runs, such as a pipe. It is used if the
    /// argument `stdin` is none. Functions have no standard input, so this does not affect them.
    ///
    /// Nothing is read from the stream before the program reads. The bytes read are stored, so each run of this task
    /// and of its clones, and each attempt of a run, reads the same bytes from the start, even if they execute at the
    /// same time. The bytes that a run reads count towards [`Limits::input_bytes`], together with its arguments. A run
    /// that waits for the standard input holds no worker, and can be cancelled.
    ///
    /// Reading is an observed effect. If the program read from the stream, or polled it, the result is never cached,
    /// whatever the policy. Otherwise it is cached like other results, under a separate key: the key records that the
    /// standard input was a stream.
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
        self.with_callback(|options| options.stdin = Some(stdin)).settled()
    }

    /// Names runs after their inputs, for example `train on {dataset.name} with {model-config.name}`. Without a
    /// template, the name of a run is its function and the end of its id.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] if the template refers to a name that is not in the task's signature.
    pub fn run_name(self, template: &str) -> Result<Self, TemplateError> {
        NameTemplate::parse(template, self.signature())?;
        Ok(self.with(|spec| spec.name = Some(template.into())))
    }

    /// Labels runs, replacing earlier labels. A host can limit runs by tag
    /// ([`HostBuilder::tag_limit`](crate::HostBuilder::tag_limit)). One submission can add more tags:
    /// [`Args::tags`](crate::Args::tags).
    #[must_use]
    pub fn tags(self, tags: impl IntoIterator<Item = impl Into<Tag>>) -> Self {
        let tags = tags.into_iter().collect();
        self.with(|spec| spec.tags = tags)
    }

    /// Sets the priority. Pending runs of higher priority begin before the others. Default: 0.
    #[must_use]
    pub fn priority(self, priority: i32) -> Self {
        self.with(|spec| spec.priority = priority)
    }

    /// Sets the version of the task, for people to read.
    #[must_use]
    pub fn version(self, version: impl Into<Arc<str>>) -> Self {
        let version = version.into();
        self.with(|spec| spec.version = Some(version))
    }

    /// Sets the description of the task, for people to read.
    #[must_use]
    pub fn description(self, description: impl Into<Arc<str>>) -> Self {
        let description = description.into();
        self.with(|spec| spec.description = Some(description))
    }

    /// Adds a hook that is called when an attempt begins.
    ///
    /// Hooks of a task are called one after the other, in the order in which they were added, on a dedicated thread of
    /// the host. So a hook that blocks delays other hooks but no runs, unless a hundred thousand calls are waiting. If
    /// a hook panics, the panic is logged and the run is not affected.
    #[must_use]
    pub fn on_running(self, hook: impl Fn(&TaskFuture, State) + Send + Sync + 'static) -> Self {
        self.with_hooks(|hooks| hooks.on_running.push(Arc::new(hook)))
    }

    /// Adds a hook that is called when a run has completed, including cache hits. See [`Task::on_running`].
    #[must_use]
    pub fn on_completion(self, hook: impl Fn(&TaskFuture, State) + Send + Sync + 'static) -> Self {
        self.with_hooks(|hooks| hooks.on_completion.push(Arc::new(hook)))
    }

    /// Adds a hook that is called when a run has failed for good. See [`Task::on_running`].
    #[must_use]
    pub fn on_failure(self, hook: impl Fn(&TaskFuture, State) + Send + Sync + 'static) -> Self {
        self.with_hooks(|hooks| hooks.on_failure.push(Arc::new(hook)))
    }

    /// Adds a hook that is called when a run was cancelled. See [`Task::on_running`].
    #[must_use]
    pub fn on_cancellation(self, hook: impl Fn(&TaskFuture, State) + Send + Sync + 'static) -> Self {
        self.with_hooks(|hooks| hooks.on_cancellation.push(Arc::new(hook)))
    }

    /// Adds a hook that is called when a run has crashed because of the host. See [`Task::on_running`].
    #[must_use]
    pub fn on_crashed(self, hook: impl Fn(&TaskFuture, State) + Send + Sync + 'static) -> Self {
        self.with_hooks(|hooks| hooks.on_crashed.push(Arc::new(hook)))
    }

    /// Adds a hook that is called when a run's transaction was committed. See [`Task::on_running`].
    #[must_use]
    pub fn on_commit(self, hook: impl Fn(&TaskFuture, &TransactionValues) + Send + Sync + 'static) -> Self {
        self.with_hooks(|hooks| hooks.on_commit.push(Arc::new(hook)))
    }

    /// Adds a hook that is called when a transaction rolls back a completed run. See [`Task::on_running`].
    #[must_use]
    pub fn on_rollback(self, hook: impl Fn(&TaskFuture, &TransactionValues) + Send + Sync + 'static) -> Self {
        self.with_hooks(|hooks| hooks.on_rollback.push(Arc::new(hook)))
    }

    /// The task key, which identifies the task on every machine.
    pub fn key(&self) -> &TaskKey {
        self.0.function.key()
    }

    /// All its options that can be written down. Paths of granted directories are absolute.
    pub fn spec(&self) -> &Arc<TaskSpec> {
        &self.0.options.spec
    }

    /// The permissions of its runs.
    pub fn granted(&self) -> &Grants {
        &self.spec().grants
    }

    /// The task's parameters and result.
    pub fn signature(&self) -> &Signature {
        self.0.script.as_ref().map_or_else(|| self.guest_signature(), |script| &script.signature)
    }

    /// The parameters and result of the exported function. Those of the task are others if it is a function of a script.
    pub(crate) fn guest_signature(&self) -> &Signature {
        self.0.function.signature()
    }

    /// The type of the value that a completed run has, and that is stored.
    pub(crate) fn guest_completed_type(&self) -> &Type {
        self.guest_signature().completed_type()
    }

    pub(crate) fn script(&self) -> Option<&ScriptCall> {
        self.0.script.as_deref()
    }

    /// The version set by [`Task::version`].
    pub fn version_label(&self) -> Option<&str> {
        self.spec().version.as_deref()
    }

    /// The description set by [`Task::description`].
    pub fn description_text(&self) -> Option<&str> {
        self.spec().description.as_deref()
    }

    /// Whether the task is the `main` of a program, which takes `args` and `stdin` and returns a record of `stdout`:
    /// see [`Function::signature`](hostel_engine::Function::signature).
    pub fn is_program(&self) -> bool {
        self.0.function.is_program()
    }

    /// The type of the value of a completed run. For `result<T, E>` it is `T`, or the empty tuple if there is no `T`.
    pub fn completed_type(&self) -> &Type {
        self.signature().completed_type()
    }

    /// The task of the guest's own hook, if its component exports that hook, with the same limits and grants.
    pub(crate) fn hook(&self, hook: Hook) -> Option<Self> {
        let function = self.0.function.component().hook(hook)?;
        let TaskSpec { limits, grants, determinism, unknown_imports, .. } = &**self.spec();
        let (limits, grants, determinism) = (*limits, Arc::clone(grants), *determinism);
        let (unknown_imports, cache) = (*unknown_imports, CachePolicy::NONE);
        let spec = TaskSpec { limits, grants, determinism, unknown_imports, cache, ..TaskSpec::default() };
        let echo = self.0.options.echo.clone();
        let hook = Self::new(Arc::clone(&self.0.host), function).with_spec(spec);
        Some(hook.with_callback(|options| options.echo = echo))
    }

    pub(crate) fn host(&self) -> &Arc<HostState> {
        &self.0.host
    }

    /// The task that a worker makes from the record of a run: its function with these options, and nothing of this program.
    pub(crate) fn as_stored(&self, spec: &Arc<TaskSpec>) -> Self {
        Self::new(Arc::clone(&self.0.host), self.0.function.clone()).with_spec(Arc::clone(spec))
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

    /// A task whose runs derive their cache keys, but neither read nor write the cache.
    pub(crate) fn only_compared(self) -> Self {
        self.with_callback(|options| options.only_compared = true)
    }

    pub(crate) fn key_text(&self) -> &Arc<str> {
        &self.0.key_text
    }

    pub(crate) fn may_be_pure(&self) -> bool {
        self.0.may_be_pure.load(Ordering::Relaxed)
    }

    /// Records whether the last attempt had effects that are not in any key.
    pub(crate) fn seems_pure(&self, pure: bool) {
        if self.may_be_pure() != pure {
            self.0.may_be_pure.store(pure, Ordering::Relaxed);
        }
    }

    pub(crate) fn reports_progress(&self) -> bool {
        self.0.reports_progress
    }

    fn with(mut self, change: impl FnOnce(&mut TaskSpec)) -> Self {
        change(Arc::make_mut(&mut Arc::make_mut(&mut self.0).options.spec));
        self.settled()
    }

    /// The task with another callback or another flag, from which nothing is derived.
    pub(crate) fn with_callback(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut Arc::make_mut(&mut self.0).options);
        self
    }

    /// The task with everything that is derived from its options.
    fn settled(mut self) -> Self {
        let Inner { options, function, attempts, script, .. } = Arc::make_mut(&mut self.0);
        make_absolute(&mut options.spec);
        if function.choice_of_unknown_imports() != options.spec.unknown_imports {
            *function = function.unknown_imports(options.spec.unknown_imports);
            *attempts = Arc::new(InProcess(function.clone()));
        }
        let signature = script.as_ref().map_or_else(|| function.signature(), |script| &script.signature);
        options.settle(function.key(), signature);
        self
    }

    pub(crate) fn with_hooks(mut self, change: impl FnOnce(&mut Hooks<TaskFuture>)) -> Self {
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

/// Makes the paths of granted directories absolute, so that a later change of the current directory does not affect them.
fn make_absolute(spec: &mut Arc<TaskSpec>) {
    if spec.grants.dirs.iter().all(|dir| dir.host().is_absolute()) {
        return;
    }
    // If the program has no current directory, its relative paths cannot be resolved anyway.
    let Ok(here) = std::env::current_dir() else { return };
    let grants = Arc::make_mut(&mut Arc::make_mut(spec).grants);
    grants.dirs = mem::take(&mut grants.dirs).into_iter().map(|dir| dir.below(&here)).collect();
}
