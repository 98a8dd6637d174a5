//! No locks between processes, where the system has none that fit: processes do not wait for each other's runs.

use std::convert::Infallible;
use std::path::PathBuf;

use hostel_core::CacheKey;

/// No locks.
pub(super) struct KeyLocks;

/// A lock that nobody has.
pub(super) struct Held(Infallible);

/// What came of asking for a lock.
#[expect(dead_code, reason = "as where there are locks")]
pub(super) enum Grab {
    /// It is held now.
    Taken(Held),
    /// Another process holds it.
    Busy {
        /// The pulse that process shows.
        pulse: u64,
    },
    /// There are no locks here.
    Unusable,
}

impl KeyLocks {
    pub(super) fn new(_: PathBuf) -> Self {
        Self
    }

    pub(super) fn grab(&self, _: &CacheKey) -> Grab {
        Grab::Unusable
    }
}

impl Held {
    pub(super) fn pulse(&self) {
        match self.0 {}
    }
}
