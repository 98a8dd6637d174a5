//! What the cache keeps under a key.

use std::sync::Arc;
use std::time::Duration;

use crate::{RunId, Timestamp};

/// A result that may stand for later runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheEntry {
    /// The result in canonical bytes, which carry their type.
    pub value: Arc<[u8]>,
    /// The run that computed it.
    pub producer: RunId,
    /// When it was computed.
    pub created: Timestamp,
}

impl CacheEntry {
    /// Whether it may still stand for a run at `now`, if results may be no older than `expiration`.
    ///
    /// The age counts from when the value was there. An entry that seems to come from the future, because a clock was set
    /// back, has no known age, and counts as expired.
    pub fn is_fresh(&self, now: Timestamp, expiration: Option<Duration>) -> bool {
        expiration.is_none_or(|expiration| self.created <= now && now.since(self.created) < expiration)
    }
}
