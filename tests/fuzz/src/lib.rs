//! Fuzz targets: what Hostel reads from people, files and networks, as functions of bytes that must hold for any bytes.
//!
//! A target does not only not panic. It asserts what is true of whatever was read: that it is written and read again as the
//! same, that it has one form, that another and simpler way to the answer gives the same answer.
//!
//! `cargo test` runs every target (`tests/fuzz`): first with the inputs in `corpus/`, then with mutations of them, the same
//! ones each time. `cargo fuzz` looks for inputs that reach new code (`guided/`), on a stable toolchain too:
//!
//! ```text
//! cargo install --locked cargo-fuzz
//! mkdir -p target/found/grants
//! FUZZ_TARGET=grants cargo fuzz run --fuzz-dir tests/fuzz -s none --no-default-features --features guided guided \
//!     target/found/grants tests/fuzz/corpus/grants -- -max_total_time=60 -max_len=512
//! ```
//!
//! Without `--no-default-features` there are the targets `components` and `signatures` too, and the compiler is built for
//! them. What is found is mended and goes into `corpus/`, under a name that says what it showed. The others there are a
//! few inputs that together reach most of what a target can reach: the first that
//! `-set_cover_merge=1 -use_counters=0 SMALL_CORPUS LARGE_CORPUS` in place of the last line's arguments gave.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a target says by a panic what does not hold"
)]

mod input;
mod targets;
mod typed;

pub use targets::*;

/// Something that is tried with any bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which its corpus has too.
    pub name: &'static str,
    /// Panics if something does not hold for these bytes.
    pub run: fn(&[u8]),
    /// How many inputs `cargo test` tries beside the corpus: two seconds or so.
    pub inputs: usize,
    /// Pieces that inputs are made of, so that chance has a chance.
    pub words: &'static [&'static str],
    /// Inputs to start from, beside the corpus.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

impl Target {
    /// A target without words and seeds of its own.
    const fn new(name: &'static str, run: fn(&[u8]), inputs: usize) -> Self {
        Self { name, run, inputs, words: &[], seeds: Vec::new }
    }

    /// The same with words.
    const fn words(self, words: &'static [&'static str]) -> Self {
        Self { words, ..self }
    }

    /// The same with seeds.
    const fn seeds(self, seeds: fn() -> Vec<Vec<u8>>) -> Self {
        Self { seeds, ..self }
    }
}

/// Returns the target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
