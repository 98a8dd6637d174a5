//! What an attempt touches beside its inputs, and what looks as if it did and is none.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use hostel_core::{
    Determinism, Grants, Limits, RandomBytes, RandomPurpose, RandomSeed, Randomness, RunId, Touch,
};
use hostel_engine::{AttemptOptions, Component, Function};
use hostel_guests::{ARITH, COMMAND, MEMORY_HOG, PAGES, SHAPES, TEXT, WATCHER, wat};

use crate::{ENGINE, Ran, function, load, run, run_as};

const KEY: [u8; 32] = [7; 32];

/// Compiled once: it is asked for much.
static COMPONENT: LazyLock<Component> = LazyLock::new(|| load(WATCHER));

fn watcher(name: &str) -> Function {
    COMPONENT.function(Some(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn usual() -> AttemptOptions {
    AttemptOptions::new(Limits::default())
}

fn keyed() -> AttemptOptions {
    usual().seed_of(KEY)
}

fn virtually(clock: &str, randomness: &str) -> AttemptOptions {
    let (clock, randomness) = (clock.parse().unwrap(), randomness.parse().unwrap());
    usual().determinism(Determinism { clock, randomness })
}

async fn watch(name: &str, args: &[&str], options: AttemptOptions) -> Ran {
    let ran = run_as(&watcher(name), args, options).await;
    ran.value();
    ran
}

/// The touches of an attempt, each with how often.
fn touches(ran: &Ran) -> Vec<(Touch, u64)> {
    ran.observation.touches().iter().map(|touched| (touched.touch, touched.count)).collect()
}

#[tokio::test(flavor = "current_thread")]
async fn pure_guests_touch_nothing() {
    for (path, name, args) in [
        (ARITH, "add-one", &["41"][..]),
        (TEXT, "word-count", &["\"one two\""]),
        (SHAPES, "echo-string", &["\"text\""]),
        (wat::ADD_ONE, "add-one", &["41"]),
        (COMMAND, "run", &["[\"upper\"]", "[104, 105]"]),
    ] {
        let ran = run(path, name, args).await;
        assert!(ran.observation.is_reproducible(), "{name}: {}", ran.observation);
        assert_eq!(ran.observation.to_string(), "", "{name}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn each_touch_is_noticed_with_the_function_that_did_it() {
    let granted = Grants { net: vec!["localhost:1".parse().unwrap()], ..Grants::default() };
    let granted = Arc::new(granted);
    let check = async |name: &str, args: &[&str], touch: Touch, function: &str| {
        let ran = watch(name, args, keyed().grants(Arc::clone(&granted))).await;
        let [touched] = ran.observation.touches() else { panic!("{name}: {}", ran.observation) };
        assert_eq!(touched.touch, touch, "{name}");
        let first_in = touched.first_in.as_deref().unwrap_or_default();
        // Where the compiler inlined the function, what was exported has its name.
        assert!(first_in == name || first_in.contains(function), "{name}: {touched}");
        assert!(!ran.observation.is_reproducible());
    };
    check("wall-clock", &[], Touch::WallClock, "unix_nanos").await;
    check("monotonic-clock", &[], Touch::MonotonicClock, "monotonic_clock").await;
    check("race", &["0", "60000"], Touch::Readiness, "race").await;
    check("is-ready", &["60000"], Touch::Readiness, "is_ready").await;
    check("random", &["8"], Touch::Randomness, "random").await;
    check("random-number", &[], Touch::Randomness, "random_number").await;
    check("open-tcp", &[], Touch::Network, "open_tcp").await;
    check("open-udp", &[], Touch::Network, "open_udp").await;
    check("look-up", &["localhost"], Touch::Network, "look_up").await;
    check("run-id", &[], Touch::RunIdentity, "run_id").await;
    check("run-name", &[], Touch::RunIdentity, "run_name").await;
    check("number-of-attempt", &[], Touch::RunIdentity, "number_of_attempt").await;
    check("deadline", &[], Touch::RunIdentity, "deadline").await;
    check("grow", &["5000"], Touch::RefusedGrowth, "grow").await;
}

/// Runs `run` of a guest that consists of these functions, and returns what was observed. Function 0 draws a random number
/// through an adapter.
async fn drawing(functions: &str) -> String {
    let text = format!(
        r#"(component
            (import "wasi:random/random@0.2.0" (instance $random (export "get-random-u64" (func (result u64)))))
            (core func $draw (canon lower (func $random "get-random-u64")))
            (core module $wit-component:adapter
                (import "host" "draw" (func (result i64)))
                (func $adapted (export "draw") (result i64) (call 0)))
            (core instance $adapter
                (instantiate $wit-component:adapter (with "host" (instance (export "draw" (func $draw))))))
            (core module $guest (import "adapter" "draw" (func (result i64))) {functions})
            (core instance $guest (instantiate $guest (with "adapter" (instance $adapter))))
            (func (export "run") (result u64) (canon lift (core func $guest "run"))))"#
    );
    let component = ENGINE.load_bytes(text.as_bytes()).unwrap_or_else(|error| panic!("{functions}: {error}"));
    run_as(&component.function(None).unwrap(), &[], usual()).await.observation.to_string()
}

#[tokio::test(flavor = "current_thread")]
async fn a_touch_names_the_innermost_function_of_the_guests_own_code() {
    let check = async |names: &[&str], expected: &str| {
        let functions = names.iter().enumerate().map(|(index, name)| {
            let export = if index == 0 { r#"(export "run")"# } else { "" };
            let next = if index + 1 < names.len() { index + 2 } else { 0 };
            format!(r#"(func (@name "{name}") {export} (result i64) (call {next}))"#)
        });
        let seen = drawing(&functions.collect::<String>()).await;
        assert_eq!(seen, format!("drew random numbers 1×{expected}"), "{names:?}");
    };
    check(&["run"], ", first in `run`").await;
    check(&["run", "shuffle"], ", first in `shuffle`").await;
    check(&["run", "cards::shuffle", "deal"], ", first in `cards::shuffle`").await;
    check(&["run", "cards::shuffle", "cards::deal"], ", first in `cards::deal`").await;
    check(&["run", "deal", "rand::random", "getrandom"], ", first in `deal`").await;
    check(&["cabi_run", "rand::random"], "").await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_touch_from_an_unnamed_function_stays_unnamed() {
    let functions = r#"
        (func (export "run") (result i64) (i64.add (call 2) (call $later)))
        (func (result i64) (call 0))
        (func $later (result i64) (call 0))"#;
    assert_eq!(drawing(functions).await, "drew random numbers 2×");
}

#[tokio::test(flavor = "current_thread")]
async fn what_tells_a_guest_nothing_is_no_touch() {
    for (name, args) in [
        ("resolutions", &[][..]),
        ("sleep", &["1"]),
        ("sleep-until", &["0"]),
        ("is-input-ready", &[]),
        ("insecure", &["8"]),
        ("insecure-number", &[]),
        ("seeds", &[]),
        ("in-hash-order", &["[\"a\", \"b\"]"]),
        ("task", &[]),
        ("report", &["text"]),
        ("grow", &["1"]),
        // What no grant allows follows from the grants.
        ("open-tcp", &[]),
        ("open-udp", &[]),
        ("look-up", &["localhost"]),
    ] {
        let ran = watch(name, args, keyed()).await;
        assert_eq!(touches(&ran), [], "{name}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn the_machine_does_not_show_in_what_clocks_say_of_themselves() {
    assert_eq!(watch("resolutions", &[], usual()).await.value(), "(1, 1)");
}

#[tokio::test(flavor = "current_thread")]
async fn touches_are_counted_in_the_order_of_the_first_ones() {
    let ran = watch("several", &[], usual()).await;
    assert_eq!(touches(&ran), [(Touch::WallClock, 2), (Touch::Randomness, 1)]);
    assert!(
        ran.observation.to_string().starts_with("read the wall clock 2×, first in `"),
        "{}",
        ran.observation
    );
}

#[tokio::test(flavor = "current_thread")]
async fn insecure_randomness_follows_from_the_key_and_without_one_is_the_systems() {
    let expected = |purpose| RandomBytes::new(RandomSeed::Key(KEY), purpose);
    let number = watch("insecure-number", &[], keyed()).await;
    assert_eq!(number.value(), expected(RandomPurpose::Insecure).next_u64().to_string());
    let mut seeds = expected(RandomPurpose::InsecureSeed);
    let (first, second) = (seeds.next_u64(), seeds.next_u64());
    let seeds = watch("seeds", &[], keyed()).await;
    assert_eq!(
        seeds.value(),
        format!("[{first}, {second}, {first}, {second}]"),
        "the same whenever it is asked for"
    );

    for (name, args, times) in [
        ("insecure-number", &[][..], 1),
        ("insecure", &["8"], 1),
        ("seeds", &[], 2),
        ("in-hash-order", &["[\"a\"]"], 1),
    ] {
        assert_eq!(touches(&watch(name, args, usual()).await), [(Touch::Randomness, times)], "{name}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn hash_maps_have_one_order_for_one_key() {
    let words: Vec<_> = (0..50).map(|number| format!("\"{number}\"")).collect();
    let words = format!("[{}]", words.join(", "));
    let order = async |key| watch("in-hash-order", &[&words], usual().seed_of(key)).await.value();
    let of_key = order(KEY).await;
    assert_eq!(order(KEY).await, of_key);
    assert_ne!(order([8; 32]).await, of_key);
}

#[tokio::test(flavor = "current_thread")]
async fn a_fixed_clock_stands_still_and_is_no_touch() {
    let fixed = || virtually("fixed:2026-01-01T00:00:00Z", "real");
    let wall = watch("wall-clock", &[], fixed()).await;
    assert_eq!((wall.value().as_str(), touches(&wall)), ("1767225600000000000", vec![]));
    let elapsed = watch("elapsed", &["1"], fixed()).await;
    assert_eq!((elapsed.value().as_str(), touches(&elapsed)), ("0", vec![]));
    let one = watch("monotonic-clock", &[], fixed()).await;
    assert_eq!(one.value(), watch("monotonic-clock", &[], fixed()).await.value());
    // Which of two timers is ready is still a matter of time.
    assert_eq!(touches(&watch("race", &["0", "60000"], fixed()).await), [(Touch::Readiness, 1)]);
}

#[tokio::test(flavor = "current_thread")]
async fn a_virtual_clock_is_moved_by_the_guest_alone_and_is_no_touch() {
    let check = async |name: &str, args: &[&str], value: &str| {
        let ran = watch(name, args, virtually("virtual", "real")).await;
        assert_eq!((ran.value().as_str(), touches(&ran)), (value, vec![]), "{name} {args:?}");
    };
    check("wall-clock", &[], "1767225600000000000").await;
    check("monotonic-clock", &[], "86400000000000").await;
    // A reading is a microsecond, and a sleep is as long as it is.
    check("elapsed", &["0"], "1000").await;
    check("elapsed", &["3"], "3001000").await;
    check("sleep-until", &["86400000000001"], "()").await;
    check("spin", &["1"], "1001000").await;
    check("ask", &["1"], "1000").await;
    check("ask-beside-input", &["1"], "999").await;
    check("is-ready", &["0"], "true").await;
    check("is-ready", &["60000"], "false").await;
    check("race", &["60000", "0"], "[1]").await;
    check("race", &["0", "60000"], "[0]").await;
    check("race", &["0", "0"], "[0, 1]").await;
    check("race", &["7", "2"], "[1]").await;
    check("race", &["2", "2"], "[0, 1]").await;
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_sleep_on_a_virtual_clock_takes_its_time() {
    let took = async |args: &[&str]| {
        let start = tokio::time::Instant::now();
        watch("race", args, virtually("virtual", "real")).await;
        start.elapsed()
    };
    let hour = Duration::from_secs(3_600);
    let slept = took(&["3600000", "7200000"]).await;
    assert!((hour..hour + Duration::from_millis(5)).contains(&slept), "{slept:?}");
    assert_eq!(took(&["3600000", "0"]).await, Duration::ZERO);
}

#[tokio::test(flavor = "current_thread")]
async fn randomness_of_the_key_is_for_everything_and_no_touch() {
    let of_key = || virtually("real", "key").seed_of(KEY);
    let stream = |purpose| RandomBytes::new(RandomSeed::Key(KEY), purpose);
    let number = watch("random-number", &[], of_key()).await;
    assert_eq!(number.value(), stream(RandomPurpose::Secure).next_u64().to_string());
    let insecure = watch("insecure-number", &[], of_key()).await;
    assert_eq!(insecure.value(), stream(RandomPurpose::Insecure).next_u64().to_string());
    assert_eq!((touches(&number), touches(&insecure)), (vec![], vec![]));
    // Without a key there is nothing that it could follow from.
    let system = watch("random-number", &[], virtually("real", "key")).await;
    assert_eq!(touches(&system), [(Touch::Randomness, 1)]);
}

#[tokio::test(flavor = "current_thread")]
async fn seeded_randomness_is_the_same_in_every_attempt_and_no_touch() {
    let seeded = || virtually("real", "seed:42");
    let stream = |purpose| RandomBytes::new(RandomSeed::Number(42), purpose);
    let number = watch("random-number", &[], seeded()).await;
    assert_eq!(number.value(), stream(RandomPurpose::Secure).next_u64().to_string());
    assert_eq!(touches(&number), []);
    let mut bytes = [0; 40];
    stream(RandomPurpose::Secure).fill(&mut bytes);
    assert_eq!(watch("random", &["40"], seeded()).await.value(), format!("{bytes:?}"));
    let insecure = watch("insecure-number", &[], seeded().seed_of(KEY)).await;
    assert_eq!(
        insecure.value(),
        stream(RandomPurpose::Insecure).next_u64().to_string(),
        "the chosen seed wins"
    );
    assert_eq!(touches(&insecure), []);
    let other = virtually("real", "seed:43");
    assert_ne!(watch("random-number", &[], other).await.value(), number.value());
    assert_eq!(seeded().determinism.randomness, Randomness::Seeded(42));
}

#[tokio::test(flavor = "current_thread")]
async fn a_guest_that_lives_on_without_memory_has_touched_a_limit() {
    let limits = Limits { memory_bytes: 16 << 20, ..Limits::default() };
    let ran = run_as(&function(MEMORY_HOG, "try-eat"), &["64"], AttemptOptions::new(limits)).await;
    assert!(touches(&ran).iter().any(|(touch, _)| *touch == Touch::RefusedGrowth), "{}", ran.observation);
}

#[tokio::test(flavor = "current_thread")]
async fn a_request_that_no_grant_allows_is_no_touch() {
    let ran = run_as(&function(PAGES, "load-url"), &["http://127.0.0.1:1/"], keyed()).await;
    assert!(ran.failure().to_string().contains("HttpRequestDenied"), "{:?}", ran.outcome);
    assert_eq!(touches(&ran), []);
}

#[tokio::test(flavor = "current_thread")]
async fn whoever_listens_hears_of_the_first_touch_while_the_guest_runs() {
    let heard = Arc::new(AtomicU32::new(0));
    let listening = || {
        let of_attempt = Arc::clone(&heard);
        let on_touch = move || {
            of_attempt.fetch_add(1, Ordering::SeqCst);
        };
        keyed().on_touch(Arc::new(on_touch))
    };
    watch("sleep", &["1"], listening()).await;
    assert_eq!(heard.load(Ordering::SeqCst), 0);
    watch("several", &[], listening()).await;
    assert_eq!(heard.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "current_thread")]
async fn what_was_touched_is_known_when_the_attempt_is_stopped() {
    let limits = Limits { timeout: Some(Duration::from_millis(500)), ..Limits::default() };
    let options = AttemptOptions::new(limits).attempt_of(RunId::from_bytes([1; 16]), 2);
    let ran = run_as(&watcher("elapsed"), &["600000"], options).await;
    assert_eq!(ran.failure().kind().name(), "timeout");
    assert_eq!(touches(&ran), [(Touch::MonotonicClock, 1)]);
}
