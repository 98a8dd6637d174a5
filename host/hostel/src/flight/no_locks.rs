//! No locks between processes, on systems without suitable ones: processes do not wait for each other's runs.

use std::convert::Infallible;
use std::path::PathBuf;

use hostel_core::CacheKey;

/// No locks.
pub(super) struct KeyLocks;

/// A lock that is never created.
pub(super) struct Held(Infallible);

/// The result of requesting a lock.
#[expect(dead_code, reason = "as where there are locks")]
pub(super) enum Grab {
    /// This process holds the lock now.
    Taken(Held),
    /// Another process holds it.
    Busy {
        /// The current pulse of that process.
        pulse: u64,
    },
    /// Locks are not available.
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
