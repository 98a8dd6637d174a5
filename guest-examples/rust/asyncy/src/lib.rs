//! Asynchronous functions: `async func` in WIT is `async fn` in Rust.
//!
//! While a function awaits, its instance is free for other calls, and the host for other guests.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

wit_bindgen::generate!({
    inline: "
        package hostel:examples@0.1.0;

        world asyncy {
            /// 2 * x, after giving way once.
            export double: async func(x: s64) -> s64;
            /// Waits `ms` milliseconds twice at the same time, giving way all the while, and returns how
            /// many milliseconds passed: about `ms`, not twice that.
            export par: async func(ms: u32) -> u32;
            /// What the elevator does, giving way while it moves.
            export stop-at-floor: async func(floor: u32, ms-per-floor: u32) -> u32;
        }
    "
});

struct Asyncy;

impl Guest for Asyncy {
    async fn double(x: i64) -> i64 {
        wit_bindgen::yield_async().await;
        match x.checked_mul(2) {
            Some(doubled) => doubled,
            None => panic!("twice {x} does not fit into an s64"),
        }
    }

    async fn par(ms: u32) -> u32 {
        let start = Instant::now();
        let wait = Duration::from_millis(ms.into());
        both(pause(wait), pause(wait)).await;
        u32::try_from(start.elapsed().as_millis()).unwrap_or(u32::MAX)
    }

    async fn stop_at_floor(floor: u32, ms_per_floor: u32) -> u32 {
        println!("elevator moving to floor {floor}");
        pause(Duration::from_millis(ms_per_floor.into()).saturating_mul(floor)).await;
        println!("elevator stops on floor {floor}");
        floor
    }
}

export!(Asyncy);

/// Gives way until `time` has passed.
async fn pause(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        wit_bindgen::yield_async().await;
    }
}

/// Completes when both futures have: what `join!` of the futures crate does.
async fn both(a: impl Future<Output = ()>, b: impl Future<Output = ()>) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut a_ready, mut b_ready) = (false, false);
    std::future::poll_fn(|context| {
        a_ready = a_ready || is_ready(a.as_mut(), context);
        b_ready = b_ready || is_ready(b.as_mut(), context);
        if a_ready && b_ready { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

fn is_ready(future: Pin<&mut impl Future<Output = ()>>, context: &mut Context<'_>) -> bool {
    future.poll(context).is_ready()
}
