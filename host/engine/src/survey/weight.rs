//! Whether a component may be compiled beside others, on many threads.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The maximum number of functions compiled at the same time: one for each thread of a place.
pub(crate) const MAX_THREADS: usize = 16;

/// The maximum size of code, in bytes of plain code, that is compiled at the same time for one light component. At 512
/// bytes of memory each that is 512 MiB.
const LIGHT_BYTES: u64 = 1 << 20;

/// The maximum of [`Bound::Squares`](super::Bound::Squares) for a component that is compiled for speed at once: about
/// two seconds of processor time.
pub(super) const QUICK_SQUARES: u64 = 300_000_000;

/// The maximum of [`budget::slow_milliseconds`](super::budget::slow_milliseconds) for a component that is compiled for speed at
/// once.
pub(super) const QUICK_MILLISECONDS: u64 = 2_000;

/// How a component is compiled, so that all compiles together stay within a budget of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weight {
    /// The code of all its functions.
    pub(crate) code_bytes: u64,
    /// Whether compiling it for speed may take long, regardless of the size of its code.
    pub(crate) is_slow: bool,
    /// Whether its largest functions together take too much memory: then they are compiled one after the other, while
    /// no other heavy component is compiled. Others are compiled on all threads, and at the same time.
    pub(crate) is_heavy: bool,
}

/// The costs of the largest functions so far, as bytes of plain code.
#[derive(Default)]
pub(super) struct Largest(BinaryHeap<Reverse<u64>>);

impl Largest {
    pub(super) fn add(&mut self, cost: u64) {
        self.0.push(Reverse(cost));
        if self.0.len() > MAX_THREADS {
            self.0.pop();
        }
    }

    /// Whether they take too much memory if they are compiled at the same time.
    pub(super) fn are_heavy(&self) -> bool {
        self.0.iter().fold(0, |sum: u64, Reverse(cost)| sum.saturating_add(*cost)) > LIGHT_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_functions_that_may_be_compiled_together_decide() {
        let are_heavy = |costs: &[u64]| {
            let mut largest = Largest::default();
            costs.iter().for_each(|cost| largest.add(*cost));
            largest.are_heavy()
        };
        assert!(!are_heavy(&[]));
        assert!(!are_heavy(&[LIGHT_BYTES]));
        assert!(are_heavy(&[LIGHT_BYTES + 1]));
        assert!(!are_heavy(&[LIGHT_BYTES / 16; 1000]), "no more than sixteen at a time");
        assert!(are_heavy(&[LIGHT_BYTES / 15; 16]));
        assert!(are_heavy(&[1, u64::MAX, u64::MAX]));
    }
}
