//! One wasmtime engine, and the host functions for guests in it.

use wasmtime::component::Linker;

use crate::config::{self, EngineOptions, Flavor};
use crate::guest::Guest;
use crate::linker;

/// One wasmtime engine, and the host functions for guests in it.
pub(crate) struct Runtime {
    pub(crate) flavor: Flavor,
    pub(crate) engine: wasmtime::Engine,
    pub(crate) linker: Linker<Guest>,
    /// The number of instances in its pool.
    pub(crate) max_instances: u32,
}

impl Runtime {
    pub(crate) fn new(flavor: Flavor, options: &EngineOptions) -> wasmtime::Result<Self> {
        let (engine, max_instances) = config::engine(flavor, options)?;
        let linker = linker::linker(&engine)?;
        Ok(Self { flavor, engine, linker, max_instances })
    }

    /// One for the code of the lean flavor, with few instances whose memory stays in place.
    pub(crate) fn warm(options: &EngineOptions) -> wasmtime::Result<Self> {
        let (engine, max_instances) = config::warm_engine(options)?;
        let linker = linker::linker(&engine)?;
        Ok(Self { flavor: Flavor::Lean, engine, linker, max_instances })
    }
}
