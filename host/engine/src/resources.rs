//! The shared resources of an engine's attempts: the tick, the memory, and whether fuel is counted.

use std::sync::Arc;

use crate::meter::SharedMemory;
use crate::ticker::Ticker;

/// Shared by an engine, its components and their attempts.
pub(crate) struct SharedResources {
    pub(crate) ticker: Ticker,
    pub(crate) memory: Arc<SharedMemory>,
    pub(crate) counts_fuel: bool,
}
