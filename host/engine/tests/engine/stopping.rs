//! Guests are stopped at their timeout, or when their attempt is dropped, whatever they do.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use hostel_core::{Failure, Limits};
use hostel_engine::AttemptOptions;
use hostel_guests::wat;

use crate::{function, run, run_with};

fn timeout(ms: u64) -> Limits {
    Limits { timeout: Some(Duration::from_millis(ms)), ..Limits::default() }
}

#[tokio::test(flavor = "current_thread")]
async fn at_the_timeout_wherever_the_guest_is() {
    let table: [(&str, &str, &[&str]); 6] = [
        (hostel_guests::SPIN_FOREVER, "spin", &[]),
        (wat::LOOP, "spin", &[]),
        (wat::START_LOOP, "answer", &[]),
        (wat::BAD_REALLOC, "forever", &["[1]"]),
        (wat::SLEEPER, "sleep", &["3600000"]),
        (hostel_guests::ELEVATOR, "stop-at-floor", &["3600"]),
    ];
    for (path, name, args) in table {
        let ran = run_with(&function(path, name), args, timeout(30)).await;
        assert_eq!(ran.failure(), &Failure::TimedOut { after: Duration::from_millis(30) }, "{name}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn not_before_the_timeout() {
    assert_eq!(run_with(&function(wat::SLEEPER, "sleep"), &["1"], timeout(60_000)).await.value(), "()");
}

#[tokio::test(flavor = "current_thread")]
async fn when_the_attempt_is_dropped_and_the_log_stays() {
    let moving = function(hostel_guests::ELEVATOR, "stop-at-floor");
    let options = Arc::new(AttemptOptions::new(Limits::default()));
    let inputs = moving.signature().bind_text(hostel_core::Arguments::from(vec!["3600"])).unwrap();
    {
        let mut attempt = pin!(moving.attempt(&inputs, &options));
        let mut context = Context::from_waker(Waker::noop());
        // On a busy machine the guest may have to give way before it prints.
        while options.log.lines().is_empty() {
            assert!(attempt.as_mut().poll(&mut context).is_pending());
        }
    }
    assert_eq!(options.log.lines()[0].text, "elevator moving to floor 3600");
}

#[tokio::test(flavor = "current_thread")]
async fn a_computing_guest_gives_way() {
    let spin = function(wat::LOOP, "spin");
    let options = Arc::new(AttemptOptions::new(Limits::default()));
    let mut attempt = pin!(spin.attempt(&[], &options));
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..3 {
        assert!(matches!(attempt.as_mut().poll(&mut context), Poll::Pending), "it returned to its caller");
    }
    // And others run meanwhile, on the same thread.
    assert_eq!(run(wat::ADD_ONE, "add-one", &["1"]).await.value(), "2");
}

#[tokio::test(flavor = "current_thread")]
async fn a_guest_computes_for_a_whole_tick_before_it_first_gives_way() {
    let spin = function(wat::LOOP, "spin");
    let options = Arc::new(AttemptOptions::new(Limits::default()));
    for _ in 0..20 {
        let mut attempt = pin!(spin.attempt(&[], &options));
        let began = Instant::now();
        assert!(attempt.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let computed = began.elapsed();
        assert!(computed >= Duration::from_millis(5), "it gave way after {computed:?}");
    }
}
