//! One wasmtime engine, and the host functions for guests in it. The warm places of one.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

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
    /// For components that touch much of their memory; `None` if there are no such places.
    pub(crate) warm: Option<Arc<WarmPlaces>>,
}

impl Runtime {
    pub(crate) fn new(flavor: Flavor, options: &EngineOptions) -> wasmtime::Result<Self> {
        let (engine, max_instances) = config::engine(flavor, options)?;
        let linker = linker::linker(&engine)?;
        Ok(Self { flavor, engine, linker, max_instances, warm: None })
    }

    /// The same with warm places, if the options allow for some.
    pub(crate) fn with_warm_places(self, options: &EngineOptions) -> Self {
        Self { warm: WarmPlaces::new(self.flavor, options).map(Arc::new), ..self }
    }

    /// One for the same code, with few instances whose memory stays in place.
    fn warm(flavor: Flavor, options: &EngineOptions) -> wasmtime::Result<Self> {
        let (engine, max_instances) = config::warm_engine(flavor, options)?;
        let linker = linker::linker(&engine)?;
        Ok(Self { flavor, engine, linker, max_instances, warm: None })
    }
}

/// Places where memory stays with the slots of a pool.
///
/// In the usual pool, an instance gets its memory by page faults. A page that the guest first reads and then writes is replaced, and
/// every processor that executes the same program has to be interrupted for that. An interpreter touches hundreds of pages in a
/// call of two milliseconds, and two of them at once are slower than one after the other. Here the whole memory stays, and is copied
/// from the component after each attempt, which takes no page fault. That costs time and memory in proportion to the size of the
/// memory, so it is for components of which it is known that they touch much of it, and for few instances at once.
pub(crate) struct WarmPlaces {
    flavor: Flavor,
    options: EngineOptions,
    /// The directory of the compile cache, from which the code comes.
    pub(crate) compile_cache_dir: PathBuf,
    /// Set up with the first component that needs it; `None` if that fails.
    runtime: OnceLock<Option<Runtime>>,
    free: AtomicU32,
}

impl WarmPlaces {
    fn new(flavor: Flavor, options: &EngineOptions) -> Option<Self> {
        let compile_cache_dir = options.compile_cache_dir.clone()?;
        let places = Some(config::warm_places(options)).filter(|places| *places > 0)?;
        let (options, free) = (options.clone(), AtomicU32::new(places));
        Some(Self { flavor, options, compile_cache_dir, runtime: OnceLock::new(), free })
    }

    /// The runtime, if a component needed it.
    pub(crate) fn runtime(&self) -> Option<&Runtime> {
        self.runtime.get().and_then(Option::as_ref)
    }

    /// The runtime.
    pub(crate) fn set_up(&self) -> Option<&Runtime> {
        let runtime = self.runtime.get_or_init(|| {
            let runtime = Runtime::warm(self.flavor, &self.options);
            runtime.inspect_err(|error| tracing::warn!("memory does not stay with slots: {error:#}")).ok()
        });
        runtime.as_ref()
    }

    /// A place, if one is free.
    pub(crate) fn take(&self) -> Option<WarmPlace<'_>> {
        let taken = self.free.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |free| free.checked_sub(1));
        taken.is_ok().then_some(WarmPlace(&self.free))
    }
}

/// A place of an attempt, which is free again when this is dropped.
pub(crate) struct WarmPlace<'a>(&'a AtomicU32);

impl Drop for WarmPlace<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warm_place_is_free_again_when_it_is_dropped() {
        let places = |warm_memory_bytes| {
            let dir = Some(PathBuf::from("compiled"));
            let options = EngineOptions { warm_memory_bytes, compile_cache_dir: dir, ..Default::default() };
            WarmPlaces::new(Flavor::Lean, &options)
        };
        // Half of the memory is for the other kind of component.
        assert!(places((96 << 20) - 1).is_none());
        let places = places(192 << 20).unwrap();
        let [first, second, third] = [places.take(), places.take(), places.take()];
        assert!(first.is_some() && second.is_some() && third.is_none());
        drop(first);
        assert!(places.take().is_some(), "and free again");
        assert!(places.take().is_some());
    }
}
