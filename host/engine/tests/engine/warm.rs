//! Components whose memory stays with the slots of a pool: each attempt still finds its memory as the component has it.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use hostel_core::Limits;
use hostel_engine::{Component, Engine, EngineOptions};

use crate::run_with;

/// Of one place for each kind of component.
const PLACE_BYTES: u64 = 96 << 20;

fn engine(dir: Option<&Path>, warm_memory_bytes: u64) -> Engine {
    let mut options = EngineOptions::default();
    options.compile_cache_dir = dir.map(Path::to_owned);
    options.warm_memory_bytes = warm_memory_bytes;
    options.max_instances = 16;
    Engine::new(options).unwrap()
}

/// A component with so many pages of memory of 64 KiB. `soil` adds up all that it finds in memory, a table and a global, then writes to
/// one word in each `step` bytes, grows the memory and writes there, too.
fn soiling(pages: u32, step: u32) -> String {
    format!(
        r#"(component
        (core module $m
            (memory {pages}) (table $t 3 10 funcref) (global $g (mut i64) (i64.const 7))
            (data (i32.const 5) "some data") (data (i32.const 1500001) "more of it")
            (elem (i32.const 1) $f)
            (func $f)
            (func (export "soil-and-spin") (drop (call $soil)) (loop $on (br $on)))
            (func $soil (export "soil") (result i64)
                (local $at i32) (local $sum i64)
                (loop $next
                    (local.set $sum (i64.add
                        (i64.mul (local.get $sum) (i64.const 31)) (i64.load (local.get $at))))
                    (local.set $at (i32.add (local.get $at) (i32.const 8)))
                    (br_if $next (i32.lt_u (local.get $at) (i32.mul (memory.size) (i32.const 65536)))))
                (local.set $sum (i64.add (local.get $sum) (global.get $g)))
                (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (memory.size))))
                (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_u (table.size $t))))
                (if (ref.is_null (table.get $t (i32.const 0)))
                    (then (local.set $sum (i64.add (local.get $sum) (i64.const 1000)))))
                (global.set $g (i64.const 8))
                (table.set $t (i32.const 0) (ref.func $f))
                (drop (table.grow $t (ref.func $f) (i32.const 2)))
                (drop (memory.grow (i32.const 3)))
                (local.set $at (i32.const 0))
                (loop $next
                    (i64.store (local.get $at) (i64.const -1))
                    (local.set $at (i32.add (local.get $at) (i32.const {step})))
                    (br_if $next (i32.lt_u (local.get $at) (i32.mul (memory.size) (i32.const 65536)))))
                (local.get $sum)))
        (core instance $i (instantiate $m))
        (func (export "soil-and-spin") (canon lift (core func $i "soil-and-spin")))
        (func (export "soil") (result s64) (canon lift (core func $i "soil"))))"#
    )
}

async fn soil(component: &Component) -> String {
    run_with(&component.function(Some("soil")).unwrap(), &[], Limits::default()).await.value()
}

/// What the attempts return, until the component is warm.
async fn warmed_up(component: &Component) -> String {
    let began = Instant::now();
    let first = soil(component).await;
    while !component.is_warm() {
        assert_eq!(soil(component).await, first);
        assert!(began.elapsed() < Duration::from_secs(60), "it does not become warm");
    }
    first
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "current_thread")]
async fn every_attempt_finds_the_memory_of_the_component() {
    let dir = tempfile::tempdir().unwrap();
    for (pages, step) in [(32, 8), (64, 4096), (640, 4096)] {
        let component = engine(Some(dir.path()), 2 * PLACE_BYTES).load_bytes(soiling(pages, step).as_bytes());
        let component = component.unwrap();
        let first = warmed_up(&component).await;
        for _ in 0..10 {
            assert_eq!(soil(&component).await, first, "{pages} pages");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn more_attempts_than_places_go_on_without_one() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let [one, other] = [64, 65].map(|pages| soiling(pages, 4096));
    let engine = engine(Some(dir.path()), 2 * PLACE_BYTES);
    let components = [one, other].map(|text| engine.load_bytes(text.as_bytes()).unwrap());
    let firsts = components.each_ref().map(|component| runtime.block_on(warmed_up(component)));
    thread::scope(|scope| {
        for number in 0..6 {
            let (component, first) = (&components[number % 2], &firsts[number % 2]);
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                for _ in 0..20 {
                    assert_eq!(&runtime.block_on(soil(component)), first);
                }
            });
        }
    });
}

#[tokio::test(flavor = "current_thread")]
async fn a_component_that_touches_little_or_has_no_compile_cache_gets_no_place() {
    let dir = tempfile::tempdir().unwrap();
    let nothing = r#"(component (core module $m (memory 64) (func (export "soil") (result i64) (i64.const 1)))
        (core instance $i (instantiate $m)) (func (export "soil") (result s64) (canon lift (core func $i "soil"))))"#;
    let touching = soiling(64, 4096);
    let small = soiling(24, 8);
    for (engine, text) in [
        (engine(Some(dir.path()), PLACE_BYTES), nothing),
        (engine(Some(dir.path()), PLACE_BYTES), &small),
        (engine(Some(dir.path()), PLACE_BYTES - 1), &touching),
        (engine(None, PLACE_BYTES), &touching),
    ] {
        let component = engine.load_bytes(text.as_bytes()).unwrap();
        let first = soil(&component).await;
        for _ in 0..30 {
            assert_eq!(soil(&component).await, first);
        }
        assert!(!component.is_warm());
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "current_thread")]
async fn an_attempt_after_others_that_were_stopped_finds_the_memory_of_the_component() {
    let dir = tempfile::tempdir().unwrap();
    let component = engine(Some(dir.path()), PLACE_BYTES).load_bytes(soiling(64, 4096).as_bytes()).unwrap();
    let first = warmed_up(&component).await;
    let small = |bytes| Limits { memory_bytes: bytes, ..Limits::default() };
    let short = Limits { timeout: Some(Duration::from_millis(20)), ..Limits::default() };
    // The instance cannot be made; it cannot grow; it is stopped.
    for (name, limits) in [("soil", small(1 << 10)), ("soil", small(10 << 20)), ("soil-and-spin", short)] {
        let function = component.function(Some(name)).unwrap();
        for _ in 0..5 {
            let _ = run_with(&function, &[], limits).await;
            assert_eq!(soil(&component).await, first, "{name}");
        }
    }
}
