//! Pure arithmetic: a guest that imports nothing, so all it can do is compute.
//!
//! Leaving out std is what keeps it pure. std's panic handler alone would make the component import
//! standard error, the environment and more. The price is the three items at the bottom of this file.
#![no_std]

extern crate alloc;

use alloc::string::{String, ToString};
use num_bigint::BigUint;

wit_bindgen::generate!({
    inline: "
        package hostel:examples@0.1.0;

        world arith {
            /// x + 1. Traps on overflow, as every function here that returns an s64.
            export add-one: func(x: s64) -> s64;
            /// a + b.
            export add: func(a: s64, b: s64) -> s64;
            /// a * b.
            export multiply: func(a: s64, b: s64) -> s64;
            /// base to the power of exponent, in decimal digits, as many as it takes.
            export pow: func(base: u64, exponent: u32) -> string;
        }
    "
});

struct Arith;

impl Guest for Arith {
    fn add_one(x: i64) -> i64 {
        Self::add(x, 1)
    }

    fn add(a: i64, b: i64) -> i64 {
        let Some(sum) = a.checked_add(b) else { result_does_not_fit() };
        sum
    }

    fn multiply(a: i64, b: i64) -> i64 {
        let Some(product) = a.checked_mul(b) else { result_does_not_fit() };
        product
    }

    fn pow(base: u64, exponent: u32) -> String {
        BigUint::from(base).pow(exponent).to_string()
    }
}

export!(Arith);

/// Never inlined: with no standard error to print to, this name in the trap's backtrace is what tells the
/// caller what went wrong. The frame below it tells in which function.
#[cold]
#[inline(never)]
fn result_does_not_fit() -> ! {
    panic!("the result does not fit into an s64")
}

#[cfg(target_family = "wasm")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

#[cfg(target_family = "wasm")]
#[panic_handler]
fn trap(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}
