//! The shared resources of an engine's attempts: the tick, the memory, whether fuel is counted, and warm places.

use std::sync::Arc;

use crate::meter::SharedMemory;
use crate::ticker::Ticker;
use crate::warm::WarmPlaces;

/// Shared by an engine, its components and their attempts.
pub(crate) struct SharedResources {
    pub(crate) ticker: Ticker,
    pub(crate) memory: Arc<SharedMemory>,
    pub(crate) counts_fuel: bool,
    pub(crate) warm: WarmPlaces,
}
