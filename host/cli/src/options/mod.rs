//! Options that several commands share. Their doc comments are the help.

pub(crate) mod data_dir;
pub(crate) mod dir;
pub(crate) mod env;
pub(crate) mod labels;
pub(crate) mod limits;
pub(crate) mod remote_cache;
pub(crate) mod retries;
pub(crate) mod tag_limits;

use std::time::Duration;

use clap::{Args, ValueEnum};
use hostel::{
    CachePolicy, Clock, Determinism, EnvGrant, Grants, HostBuilder, HttpGrant, Limits, LimitsError,
    LookupGrant, NetGrant, Randomness, Task, UnknownImports, begin_flow, check_dirs, grammar,
};

use self::dir::Dir;
use self::env::Variable;
use self::labels::LabelOptions;
use self::limits::LimitOptions;
use self::retries::RetryOptions;
use crate::problem::Problem;

/// The options of a task from one place: the command line, or a table of `hostel.toml`.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct TaskOptions {
    #[command(flatten)]
    pub(crate) retries: RetryOptions,

    #[command(flatten)]
    pub(crate) limits: LimitOptions,

    /// Stop a run after this long, with all its attempts and the waits between them
    #[arg(long, value_name = "TIME", value_parser = grammar::run_timeout, allow_hyphen_values = true, help_heading = "Limits")]
    pub(crate) run_timeout: Option<Duration>,

    #[command(flatten)]
    pub(crate) labels: LabelOptions,

    /// Allow outgoing HTTP to this host: HOST, HOST:PORT or HOST:*, or *.DOMAIN for all names below it; http:// or
    /// https:// before it allows only that scheme; methods before it, as in 'GET,HEAD HOST', allow only these; can be
    /// given several times
    #[arg(long, value_name = "HOST", help_heading = "Grants")]
    pub(crate) http: Vec<HttpGrant>,

    /// Allow TCP and UDP to this destination: HOST:PORT, where HOST is an address, a network such as 10.0.0.0/8, a name,
    /// *.DOMAIN or * for any address, and PORT a number or *; tcp:// or udp:// before it allows only that protocol; can be
    /// given several times
    #[arg(long, value_name = "HOST:PORT", help_heading = "Grants")]
    pub(crate) net: Vec<NetGrant>,

    /// Allow looking up this name, or *.DOMAIN for all names below it; can be given several times
    #[arg(long, value_name = "NAME", help_heading = "Grants")]
    pub(crate) lookup: Vec<LookupGrant>,

    /// Give the guest this environment variable: NAME=VALUE, or NAME for its value in this command's environment; can be
    /// given several times
    #[arg(long, value_name = "NAME[=VALUE]", help_heading = "Grants")]
    pub(crate) env: Vec<Variable>,

    /// Allow reading this directory: HOST, or HOST::GUEST to give it another name for the guest; :rw at the end also
    /// allows writing; can be given several times
    #[arg(long, value_name = "DIR", value_parser = dir::typed, help_heading = "Grants")]
    pub(crate) dir: Vec<Dir>,

    /// Make results functions of their inputs, so that they are cached: --clock virtual and --random key. Not for keys,
    /// tokens or unique ids
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0,
        default_missing_value = "true",
        help_heading = "Determinism"
    )]
    pub(crate) deterministic: Option<bool>,

    /// The guest's clock: virtual, which only the guest's readings and sleeps move; or fixed:INSTANT, such as
    /// fixed:2026-01-01T00:00:00Z [default: real]
    #[arg(long, value_name = "CLOCK", help_heading = "Determinism")]
    pub(crate) clock: Option<Clock>,

    /// The source of the guest's random numbers: key, which gives each cache key its own; or seed:NUMBER, which gives every
    /// run the same [default: real]
    #[arg(long, value_name = "SOURCE", help_heading = "Determinism")]
    pub(crate) random: Option<Randomness>,

    /// For a component with imports that this host does not provide: refuse it, or trap when the guest calls one
    /// [default: refuse]
    #[arg(long, value_name = "WHAT", help_heading = "Grants")]
    pub(crate) unknown_imports: Option<UnknownImports>,

    /// Reuse the results of runs that share these facts: `auto`, only results that are proved to depend on nothing else;
    /// `inputs + task-source`; `auto - input:NAME` leaves an input out; `key:"{NAME}"` is your own key; `none`
    /// [default: auto]
    #[arg(long, value_name = "POLICY", help_heading = "Cache")]
    pub(crate) cache: Option<CachePolicy>,

    /// Use no cached result that is this old: 10s, 12h, 30d [default: use any age]
    #[arg(long, value_name = "TIME", value_parser = grammar::cache_expiration, allow_hyphen_values = true, help_heading = "Cache")]
    pub(crate) cache_expiration: Option<Duration>,

    /// Run even if the cache has a result, and store the new one
    #[arg(long, help_heading = "Cache")]
    refresh_cache: bool,

    /// In `hostel.toml` only: whether the log is written while the run executes.
    #[arg(skip)]
    pub(crate) log_prints: Option<bool>,
}

impl TaskOptions {
    /// These options, completed by those of `others`.
    pub(crate) fn or(self, others: Self) -> Self {
        let clock = self.clock().or(others.clock());
        let random = self.random().or(others.random());
        Self {
            retries: self.retries.or(others.retries),
            limits: self.limits.or(others.limits),
            run_timeout: self.run_timeout.or(others.run_timeout),
            labels: self.labels.or(others.labels),
            env: variables(self.env, others.env),
            http: [self.http, others.http].concat(),
            net: [self.net, others.net].concat(),
            lookup: [self.lookup, others.lookup].concat(),
            dir: [self.dir, others.dir].concat(),
            clock,
            random,
            deterministic: None,
            unknown_imports: self.unknown_imports.or(others.unknown_imports),
            cache: self.cache.or(others.cache),
            cache_expiration: self.cache_expiration.or(others.cache_expiration),
            refresh_cache: self.refresh_cache || others.refresh_cache,
            log_prints: self.log_prints.or(others.log_prints),
        }
    }

    /// The guest's clock, if it is set here.
    fn clock(&self) -> Option<Clock> {
        self.clock.or(self.determinism().map(|both| both.clock))
    }

    /// The source of random numbers, if it is set here.
    fn random(&self) -> Option<Randomness> {
        self.random.or(self.determinism().map(|both| both.randomness))
    }

    /// The clock and randomness for `deterministic`.
    fn determinism(&self) -> Option<Determinism> {
        self.deterministic.map(|both| if both { Determinism::DETERMINISTIC } else { Determinism::default() })
    }

    /// The limits, within their bounds.
    pub(crate) fn limits(&self) -> Result<Limits, LimitsError> {
        self.limits.limits()
    }

    /// Checks the limits and variables of these options alone.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        self.limits()?;
        self.env.iter().try_for_each(Variable::check)
    }

    /// The grants, with these variables.
    fn grants(&self, env: Vec<EnvGrant>) -> Grants {
        Grants {
            http: self.http.clone(),
            dirs: self.dir.iter().map(Dir::grant).collect(),
            env,
            net: self.net.clone(),
            lookup: self.lookup.clone(),
        }
    }

    /// The grants as text; the values of variables are neither shown nor read.
    pub(crate) fn grant_texts(&self) -> Vec<String> {
        self.grants(self.env.iter().filter_map(Variable::untold).collect()).texts()
    }

    /// The options that a file may only set if it is trusted: grants, and options that may change a result.
    pub(crate) fn trusted_texts(&self) -> Vec<String> {
        let is_harmless = |policy: &&CachePolicy| [CachePolicy::AUTO, CachePolicy::NONE].contains(policy);
        let cache =
            self.cache.iter().filter(|policy| !is_harmless(policy)).map(|policy| format!("cache {policy}"));
        let clock = self.clock().map(|clock| format!("clock {clock}"));
        let random = self.random().map(|random| format!("random {random}"));
        self.grant_texts().into_iter().chain(cache).chain(clock).chain(random).collect()
    }

    /// The task with these options.
    pub(crate) fn apply(&self, task: Task) -> Result<Task, Problem> {
        let policy = self.cache.clone().unwrap_or_default();
        if policy.includes(&CachePolicy::FLOW_PARAMETERS) {
            let problem = format!("cache policy `{policy}`: a command has no flow parameters");
            return Err(Problem::invalid(problem).hint("`run-id` counts the command as a flow run"));
        }
        // Each command is its own flow run.
        let task = if policy.needs_flow() { task.flow(&begin_flow()) } else { task };
        let task = task.limits(self.limits()?).cache(policy);
        let grants = self.grants(self.env.iter().map(Variable::grant).collect::<Result<_, _>>()?);
        self.dir.iter().try_for_each(Dir::check)?;
        check_dirs(&grants)?;
        let task = task.grants(grants).clock(self.clock().unwrap_or_default());
        let task = task.randomness(self.random().unwrap_or_default());
        let task = task.unknown_imports(self.unknown_imports.unwrap_or_default());
        let task = self.labels.apply(self.retries.apply(task.refresh_cache(self.refresh_cache)))?;
        let task = match self.cache_expiration {
            Some(age) => task.cache_expiration(age),
            None => task,
        };
        Ok(match self.run_timeout {
            Some(timeout) => task.run_timeout(timeout),
            None => task,
        })
    }

    /// Whether the log is written while the run executes.
    pub(crate) fn log_prints(&self) -> bool {
        self.log_prints.unwrap_or(true)
    }
}

/// The variables, and those of the others that have different names.
fn variables(mut variables: Vec<Variable>, others: Vec<Variable>) -> Vec<Variable> {
    let is_named = |other: &Variable| variables.iter().any(|variable| variable.name() == other.name());
    let others: Vec<_> = others.into_iter().filter(|other| !is_named(other)).collect();
    variables.extend(others);
    variables
}

/// Parses a size that is not zero.
fn some_bytes(text: &str) -> Result<u64, String> {
    let bytes = Some(grammar::bytes(text)?).filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| "expected more than zero".to_owned())
}

/// The number of runs that compute at once.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct WorkerOptions {
    /// Compute this many runs at once, not counting those that sleep [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Host")]
    workers: Option<u16>,
}

impl WorkerOptions {
    pub(crate) fn apply(self, host: HostBuilder) -> HostBuilder {
        match self.workers {
            Some(workers) => host.max_workers(workers.into()),
            None => host,
        }
    }
}

/// The memory of all runs.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct MemoryOptions {
    /// Memory that all runs may use together, of which one may hold at most four fifths [default: half of the machine's]
    #[arg(long, value_name = "SIZE", value_parser = some_bytes, help_heading = "Host")]
    max_host_memory: Option<u64>,
}

impl MemoryOptions {
    pub(crate) fn apply(self, host: HostBuilder) -> HostBuilder {
        match self.max_host_memory {
            Some(bytes) => host.max_memory_bytes(bytes),
            None => host,
        }
    }
}

/// The form of results.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct OutputOptions {
    /// The form of results: wave, json, or table for records and lists of records [default: wave for a
    /// run, json for a map]
    #[arg(long, short, value_name = "FORM", value_enum, hide_possible_values = true)]
    pub(crate) output: Option<Form>,
}

/// A form of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// WebAssembly value encoding, as in arguments
    Wave,
    /// JSON
    Json,
    /// Aligned columns for records, WAVE for anything else
    Table,
}
