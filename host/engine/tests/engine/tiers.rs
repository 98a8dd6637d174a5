//! Components that are compiled quickly first come to the same as those that are compiled for speed at once.

use std::fmt::Write;
use std::thread;
use std::time::Duration;

use hostel_core::{Failure, Limit, LimitKind, Limits, Outcome, Touch};
use hostel_engine::{Component, Engine, EngineOptions};
use hostel_guests::{ARITH, DEEP_RECURSION, MEMORY_HOG, PANIC, SPIN_FOREVER, TEXT, WATCHER, wat};

use crate::{Ran, run_with};

fn engine(quick_code_bytes: Option<u64>, optimise: bool) -> Engine {
    let mut options = EngineOptions::default();
    options.quick_code_bytes = quick_code_bytes;
    options.optimise = optimise;
    options.max_instances = 16;
    Engine::new(options).unwrap()
}

/// The same component, compiled quickly and for speed.
fn both(bytes: &[u8]) -> [Component; 2] {
    let quick = engine(Some(0), false).load_bytes(bytes).unwrap();
    assert_eq!(quick.is_optimised(), !cfg!(target_arch = "x86_64"));
    let optimised = engine(None, true).load_bytes(bytes).unwrap();
    assert!(optimised.is_optimised());
    [quick, optimised]
}

async fn call(component: &Component, name: &str, args: &[&str], limits: Limits) -> Ran {
    run_with(&component.function(Some(name)).unwrap(), args, limits).await
}

/// Numbers of all kinds, as the bits of two lanes of 32 or one of 64.
const BITS: [u64; 16] = [
    0,
    0x8000_0000_8000_0000,
    0x3ff0_0000_3f80_0000,
    0xbff0_0000_bf80_0000,
    0x0000_0001_0000_0001,
    0x7ff0_0000_0000_0000,
    0xfff0_0000_0000_0000,
    0x7f80_0000_7f80_0000,
    0xff80_0000_ff80_0000,
    // Quiet and signalling ones that are no numbers, with payloads and both signs.
    0x7ff8_0000_7fc0_0000,
    0xfff8_0000_ffc0_0000,
    0x7ff8_dead_7fc0_beef,
    0x7ff0_0001_7f80_0001,
    0xfff4_1234_ffa0_4321,
    0x4340_0000_4b00_0001,
    0x3fe0_0000_3f00_0000,
];

/// A component with a function from two times 64 bits to 64 bits for each instruction on floats.
fn floats() -> (Vec<String>, String) {
    let (mut names, mut functions, mut lifted) = (Vec::new(), String::new(), String::new());
    let mut add = |name: &str, body: &str| {
        let name = name.replace(['.', '_'], "-");
        write!(functions, r#"(func (export "{name}") (param i64 i64) (result i64) {body})"#).unwrap();
        write!(
            lifted,
            r#"(func (export "{name}") (param "a" u64) (param "b" u64) (result u64) (canon lift (core func $i "{name}")))"#
        )
        .unwrap();
        names.push(name);
    };
    let (a, b) = ("(local.get 0)", "(local.get 1)");
    let float = |bits: &str, of: &str| match of {
        "f32" => format!("(f32.reinterpret_i32 (i32.wrap_i64 {bits}))"),
        _ => format!("(f64.reinterpret_i64 {bits})"),
    };
    let bits = |value: &str, of: &str| match of {
        "f32" => format!("(i64.extend_i32_u (i32.reinterpret_f32 {value}))"),
        _ => format!("(i64.reinterpret_f64 {value})"),
    };
    let vector = |bits: &str| format!("(i64x2.splat {bits})");
    for (of, lanes) in [("f32", "f32x4"), ("f64", "f64x2")] {
        for op in ["add", "sub", "mul", "div", "min", "max", "copysign"] {
            add(&format!("{of}.{op}"), &bits(&format!("({of}.{op} {} {})", float(a, of), float(b, of)), of));
        }
        for op in ["add", "sub", "mul", "div", "min", "max", "pmin", "pmax", "eq", "lt"] {
            let value = format!("({lanes}.{op} {} {})", vector(a), vector(b));
            add(&format!("{lanes}.{op}"), &format!("(i64x2.extract_lane 0 {value})"));
        }
        for op in ["abs", "neg", "sqrt", "ceil", "floor", "trunc", "nearest"] {
            add(&format!("{of}.{op}"), &bits(&format!("({of}.{op} {})", float(a, of)), of));
            let value = format!("({lanes}.{op} {})", vector(a));
            add(&format!("{lanes}.{op}"), &format!("(i64x2.extract_lane 0 {value})"));
        }
        for op in ["eq", "ne", "lt", "gt", "le", "ge"] {
            let value = format!("({of}.{op} {} {})", float(a, of), float(b, of));
            add(&format!("{of}.{op}"), &format!("(i64.extend_i32_u {value})"));
        }
        for to in ["i64.trunc_sat_f32_s", "i64.trunc_sat_f64_u"].iter().filter(|to| to.contains(of)) {
            add(to, &format!("({to} {})", float(a, of)));
        }
        add(&format!("{of}.convert"), &bits(&format!("({of}.convert_i64_u {a})"), of));
    }
    add("promote", &bits(&format!("(f64.promote_f32 {})", float(a, "f32")), "f64"));
    add("demote", &bits(&format!("(f32.demote_f64 {})", float(a, "f64")), "f32"));
    let text =
        format!("(component (core module $m {functions}) (core instance $i (instantiate $m)) {lifted})");
    (names, text)
}

#[tokio::test(flavor = "current_thread")]
async fn floats_come_to_the_same_bits() {
    let (names, text) = floats();
    let [quick, optimised] = both(text.as_bytes());
    for name in names {
        for a in BITS {
            for b in BITS {
                let args = [a.to_string(), b.to_string()];
                let args = args.each_ref().map(String::as_str);
                let of = async |component| call(component, &name, &args, Limits::default()).await.value();
                assert_eq!(of(&quick).await, of(&optimised).await, "{name} {a:#x} {b:#x}");
            }
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn whatever_a_guest_does_ends_the_same() {
    let limits = Limits { memory_bytes: 16 << 20, ..Limits::default() };
    for (path, name, args) in [
        (ARITH, "pow", &["7", "500"][..]),
        (TEXT, "word-count", &["\"one two\""]),
        (PANIC, "boom", &["fire"]),
        (MEMORY_HOG, "try-eat", &["64"]),
        (DEEP_RECURSION, "dive", &["100000000"]),
        (WATCHER, "several", &[]),
        (wat::TRAP, "divide", &["1", "0"]),
        (wat::TRAP, "load", &["4294967292"]),
        (wat::TRAP, "call-wrong-type", &[]),
    ] {
        let [quick, optimised] = both(&std::fs::read(path).unwrap());
        let (quick, optimised) =
            (call(&quick, name, args, limits).await, call(&optimised, name, args, limits).await);
        let touches = |ran: &Ran| {
            ran.observation.touches().iter().map(|one| (one.touch, one.count)).collect::<Vec<_>>()
        };
        assert_eq!(touches(&quick), touches(&optimised), "{name}");
        if touches(&quick).iter().any(|(touch, _)| *touch == Touch::Randomness) {
            continue;
        }
        match (&quick.outcome, &optimised.outcome) {
            // Where a stack ends depends on the code.
            (
                Outcome::Failed(Failure::Limit { limit: one, .. }),
                Outcome::Failed(Failure::Limit { limit: other, .. }),
            ) => {
                assert_eq!(one.kind, other.kind, "{name}");
            }
            (Outcome::Failed(Failure::Trap(one)), Outcome::Failed(Failure::Trap(other))) => {
                assert_eq!((&one.message, &one.stderr_tail), (&other.message, &other.stderr_tail), "{name}");
                assert!(!one.backtrace.is_empty());
            }
            (one, other) => assert_eq!(one, other, "{name}"),
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_loop_in_quickly_compiled_code_is_stopped() {
    let [quick, _] = both(&std::fs::read(SPIN_FOREVER).unwrap());
    let limits = Limits { timeout: Some(Duration::from_millis(50)), ..Limits::default() };
    let ran = call(&quick, "spin", &[], limits).await;
    assert!(matches!(ran.outcome, Outcome::Failed(Failure::TimedOut { .. })), "{:?}", ran.outcome);
    let limits = Limits { memory_bytes: 8 << 20, ..Limits::default() };
    let hog = both(&std::fs::read(MEMORY_HOG).unwrap()).into_iter().next().unwrap();
    let ran = call(&hog, "eat", &["64"], limits).await;
    let Outcome::Failed(Failure::Limit { limit, .. }) = &ran.outcome else { panic!("{:?}", ran.outcome) };
    assert_eq!(*limit, Limit { kind: LimitKind::Memory, allowed: 8 << 20 });
}

#[tokio::test(flavor = "current_thread")]
async fn the_same_functions_run_better_code_as_soon_as_it_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let engine = || {
        let mut options = EngineOptions::default();
        options.quick_code_bytes = Some(0);
        options.compile_cache_dir = Some(dir.path().to_owned());
        options.max_instances = 16;
        Engine::new(options).unwrap()
    };
    let first = engine();
    let component = first.load_file(ARITH.as_ref()).unwrap();
    let add = component.function(Some("add")).unwrap();
    assert_eq!(run_with(&add, &["1", "2"], Limits::default()).await.value(), "3");
    let again = first.load_file(ARITH.as_ref()).unwrap();
    component.wait_until_optimised();
    again.wait_until_optimised();
    assert!(component.is_optimised() && again.is_optimised());
    assert_eq!(run_with(&add, &["1", "3"], Limits::default()).await.value(), "4");
    // Another process finds it.
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "of the code there is only the best");
    assert!(engine().load_file(ARITH.as_ref()).unwrap().is_optimised());
}

/// How many threads wait for the same component.
const WAITING: usize = 8;

#[test]
fn every_waiter_is_woken_when_the_optimised_code_arrives() {
    let bytes = std::fs::read(TEXT).unwrap();
    let component = engine(Some(0), true).load_bytes(&bytes).unwrap();
    thread::scope(|scope| {
        let wait = |_| scope.spawn(|| component.wait_until_optimised() && component.is_optimised());
        let waiting: Vec<_> = (0..WAITING).map(wait).collect();
        waiting.into_iter().for_each(|thread| assert!(thread.join().unwrap()));
    });
}

#[test]
fn waiting_for_optimised_code_that_will_not_come_returns_false() {
    let dir = tempfile::tempdir().unwrap();
    let engine = |optimise| {
        let mut options = EngineOptions::default();
        options.quick_code_bytes = Some(0);
        options.optimise = optimise;
        options.compile_cache_dir = Some(dir.path().to_owned());
        options.max_instances = 16;
        Engine::new(options).unwrap()
    };
    let quick = engine(false).load_file(ARITH.as_ref()).unwrap();
    // It cannot be compiled again without its bytes.
    let without_bytes = engine(true).load_compiled(&quick.digest()).unwrap().unwrap();
    assert_eq!(without_bytes.wait_until_optimised(), !cfg!(target_arch = "x86_64"));
}

#[tokio::test(flavor = "current_thread")]
async fn what_the_quick_compiler_does_not_know_is_compiled_for_speed_at_once() {
    let tail = r#"(component
        (core module $m
            (func $count (param i32 i32) (result i32)
                (if (i32.eqz (local.get 0)) (then (return (local.get 1))))
                (return_call $count (i32.sub (local.get 0) (i32.const 1)) (i32.add (local.get 1) (i32.const 1))))
            (func (export "count") (param i32) (result i32) (call $count (local.get 0) (i32.const 0))))
        (core instance $i (instantiate $m))
        (func (export "count") (param "n" u32) (result u32) (canon lift (core func $i "count"))))"#;
    let component = engine(Some(0), true).load_bytes(tail.as_bytes()).unwrap();
    assert!(component.is_optimised());
    assert_eq!(call(&component, "count", &["1000000"], Limits::default()).await.value(), "1000000");
}
