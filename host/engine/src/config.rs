//! The options of an engine, and the settings of wasmtime that follow from them: deterministic, pooled, interruptible.

use std::path::PathBuf;
use std::time::Duration;

use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, Strategy};

use crate::machine;
use crate::survey::SPARSE_IMAGE_BYTES;

/// The stack of a guest. Deeper calls end in a stack overflow, which is a limit and not a crash.
pub(crate) const STACK_BYTES: usize = 1 << 20;

/// The fiber that a guest runs on: its stack, and room for the host functions it calls.
const FIBER_BYTES: usize = STACK_BYTES + (1 << 20);

/// Every table of an instance may have this many elements: `Limits::MAX.table_elements` and no more, because the
/// pool reserves them.
const TABLE_ELEMENTS: usize = 100_000;

/// Tables, for each instance: one of the program's own and one for the adapters that toolchains add; the modules of
/// a component may have several.
const TABLES_PER_INSTANCE: u32 = 2;

/// What one component may take of the places in the pool, so that its instances leave room for those of others: one
/// composed of a dozen programs fits, and one with a language's libraries linked when it starts.
const CORE_INSTANCES_PER_COMPONENT: u32 = 128;
const MEMORIES_PER_COMPONENT: u32 = 16;
const TABLES_PER_COMPONENT: u32 = 32;

/// Linear memory that stays in place between two instances, so that small guests cause no page faults.
const MEMORY_KEEP_RESIDENT: usize = 64 << 10;

/// Bytes of a stack that stay in place, for the same reason.
const STACK_KEEP_RESIDENT: usize = 16 << 10;

/// Table bytes that stay in place, for the same reason.
const TABLE_KEEP_RESIDENT: usize = 4 << 10;

/// Linear memory that stays in place in a warm place.
const WARM_MEMORY_BYTES: usize = 48 << 20;

/// What an instance may have in a warm place.
pub(crate) const WARM_MEMORIES: u32 = 2;
pub(crate) const WARM_TABLES: u32 = 8;

/// The most warm places.
const MOST_WARM_PLACES: u32 = 64;

/// The smallest pool worth having.
const FEWEST_INSTANCES: u32 = 16;

/// The fewest stacks where one instance may need several: an async function has one of its own while it waits.
const FEWEST_STACKS_IF_ASYNC: u32 = 128;

/// How much more of its stack a guest needs whose code was compiled quickly: values do not stay in registers. What overflows here
/// would overflow there too, or nearly.
pub(crate) const QUICK_STACK_FACTOR: usize = 4;

/// The maximum number of instances of quickly compiled components: they use a pool of their own for a few seconds.
const QUICK_INSTANCES: u32 = 1_000;

/// The options of an engine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EngineOptions {
    /// The directory where compiled code is stored for later processes; `None` compiles anew in each process.
    pub compile_cache_dir: Option<PathBuf>,
    /// The maximum number of live instances. It bounds address space, which is reserved, and not memory, which is used
    /// as guests need it. Fewer are reserved if the system does not provide as much address space.
    pub max_instances: u32,
    /// The maximum memory of all attempts together, in bytes: their linear memory, large arguments and tables, and what the host stores of
    /// their output. Their stacks, of 1 MiB each, may take as much again. While less than a sixty-fourth of it is free, no attempt begins
    /// beside others. The default is half of the machine's memory.
    pub max_memory_bytes: u64,
    /// While this process uses more memory than this, in bytes, no attempt begins beside others. All its memory counts, except pages of
    /// files. Set it only in programs that do nothing else; the default is `None`. Only on Linux.
    pub max_process_bytes: Option<u64>,
    /// Whether fuel is counted. [`Limits::fuel`](hostel_core::Limits::fuel) works only if it is. Counting makes guests
    /// a few percent slower, and needs other compiled code.
    pub count_fuel: bool,
    /// Components with at least this many bytes of code are compiled twice: first quickly, to code that is several
    /// times slower, so that they can be used at once, and then again in the background. So are smaller components for
    /// which the optimising compiler may need more than two seconds. `None` compiles every component once. Only on
    /// x86-64, without `count_fuel`, and for components whose instructions the quick compiler supports.
    pub quick_code_bytes: Option<u64>,
    /// Whether quickly compiled components are compiled again for speed. From then on new attempts use that code.
    pub optimise: bool,
    /// The maximum time that a load waits for the compiler; code from the compile cache needs no compiler. The compiler
    /// cannot be interrupted: it continues with low priority until it ends, even after the engine is dropped, and the
    /// compile cache stores the code. At most four components are compiled at once, including those that no load waits
    /// for any more. Other loads queue, and fail if no compilation has ended within this time.
    pub compile_timeout: Duration,
    /// A program that compiles components in place of this process, which the system then limits: in processor time (30 seconds, and
    /// 5 for each MiB of its code; ten times as much for compiling again in the background) and in memory (2 GiB, and 8 MiB for
    /// each MiB of code). Text of more than 16 KiB is assembled there as well. Linux enforces both, macOS only the first, other systems neither.
    ///
    /// It is started with the one argument [`COMPILE_APART`](crate::COMPILE_APART), and must call
    /// [`compile_apart`](crate::compile_apart) with its stdin and stdout, as the `hostel` command does. It must be of the same version as
    /// this crate: compiled code of another one is refused. `None`, the default, compiles in this process.
    pub compile_program: Option<PathBuf>,
    /// How much memory may stay with the slots of the pool for components whose instances touch much of theirs, in bytes: interpreters
    /// of Python or JavaScript, for instance. They are found by the page faults of their first attempts, and
    /// their instances use it while there is some: 48 MiB for each at most. It spares most page faults, which is
    /// several times as fast where several threads execute such components. Half of it is for components with component-model async. 0 never
    /// leaves any. Needs a compile cache. The default is enough for two instances for each processor, and at most a sixteenth of the
    /// machine's memory.
    pub warm_memory_bytes: u64,
    /// A PEM file, of at most 16 MiB, with the root certificates that HTTPS requests of guests trust, in place of Mozilla's, which are
    /// compiled in. It is read with the first such request. If it cannot be read, or has no certificate, these requests fail, and the
    /// log of the attempt says why. `None` is the default.
    pub root_certificates: Option<PathBuf>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            compile_cache_dir: None,
            max_instances: Self::DEFAULT_MAX_INSTANCES,
            max_memory_bytes: machine::memory_bytes() / 2,
            max_process_bytes: None,
            count_fuel: false,
            quick_code_bytes: Some(Self::DEFAULT_QUICK_CODE_BYTES),
            optimise: true,
            compile_timeout: Self::DEFAULT_COMPILE_TIMEOUT,
            compile_program: None,
            warm_memory_bytes: usual_warm_memory_bytes(),
            root_certificates: None,
        }
    }
}

impl EngineOptions {
    /// Enough for ten thousand sleeping tasks and some more.
    pub const DEFAULT_MAX_INSTANCES: u32 = 11_000;

    /// This much code takes about a second to compile.
    pub const DEFAULT_QUICK_CODE_BYTES: u64 = 1 << 20;

    /// Several times as long as the largest interpreters take on a busy machine.
    pub const DEFAULT_COMPILE_TIMEOUT: Duration = Duration::from_secs(120);
}

/// The kind of engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavor {
    /// Without component-model async.
    Lean,
    /// With it.
    Full,
    /// Like the lean one, with a compiler that takes a fifth of the time and generates slower code.
    Quick,
}

impl Flavor {
    const ALL: [Self; 3] = [Self::Lean, Self::Full, Self::Quick];

    /// Its name between processes.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Lean => "lean",
            Self::Full => "full",
            Self::Quick => "quick",
        }
    }

    /// The flavor with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flavor| flavor.name() == name)
    }
}

/// Creates an engine with a pool for as many instances as the options request, or as the address space allows. Returns
/// the engine and that number.
pub(crate) fn engine(flavor: Flavor, options: &EngineOptions) -> wasmtime::Result<(wasmtime::Engine, u32)> {
    let most = if flavor == Flavor::Quick { QUICK_INSTANCES } else { u32::MAX };
    let mut instances = options.max_instances.clamp(1, most);
    loop {
        let mut config = settings(flavor);
        config.consume_fuel(options.count_fuel);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(flavor, instances)));
        match wasmtime::Engine::new(&config) {
            Ok(engine) => return Ok((engine, instances)),
            Err(_) if instances > FEWEST_INSTANCES => instances /= 2,
            Err(error) => return Err(error),
        }
    }
}

/// How many instances have a warm place at once, of each kind of component: without component-model async, and with it.
pub(crate) fn warm_places(options: &EngineOptions) -> u32 {
    let places = options.warm_memory_bytes / (2 * WARM_MEMORY_BYTES as u64);
    u32::try_from(places).map_or(MOST_WARM_PLACES, |places| places.min(MOST_WARM_PLACES))
}

fn usual_warm_memory_bytes() -> u64 {
    let places = 2 * std::thread::available_parallelism().map_or(1, usize::from);
    (places.saturating_mul(WARM_MEMORY_BYTES) as u64).min(machine::memory_bytes() / 16)
}

/// Creates an engine for the code of a flavor whose pool has the warm places, and returns it with their number.
pub(crate) fn warm_engine(
    flavor: Flavor,
    options: &EngineOptions,
) -> wasmtime::Result<(wasmtime::Engine, u32)> {
    let places = warm_places(options).max(1);
    let mut config = settings(flavor);
    config.consume_fuel(options.count_fuel);
    let mut pool = pool(flavor, places);
    pool.total_memories(places * WARM_MEMORIES)
        .total_tables(places * WARM_TABLES)
        .total_core_instances(places * CORE_INSTANCES_PER_COMPONENT)
        .max_memories_per_component(WARM_MEMORIES)
        .max_tables_per_component(WARM_TABLES)
        .linear_memory_keep_resident(WARM_MEMORY_BYTES)
        // It finds few separate regions, and takes away all memory beyond them.
        .pagemap_scan(Enabled::No);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Ok((wasmtime::Engine::new(&config)?, places))
}

fn settings(flavor: Flavor) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .max_wasm_stack(STACK_BYTES)
        .async_stack_size(FIBER_BYTES)
        // What a guest had of its stack is given back, except for a little: else it would stay for as long as the process.
        .async_stack_zeroing(flavor == Flavor::Full)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .memory_guaranteed_dense_image_size(SPARSE_IMAGE_BYTES)
        .wasm_component_model_map(true)
        .wasm_component_model_fixed_length_lists(true)
        .wasm_wide_arithmetic(true)
        .concurrency_support(flavor == Flavor::Full)
        .wasm_component_model_async(flavor == Flavor::Full);
    if flavor == Flavor::Quick {
        // Winch supports neither tail calls nor deterministic relaxed SIMD: components that use them are compiled by
        // Cranelift at once.
        config
            .strategy(Strategy::Winch)
            .wasm_tail_call(false)
            .wasm_relaxed_simd(false)
            .max_wasm_stack(STACK_BYTES * QUICK_STACK_FACTOR)
            .async_stack_size(FIBER_BYTES * QUICK_STACK_FACTOR);
    }
    config
}

fn pool(flavor: Flavor, instances: u32) -> PoolingAllocationConfig {
    let stacks = if flavor == Flavor::Full { instances.max(FEWEST_STACKS_IF_ASYNC) } else { instances };
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_memories(instances)
        .total_tables(instances.saturating_mul(TABLES_PER_INSTANCE))
        .total_stacks(stacks)
        // A component is several core instances; they cost nothing until they exist.
        .total_core_instances(instances.saturating_mul(16))
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .max_tables_per_module(4)
        .table_elements(TABLE_ELEMENTS)
        .async_stack_keep_resident(STACK_KEEP_RESIDENT)
        .linear_memory_keep_resident(MEMORY_KEEP_RESIDENT)
        .table_keep_resident(TABLE_KEEP_RESIDENT)
        .pagemap_scan(Enabled::Auto);
    pool
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacks_of_async_functions_are_given_back() {
        let options = EngineOptions { max_instances: 16, ..EngineOptions::default() };
        let is_given_back = |engine: &wasmtime::Engine| {
            let metrics = engine.pooling_allocator_metrics().unwrap();
            // wasmtime counts what stays of stacks only if it gives back the rest.
            metrics.unused_stack_bytes_resident().is_some()
        };
        assert!(is_given_back(&engine(Flavor::Full, &options).unwrap().0));
        assert!(is_given_back(&warm_engine(Flavor::Full, &options).unwrap().0));
        assert!(
            !is_given_back(&engine(Flavor::Lean, &options).unwrap().0),
            "which takes it a third of its rate"
        );
    }
}
