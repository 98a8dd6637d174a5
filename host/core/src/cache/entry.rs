//! What the cache keeps under a key.

use std::sync::Arc;

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
