//! The host: owns workers, engine and cache, and stops their work when it is dropped.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use hostel_engine::{Engine, EngineOptions, LoadError};

use crate::book::Book;
use crate::builder::{BuildError, HostBuilder};
use crate::cache::{Cache, RemoteCache, ResultCache};
use crate::calls::HookThread;
use crate::component::Component;
use crate::data_dir::{COMPILED, FLIGHTS, Protected, check_and_mend};
use crate::delay::unwatched;
use crate::events::{EventHub, Events};
use crate::flight::{Flights, PULSE};
use crate::host_state::HostState;
use crate::journal::{Journal, JournalError, OpenJournalError};
use crate::journal_watch::JournalChanges;
use crate::lazy_journal::LazyJournal;
use crate::run::Run;
use crate::runner::{Bounds, Runner};
use crate::standing::StandingClaims;
use crate::transaction::TransactionBuilder;

/// Runs tasks: owns the worker threads, the sandbox engine and the cache.
///
/// Dropping the host cancels pending and running runs, and waits until guests have yielded, which takes a few
/// milliseconds. After that, every run has its outcome. To let work finish first, call [`Host::shutdown`]. With a
/// [remote cache](HostBuilder::remote_cache), dropping also waits up to ten seconds for pending uploads.
pub struct Host {
    state: Arc<HostState>,
    runner: Runner<Run>,
    /// After the runner, whose last runs end when it is dropped.
    _last: LastSteps,
}

/// Waits, when it is dropped, until what runs have put into the cache is on disk; and drops the runs in the book, which hold the
/// host's state.
struct LastSteps(Arc<HostState>);

impl Drop for LastSteps {
    fn drop(&mut self) {
        self.0.book.close();
        self.0.cache.flush();
    }
}

/// How a host ends its runs when it shuts down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Lets pending and running runs end.
    Wait,
    /// Cancels pending runs, and lets running ones end.
    CancelPending,
    /// Cancels pending and running runs.
    CancelAll,
}

impl HostBuilder {
    /// Starts the host. Takes a few milliseconds.
    ///
    /// # Errors
    ///
    /// [`BuildError::Settings`] with all invalid settings, or another [`BuildError`] if the machine lacks the resources
    /// or the data directory is refused.
    pub fn build(self) -> Result<Host, BuildError> {
        self.check()?;
        Host::start(&self)
    }
}

impl Host {
    /// The default settings of a host.
    pub fn builder() -> HostBuilder {
        HostBuilder::default()
    }

    fn start(settings: &HostBuilder) -> Result<Self, BuildError> {
        settings.data_dir.as_deref().map_or(Ok(()), check_and_mend)?;
        let mut options = EngineOptions::default();
        options.max_instances = settings.max_instances;
        options.max_memory_bytes = settings.max_memory_bytes;
        options.max_process_bytes = settings.max_process_bytes();
        options.warm_memory_bytes = settings.warm_memory_bytes;
        options.count_fuel = settings.count_fuel;
        options.quick_code_bytes = settings.quick_code_bytes;
        options.optimise = settings.optimise;
        options.compile_timeout = settings.compile_timeout;
        options.compile_program = settings.compile_program.clone();
        options.root_certificates = settings.root_certificates.clone();
        options.compile_cache_dir = settings.data_dir.as_ref().map(|dir| dir.join(COMPILED));
        let engine = Engine::new(options)?;
        let bounds = Bounds {
            workers: settings.max_workers,
            pending: settings.queue_capacity,
            live: engine.max_instances() as usize,
        };
        let hooks = HookThread::start().map_err(BuildError::Threads)?;
        let runner = Runner::start(bounds, &settings.tag_limits, hooks.backlog(), engine.clone())
            .map_err(BuildError::Threads)?;
        let scheduler = Arc::downgrade(runner.scheduler());
        hooks.when_there_is_room(move || {
            scheduler.upgrade().iter().for_each(|scheduler| scheduler.wake_submitters());
        });
        let flights_dir = settings.data_dir.as_ref().map(|dir| dir.join(FLIGHTS));
        let flights = Arc::new(Flights::new(flights_dir));
        show_life(&runner, &flights);
        let cache = Cache::new(settings.memory_cache_bytes, settings.data_dir.as_deref());
        let timers = runner.scheduler().timers();
        let cache = cache.with_remote(settings.remote_cache.as_ref(), timers);
        let state = Arc::new(HostState {
            engine,
            protected: Protected {
                data_dir: settings.data_dir.clone(),
                remote_dir: settings.remote_cache.as_ref().and_then(RemoteCache::local_dir),
            },
            flights,
            cache: Arc::new(cache),
            book: Book::new(settings.book),
            events: EventHub::default(),
            hooks,
            random: Mutex::new(settings.seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed)),
            scheduler: Arc::clone(runner.scheduler()),
            queue_capacity: settings.queue_capacity,
            workers: settings.max_workers,
            journal: LazyJournal::new(settings.journal.clone(), settings.data_dir.as_deref()),
            journal_watch: Arc::default(),
            standing: StandingClaims::default(),
        });
        let last = LastSteps(Arc::clone(&state));
        Ok(Self { state, runner, _last: last })
    }

    /// Whether the host [counts fuel](HostBuilder::count_fuel), so that tasks may limit it.
    pub fn counts_fuel(&self) -> bool {
        self.state.engine.counts_fuel()
    }

    /// Loads a component from a `.wasm` or `.wat` file. Compiling takes tens of milliseconds for a small component and
    /// seconds for one that contains an interpreter. With a data directory, only the first load compiles. Compilation
    /// runs on the host's own threads at low priority, and the load waits for it for at most
    /// [`HostBuilder::compile_timeout`].
    ///
    /// # Errors
    ///
    /// [`LoadError`] if the file cannot be read, is not a valid component, or is not compiled in time.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not stop the compilation. Only the compile cache uses its result then.
    pub async fn load(&self, path: impl AsRef<Path>) -> Result<Component, LoadError> {
        let path = path.as_ref().to_owned();
        self.loaded(move |engine| engine.load_file(&path)).await
    }

    /// Loads a component from a file to inspect its exports and imports. Submitting one of its tasks is an error. The
    /// component is fully validated but not compiled, which takes a fraction of a second even for the largest.
    ///
    /// # Errors
    ///
    /// As [`Host::load`].
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time.
    pub async fn inspect(&self, path: impl AsRef<Path>) -> Result<Component, LoadError> {
        let path = path.as_ref().to_owned();
        self.loaded(move |engine| engine.inspect_file(&path)).await
    }

    /// Loads a component from its bytes, binary or text. Otherwise like [`Host::load`].
    ///
    /// # Errors
    ///
    /// [`LoadError`] if the bytes are not a valid component, or are not compiled in time.
    pub async fn load_bytes(&self, bytes: impl Into<Vec<u8>>) -> Result<Component, LoadError> {
        let bytes = bytes.into();
        self.loaded(move |engine| engine.load_bytes(&bytes)).await
    }

    /// Reads the component in a file, in its binary form: text is assembled. Its content is not checked.
    ///
    /// # Errors
    ///
    /// [`LoadError`] if the file cannot be read, or has no component.
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time.
    pub async fn read_component(&self, path: impl AsRef<Path>) -> Result<Vec<u8>, LoadError> {
        let path = path.as_ref().to_owned();
        loaded(self.state.load_with(move |engine| engine.read_component(&path)).await)
    }

    /// The WIT of a component in its binary form: its world and the interfaces that it uses. Takes some milliseconds.
    ///
    /// # Errors
    ///
    /// [`LoadError::NoWit`] if it cannot be written in WIT; otherwise as [`Host::load_bytes`].
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time.
    pub async fn wit(&self, component: impl Into<Vec<u8>>) -> Result<String, LoadError> {
        let component = component.into();
        loaded(self.state.load_with(move |engine| engine.wit(component)).await)
    }

    async fn loaded<F>(&self, load: F) -> Result<Component, LoadError>
    where
        F: FnOnce(&Engine) -> Result<hostel_engine::Component, LoadError> + Send + 'static,
    {
        let component = loaded(self.state.load_with(load).await)?;
        Ok(Component::new(Arc::clone(&self.state), component))
    }

    /// The events of this host's runs from now on: states, log lines and progress. Any number of listeners can
    /// subscribe. They never delay runs.
    pub fn events(&self) -> Events {
        self.state.events.listen()
    }

    /// The memory of all live guests together, in bytes: 0 when nothing runs. See
    /// [`HostBuilder::max_memory_bytes`].
    pub fn memory_bytes(&self) -> u64 {
        self.state.engine.memory_bytes()
    }

    /// The cached results in the host's data directory, to inspect and remove; `None` if the host has no data
    /// directory. Results removed through this handle are also removed from the host's memory.
    pub fn cache(&self) -> Option<ResultCache> {
        ResultCache::of_host(&self.state.cache)
    }

    /// The journal of the host's [delayed](crate::Task::delay) runs: the one that it was [built](HostBuilder::journal) with, the
    /// one in its data directory, or one in memory. The first call opens it, which may block for some milliseconds.
    ///
    /// # Errors
    ///
    /// [`OpenJournalError`] if it cannot be opened; the next call tries again.
    pub fn journal(&self) -> Result<&Arc<dyn Journal>, OpenJournalError> {
        self.state.journal()
    }

    /// Listens to changes of the [journal](Host::journal), by this process or another one. All listeners share one thread.
    ///
    /// # Errors
    ///
    /// [`JournalError::Medium`] if the journal cannot be opened, or the system refused the thread.
    pub fn journal_changes(&self) -> Result<JournalChanges, JournalError> {
        self.state.journal_watch.listen(self.opened_journal()?).map_err(unwatched)
    }

    pub(crate) fn opened_journal(&self) -> Result<&Arc<dyn Journal>, JournalError> {
        self.journal().map_err(|error| JournalError::Medium { action: "open", source: error.into() })
    }

    pub(crate) fn state(&self) -> &Arc<HostState> {
        &self.state
    }

    /// The default settings of a [`Transaction`](crate::Transaction).
    pub fn transaction(&self) -> TransactionBuilder {
        TransactionBuilder::new(Arc::clone(&self.state), None)
    }

    /// Does `work`, and then shuts down as [`Shutdown::Wait`] does. So every run submitted in `work` has ended when
    /// this returns, even if `work` panics.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the host, which cancels all runs that have not ended.
    pub async fn scope<T>(self, work: impl AsyncFnOnce(&Self) -> T) -> T {
        let done = AssertUnwindSafe(work(&self)).catch_unwind().await;
        self.shutdown(Shutdown::Wait).await;
        done.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Waits until the queue has room for another run, or the host shuts down. Another caller may use the room first.
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time.
    pub async fn ready(&self) {
        self.state.scheduler.room().await;
    }

    /// Accepts no more runs, ends the existing ones according to `how`, and waits until every run has ended, all due
    /// hooks and callbacks have been called, and all cached results are on disk and in the remote cache. Can be called
    /// again, also with another `how`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the waiting only. The shutdown goes on, and the host still accepts no more runs.
    pub async fn shutdown(&self, how: Shutdown) {
        let scheduler = self.runner.scheduler();
        scheduler.close();
        match how {
            Shutdown::Wait => {}
            Shutdown::CancelPending => scheduler.cancel_pending(),
            Shutdown::CancelAll => {
                scheduler.cancel_pending();
                scheduler.cancel_live();
            }
        }
        scheduler.drained().await;
        let cache = Arc::clone(&self.state.cache);
        self.state.hooks.ask(move || cache.flush()).await;
        self.state.cache.flush_shared().await;
    }
}

/// What a load on a thread of the host has returned, unless it panicked.
pub(crate) fn loaded<T, E>(loaded: Result<Result<T, LoadError>, E>) -> Result<T, LoadError> {
    loaded.unwrap_or_else(|_| Err(LoadError::Panicked("loading it panicked".to_owned())))
}

impl Drop for Host {
    /// Pending uploads to the remote cache need the runner's runtime, so they are flushed while it still exists.
    fn drop(&mut self) {
        if self.state.cache.is_shared() {
            let scheduler = self.runner.scheduler();
            scheduler.close();
            scheduler.cancel_pending();
            scheduler.cancel_live();
            self.state.cache.flush_shared_blocking();
        }
    }
}

/// Signals to other processes that this one is alive, for as long as the runner exists.
fn show_life(runner: &Runner<Run>, flights: &Arc<Flights<Run>>) {
    if !flights.has_others() {
        return;
    }
    let flights = Arc::clone(flights);
    let pulse = async move {
        loop {
            tokio::time::sleep(PULSE).await;
            flights.pulse();
        }
    };
    // The task ends with the runtime, which the runner owns.
    runner.scheduler().timers().spawn(pulse);
}
