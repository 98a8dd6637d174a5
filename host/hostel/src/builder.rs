//! The settings of a host.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use hostel_core::{ErrorKind, Tag, check_tag};
use hostel_engine::{EngineError, EngineOptions};

use crate::book::BookBounds;
use crate::cache::RemoteCache;
use crate::data_dir::DataDirError;
use crate::journal::Journal;
use crate::lazy_journal::GivenJournal;
use crate::runner::{RateLimit, TagLimit};

/// What a process with a host takes without any guest, with caches and journals.
const PROCESS_BYTES: u64 = 256 << 20;

/// The settings of a [`Host`](crate::Host). [`HostBuilder::build`] reports all invalid settings at once.
#[derive(Clone, Debug)]
pub struct HostBuilder {
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) max_workers: usize,
    pub(crate) max_instances: u32,
    pub(crate) max_memory_bytes: u64,
    pub(crate) owns_process: bool,
    pub(crate) warm_memory_bytes: u64,
    pub(crate) count_fuel: bool,
    pub(crate) quick_code_bytes: Option<u64>,
    pub(crate) optimise: bool,
    pub(crate) compile_timeout: Duration,
    pub(crate) compile_program: Option<PathBuf>,
    pub(crate) root_certificates: Option<PathBuf>,
    pub(crate) queue_capacity: usize,
    pub(crate) memory_cache_bytes: u64,
    pub(crate) book: BookBounds,
    pub(crate) remote_cache: Option<RemoteCache>,
    pub(crate) tag_limits: HashMap<Tag, TagLimit>,
    pub(crate) seed: Option<u64>,
    pub(crate) journal: Option<GivenJournal>,
}

impl Default for HostBuilder {
    fn default() -> Self {
        let EngineOptions { max_instances, max_memory_bytes, warm_memory_bytes, count_fuel, .. } =
            EngineOptions::default();
        Self {
            data_dir: None,
            max_workers: thread::available_parallelism().map_or(1, usize::from),
            max_instances,
            max_memory_bytes,
            owns_process: false,
            warm_memory_bytes,
            count_fuel,
            quick_code_bytes: Some(EngineOptions::DEFAULT_QUICK_CODE_BYTES),
            optimise: true,
            compile_timeout: EngineOptions::DEFAULT_COMPILE_TIMEOUT,
            compile_program: None,
            root_certificates: None,
            queue_capacity: 100_000,
            memory_cache_bytes: 24 << 20,
            book: BookBounds::default(),
            remote_cache: None,
            tag_limits: HashMap::new(),
            seed: None,
            journal: None,
        }
    }
}

impl HostBuilder {
    /// The maximum number of worker threads.
    pub const MAX_WORKERS: usize = 1024;

    /// Stores compiled code and cached results in this directory. It is created when needed, and several processes may
    /// share it. Without it, both are stored in memory only.
    ///
    /// Only the current user can access the files created there. [`HostBuilder::build`] refuses a directory that users
    /// other than this one and root can change: see [`DataDirError`].
    #[must_use]
    pub fn data_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(dir.into());
        self
    }

    /// Stores [delayed](crate::Task::delay) runs in this journal. Default: the one in the data directory, or without a
    /// data directory one in memory.
    #[must_use]
    pub fn journal(mut self, journal: Arc<dyn Journal>) -> Self {
        self.journal = Some(GivenJournal(journal));
        self
    }

    /// The maximum number of guests that compute at the same time: the number of worker threads, 1 to
    /// [`Self::MAX_WORKERS`]. Default: one per processor. Guests that sleep or wait do not count.
    #[must_use]
    pub fn max_workers(mut self, workers: usize) -> Self {
        self.max_workers = workers;
        self
    }

    /// The maximum number of live guests, including sleeping ones; at least 1. Reserves address space, not memory.
    /// Default: 11,000.
    ///
    /// A process has address space for about two pools of that size, and each kind of component, with and without component-model
    /// async, takes one when it is first loaded. A pool that finds no room has half as many places, or a quarter. The address space of a
    /// host that was dropped is given back a moment later, when its threads have ended.
    #[must_use]
    pub fn max_instances(mut self, instances: u32) -> Self {
        self.max_instances = instances;
        self
    }

    /// The maximum memory of all guests together, in bytes; at least 1: their linear memory, large arguments and tables, and what the
    /// host stores of their output. Their stacks, of 1 MiB each, may take as much again. A single guest may use at most four times
    /// the memory that is still free, so that some remains for the others even if many guests take as much as they can. While less
    /// than a sixty-fourth is free, runs wait before they begin, unless no other run has begun.
    /// Default: half of the machine's memory, or half of what the control group of the process allows.
    #[must_use]
    pub fn max_memory_bytes(mut self, bytes: u64) -> Self {
        self.max_memory_bytes = bytes;
        self
    }

    /// Whether the process does nothing but run this host, as the `hostel` command does. Then runs also wait before they begin while the
    /// process uses more than one and a half times [`max_memory_bytes`](Self::max_memory_bytes) plus 256 MiB. All its memory counts, except
    /// pages of files. Only on Linux. Default: off.
    #[must_use]
    pub fn owns_process(mut self, owns: bool) -> Self {
        self.owns_process = owns;
        self
    }

    /// The bound on the memory of the process, if there is one.
    pub(crate) fn max_process_bytes(&self) -> Option<u64> {
        let most = self.max_memory_bytes.saturating_add(self.max_memory_bytes / 2);
        self.owns_process.then(|| most.saturating_add(PROCESS_BYTES))
    }

    /// How much memory may stay with instances that have ended, for components whose instances touch much of theirs, such as
    /// interpreters of Python or JavaScript; in bytes, of which each instance takes up to 48 MiB. Several such instances at once are
    /// several times as fast for it. Half of it is for components with component-model async. 0 never leaves any. It has an effect with a data directory, on Linux.
    /// Default: enough for two instances for each processor, and at most a sixteenth of the machine's memory.
    #[must_use]
    pub fn warm_memory_bytes(mut self, bytes: u64) -> Self {
        self.warm_memory_bytes = bytes;
        self
    }

    /// Counts fuel. Without it, tasks with [`Limits::fuel`](hostel_core::Limits::fuel) cannot be submitted, and
    /// receipts contain no fuel. Counting slows guests by a few percent. Default: off.
    #[must_use]
    pub fn count_fuel(mut self, count: bool) -> Self {
        self.count_fuel = count;
        self
    }

    /// Compiles components with at least this many bytes of code twice: first quickly, to code that is several times
    /// slower, so that their tasks can run at once, and again in the background, optimised for speed. The same applies
    /// to smaller components that may take the optimising compiler more than two seconds. `None` compiles every
    /// component once. Default: 1 MiB of code. Has an effect only on x86-64 and without [`HostBuilder::count_fuel`].
    #[must_use]
    pub fn quick_code_bytes(mut self, least: Option<u64>) -> Self {
        self.quick_code_bytes = least;
        self
    }

    /// Whether quickly compiled code is compiled again for speed, at low priority. New attempts use the optimised code
    /// as soon as it is available. Default: yes. A program that ends soon may turn it off.
    #[must_use]
    pub fn optimise(mut self, optimise: bool) -> Self {
        self.optimise = optimise;
        self
    }

    /// The maximum time that a load waits for the compiler, after which it fails. The compiler cannot be interrupted:
    /// it goes on at low priority until it ends, and with a data directory a later load uses its result. At most four
    /// components are compiled at once, including abandoned ones. Further loads wait, and fail if none of the four ends
    /// within this time. Default: two minutes. [`Duration::MAX`] waits without a limit.
    #[must_use]
    pub fn compile_timeout(mut self, timeout: Duration) -> Self {
        self.compile_timeout = timeout;
        self
    }

    /// Compiles components in processes of their own, which the system limits: to 30 seconds of processor time, and 5 more for each
    /// MiB of its code (ten times as much for compiling again in the background), and to 2 GiB of memory, and 8 MiB more for each
    /// MiB of code. Long text is assembled there as well. A component that takes more is refused ([`LoadError::TooCostly`](crate::LoadError)), and costs this process nothing. Linux
    /// enforces both limits, macOS only the first, other systems neither. A process takes some milliseconds to start; code from the
    /// data directory needs none.
    ///
    /// The program is started with the one argument [`COMPILE_APART`](crate::COMPILE_APART). It may be the `hostel` command, or any
    /// program, such as this one, that then calls [`compile_apart`](crate::compile_apart) with its stdin and stdout and does nothing
    /// else. It must be built with the same version of this crate. Default: none, components are compiled in this process.
    #[must_use]
    pub fn compile_program(mut self, program: impl Into<PathBuf>) -> Self {
        self.compile_program = Some(program.into());
        self
    }

    /// The root certificates that HTTPS requests of guests trust: those of this PEM file, of at most 16 MiB, in place of Mozilla's, which are
    /// compiled in. It is read with the first such request. If it cannot be read, or has no certificate, these requests fail, and
    /// the log of the run says why. Default: none. The `hostel` command uses the file that `SSL_CERT_FILE` names.
    #[must_use]
    pub fn root_certificates(mut self, file: impl Into<PathBuf>) -> Self {
        self.root_certificates = Some(file.into());
        self
    }

    /// The maximum number of submitted runs that wait for a worker before `submit` blocks; at least 1. Default:
    /// 100,000. Each takes about half a kibibyte in addition to its inputs.
    #[must_use]
    pub fn queue_capacity(mut self, runs: usize) -> Self {
        self.queue_capacity = runs;
        self
    }

    /// The maximum memory for cached results, in bytes. Default: 24 MiB; 0 caches none in memory.
    #[must_use]
    pub fn memory_cache_bytes(mut self, bytes: u64) -> Self {
        self.memory_cache_bytes = bytes;
        self
    }

    /// How many runs that have ended [`Host::runs`](crate::Host::runs) can still find; those that ended first are dropped first.
    /// Default 0, which switches it off: then it finds no unfinished runs either. Otherwise each run costs about a microsecond more.
    ///
    /// An ended run keeps its task, with its component and the hooks of the program, until it is dropped or the host is. A hook
    /// that owns the [`Host`](crate::Host) keeps it alive for as long.
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

    /// Shares cached results with other machines. If neither memory nor the data directory has a result, a run takes it
    /// from the remote cache. New results are uploaded in the background. If the remote cache is unavailable, the host
    /// logs a warning and treats the look-up as a miss. Dropping the host, or shutting it down, waits up to ten seconds
    /// for pending uploads. Default: none.
    #[must_use]
    pub fn remote_cache(mut self, cache: RemoteCache) -> Self {
        self.remote_cache = Some(cache);
        self
    }

    /// Limits how many runs with this tag execute at once; at least 1. The others are `AwaitingConcurrencySlot` and
    /// hold no worker. A run that awaits its next attempt holds no slot.
    #[must_use]
    pub fn tag_limit(mut self, tag: impl Into<Tag>, runs: usize) -> Self {
        self.tag_limits.entry(tag.into()).or_default().concurrency = Some(runs);
        self
    }

    /// Limits how often attempts of runs with this tag begin. The others wait as for a [`HostBuilder::tag_limit`].
    #[must_use]
    pub fn rate_limit(mut self, tag: impl Into<Tag>, limit: RateLimit) -> Self {
        self.tag_limits.entry(tag.into()).or_default().rate = Some(limit);
        self
    }

    /// Seeds the host's own random choices, such as the jitter of retries, so that they are the same each time.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// [`BuildError::Settings`] with all invalid settings.
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
        format!(
            "rate_limit of {tag:?} is {runs} runs in {per:?}: expected at least 1 run in more than zero time"
        )
    });
    [of_tag, none, rate].into_iter().flatten().collect()
}

/// The host could not be started.
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
    /// The kind of this error.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Settings(_) => ErrorKind::Invalid,
            Self::DataDir(error) => error.kind(),
            Self::Engine(error) => error.kind(),
            Self::Threads(_) => ErrorKind::Exhausted,
        }
    }
}

/// All invalid settings of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}
