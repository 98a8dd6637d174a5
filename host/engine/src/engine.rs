//! The engine: settings, instance pools and the tick, shared by everything that is loaded into it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use hostel_core::{Digest, ErrorKind};
use wasmtime::component::Linker;

use crate::compile_cache::CompileCache;
use crate::compiler::Compiler;
use crate::component;
use crate::config::{self, Flavor};
use crate::guest::Guest;
use crate::machine;
use crate::meter::SharedMemory;
use crate::ticker::Ticker;
use crate::turn::Rhythm;
use crate::wasi;

/// How an engine is set up.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EngineOptions {
    /// Where compiled code is kept for later processes; `None` compiles anew in each.
    pub compile_cache_dir: Option<PathBuf>,
    /// How many instances may live at once: a bound on address space, which is reserved, not on memory, which is
    /// used as guests need it. Fewer are reserved where the system does not give as much address space.
    pub max_instances: u32,
    /// How much linear memory all attempts may have together, in bytes. The usual is half of what the machine has.
    pub max_memory_bytes: u64,
    /// Whether fuel is counted, without which no [`Limits::fuel`](hostel_core::Limits::fuel) can be kept. It makes guests
    /// slower by some percent, and compiled code is another.
    pub count_fuel: bool,
    /// Components with so many bytes of code or more are compiled twice: quickly, to code that is several times slower, so that
    /// they can be used at once, and then again in the background. So are smaller ones that the optimising compiler may need
    /// more than two seconds for. `None` compiles everything once. Only on x86-64, without
    /// `count_fuel`, and for components that the quick compiler knows all instructions of.
    pub quick_code_bytes: Option<u64>,
    /// Whether components that were compiled quickly are compiled again for speed. From then on new attempts use that code.
    pub optimise: bool,
    /// The longest that a load waits for the compiler; code from the compile cache needs none. The compiler cannot be
    /// interrupted: it goes on with low priority until it ends, also after the engine is dropped, and what it made is
    /// kept in the compile cache. At most four components are compiled at once, those that nobody waits for any more
    /// among them; others wait for their turn, and give up when none has ended for as long as this.
    pub compile_timeout: Duration,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            compile_cache_dir: None,
            max_instances: Self::DEFAULT_MAX_INSTANCES,
            max_memory_bytes: machine::memory_bytes() / 2,
            count_fuel: false,
            quick_code_bytes: Some(Self::DEFAULT_QUICK_CODE_BYTES),
            optimise: true,
            compile_timeout: Self::DEFAULT_COMPILE_TIMEOUT,
        }
    }
}

impl EngineOptions {
    /// Room for ten thousand sleeping tasks and then some.
    pub const DEFAULT_MAX_INSTANCES: u32 = 11_000;

    /// What takes about a second to compile.
    pub const DEFAULT_QUICK_CODE_BYTES: u64 = 1 << 20;

    /// Several times what the largest interpreters take on a busy machine.
    pub const DEFAULT_COMPILE_TIMEOUT: Duration = Duration::from_secs(120);
}

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
    /// The threads that compile could not be started.
    #[error("the threads that compile cannot start: {0}")]
    Compiler(String),
}

impl EngineError {
    /// Always [`ErrorKind::Internal`]: no request is at fault.
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
    /// For components that need nothing of what the other has: half the price of that.
    lean: Runtime,
    /// For components with component-model async; set up when the first one is loaded.
    full: OnceLock<Runtime>,
    /// For components that are compiled quickly first; set up when the first one is loaded, `None` if it cannot be.
    quick: OnceLock<Option<Runtime>>,
    /// The components that run quickly compiled code, so that a second load finds them.
    quickly_loaded: Mutex<HashMap<Digest, Weak<component::Inner>>>,
    ticker: Ticker,
    memory: SharedMemory,
}

/// One wasmtime engine and what the host offers to guests in it.
pub(crate) struct Runtime {
    pub(crate) flavor: Flavor,
    pub(crate) engine: wasmtime::Engine,
    pub(crate) linker: Linker<Guest>,
    /// How many instances its pool has room for.
    max_instances: u32,
}

impl Engine {
    /// Sets up an engine: a few milliseconds.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the runtime or its tick thread cannot start on this machine.
    pub fn new(options: EngineOptions) -> Result<Self, EngineError> {
        let lean = Runtime::new(Flavor::Lean, &options)?;
        let ticker = Ticker::start().map_err(EngineError::Ticker)?;
        ticker.drive(&lean.engine);
        let compile_cache = options.compile_cache_dir.clone().map(CompileCache::new);
        let memory = SharedMemory::new(options.max_memory_bytes);
        let compiler = Compiler::new(options.compile_timeout);
        Ok(Self(Arc::new(Inner {
            options,
            compile_cache,
            compiler,
            lean,
            full: OnceLock::new(),
            quick: OnceLock::new(),
            quickly_loaded: Mutex::default(),
            ticker,
            memory,
        })))
    }

    /// How many instances may live at once: as many as the options ask for, or as the address space gave.
    pub fn max_instances(&self) -> u32 {
        self.0.lean.max_instances
    }

    /// How much linear memory the attempts that live have together, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        self.0.memory.taken()
    }

    /// Whether it counts fuel.
    pub fn counts_fuel(&self) -> bool {
        self.0.options.count_fuel
    }

    /// Someone waits for a thread on which a guest computes: those that have computed for a whole tick before give way at
    /// once. They do so for as long as [`Engine::nobody_waits`] is not said; the others have their first turn.
    pub fn someone_waits(&self) {
        self.rhythm().wait(true);
        self.0.lean.engine.increment_epoch();
        let others = self.0.full.get().into_iter().chain(self.0.quick.get().into_iter().flatten());
        others.for_each(|runtime| runtime.engine.increment_epoch());
    }

    /// Whoever waited was served: guests compute for a whole tick again before they give way.
    pub fn nobody_waits(&self) {
        self.rhythm().wait(false);
    }

    pub(crate) fn rhythm(&self) -> &Rhythm {
        self.0.ticker.rhythm()
    }

    pub(crate) fn memory(&self) -> &SharedMemory {
        &self.0.memory
    }

    pub(crate) fn lean(&self) -> &Runtime {
        &self.0.lean
    }

    pub(crate) fn full(&self) -> Result<&Runtime, EngineError> {
        if let Some(runtime) = self.0.full.get() {
            return Ok(runtime);
        }
        let runtime = Runtime::new(Flavor::Full, &self.0.options)?;
        // Two threads may get here at once: the first one's runtime is kept, the other's dropped.
        let kept = self.0.full.get_or_init(|| runtime);
        self.0.ticker.drive(&kept.engine);
        Ok(kept)
    }

    /// The engine for components that are compiled quickly first, if a component of so many bytes may be one.
    pub(crate) fn quick(&self, bytes: u64) -> Option<&Runtime> {
        let Inner { options, quick, ticker, .. } = &*self.0;
        let is_large = options.quick_code_bytes.is_some_and(|least| bytes >= least);
        if !is_large || options.count_fuel || !cfg!(target_arch = "x86_64") {
            return None;
        }
        let mut is_new = false;
        let runtime = quick.get_or_init(|| {
            is_new = true;
            let runtime = Runtime::new(Flavor::Quick, options);
            runtime.inspect_err(|error| tracing::warn!("nothing is compiled quickly: {error}")).ok()
        });
        if let (true, Some(runtime)) = (is_new, runtime) {
            ticker.drive(&runtime.engine);
        }
        runtime.as_ref()
    }

    /// Whether what was compiled quickly is to be compiled again.
    pub(crate) fn optimises(&self) -> bool {
        self.0.options.optimise
    }

    /// The components that run quickly compiled code. Those that are gone are forgotten.
    pub(crate) fn quickly_loaded(&self) -> MutexGuard<'_, HashMap<Digest, Weak<component::Inner>>> {
        let mut loaded = self.0.quickly_loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.retain(|_, component| component.strong_count() > 0);
        loaded
    }

    pub(crate) fn compile_cache(&self) -> Option<&CompileCache> {
        self.0.compile_cache.as_ref()
    }

    pub(crate) fn compiler(&self) -> &Compiler {
        &self.0.compiler
    }

    pub(crate) fn ticker(&self) -> &Ticker {
        &self.0.ticker
    }
}

impl Runtime {
    fn new(flavor: Flavor, options: &EngineOptions) -> Result<Self, EngineError> {
        let runtime = |error: wasmtime::Error| EngineError::Runtime(format!("{error:#}"));
        let (engine, max_instances) = config::engine(flavor, options).map_err(runtime)?;
        let linker = wasi::linker(&engine).map_err(runtime)?;
        Ok(Self { flavor, engine, linker, max_instances })
    }
}
