//! The parts of a host that its components, tasks and runs use.

use std::sync::{Arc, Mutex, PoisonError};

use hostel_engine::Engine;
use tokio::sync::oneshot;

use crate::book::Book;
use crate::cache::Cache;
use crate::calls::HookThread;
use crate::data_dir::Protected;
use crate::events::EventHub;
use crate::flight::Flights;
use crate::journal::{Journal, OpenJournalError};
use crate::journal_watch::JournalWatch;
use crate::lazy_journal::LazyJournal;
use crate::run::Run;
use crate::runner::Scheduler;
use crate::standing::StandingClaims;

/// The shared state of a host, its components, tasks and runs.
pub(crate) struct HostState {
    pub(crate) engine: Engine,
    pub(crate) protected: Protected,
    pub(crate) cache: Arc<Cache>,
    pub(crate) flights: Arc<Flights<Run>>,
    pub(crate) book: Book<Run>,
    pub(crate) events: EventHub,
    pub(crate) hooks: HookThread,
    pub(crate) random: Mutex<fastrand::Rng>,
    pub(crate) scheduler: Arc<Scheduler<Run>>,
    pub(crate) queue_capacity: usize,
    /// How many threads execute guests.
    pub(crate) workers: usize,
    pub(crate) journal: LazyJournal,
    pub(crate) journal_watch: Arc<JournalWatch>,
    /// What idle workers would claim.
    pub(crate) standing: StandingClaims,
}

impl HostState {
    /// A random number from 0 up to, but not including, 1.
    pub(crate) fn random(&self) -> f64 {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).f64()
    }

    /// The journal of delayed runs. The first call opens it, which may block for some milliseconds.
    ///
    /// # Errors
    ///
    /// Those of opening it; the next call tries again.
    pub(crate) fn journal(&self) -> Result<&Arc<dyn Journal>, OpenJournalError> {
        self.journal.get()
    }

    /// Does something slow with the engine on a thread of the host, so that the caller's threads are not blocked.
    ///
    /// # Errors
    ///
    /// An error if `load` panicked.
    pub(crate) async fn load_with<T: Send + 'static>(
        &self,
        load: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Result<T, oneshot::error::RecvError> {
        let engine = self.engine.clone();
        let (send, receive) = oneshot::channel();
        self.scheduler.timers().spawn_blocking(move || {
            // Fails only if the caller has dropped its future.
            let _ = send.send(load(&engine));
        });
        receive.await
    }
}
