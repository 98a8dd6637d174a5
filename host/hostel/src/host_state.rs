//! The parts of a host that its components, tasks and runs use.

use std::sync::{Arc, Mutex, PoisonError};

use hostel_engine::Engine;

use crate::book::Book;
use crate::cache::Cache;
use crate::calls::HookThread;
use crate::data_dir::Protected;
use crate::events::EventHub;
use crate::flight::Flights;
use crate::run::Run;
use crate::runner::Scheduler;

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
}

impl HostState {
    /// A random number from 0 up to, but not including, 1.
    pub(crate) fn random(&self) -> f64 {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).f64()
    }
}
