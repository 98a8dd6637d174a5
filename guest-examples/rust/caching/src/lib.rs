//! Tasks worth caching: one is slow, one is the same for everybody.

use std::thread::sleep;
use std::time::Duration;

wit_bindgen::generate!({
    inline: "
        package hostel:examples@0.1.0;

        world caching {
            /// Prints `sleeping`, sleeps (10 seconds unless told otherwise), returns x + 1.
            export my-stateful-task: func(x: s64, sleep-ms: option<u32>) -> s64;
            /// x + 42.
            export my-cached-task: func(x: s64) -> s64;
        }
    "
});

const USUAL_SLEEP_MS: u32 = 10_000;

struct Caching;

impl Guest for Caching {
    fn my_stateful_task(x: i64, sleep_ms: Option<u32>) -> i64 {
        println!("sleeping");
        sleep(Duration::from_millis(sleep_ms.unwrap_or(USUAL_SLEEP_MS).into()));
        x.saturating_add(1)
    }

    fn my_cached_task(x: i64) -> i64 {
        x.saturating_add(42)
    }
}

export!(Caching);
