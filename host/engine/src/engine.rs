//! The engine: settings, instance pools, the compiler and shared resources of all loaded components.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use hostel_core::{Digest, ErrorKind};

use crate::compile_cache::CompileCache;
use crate::compiler::Compiler;
use crate::component;
use crate::config::{EngineOptions, Flavor};
use crate::meter::SharedMemory;
use crate::resources::SharedResources;
use crate::runtime::Runtime;
use crate::ticker::{Look, Ticker};
use crate::tls::Tls;
use crate::turn::Rhythm;

/// The engine could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The runtime refused its settings on this machine.
    #[error("the WebAssembly runtime cannot start: {0}")]
    Runtime(String),
    /// The thread that makes guests yield could not be started.
    #[error("the tick thread cannot start")]
    Ticker(#[source] std::io::Error),
    /// The compiler threads could not be started.
    #[error("the compiler threads cannot start: {0}")]
    Compiler(String),
}

impl EngineError {
    /// Always [`ErrorKind::Internal`]: no request can cause it.
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Internal
    }
}

/// Runs components. Cheap to clone; all clones are the same engine.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    options: EngineOptions,
    compile_cache: Option<CompileCache>,
    compiler: Compiler,
    /// For components without component-model async: half the price of the full one.
    lean: Runtime,
    /// For components with component-model async; set up when the first one is loaded.
    full: OnceLock<Runtime>,
    /// For components that are compiled quickly first; set up when the first one is loaded, `None` if that fails.
    quick: OnceLock<Option<Runtime>>,
    /// The components in use, so that a second load of the same bytes shares them.
    loaded: Mutex<HashMap<Digest, Weak<component::Inner>>>,
    resources: Arc<SharedResources>,
}

impl Engine {
    /// Sets up an engine. Takes a few milliseconds.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the runtime or its tick thread cannot start on this machine.
    pub fn new(options: EngineOptions) -> Result<Self, EngineError> {
        let lean = runtime(Flavor::Lean, &options)?.with_warm_places(&options);
        let memory = SharedMemory::new(options.max_memory_bytes).of_process(options.max_process_bytes);
        let memory = Arc::new(memory);
        let look = options.max_process_bytes.map(|_| looking(Arc::clone(&memory)));
        let ticker = Ticker::start(look).map_err(EngineError::Ticker)?;
        ticker.drive(&lean.engine);
        let compile_cache = options.compile_cache_dir.clone().map(CompileCache::new);
        let tls = Tls::new(options.root_certificates.clone());
        let resources = Arc::new(SharedResources { ticker, memory, tls, counts_fuel: options.count_fuel });
        let compiler = Compiler::new(options.compile_timeout);
        Ok(Self(Arc::new(Inner {
            options,
            compile_cache,
            compiler,
            lean,
            full: OnceLock::new(),
            quick: OnceLock::new(),
            loaded: Mutex::default(),
            resources,
        })))
    }

    /// The maximum number of live instances: as many as the options request, or as the address space allows.
    pub fn max_instances(&self) -> u32 {
        self.0.lean.max_instances
    }

    /// The memory of all live attempts together, in bytes, as [`EngineOptions::max_memory_bytes`] counts it.
    pub fn memory_bytes(&self) -> u64 {
        self.0.resources.memory.taken()
    }

    /// The most memory that all live attempts may take together, in bytes.
    pub fn max_memory_bytes(&self) -> u64 {
        self.0.options.max_memory_bytes
    }

    /// Whether an attempt that begins now finds memory. Otherwise it waits until others have ended, if there are any.
    pub fn has_room(&self) -> bool {
        self.0.resources.memory.has_room()
    }

    /// Whether it counts fuel.
    pub fn counts_fuel(&self) -> bool {
        self.0.options.count_fuel
    }

    /// Signals that a run waits for a thread on which a guest computes. Guests that have computed for a whole tick
    /// before yield at once, until [`Engine::nobody_waits`] is called; the other guests complete their first turn.
    pub fn someone_waits(&self) {
        self.rhythm().wait(true);
        self.0.lean.engine.increment_epoch();
        let others = self.0.full.get().into_iter().chain(self.0.quick.get().into_iter().flatten());
        let warm = [Some(&self.0.lean), self.0.full.get()].into_iter().flatten();
        let others = others.chain(warm.filter_map(|runtime| runtime.warm.as_ref()?.runtime()));
        others.for_each(|runtime| runtime.engine.increment_epoch());
    }

    /// Signals that no run waits for a thread: guests compute for a whole tick again before they yield.
    pub fn nobody_waits(&self) {
        self.rhythm().wait(false);
    }

    pub(crate) fn resources(&self) -> &Arc<SharedResources> {
        &self.0.resources
    }

    fn rhythm(&self) -> &Rhythm {
        self.0.resources.ticker.rhythm()
    }

    pub(crate) fn lean(&self) -> &Runtime {
        &self.0.lean
    }

    pub(crate) fn full(&self) -> Result<&Runtime, EngineError> {
        if let Some(runtime) = self.0.full.get() {
            return Ok(runtime);
        }
        let runtime = runtime(Flavor::Full, &self.0.options)?.with_warm_places(&self.0.options);
        // Two threads may get here at once: the runtime of the first is used, the other is dropped.
        let kept = self.0.full.get_or_init(|| runtime);
        self.0.resources.ticker.drive(&kept.engine);
        Ok(kept)
    }

    /// The engine for quickly compiled components, if a component with this many bytes may be one.
    pub(crate) fn quick(&self, bytes: u64) -> Option<&Runtime> {
        let Inner { options, quick, resources, .. } = &*self.0;
        let is_large = options.quick_code_bytes.is_some_and(|least| bytes >= least);
        if !is_large || options.count_fuel || !cfg!(target_arch = "x86_64") {
            return None;
        }
        let mut is_new = false;
        let runtime = quick.get_or_init(|| {
            is_new = true;
            // Once it is compiled again, a component may have the warm places of the lean engine.
            let warm = self.0.lean.warm.clone();
            let runtime = runtime(Flavor::Quick, options).map(|runtime| Runtime { warm, ..runtime });
            runtime.inspect_err(|error| tracing::warn!("quick compilation is not available: {error}")).ok()
        });
        if let (true, Some(runtime)) = (is_new, runtime) {
            resources.ticker.drive(&runtime.engine);
        }
        runtime.as_ref()
    }

    /// Whether quickly compiled components are compiled again.
    pub(crate) fn optimises(&self) -> bool {
        self.0.options.optimise
    }

    /// Its options.
    pub(crate) fn options(&self) -> &EngineOptions {
        &self.0.options
    }

    /// The components that are in use.
    pub(crate) fn loaded(&self) -> MutexGuard<'_, HashMap<Digest, Weak<component::Inner>>> {
        let mut loaded = self.0.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.retain(|_, component| component.strong_count() > 0);
        loaded
    }

    pub(crate) fn compile_cache(&self) -> Option<&CompileCache> {
        self.0.compile_cache.as_ref()
    }

    pub(crate) fn compiler(&self) -> &Compiler {
        &self.0.compiler
    }
}

/// Finds out whether this process has more memory than it should have, now and whenever it is called.
fn looking(memory: Arc<SharedMemory>) -> Look {
    memory.look();
    Box::new(move || memory.look())
}

fn runtime(flavor: Flavor, options: &EngineOptions) -> Result<Runtime, EngineError> {
    Runtime::new(flavor, options).map_err(|error| EngineError::Runtime(format!("{error:#}")))
}
