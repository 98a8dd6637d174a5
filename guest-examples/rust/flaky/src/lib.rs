//! Fails until its run has been tried often enough, in whichever way is asked for.

use std::hint::black_box;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

wit_bindgen::generate!({
    path: ["../../../wit"],
    inline: "
        package hostel:examples@0.1.0;

        world flaky {
            import hostel:task/context@0.1.0;

            /// Ways to fail.
            enum how {
                /// Returns an error.
                error,
                /// Panics.
                trap,
                /// Ends itself with an exit code.
                exit,
                /// Never returns.
                spin,
            }

            /// Fails in every attempt before this one, then returns the number of the attempt.
            export fail-until: func(attempt: u32, how: how) -> result<u32, string>;
            /// How often it was called in this instance: once, because each attempt has an instance of its own.
            export times-called: func() -> u32;
            /// The same, but fails in the first attempt: what that one counted has not survived it.
            export survivors: func() -> result<u32, string>;
        }
    ",
    generate_all,
});

use hostel::task::context;

static CALLS: AtomicU32 = AtomicU32::new(0);

struct Flaky;

impl Guest for Flaky {
    fn fail_until(attempt: u32, how: How) -> Result<u32, String> {
        let this = context::attempt();
        if this >= attempt {
            return Ok(this);
        }
        match how {
            How::Error => Err(format!("attempt {this} fails")),
            How::Trap => panic!("attempt {this} fails"),
            How::Exit => process::exit(1),
            How::Spin => round_and_round(),
        }
    }

    fn times_called() -> u32 {
        CALLS.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn survivors() -> Result<u32, String> {
        let calls = Self::times_called();
        match context::attempt() {
            1 => Err(format!("attempt 1 counts to {calls} and fails")),
            _ => Ok(calls),
        }
    }
}

export!(Flaky);

fn round_and_round() -> ! {
    let mut n = 0_u32;
    loop {
        n = black_box(n.wrapping_add(1));
    }
}
