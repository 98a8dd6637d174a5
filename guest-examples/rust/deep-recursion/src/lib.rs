//! Misbehaving: recursion without end. Some depths down either the guest's own stack in its memory or
//! the host's limit on wasm stack is used up, and the guest traps.

use std::hint::black_box;

wit_bindgen::generate!({
    inline: "
        package hostel:examples@0.1.0;

        world deep-recursion {
            /// Calls itself `depth` times and returns how often it did.
            export dive: func(depth: u64) -> u64;
        }
    "
});

struct DeepRecursion;

impl Guest for DeepRecursion {
    fn dive(depth: u64) -> u64 {
        deeper(depth)
    }
}

export!(DeepRecursion);

/// `black_box` keeps the compiler from making a loop of this.
#[inline(never)]
fn deeper(depth: u64) -> u64 {
    if depth == 0 {
        return 0;
    }
    black_box(deeper(black_box(depth - 1))) + 1
}
