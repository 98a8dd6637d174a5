//! The conformance suite of the journal: test cases that every driver of [`Journal`] passes, written against the port alone.
//!
//! A driver's own tests have one line: `hostel_conformance::check(&|| Box::new(MyJournal::new()))`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a case says by a panic what does not hold"
)]

mod amend;
mod append;
mod batch;
mod cancel;
mod changes;
mod claim;
mod crash;
mod events;
mod find;
mod import;
mod lease;
mod left_out;
mod limits;
mod model;
mod prune;
mod queues;
mod retry;
mod submit;
mod threads;
mod together;
mod unique;
mod upkeep;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use hostel_core::journal::Journal;

/// Makes an empty journal.
pub type Make<'a> = &'a dyn Fn() -> Box<dyn Journal>;

/// A case: its name, and what it does with an empty journal.
pub(crate) type Case = (&'static str, fn(&dyn Journal));

/// Names functions of one module as its cases.
macro_rules! cases {
    ($($case:ident),* $(,)?) => {
        pub(crate) const CASES: &[$crate::Case] = &[$((stringify!($case), $case)),*];
    };
}
pub(crate) use cases;

/// Every case but the one with a model, in the order of the port's methods.
const ALL: [&[Case]; 21] = [
    submit::CASES,
    unique::CASES,
    import::CASES,
    append::CASES,
    amend::CASES,
    find::CASES,
    claim::CASES,
    together::CASES,
    queues::CASES,
    left_out::CASES,
    lease::CASES,
    crash::CASES,
    retry::CASES,
    limits::CASES,
    cancel::CASES,
    events::CASES,
    prune::CASES,
    batch::CASES,
    upkeep::CASES,
    changes::CASES,
    threads::CASES,
];

/// Runs every case, each with a journal of its own, and then random operations beside a model.
///
/// # Panics
///
/// If a case fails, with the names of all that do.
pub fn check(make: Make<'_>) {
    let mut failed: Vec<_> = ALL
        .into_iter()
        .flatten()
        .filter(|(_, case)| catch_unwind(AssertUnwindSafe(|| case(&*make()))).is_err())
        .map(|(name, _)| *name)
        .collect();
    if catch_unwind(AssertUnwindSafe(|| model::check(make))).is_err() {
        failed.push("random_operations_do_what_the_model_does");
    }
    assert!(failed.is_empty(), "{} cases failed: {}", failed.len(), failed.join(", "));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_case_has_a_name_of_its_own() {
        let mut names: Vec<_> = ALL.into_iter().flatten().map(|(name, _)| name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(count >= 60, "{count}");
    }
}
