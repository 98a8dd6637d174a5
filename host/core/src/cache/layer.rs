//! The port for storing cached results.

use std::error::Error;
use std::sync::Arc;

use crate::{CacheEntry, CacheKey};

/// A store of cached results: memory or a disk.
///
/// A layer stores bytes and decides nothing: the code above it decides which runs are cached and which entry counts. It
/// may drop any entry at any time, and must never return one that was not put under that key.
pub trait CacheLayer: Send + Sync {
    /// The layer's name in reports, such as `memory`.
    fn name(&self) -> &'static str;

    /// The entries under `key`, the newest first, if the layer has any; at most [`CacheEntry::MAX_VARIANTS`], of different
    /// [variants](CacheEntry::variant). May block for as long as the medium takes.
    ///
    /// # Errors
    ///
    /// [`CacheLayerError`] if the layer could not read, or found a damaged entry. The caller reports it and
    /// treats it as a miss.
    fn get(&self, key: &CacheKey) -> Result<Option<Arc<[CacheEntry]>>, CacheLayerError>;

    /// Stores `entry` under `key`, replacing the one of the same [variant](CacheEntry::variant): wholly or not at all.
    ///
    /// # Errors
    ///
    /// [`CacheLayerError`] if the layer could not store it. The caller reports it; the run is not affected.
    fn put(&self, key: &CacheKey, entry: &CacheEntry) -> Result<(), CacheLayerError>;
}

/// A cache layer failed; the run continues without it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheLayerError {
    /// The medium failed.
    #[error("the {layer} cache cannot {action} entry {key}")]
    Medium {
        /// The layer's name.
        layer: &'static str,
        /// `read` or `write`.
        action: &'static str,
        /// The entry's key.
        key: CacheKey,
        /// The error of the medium.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The medium returned different data than was written.
    #[error("the {layer} cache found entry {key} damaged ({problem}); it counts as missing")]
    Damaged {
        /// The layer's name.
        layer: &'static str,
        /// The entry's key.
        key: CacheKey,
        /// The mismatch.
        problem: &'static str,
    },
}
