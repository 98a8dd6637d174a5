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

/// How a task is run, as far as it is said in one place: on the command line, or in a table of `hostel.toml`.
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

    /// Allow outgoing HTTP to this host: HOST, HOST:PORT or HOST:*, or *.DOMAIN for all below it; with http:// or
    /// https:// in front, only that; with methods in front, as 'GET,HEAD HOST', only these; can be given several times
    #[arg(long, value_name = "HOST", help_heading = "Grants")]
    pub(crate) http: Vec<HttpGrant>,

    /// Allow TCP and UDP to this place: HOST:PORT, where HOST is an address, a network as 10.0.0.0/8, a name, *.DOMAIN or *
    /// for any address, and PORT a number or *; with tcp:// or udp:// in front, only that; can be given several times
    #[arg(long, value_name = "HOST:PORT", help_heading = "Grants")]
    pub(crate) net: Vec<NetGrant>,

    /// Allow looking up this name, or *.DOMAIN for all below it; can be given several times
    #[arg(long, value_name = "NAME", help_heading = "Grants")]
    pub(crate) lookup: Vec<LookupGrant>,

    /// Give the guest this environment variable: NAME=VALUE, or NAME to take the value that it has here; can be given
    /// several times
    #[arg(long, value_name = "NAME[=VALUE]", help_heading = "Grants")]
    pub(crate) env: Vec<Variable>,

    /// Allow reading this directory: HOST, or HOST::GUEST to give it another name for the guest; with :rw at the end also
    /// writing in it; can be given several times
    #[arg(long, value_name = "DIR", value_parser = dir::typed, help_heading = "Grants")]
    pub(crate) dir: Vec<Dir>,

    /// Make results functions of their inputs, so that they are cached: --clock virtual and --random key. Not for keys,
    /// tokens and unique ids
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0,
        default_missing_value = "true",
        help_heading = "Determinism"
    )]
    pub(crate) deterministic: Option<bool>,

    /// What time it is for the guest: virtual, a clock that only the guest's readings and sleeps move on; or
    /// fixed:INSTANT, as fixed:2026-01-01T00:00:00Z [default: real]
    #[arg(long, value_name = "CLOCK", help_heading = "Determinism")]
    pub(crate) clock: Option<Clock>,

    /// Where the guest's random numbers come from: key, other ones for each cache key; or seed:NUMBER, the same in every
    /// run [default: real]
    #[arg(long, value_name = "SOURCE", help_heading = "Determinism")]
    pub(crate) random: Option<Randomness>,

    /// What becomes of a component that imports what this host does not provide: refuse, or trap when the guest calls it
    /// [default: refuse]
    #[arg(long, value_name = "WHAT", help_heading = "Grants")]
    pub(crate) unknown_imports: Option<UnknownImports>,

    /// Reuse results of runs that share these facts: `auto`, what is proved to depend on nothing else; `inputs + task-source`;
    /// `auto - input:NAME` leaves one out; `key:"{NAME}"` is a key of your own; `none` [default: auto]
    #[arg(long, value_name = "POLICY", help_heading = "Cache")]
    pub(crate) cache: Option<CachePolicy>,

    /// Take no result from the cache that is this old: 10s, 12h, 30d [default: of any age]
    #[arg(long, value_name = "TIME", value_parser = grammar::cache_expiration, allow_hyphen_values = true, help_heading = "Cache")]
    pub(crate) cache_expiration: Option<Duration>,

    /// Run although the cache has a result, and keep the new one
    #[arg(long, help_heading = "Cache")]
    refresh_cache: bool,

    /// In `hostel.toml` only: whether the log is written as it comes.
    #[arg(skip)]
    pub(crate) log_prints: Option<bool>,
}

impl TaskOptions {
    /// These, and from `others` what these leave open.
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

    /// What time it is for the guest, if that is said here.
    fn clock(&self) -> Option<Clock> {
        self.clock.or(self.determinism().map(|both| both.clock))
    }

    /// Where random numbers come from, if that is said here.
    fn random(&self) -> Option<Randomness> {
        self.random.or(self.determinism().map(|both| both.randomness))
    }

    /// What clock and randomness are where only the word for both is said.
    fn determinism(&self) -> Option<Determinism> {
        self.deterministic.map(|both| if both { Determinism::DETERMINISTIC } else { Determinism::default() })
    }

    /// The limits, within their bounds.
    pub(crate) fn limits(&self) -> Result<Limits, LimitsError> {
        self.limits.limits()
    }

    /// Refuses what cannot be, of what is said here alone.
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

    /// What is granted, in words; the values of variables are neither told nor asked for.
    pub(crate) fn grant_texts(&self) -> Vec<String> {
        self.grants(self.env.iter().filter_map(Variable::untold).collect()).texts()
    }

    /// What a file may only say once it is trusted: grants, and options by which a run may get another result than it would
    /// without them.
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
        // Each command is a flow run of its own.
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

    /// Whether the log is to be written as it comes.
    pub(crate) fn log_prints(&self) -> bool {
        self.log_prints.unwrap_or(true)
    }
}

/// The variables, and of the others those that have another name.
fn variables(mut variables: Vec<Variable>, others: Vec<Variable>) -> Vec<Variable> {
    let is_named = |other: &Variable| variables.iter().any(|variable| variable.name() == other.name());
    let others: Vec<_> = others.into_iter().filter(|other| !is_named(other)).collect();
    variables.extend(others);
    variables
}

/// Reads a size that is not zero.
fn some_bytes(text: &str) -> Result<u64, String> {
    let bytes = Some(grammar::bytes(text)?).filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| "expected more than zero".to_owned())
}

/// How many runs compute at once.
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

/// How much memory the runs have.
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

/// How results are written.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct OutputOptions {
    /// The form of results: wave, json, or table for records and lists of them [default: wave for a
    /// run, json for a map]
    #[arg(long, short, value_name = "FORM", value_enum, hide_possible_values = true)]
    pub(crate) output: Option<Form>,
}

/// The form in which values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// WebAssembly value encoding, as the arguments are read
    Wave,
    /// JSON
    Json,
    /// Aligned columns for records, WAVE for anything else
    Table,
}
