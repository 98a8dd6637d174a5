//! Every limit: below it, at it, above it; and its own failure.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use hostel_core::{Failure, HostCall, Limit, LimitKind, Limits, LogStream, Outcome, Value};
use hostel_engine::{AttemptError, AttemptOptions, Engine, EngineOptions, Function};
use hostel_guests::{HOSTILE, LOG_FLOOD, MEMORY_HOG, TEXT, wat};

use crate::{Ran, function, run, run_with};

/// An engine that counts fuel, with little memory for all.
static FRUGAL: LazyLock<Engine> = LazyLock::new(|| {
    let mut options = EngineOptions::default();
    options.count_fuel = true;
    options.max_memory_bytes = 64 * MIB;
    options.max_instances = 100;
    Engine::new(options).unwrap()
});

fn frugal(path: &str, name: &str) -> Function {
    FRUGAL.load_file(path.as_ref()).unwrap().function(Some(name)).unwrap()
}

pub(crate) const MIB: u64 = 1 << 20;

pub(crate) fn limit_of(ran: &Ran) -> Limit {
    match ran.failure() {
        Failure::Limit { limit, .. } => *limit,
        other => panic!("expected a limit, found {other:?}"),
    }
}

#[tokio::test(flavor = "current_thread")]
async fn memory() {
    let eat = function(MEMORY_HOG, "eat");
    let limits = Limits { memory_bytes: 32 * MIB, ..Limits::default() };
    assert_eq!(run_with(&eat, &["24"], limits).await.value(), (24 * MIB).to_string());
    let ran = run_with(&eat, &["40"], limits).await;
    assert_eq!(limit_of(&ran), Limit { kind: LimitKind::Memory, allowed: 32 * MIB });
    let more = Limits { memory_bytes: 64 * MIB, ..limits };
    assert_eq!(run_with(&eat, &["40"], more).await.value(), (40 * MIB).to_string());
}

#[tokio::test(flavor = "current_thread")]
async fn a_guest_may_live_on_without_the_memory_it_was_refused() {
    let limits = Limits { memory_bytes: 32 * MIB, ..Limits::default() };
    let ran = run_with(&function(MEMORY_HOG, "try-eat"), &["40"], limits).await;
    assert!(matches!(ran.failure(), Failure::Error(_)), "{:?}", ran.outcome);
}

#[tokio::test(flavor = "current_thread")]
async fn memory_that_a_module_starts_with_counts() {
    // It starts with 300 MiB.
    assert_eq!(
        limit_of(&run(wat::BIG_MEMORY, "pages", &[]).await),
        Limit { kind: LimitKind::Memory, allowed: 256 * MIB }
    );
    let limits = Limits { memory_bytes: 300 * MIB, ..Limits::default() };
    run_with(&function(wat::BIG_MEMORY, "pages"), &[], limits).await.value();
}

#[tokio::test(flavor = "current_thread")]
async fn table_elements() {
    // `trap.wat` has a table of two elements.
    let divide = function(wat::TRAP, "divide");
    let limits = |table_elements| Limits { table_elements, ..Limits::default() };
    assert_eq!(run_with(&divide, &["6", "2"], limits(2)).await.value(), "3");
    assert_eq!(
        limit_of(&run_with(&divide, &["6", "2"], limits(1)).await),
        Limit { kind: LimitKind::TableElements, allowed: 1 }
    );
    // What no limit would allow is not even loaded.
    let error = crate::ENGINE.load_file(wat::BIG_TABLE.as_ref()).err().unwrap();
    assert_eq!(
        error.to_string(),
        "the component requires more than any task may have: \
         table index 0 has a minimum element size of 10000000 which exceeds the limit of 100000"
    );
}

#[tokio::test(flavor = "current_thread")]
async fn stack() {
    let dive = function(hostel_guests::DEEP_RECURSION, "dive");
    run_with(&dive, &["100"], Limits::default()).await.value();
    let ran = run_with(&dive, &["100000000"], Limits::default()).await;
    assert!(matches!(limit_of(&ran), Limit { kind: LimitKind::Stack, .. }));
    assert!(matches!(limit_of(&run(wat::TRAP, "recurse", &[]).await), Limit { kind: LimitKind::Stack, .. }));
}

#[tokio::test(flavor = "current_thread")]
async fn result() {
    // Eight bytes of a list<u64> take four times that in the host, so the limit is of what the host holds.
    let zeros = function(wat::BIG_RESULT, "zeros");
    let limits = Limits { result_bytes: 64 << 10, ..Limits::default() };
    run_with(&zeros, &["1000"], limits).await.value();
    let ran = run_with(&zeros, &["1000000"], limits).await;
    assert_eq!(limit_of(&ran), Limit { kind: LimitKind::Result, allowed: 64 << 10 });
    run_with(&zeros, &["1000000"], Limits::default()).await.value();
}

#[tokio::test(flavor = "current_thread")]
async fn a_text_counts_as_long_as_it_is_in_the_host() {
    // As many times `é`, of which the guest has one byte or two.
    for (encoding, letter) in [("latin1+utf16", r"\e9"), ("utf16", r"\e9\00")] {
        let text = format!(
            r#"(component
                 (core module $m
                   (memory (export "m") 1)
                   (data (i32.const 16) "{letters}")
                   (func (export "f") (param i32) (result i32)
                     (i32.store (i32.const 0) (i32.const 16))
                     (i32.store (i32.const 4) (local.get 0))
                     i32.const 0))
                 (core instance $i (instantiate $m))
                 (func (export "f") (param "n" u32) (result string)
                   (canon lift (core func $i "f") (memory (core memory $i "m")) string-encoding={encoding})))"#,
            letters = letter.repeat(600)
        );
        let function = crate::ENGINE.load_bytes(text.as_bytes()).unwrap().function(None).unwrap();
        let limits = Limits { result_bytes: 1200, ..Limits::default() };
        assert_eq!(run_with(&function, &["600"], limits).await.value().len(), 1200 + "\"\"".len());
        let limits = Limits { result_bytes: 1199, ..Limits::default() };
        let ran = run_with(&function, &["600"], limits).await;
        assert_eq!(limit_of(&ran), Limit { kind: LimitKind::Result, allowed: 1199 }, "{encoding}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn result_of_a_program() {
    let command = function(hostel_guests::COMMAND, "run");
    let limits = |result_bytes| Limits { result_bytes, ..Limits::default() };
    let args = &["[\"hello\"]"][..];
    assert_eq!(run_with(&command, args, limits(6)).await.stdout(), b"HELLO\n");
    assert_eq!(
        limit_of(&run_with(&command, args, limits(5)).await),
        Limit { kind: LimitKind::Result, allowed: 5 }
    );
}

#[tokio::test(flavor = "current_thread")]
async fn log() {
    let flood = function(LOG_FLOOD, "flood");
    let limits = Limits { log_bytes: 10_000, ..Limits::default() };
    let ran = run_with(&flood, &["100000"], limits).await;
    assert_eq!(ran.value(), "100000", "the guest goes on");
    let kept: usize = ran.log.lines().iter().map(|line| line.text.len() + 32).sum();
    assert!((9_800..10_200).contains(&kept), "{kept}");
    assert_eq!(ran.printed(LogStream::Host), ["cut here: the log is over 9.8 KiB (raise it with --max-log)"]);
    let ran = run_with(&function(LOG_FLOOD, "long-line"), &["1000000"], Limits::default()).await;
    assert!(ran.log.lines().iter().all(|line| line.text.len() <= 64 << 10));
}

#[tokio::test(flavor = "current_thread")]
async fn log_lines() {
    let flood = function(LOG_FLOOD, "flood");
    let limits = Limits { log_lines: 10, ..Limits::default() };
    let ran = run_with(&flood, &["100"], limits).await;
    assert_eq!(ran.value(), "100", "the guest goes on");
    assert_eq!(ran.log.lines().len(), 11);
    assert_eq!(
        ran.printed(LogStream::Host),
        ["cut here: the log is over 10 lines (raise it with --max-log-lines)"]
    );
}

#[tokio::test(flavor = "current_thread")]
async fn handles() {
    let keep = function(wat::MANY_HANDLES, "keep");
    let limits = Limits { handles: 50, ..Limits::default() };
    assert_eq!(run_with(&keep, &["50"], limits).await.value(), "50");
    let ran = run_with(&keep, &["51"], limits).await;
    assert_eq!(limit_of(&ran), Limit { kind: LimitKind::Handles, allowed: 50 });
    // Nor can one that asks for four billion have them.
    let ran = run_with(&keep, &["4294967295"], Limits::default()).await;
    assert_eq!(limit_of(&ran), Limit { kind: LimitKind::Handles, allowed: 100_000 });
}

#[tokio::test(flavor = "current_thread")]
async fn subtasks() {
    let fork = function(wat::FORK, "fork");
    assert_eq!(run_with(&fork, &["50"], Limits::default()).await.value(), "50");
    let limits = Limits { subtasks: 50, ..Limits::default() };
    assert_eq!(run_with(&fork, &["50"], limits).await.value(), "50");
    let ran = run_with(&fork, &["51"], limits).await;
    assert_eq!(limit_of(&ran), Limit { kind: LimitKind::Subtasks, allowed: 50 });
    let ran = run_with(&fork, &["4294967295"], Limits::default()).await;
    assert_eq!(limit_of(&ran), Limit { kind: LimitKind::Subtasks, allowed: 1_000 });
}

#[tokio::test(flavor = "current_thread")]
async fn calls_that_block_keep_no_stacks_from_others() {
    // The engine has a hundred stacks. An instance lets in one call at a time: the others wait outside, without one.
    let blocked = frugal(wat::HOSTILE_FORKS, "blocked");
    assert_eq!(run_with(&blocked, &["300"], Limits::default()).await.value(), "300");
}

#[tokio::test(flavor = "current_thread")]
async fn instances() {
    let answer = function(wat::MANY_INSTANCES, "answer");
    let limits = Limits { instances: 15, ..Limits::default() };
    let ran = run_with(&answer, &[], limits).await;
    assert_eq!(limit_of(&ran), Limit { kind: LimitKind::Instances, allowed: 15 });
}

#[tokio::test(start_paused = true)]
async fn idle_time() {
    let sleep = function(wat::SLEEPER, "sleep");
    let limits = Limits { idle_timeout: Some(Duration::from_secs(3)), ..Limits::default() };
    run_with(&sleep, &["2900"], limits).await.value();
    let ran = run_with(&sleep, &["3100"], limits).await;
    assert_eq!(limit_of(&ran), Limit { kind: LimitKind::IdleTimeout, allowed: 3_000_000_000 });
}

#[tokio::test(flavor = "current_thread")]
async fn fuel() {
    let spin = frugal(wat::LOOP, "spin");
    let limits = Limits { fuel: Some(1_000_000), ..Limits::default() };
    let ran = run_with(&spin, &[], limits).await;
    assert_eq!(limit_of(&ran), Limit { kind: LimitKind::Fuel, allowed: 1_000_000 });
    assert_eq!(ran.receipt.fuel, Some(1_000_000));
    // What a call takes is the same each time, and it needs no more than that.
    let eat = frugal(MEMORY_HOG, "eat");
    let taken = run_with(&eat, &["1"], Limits::default()).await.receipt.fuel;
    assert!(taken > Some(1000), "{taken:?}");
    let limits = Limits { fuel: taken, ..Limits::default() };
    let ran = run_with(&eat, &["1"], limits).await;
    assert_eq!((ran.value(), ran.receipt.fuel), (MIB.to_string(), taken));
    let limits = Limits { fuel: taken.map(|taken| taken / 2), ..Limits::default() };
    assert_eq!(limit_of(&run_with(&eat, &["1"], limits).await).kind, LimitKind::Fuel);
}

#[tokio::test(flavor = "current_thread")]
async fn fuel_is_refused_where_it_is_not_counted() {
    let add_one = function(wat::ADD_ONE, "add-one");
    let options = AttemptOptions::new(Limits { fuel: Some(1), ..Limits::default() });
    let inputs = add_one.signature().bind_text(hostel_core::Arguments::new().positional("1")).unwrap();
    let error = add_one.attempt(&inputs, &options.clone().into()).await.unwrap_err();
    assert!(matches!(error, AttemptError::FuelIsNotCounted));
    assert_eq!(run_with(&add_one, &["1"], Limits::default()).await.receipt.fuel, None);
}

#[tokio::test(flavor = "current_thread")]
async fn memory_of_all_together() {
    let eat = frugal(MEMORY_HOG, "eat");
    let ran = run_with(&eat, &["60"], Limits::default()).await;
    assert_eq!(limit_of(&ran), Limit { kind: LimitKind::HostMemory, allowed: 64 * MIB });
    assert!(!ran.observation.is_reproducible(), "another host has more");
    // It has given back what it had, as have those that were stopped.
    assert_eq!(FRUGAL.memory_bytes(), 0);
    for _ in 0..10 {
        assert_eq!(run_with(&eat, &["40"], Limits::default()).await.value(), (40 * MIB).to_string());
    }
    assert_eq!(FRUGAL.memory_bytes(), 0);
}

/// An engine for 64 MiB.
fn small_engine() -> Engine {
    let mut options = EngineOptions::default();
    options.max_memory_bytes = 64 * MIB;
    Engine::new(options).unwrap()
}

fn of(engine: &Engine, path: &str, name: &str) -> Function {
    engine.load_file(path.as_ref()).unwrap().function(Some(name)).unwrap()
}

/// Waits until the attempts hold so many pages of 64 KiB.
async fn held(engine: &Engine, pages: u64) {
    while engine.memory_bytes() < pages << 16 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_finds_next_to_no_memory_waits_before_it_begins() {
    let engine = small_engine();
    let hold = of(&engine, wat::HOLDER, "hold");
    let add_one = of(&engine, wat::ADD_ONE, "add-one");
    // Holds more pages when so many are held.
    let (engine, hold) = (&engine, &hold);
    let more = async |before: u64, pages: &str, ms: &str| {
        held(engine, before).await;
        let inputs = [pages, "0", ms];
        run_with(hold, &inputs, Limits::default()).await.value()
    };
    let answered = async |before: u64, began: tokio::time::Instant| {
        held(engine, before).await;
        let ran = run_with(&add_one, &["1"], Limits::default()).await;
        (ran.value(), began.elapsed().as_secs())
    };
    // Each takes at most four times what is free. 16 of 1,024 pages are left: a sixty-fourth.
    let holders = async || {
        tokio::join!(more(0, "800", "2000"), more(800, "176", "3000"), more(976, "32", "4000"));
    };
    let began = tokio::time::Instant::now();
    let ((), beside) = tokio::join!(holders(), answered(1008, began));
    assert_eq!((beside, began.elapsed().as_secs()), (("2".to_owned(), 0), 4));
    let began = tokio::time::Instant::now();
    let ((), _, late) = tokio::join!(holders(), more(1008, "4", "5000"), answered(1012, began));
    assert_eq!(late, ("2".to_owned(), 2), "the first one had to end");
    assert_eq!(engine.memory_bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_begins_with_more_memory_than_there_is_waits_for_it() {
    let engine = small_engine();
    let hold = of(&engine, wat::HOLDER, "hold");
    let [large, wide] = [wat::BIG_MEMORY, wat::WIDE_START].map(|path| of(&engine, path, "pages"));
    let limits = Limits { memory_bytes: 300 * MIB, ..Limits::default() };
    let beside = async |pages: &str, function: &Function| {
        let waiting = async {
            held(&engine, 1).await;
            run_with(function, &[], limits).await
        };
        let inputs = [pages, "0", "3000"];
        tokio::join!(run_with(&hold, &inputs, limits), waiting).1
    };
    // It never gets 300 MiB of 64. Alone it learns that at once, and beside another one when that has ended.
    let began = tokio::time::Instant::now();
    let allowed = Limit { kind: LimitKind::HostMemory, allowed: 64 * MIB };
    assert_eq!((limit_of(&run_with(&large, &[], limits).await), began.elapsed().as_secs()), (allowed, 0));
    assert_eq!((limit_of(&beside("1", &large).await), began.elapsed().as_secs()), (allowed, 3));
    // It gets 40 MiB when another one no longer has as much.
    assert_eq!((beside("640", &wide).await.value(), began.elapsed().as_secs()), ("640".to_owned(), 6));
}

#[tokio::test(start_paused = true)]
async fn large_tables_count_as_memory_of_all() {
    let engine = small_engine();
    let hold = of(&engine, wat::HOLDER, "hold");
    let (ran, ()) = tokio::join!(run_with(&hold, &["0", "100000", "1000"], Limits::default()), async {
        held(&engine, 1).await;
        assert_eq!(engine.memory_bytes(), 800_000);
    });
    ran.value();
    assert_eq!(engine.memory_bytes(), 0);
}

#[tokio::test(flavor = "current_thread")]
async fn a_guest_waits_for_no_more_at_once_than_it_can_have() {
    let flood = function(wat::POLL_FLOOD, "flood");
    assert_eq!(run_with(&flood, &["10000"], Limits::default()).await.value(), "10000");
    let ran = run_with(&flood, &["10001"], Limits::default()).await;
    assert_eq!(limit_of(&ran), Limit { kind: LimitKind::Handles, allowed: 10_000 });
}

#[tokio::test(flavor = "current_thread")]
async fn many_headers_count_as_memory_of_all() {
    let engine = small_engine();
    // More than it gets, and far less than it may have otherwise: 2,000 of them.
    let ran = run_with(&of(&engine, HOSTILE, "hoard"), &["1000", "16000"], Limits::default()).await;
    assert_eq!(limit_of(&ran), Limit { kind: LimitKind::HostMemory, allowed: 64 * MIB });
    let few = run_with(&of(&engine, HOSTILE, "hoard"), &["100", "16000"], Limits::default()).await;
    few.value();
    assert_eq!(engine.memory_bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_guest_prints_counts_as_memory_of_all() {
    let mut options = EngineOptions::default();
    options.max_memory_bytes = 4 * MIB;
    let engine = Engine::new(options).unwrap();
    let flood = of(&engine, LOG_FLOOD, "flood");
    let limits = Limits { log_bytes: 1 << 30, ..Limits::default() };
    let ran = run_with(&flood, &["100000"], limits).await;
    ran.value();
    let limit = Limit { kind: LimitKind::HostMemory, allowed: 4 * MIB };
    let lines = ran.log.lines();
    assert_eq!(lines.last().unwrap().text, format!("cut here: {limit}"));
    let stored: usize = lines.iter().map(|line| line.text.len()).sum();
    assert!((100_000..4 << 20).contains(&stored), "{stored}");
    assert_eq!(engine.memory_bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn runs_wait_before_they_begin_while_the_process_has_too_much_memory() {
    let mut options = EngineOptions::default();
    options.max_process_bytes = Some(1);
    let engine = Engine::new(options).unwrap();
    let sleep = of(&engine, wat::SLEEPER, "sleep");
    let began = tokio::time::Instant::now();
    let nap = || run_with(&sleep, &["1000"], Limits::default());
    let (first, second, third) = tokio::join!(nap(), nap(), nap());
    assert_eq!([first, second, third].map(|ran| ran.value()), ["()", "()", "()"]);
    assert_eq!(began.elapsed().as_secs(), 3, "one after the other");
}

#[tokio::test(start_paused = true)]
async fn who_finds_no_room_waits_until_others_have_ended() {
    let engine = |max_instances| {
        let mut options = EngineOptions::default();
        options.max_instances = max_instances;
        Engine::new(options).unwrap()
    };
    let find = |engine: &Engine, path: &str, name: &str| {
        engine.load_file(path.as_ref()).unwrap().function(Some(name)).unwrap()
    };
    // It is made of sixteen core instances with a memory each: the one that sleeps leaves room for fifteen.
    let small = engine(16);
    let answer = find(&small, wat::MANY_INSTANCES, "answer");
    let elevator = find(&small, hostel_guests::ELEVATOR, "stop-at-floor");
    let began = tokio::time::Instant::now();
    let (slept, answered) = tokio::join!(
        run_with(&elevator, &["3", "1000"], Limits::default()),
        run_with(&answer, &[], Limits::default()),
    );
    assert_eq!((slept.value(), answered.value()), ("3".to_owned(), "42".to_owned()));
    assert_eq!(began.elapsed().as_secs(), 3);
    // Half as much room is too little, whoever ends.
    let answer = find(&engine(8), wat::MANY_INSTANCES, "answer");
    let error = answer.attempt(&[], &AttemptOptions::new(Limits::default()).into()).await.unwrap_err();
    assert!(matches!(error, AttemptError::NoRoom(_)), "{error}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_guest_that_has_acted_is_not_begun_again_for_want_of_room() {
    let mut options = EngineOptions::default();
    options.max_instances = 8;
    let engine = Engine::new(options).unwrap();
    let answer = engine.load_file(wat::ACTS_THEN_GROWS.as_ref()).unwrap().function(Some("answer")).unwrap();
    let error = answer.attempt(&[], &AttemptOptions::new(Limits::default()).into()).await.unwrap_err();
    assert!(matches!(error, AttemptError::LostRoom(_)), "{error}");
    assert_eq!(
        run_with(&function(wat::ACTS_THEN_GROWS, "answer"), &[], Limits::default()).await.value(),
        "42"
    );
}

#[tokio::test(flavor = "current_thread")]
async fn a_receipt_tells_what_was_used() {
    let ran = run_with(&function(MEMORY_HOG, "eat"), &["24"], Limits::default()).await;
    let receipt = &ran.receipt;
    assert!((24 * MIB..32 * MIB).contains(&receipt.peak_memory_bytes), "{receipt:?}");
    assert!(receipt.cpu_time > Duration::ZERO);
    assert!(receipt.input_bytes > 0 && receipt.result_bytes > 0);
    assert_eq!((receipt.host_calls.total(), receipt.log_bytes), (0, 0));

    let sleeper = run_with(&function(wat::SLEEPER, "sleep"), &["0"], Limits::default()).await.receipt;
    assert_eq!(sleeper.host_calls.of(HostCall::Clock), 1);
    assert_eq!(sleeper.host_calls.total(), 3, "and one to wait, one to be done with it");

    let ran = run_with(&function(LOG_FLOOD, "flood"), &["10"], Limits::default()).await;
    let text: usize = ran.log.lines().iter().map(|line| line.text.len() + 32).sum();
    assert_eq!(ran.receipt.log_bytes, text as u64);
}

#[tokio::test(start_paused = true)]
async fn a_receipt_is_written_however_the_attempt_ends() {
    let memory = |ran: &Ran| ran.receipt.peak_memory_bytes;
    let limits = Limits { timeout: Some(Duration::from_secs(1)), ..Limits::default() };
    let ran = run_with(&function(wat::SLEEPER, "sleep"), &["2000"], limits).await;
    assert!(matches!(ran.failure(), Failure::TimedOut { .. }));
    assert_eq!(ran.receipt.host_calls.of(HostCall::Clock), 1);
    let ran = run(hostel_guests::PANIC, "boom", &["oh"]).await;
    assert!(matches!(ran.outcome, Outcome::Failed(Failure::Trap(_))) && memory(&ran) > 0);
}

/// A function of a core module: `(export "run")`, from a number to a number.
fn of_core(module: &str) -> Function {
    let text = format!(
        r#"(component (core module $m {module}) (core instance $i (instantiate $m))
           (func (export "run") (param "n" u32) (result u32) (canon lift (core func $i "run"))))"#
    );
    crate::ENGINE.load_bytes(text.as_bytes()).unwrap().function(None).unwrap()
}

#[tokio::test(flavor = "current_thread")]
async fn what_a_memory_can_never_have_is_no_matter_of_limits() {
    let grow = of_core(
        r#"(memory 1 3) (table 1 2 funcref)
           (func (export "run") (param i32) (result i32)
             (drop (table.grow (ref.null func) (local.get 0)))
             (memory.grow (local.get 0)))"#,
    );
    let ran = run_with(&grow, &["30000000"], Limits::default()).await;
    assert_eq!(ran.value(), u32::MAX.to_string());
    assert_eq!(ran.receipt.peak_memory_bytes, 64 << 10);
    assert!(ran.observation.is_reproducible(), "it is the same on every host");
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_definite_is_not_put_down_to_memory_that_was_refused() {
    let dive = of_core(
        r#"(memory 1) (func $dive (param i32) (result i32) (i32.add (call $dive (local.get 0)) (i32.const 1)))
           (func (export "run") (param i32) (result i32)
             (drop (memory.grow (i32.const 60000))) (call $dive (local.get 0)))"#,
    );
    assert_eq!(limit_of(&run_with(&dive, &["1"], Limits::default()).await).kind, LimitKind::Stack);
}

#[tokio::test(flavor = "current_thread")]
async fn no_guest_can_forge_a_limit() {
    let forge = of_core(
        r#"(func $"store handle limit exceeded" (unreachable))
           (func (export "run") (param i32) (result i32)
             (call $"store handle limit exceeded") (unreachable))"#,
    );
    let ran = run_with(&forge, &["1"], Limits::default()).await;
    assert!(matches!(ran.failure(), Failure::Trap(_)), "{:?}", ran.outcome);
}

#[tokio::test(start_paused = true)]
async fn waiting_for_room_ends_when_the_time_is_up() {
    let mut options = EngineOptions::default();
    options.max_instances = 16;
    let engine = Engine::new(options).unwrap();
    let find =
        |path: &str, name: &str| engine.load_file(path.as_ref()).unwrap().function(Some(name)).unwrap();
    let answer = find(wat::MANY_INSTANCES, "answer");
    let elevator = find(hostel_guests::ELEVATOR, "stop-at-floor");
    let ends_at = tokio::time::Instant::now() + Duration::from_secs(2);
    let options = Arc::new(AttemptOptions::new(Limits::default()).ends_at(ends_at.into_std()));
    let (slept, timed_out) =
        tokio::join!(run_with(&elevator, &["3", "1000"], Limits::default()), answer.attempt(&[], &options),);
    assert_eq!(slept.value(), "3");
    assert!(matches!(timed_out.unwrap().outcome, Outcome::Failed(Failure::TimedOut { .. })));
}

#[tokio::test(flavor = "current_thread")]
async fn arguments_count_as_memory_of_the_host() {
    let mut options = EngineOptions::default();
    options.max_memory_bytes = 128 << 20;
    let engine = Engine::new(options).unwrap();
    let count = engine.load_file(TEXT.as_ref()).unwrap().function(Some("word-count-bytes")).unwrap();
    // A byte of a list takes forty.
    for (mib, fits) in [(2_usize, true), (3, false), (2, true)] {
        let bytes = Value::Bytes(vec![b'x'; mib << 20]);
        let attempted = count.attempt(&[bytes], &Arc::new(AttemptOptions::new(Limits::default()))).await;
        match attempted {
            Ok(attempted) => {
                assert!(fits && attempted.outcome.is_completed(), "{mib} MiB: {:?}", attempted.outcome)
            }
            Err(error) => {
                assert!(!fits && error.to_string().contains("for the arguments"), "{mib} MiB: {error}")
            }
        }
        assert_eq!(engine.memory_bytes(), 0, "{mib} MiB");
    }
}
