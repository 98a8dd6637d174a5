//! temp
use futures_executor::block_on;
use hostel::{CachePolicy, Host, args, each};
use std::time::{Duration, Instant};
use wasmtime::component::{Component, Linker, Val};

fn bare(wat: &[u8], threads: usize, n: usize) -> f64 {
    let mut config = wasmtime::Config::new();
    config.epoch_interruption(true).concurrency_support(false);
    let mut pool = wasmtime::PoolingAllocationConfig::new();
    pool.total_component_instances(100)
        .linear_memory_keep_resident(64 << 10)
        .table_keep_resident(4 << 10)
        .pagemap_scan(wasmtime::Enabled::Auto);
    config.allocation_strategy(wasmtime::InstanceAllocationStrategy::Pooling(pool));
    let engine = wasmtime::Engine::new(&config).unwrap();
    let component = Component::new(&engine, wat).unwrap();
    let linker = Linker::<()>::new(&engine);
    let pre = linker.instantiate_pre(&component).unwrap();
    let index = component.get_export_index(None, "add-one").unwrap();
    let start = Instant::now();
    std::thread::scope(|s| {
        for _ in 0..threads {
            s.spawn(|| {
                for i in 0..n {
                    let mut store = wasmtime::Store::new(&engine, ());
                    store.set_epoch_deadline(1);
                    store.epoch_deadline_async_yield_and_update(1);
                    let mut r = [Val::Bool(false)];
                    block_on(async {
                        let inst = pre.instantiate_async(&mut store).await.unwrap();
                        let f = inst.get_func(&mut store, &index).unwrap();
                        f.call_async(&mut store, &[Val::S64(i as i64)], &mut r).await.unwrap();
                    });
                }
            });
        }
    });
    (n * threads) as f64 / start.elapsed().as_secs_f64()
}

fn main() {
    for (name, path) in [("wat", hostel_guests::wat::ADD_ONE), ("arith", hostel_guests::ARITH)] {
        let bytes = std::fs::read(path).unwrap();
        for _ in 0..2 {
            println!(
                "{name} bare1 {:.0}/s  bare2 {:.0}/s",
                bare(&bytes, 1, 100_000),
                bare(&bytes, 2, 100_000)
            );
            let host = Host::builder().max_workers(2).build().unwrap();
            let c = block_on(host.load(path)).unwrap();
            let add = c.task("add-one").unwrap();
            let n = 200_000;
            let t = Instant::now();
            let mut fs = std::collections::VecDeque::new();
            for i in 0..n {
                fs.push_back(add.submit(args![i as i64]).unwrap());
                if fs.len() > 1000 {
                    let f = fs.pop_front().unwrap();
                    let _: i64 = block_on(f.result()).unwrap();
                }
            }
            for f in fs {
                let _: i64 = block_on(f.result()).unwrap();
            }
            println!("{name} submit {:.0}/s", n as f64 / t.elapsed().as_secs_f64());
            let t = Instant::now();
            let fs = add.map(args![each(0..100_000i64)]).unwrap();
            for f in &fs {
                block_on(f.outcome());
            }
            println!("{name} map {:.0}/s", 100_000 as f64 / t.elapsed().as_secs_f64());
            let t = Instant::now();
            for i in 0..10_000i64 {
                let _: i64 = block_on(add.submit(args![i]).unwrap().result()).unwrap();
            }
            println!("{name} ping-pong {:?}", t.elapsed() / 10_000);
            let cached = add.clone().cache(CachePolicy::INPUTS + CachePolicy::TASK_SOURCE);
            let _: i64 = block_on(cached.submit(args![1]).unwrap().result()).unwrap();
            let t = Instant::now();
            for _ in 0..100_000i64 {
                let _: i64 = block_on(cached.submit(args![1]).unwrap().result()).unwrap();
            }
            println!("{name} memory hit {:?}", t.elapsed() / 100_000);
        }
    }
    let _ = Duration::ZERO;
}
