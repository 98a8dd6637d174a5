//! Random operations.

use std::time::Duration;

use hostel_core::UniqueMode;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

/// How many runs the operations are about.
const RUNS: u64 = 6;

/// An operation. Times pass by a few nanoseconds with each; a lease is 100 of them.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Submit {
        run: u64,
        priority: i32,
        due: Option<u64>,
        queue: u8,
        /// The mode of the only key, for a run that has it.
        key: Option<UniqueMode>,
    },
    /// Of a run that is due at once, from all queues and of all tasks.
    SubmitAndClaim {
        run: u64,
        key: Option<UniqueMode>,
        limit: usize,
        is_idle: bool,
        worker: u8,
    },
    /// With the newest fence of the run or an older one, and the run's version or one that is off.
    Append {
        run: u64,
        fact: u8,
        is_stale: bool,
        is_other_version: bool,
    },
    /// From one queue, or from all, of all tasks or without one of the two.
    Claim {
        limit: usize,
        queue: Option<u8>,
        without: Option<u8>,
        is_idle: bool,
        worker: u8,
    },
    Renew {
        run: u64,
        is_stale: bool,
    },
    Release {
        run: u64,
        is_stale: bool,
    },
    Expire {
        /// Whether time without such an operation does not count.
        may_stall: bool,
    },
    Cancel {
        run: u64,
    },
    Retry {
        run: u64,
    },
    Remove {
        run: u64,
    },
    MarkSeen {
        run: u64,
    },
    /// Of the tag that every other run has.
    Limit {
        max: Option<u32>,
    },
    /// The first queue, for some time or until it is resumed.
    Pause {
        nanos: Option<u64>,
    },
    Resume,
    Amend {
        run: u64,
        priority: Option<i32>,
        due: Option<u64>,
        queue: Option<u8>,
    },
    Prune {
        age: Option<u64>,
        keep: Option<u64>,
    },
    Retain {
        completed: Option<u64>,
        failed: Option<u64>,
    },
    Wait {
        nanos: u64,
    },
}

pub(super) fn operation() -> impl Strategy<Value = Operation> {
    let run = 0..RUNS;
    let seldom = || proptest::bool::weighted(0.2);
    prop_oneof![
        5 => (run.clone(), -1..2, proptest::option::of(0..150_u64), 0..2_u8, proptest::option::of(mode()))
            .prop_map(|(run, priority, due, queue, key)| Operation::Submit { run, priority, due, queue, key }),
        2 => (run.clone(), proptest::option::of(mode()), 0..3_usize, any::<bool>(), 0..3_u8)
            .prop_map(|(run, key, limit, is_idle, worker)| {
                Operation::SubmitAndClaim { run, key, limit, is_idle, worker }
            }),
        8 => (run.clone(), any::<u8>(), seldom(), seldom()).prop_map(|(run, fact, is_stale, is_other_version)| {
            Operation::Append { run, fact, is_stale, is_other_version }
        }),
        4 => (0..4_usize, proptest::option::of(0..2_u8), proptest::option::weighted(0.2, 0..2_u8), any::<bool>(), 0..3_u8)
            .prop_map(|(limit, queue, without, is_idle, worker)| {
                Operation::Claim { limit, queue, without, is_idle, worker }
            }),
        1 => (run.clone(), seldom()).prop_map(|(run, is_stale)| Operation::Renew { run, is_stale }),
        2 => (run.clone(), seldom()).prop_map(|(run, is_stale)| Operation::Release { run, is_stale }),
        2 => any::<bool>().prop_map(|may_stall| Operation::Expire { may_stall }),
        1 => run.clone().prop_map(|run| Operation::Cancel { run }),
        2 => run.clone().prop_map(|run| Operation::Retry { run }),
        1 => run.clone().prop_map(|run| Operation::Remove { run }),
        1 => run.prop_map(|run| Operation::MarkSeen { run }),
        1 => proptest::option::of(0..3_u32).prop_map(|max| Operation::Limit { max }),
        1 => proptest::option::of(0..60_u64).prop_map(|nanos| Operation::Pause { nanos }),
        1 => Just(Operation::Resume),
        2 => (0..RUNS, proptest::option::of(-1..2), proptest::option::of(0..150_u64), proptest::option::of(0..2_u8))
            .prop_map(|(run, priority, due, queue)| Operation::Amend { run, priority, due, queue }),
        1 => (proptest::option::of(0..200_u64), proptest::option::of(0..4_u64))
            .prop_map(|(age, keep)| Operation::Prune { age, keep }),
        1 => (proptest::option::of(0..200_u64), proptest::option::of(0..200_u64))
            .prop_map(|(completed, failed)| Operation::Retain { completed, failed }),
        2 => (0..120_u64).prop_map(|nanos| Operation::Wait { nanos }),
    ]
}

fn mode() -> impl Strategy<Value = UniqueMode> {
    let (wait, most) = (Duration::from_nanos(20), Duration::from_nanos(50));
    prop_oneof![
        Just(UniqueMode::Existing),
        Just(UniqueMode::Reject),
        Just(UniqueMode::Replace),
        Just(UniqueMode::Debounce { wait, most }),
    ]
}
