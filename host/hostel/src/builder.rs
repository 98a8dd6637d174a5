//! How a host is set up.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use hostel_core::ErrorKind;
use hostel_engine::{EngineError, EngineOptions};

use crate::book::BookBounds;
use crate::cache::RemoteCache;
use crate::data_dir::DataDirError;
use crate::runner::{RateLimit, TagLimit};
use crate::tag::{Tag, check_tag};

/// Settings of a [`Host`](crate::Host); [`HostBuilder::build`] reports all that is wrong with them at once.
#[derive(Clone, Debug)]
pub struct HostBuilder {
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) max_workers: usize,
    pub(crate) max_instances: u32,
    pub(crate) max_memory_bytes: u64,
    pub(crate) count_fuel: bool,
    pub(crate) quick_code_bytes: Option<u64>,
    pub(crate) optimise: bool,
    pub(crate) compile_timeout: Duration,
    pub(crate) queue_capacity: usize,
    pub(crate) memory_cache_bytes: u64,
    pub(crate) book: BookBounds,
    pub(crate) remote_cache: Option<RemoteCache>,
    pub(crate) tag_limits: HashMap<Tag, TagLimit>,
    pub(crate) seed: Option<u64>,
}

impl Default for HostBuilder {
    fn default() -> Self {
        let EngineOptions { max_instances, max_memory_bytes, count_fuel, .. } = EngineOptions::default();
        Self {
            data_dir: None,
            max_workers: thread::available_parallelism().map_or(1, usize::from),
            max_instances,
            max_memory_bytes,
            count_fuel,
            quick_code_bytes: Some(EngineOptions::DEFAULT_QUICK_CODE_BYTES),
            optimise: true,
            compile_timeout: EngineOptions::DEFAULT_COMPILE_TIMEOUT,
            queue_capacity: 100_000,
            memory_cache_bytes: 64 << 20,
            book: BookBounds::default(),
            remote_cache: None,
            tag_limits: HashMap::new(),
            seed: None,
        }
    }
}

impl HostBuilder {
    /// The most worker threads.
    pub const MAX_WORKERS: usize = 1024;

    /// Keeps compiled code and cached results in this directory, which is created when needed and may be shared by
    /// several processes. Without it, both are kept in memory only.
    ///
    /// Only this user can use what is created there. [`HostBuilder::build`] refuses a directory that users other than this one
    /// and root can change: see [`DataDirError`].
    #[must_use]
    pub fn data_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(dir.into());
        self
    }

    /// How many guests compute at the same time: the number of worker threads, 1 to [`Self::MAX_WORKERS`]. Default
    /// one for each processor. Guests that sleep or wait do not count.
    #[must_use]
    pub fn max_workers(mut self, workers: usize) -> Self {
        self.max_workers = workers;
        self
    }

    /// How many guests may have begun and not ended, sleeping ones too; at least 1. Reserves address space, not
    /// memory. Default 11,000.
    #[must_use]
    pub fn max_instances(mut self, instances: u32) -> Self {
        self.max_instances = instances;
        self
    }

    /// How much linear memory all guests may have together, in bytes; at least 1. None may have more than four times of what
    /// is free, so that something is left over for the others however many take all they can get. Default half of the
    /// machine's memory, or of what the control group of the process allows.
    #[must_use]
    pub fn max_memory_bytes(mut self, bytes: u64) -> Self {
        self.max_memory_bytes = bytes;
        self
    }

    /// Counts fuel, without which no task with [`Limits::fuel`](hostel_core::Limits::fuel) can be submitted, and no receipt
    /// tells of it. Guests are slower by some percent then. Default not.
    #[must_use]
    pub fn count_fuel(mut self, count: bool) -> Self {
        self.count_fuel = count;
        self
    }

    /// Compiles components with so many bytes of code or more twice: quickly first, to code that is several times slower, so that
    /// their tasks can run at once, and again for speed in the background. So are smaller ones that the optimising compiler may
    /// need more than two seconds for. `None` compiles everything once. Default 1 MiB of
    /// code. Only on x86-64 and without [`HostBuilder::count_fuel`].
    #[must_use]
    pub fn quick_code_bytes(mut self, least: Option<u64>) -> Self {
        self.quick_code_bytes = least;
        self
    }

    /// Whether what was compiled quickly is compiled again for speed, with low priority, and new attempts use that code as soon
    /// as it is there. Default it is; a program that ends soon may do without.
    #[must_use]
    pub fn optimise(mut self, optimise: bool) -> Self {
        self.optimise = optimise;
        self
    }

    /// The longest that a load waits for the compiler; then it is an error. The compiler cannot be interrupted: it goes on
    /// with low priority until it ends, and with a data directory its work is there for a later load. At most four
    /// components are compiled at once, abandoned ones among them; more wait, and give up when none of the four has ended
    /// for as long as this. Default two minutes; [`Duration::MAX`] waits for as long as it takes.
    #[must_use]
    pub fn compile_timeout(mut self, timeout: Duration) -> Self {
        self.compile_timeout = timeout;
        self
    }

    /// How many submitted runs may wait for a worker before `submit` blocks; at least 1. Default 100,000, at about
    /// half a kibibyte and the inputs each.
    #[must_use]
    pub fn queue_capacity(mut self, runs: usize) -> Self {
        self.queue_capacity = runs;
        self
    }

    /// How much memory cached results may take. Default 64 MiB; 0 keeps none in memory.
    #[must_use]
    pub fn memory_cache_bytes(mut self, bytes: u64) -> Self {
        self.memory_cache_bytes = bytes;
        self
    }

    /// How many runs that have ended [`Host::runs`](crate::Host::runs) can still find; those that ended first are dropped first.
    /// Default 10,000; 0 switches it off, and then it finds no unfinished runs either.
    ///
    /// An ended run keeps its task, with the hooks of the program, until it is dropped or the host is. A hook that owns the
    /// [`Host`](crate::Host) keeps it alive for as long.
    #[must_use]
    pub fn ended_runs(mut self, runs: usize) -> Self {
        self.book.ended = runs;
        self
    }

    /// How many bytes the values and logs of these runs may have together; a run that has more alone is dropped when it ends.
    /// Default 64 MiB.
    #[must_use]
    pub fn ended_runs_bytes(mut self, bytes: u64) -> Self {
        self.book.ended_bytes = bytes;
        self
    }

    /// Shares cached results with other machines: a run takes what it finds there when memory and data directory have
    /// nothing, and what runs compute is put there behind their backs. A place that is away is a warning and a miss.
    /// Dropping the host, or its shutdown, waits up to ten seconds for what is still to be written. Default none.
    #[must_use]
    pub fn remote_cache(mut self, cache: RemoteCache) -> Self {
        self.remote_cache = Some(cache);
        self
    }

    /// Lets at most so many runs with this tag execute at once; at least 1. The others are `AwaitingConcurrencySlot`,
    /// and hold no worker; a run that awaits its next attempt holds no slot.
    #[must_use]
    pub fn tag_limit(mut self, tag: impl Into<Tag>, runs: usize) -> Self {
        self.tag_limits.entry(tag.into()).or_default().concurrency = Some(runs);
        self
    }

    /// Lets attempts of runs with this tag begin no more often than this; the others wait as for a
    /// [`HostBuilder::tag_limit`].
    #[must_use]
    pub fn rate_limit(mut self, tag: impl Into<Tag>, limit: RateLimit) -> Self {
        self.tag_limits.entry(tag.into()).or_default().rate = Some(limit);
        self
    }

    /// Makes what the host itself draws by lot, the jitter of retries, the same each time.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`BuildError::Settings`] with everything that is wrong with them.
    pub(crate) fn check(&self) -> Result<(), BuildError> {
        let problems = self.problems();
        if problems.is_empty() { Ok(()) } else { Err(BuildError::Settings(Problems(problems))) }
    }

    fn problems(&self) -> Vec<String> {
        let at_least_one =
            |what: &str, value: u64| (value == 0).then(|| format!("{what} is 0: expected at least 1"));
        let workers = (self.max_workers > Self::MAX_WORKERS)
            .then(|| format!("max_workers is {}: expected at most {}", self.max_workers, Self::MAX_WORKERS));
        let data_dir = self.data_dir.as_ref().filter(|dir| dir.is_file());
        let data_dir =
            data_dir.map(|dir| format!("data_dir is {}: expected a directory, found a file", dir.display()));
        [
            at_least_one("max_workers", self.max_workers as u64),
            workers,
            at_least_one("max_instances", self.max_instances.into()),
            at_least_one("max_memory_bytes", self.max_memory_bytes),
            at_least_one("queue_capacity", self.queue_capacity as u64),
            data_dir,
        ]
        .into_iter()
        .flatten()
        .chain(self.tag_limits.iter().flat_map(|(tag, limit)| limit_problems(tag, limit)))
        .collect()
    }
}

fn limit_problems(tag: &Tag, limit: &TagLimit) -> Vec<String> {
    let of_tag = check_tag(tag).err().map(|error| error.to_string());
    let none = limit.concurrency.filter(|&runs| runs == 0);
    let none = none.map(|_| format!("tag_limit of {tag:?} is 0: expected at least 1"));
    let rate = limit.rate.filter(|rate| rate.runs == 0 || rate.per.is_zero());
    let rate = rate.map(|RateLimit { runs, per }| {
        format!("rate_limit of {tag:?} is {runs} runs in {per:?}: expected at least 1 in more than no time")
    });
    [of_tag, none, rate].into_iter().flatten().collect()
}

/// A host could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Some settings are out of range.
    #[error("{0}")]
    Settings(Problems),
    /// Other users can change the data directory.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The sandbox engine cannot start.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The worker threads cannot start.
    #[error("the worker threads cannot start")]
    Threads(#[source] std::io::Error),
}

impl BuildError {
    /// What kind of thing went wrong.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Settings(_) => ErrorKind::Invalid,
            Self::DataDir(error) => error.kind(),
            Self::Engine(error) => error.kind(),
            Self::Threads(_) => ErrorKind::Exhausted,
        }
    }
}

/// Everything that is wrong with the settings of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}
