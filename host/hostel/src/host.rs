//! The host: owns workers, engine and cache, and ends their work when it is dropped.

use std::path::Path;
use std::sync::Arc;

use hostel_engine::{Engine, EngineOptions, LoadError};
use tokio::sync::oneshot;

use crate::builder::{BuildError, HostBuilder};
use crate::cache::Cache;
use crate::component::Component;
use crate::runner::{Bounds, Runner};

/// Runs tasks: owns the worker threads, the sandbox engine and the cache.
///
/// Dropping the host cancels what is pending or running, and waits until guests have given way: a few milliseconds.
/// Every run has its outcome then. To let work finish first, call [`Host::shutdown`].
pub struct Host {
    shared: Arc<Shared>,
    runner: Runner,
}

/// What components and tasks keep of their host.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) cache: Cache,
    pub(crate) runner: Arc<crate::runner::Shared>,
    pub(crate) queue_capacity: usize,
}

/// What a host does with its runs when it shuts down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// Lets pending and running runs end.
    Wait,
    /// Cancels pending runs, and lets running ones end.
    CancelPending,
    /// Cancels pending and running runs.
    CancelAll,
}

impl Host {
    /// The settings of a host, all at their defaults.
    pub fn builder() -> HostBuilder {
        HostBuilder::default()
    }

    pub(crate) fn start(settings: &HostBuilder) -> Result<Self, BuildError> {
        let mut options = EngineOptions::default();
        options.max_instances = settings.max_instances;
        options.compile_cache_dir = settings.data_dir.as_ref().map(|dir| dir.join("compiled"));
        let engine = Engine::new(options)?;
        let bounds = Bounds {
            workers: settings.max_workers,
            pending: settings.queue_capacity,
            live: engine.max_instances() as usize,
        };
        let runner = Runner::start(bounds).map_err(BuildError::Threads)?;
        let cache_dir = settings.data_dir.as_ref().map(|dir| dir.join("cache"));
        let shared = Arc::new(Shared {
            engine,
            cache: Cache::new(settings.memory_cache_bytes, cache_dir),
            runner: Arc::clone(runner.shared()),
            queue_capacity: settings.queue_capacity,
        });
        Ok(Self { shared, runner })
    }

    /// Loads a component from a `.wasm` or `.wat` file. Compiling takes tens of milliseconds for a small component and
    /// seconds for one with an interpreter inside; with a data directory, only the first time.
    ///
    /// # Errors
    ///
    /// [`LoadError`] for a file that cannot be read or is not a valid component.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the compilation running to its end, unused but for the compile cache.
    pub async fn load(&self, path: impl AsRef<Path>) -> Result<Component, LoadError> {
        let path = path.as_ref().to_owned();
        self.load_with(move |engine| engine.load_file(&path)).await
    }

    /// Loads a component from its bytes, binary or text; like [`Host::load`] otherwise.
    ///
    /// # Errors
    ///
    /// [`LoadError`] if the bytes are not a valid component.
    pub async fn load_bytes(&self, bytes: impl Into<Vec<u8>>) -> Result<Component, LoadError> {
        let bytes = bytes.into();
        self.load_with(move |engine| engine.load_bytes(&bytes)).await
    }

    /// Compiles on a thread of the host's, so that the caller's are not held up.
    async fn load_with<F>(&self, load: F) -> Result<Component, LoadError>
    where
        F: FnOnce(&Engine) -> Result<hostel_engine::Component, LoadError> + Send + 'static,
    {
        let engine = self.shared.engine.clone();
        let (send, receive) = oneshot::channel();
        self.shared.runner.timers().spawn_blocking(move || {
            // Nobody listens any more if the caller has dropped its future.
            let _ = send.send(load(&engine));
        });
        match receive.await {
            Ok(loaded) => loaded.map(|component| Component::new(Arc::clone(&self.shared), component)),
            Err(_) => Err(LoadError::Malformed("the compiler panicked on it".to_owned())),
        }
    }

    /// Is done when the queue has room for another run, or the host shuts down; someone else may use the room first.
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time.
    pub async fn ready(&self) {
        self.shared.runner.room().await;
    }

    /// Takes no more runs, deals with those it has as `how` says, and is done when every run has ended. Can be called
    /// again, also with another `how`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the waiting; what was begun goes on, and the host takes no more runs all the same.
    pub async fn shutdown(&self, how: Shutdown) {
        let runner = self.runner.shared();
        runner.close();
        match how {
            Shutdown::Wait => {}
            Shutdown::CancelPending => runner.cancel_pending(),
            Shutdown::CancelAll => {
                runner.cancel_pending();
                runner.cancel_live();
            }
        }
        runner.drained().await;
    }
}
