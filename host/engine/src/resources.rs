//! The shared resources of an engine's attempts: the tick, the memory, TLS, and whether fuel is counted.

use std::sync::Arc;

use crate::meter::SharedMemory;
use crate::ticker::Ticker;
use crate::tls::Tls;

/// Shared by an engine, its components and their attempts.
pub(crate) struct SharedResources {
    pub(crate) ticker: Ticker,
    pub(crate) memory: Arc<SharedMemory>,
    pub(crate) tls: Arc<Tls>,
    pub(crate) counts_fuel: bool,
}
