//! The reference: wasmtime alone, instantiating and calling, with the same settings and nothing around.

use std::thread;
use std::time::Instant;

use futures_executor::block_on;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker, Val};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};

/// A component in an engine of its own.
pub(crate) struct Bare {
    engine: Engine,
    pub(crate) pre: InstancePre<()>,
    index: ComponentExportIndex,
}

impl Bare {
    /// With room for so many instances.
    pub(crate) fn load(path: &str, export: &str, instances: u32) -> Self {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(instances).total_core_instances(instances.saturating_mul(16));
        pool.total_memories(instances).total_tables(instances.saturating_mul(4)).total_stacks(instances);
        pool.linear_memory_keep_resident(64 << 10).table_keep_resident(4 << 10).pagemap_scan(Enabled::Auto);
        let mut config = Config::new();
        config
            .epoch_interruption(true)
            .cranelift_nan_canonicalization(true)
            .concurrency_support(false)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        let engine = Engine::new(&config).expect("an engine");
        let component = Component::from_file(&engine, path).expect("a component");
        let index = component.get_export_index(None, export).expect("an export");
        let mut linker = Linker::new(&engine);
        // Only instances that are held, and not called, have imports.
        linker.define_unknown_imports_as_traps(&component).expect("imports");
        let pre = linker.instantiate_pre(&component).expect("linked");
        Self { engine, pre, index }
    }

    /// Calls `add-one` so many times on each of so many threads; gives the calls in a second.
    pub(crate) fn rate(&self, threads: usize, calls: i64) -> f64 {
        let start = Instant::now();
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| (0..calls).for_each(|n| self.add_one(n)));
            }
        });
        (threads as f64 * calls as f64) / start.elapsed().as_secs_f64()
    }

    fn add_one(&self, n: i64) {
        let mut store = Store::new(&self.engine, ());
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        let mut results = [Val::Bool(false)];
        block_on(async {
            let instance = self.pre.instantiate_async(&mut store).await.expect("an instance");
            let function = instance.get_func(&mut store, self.index).expect("a function");
            function.call_async(&mut store, &[Val::S64(n)], &mut results).await.expect("a result");
        });
        assert!(matches!(results, [Val::S64(sum)] if sum == n + 1));
    }
}
