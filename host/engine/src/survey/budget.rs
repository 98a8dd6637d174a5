//! One budget for everything in a component: what it takes the compiler to load it, in memory and in time, whatever it consists of.
//!
//! Each count has a weight: the memory that it holds until the component is compiled, and its processor time in the quick
//! compiler, which is the first for components of more than a few functions. Code itself is not in the sum of the memory: it is
//! proportional to the file, and what its functions take while they are compiled is bounded by
//! [`Weight::is_heavy`](super::Weight).
//!
//! Measured in November 2026 with wasmtime 48 on x86-64, two processors, with optimised dependencies and debug assertions, which
//! a release build does not have: `hostel run` of a component that has almost nothing else, at the bound of that count, less the
//! same of an empty one; in a process of its own, with its peak memory and its processor time. StarlingMonkey takes 5.6 s and 550
//! MiB, and is estimated as 8 s; CPython 2.7 s and 330 MiB, estimated as 3 s.

use super::bound::Bound;

/// A count, the bytes of memory that one takes, and the nanoseconds of processor time.
type Cost = (Bound, u64, u64);

const COSTS: [Cost; 16] = [
    // 149,990 empty ones: 7.8 s, 840 MiB.
    (Bound::Functions, 5_600, 52_000),
    // Python: about half of its time.
    (Bound::Code, 0, 100),
    // 80,000 functions that are exported, less the functions themselves: 1,900,000 take 7.1 s and 560 MiB.
    (Bound::Entries, 300, 4_000),
    // 19,990: 9.4 s, 400 MiB; 9,990 take 2.8 s, so this is for the most that there may be.
    (Bound::SetData, 20_000, 470_000),
    // 19,990: 1 s, 60 MiB.
    (Bound::SetGlobals, 2_700, 48_000),
    // 79,990: 5 s, 540 MiB.
    (Bound::SetElements, 7_000, 62_000),
    // 4,000,000: 1.1 s, 310 MiB.
    (Bound::Constants, 80, 250),
    // 990,000: 0.55 s, 90 MiB.
    (Bound::Globals, 90, 600),
    // 99,000 that are passive, with 190 bytes for what is not active.
    (Bound::Segments, 200, 1_000),
    // From the costs of calls between components: a module of adapters is compiled for them.
    (Bound::Passed, 400, 15_000),
    // 49,000 that drop resources of as many types: 22 s, 630 MiB.
    (Bound::Lowered, 13_000, 450_000),
    // 936,000 imports of core instances: 0.5 s, 64 MiB.
    (Bound::Definitions, 80, 500),
    // 9,500,000: 0.1 s.
    (Bound::Compared, 0, 10),
    // 297,000 with resources: 1.7 s, 300 MiB.
    (Bound::Copied, 1_100, 6_000),
    // 220 MB for 110,000 functions: 7.6 s, 700 MiB.
    (Bound::FunctionNames, 3, 35),
    // 495,000 cases of enums: 0.4 s, 75 MiB.
    (Bound::Fields, 160, 900),
];

/// The nanoseconds of the optimising compiler for a value at a branch or call beyond four a byte: 24,000,000 take 18.6 s.
const WORK: u64 = 800;

/// The nanoseconds of the optimising compiler for a byte of extra cost: 8,000,000 take 32 s.
const EXTRA: u64 = 4_000;

/// The nanoseconds of the optimising compiler for one of the squared merged values: 576,000,000 take 1.8 s, 10,000,000,000 take 25 s.
const MERGES: u64 = 3;

const PER_MILLISECOND: u64 = 1_000_000;

/// The memory of everything, in bytes, with these counts.
pub(super) fn memory_bytes(count: impl Fn(Bound) -> u64) -> u64 {
    sum(COSTS.iter().map(|(bound, bytes, _)| count(*bound).saturating_mul(*bytes)))
}

/// The processor time of the quick compiler for everything.
pub(super) fn quick_milliseconds(count: impl Fn(Bound) -> u64) -> u64 {
    sum(COSTS.iter().map(|(bound, _, nanos)| count(*bound).saturating_mul(*nanos))) / PER_MILLISECOND
}

/// What the optimising compiler may take in addition to the quick one.
pub(super) fn slow_milliseconds(count: impl Fn(Bound) -> u64) -> u64 {
    let costs = [(Bound::Work, WORK), (Bound::Extra, EXTRA), (Bound::Merges, MERGES)];
    sum(costs.into_iter().map(|(bound, nanos)| count(bound).saturating_mul(nanos))) / PER_MILLISECOND
}

fn sum(costs: impl Iterator<Item = u64>) -> u64 {
    costs.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some counts of a component.
    fn counts(of: &[(Bound, u64)]) -> impl Fn(Bound) -> u64 {
        let of = of.to_vec();
        move |bound| of.iter().find(|(found, _)| *found == bound).map_or(0, |(_, count)| *count)
    }

    #[test]
    fn the_largest_known_interpreters_stay_well_within_the_budget() {
        // Counted in components of componentize-py 0.24 and of componentize-js 0.23.
        let python = [
            (Bound::Functions, 13_351),
            (Bound::Code, 6_546_796),
            (Bound::Entries, 273_955),
            (Bound::SetGlobals, 100),
            (Bound::SetElements, 5_756),
            (Bound::Passed, 8_828),
            (Bound::Copied, 266),
        ];
        let javascript = [
            (Bound::Functions, 12_691),
            (Bound::Code, 9_209_688),
            (Bound::Entries, 178_614),
            (Bound::SetData, 10_000),
            (Bound::Segments, 10_000),
            (Bound::Passed, 7_199),
        ];
        for known in [counts(&python), counts(&javascript)] {
            assert!(3 * memory_bytes(&known) < 2 * Bound::Memory.allowed());
            assert!(3 * quick_milliseconds(&known) < 2 * Bound::Time.allowed());
        }
    }

    #[test]
    fn bounds_that_are_reached_together_are_too_much() {
        let together = counts(&[
            (Bound::Functions, 100_000),
            (Bound::SetData, 9_000),
            (Bound::SetGlobals, 10_000),
            (Bound::SetElements, 40_000),
        ]);
        assert!(memory_bytes(&together) > Bound::Memory.allowed());
        assert!(quick_milliseconds(&together) > Bound::Time.allowed() / 2);
        assert_eq!(memory_bytes(counts(&[(Bound::Copied, u64::MAX)])), u64::MAX);
        assert_eq!(slow_milliseconds(counts(&[(Bound::Work, 10_000), (Bound::Extra, 1_000)])), 12);
    }
}
