//! The port through which cached results are kept.

use std::error::Error;
use std::sync::Arc;

use crate::{CacheEntry, CacheKey};

/// One place that keeps cached results: memory or a disk.
///
/// A layer stores bytes and decides nothing: which runs are cached and whose entry counts is decided above it. It
/// may forget any entry at any time, and must never give back one that was not put under that key.
pub trait CacheLayer: Send + Sync {
    /// The layer's name in reports, such as `memory`.
    fn name(&self) -> &'static str;

    /// The entries under `key`, the newest first, if the layer has any; at most [`CacheEntry::MAX_VARIANTS`], of different
    /// [variants](CacheEntry::variant). May block for as long as the medium takes.
    ///
    /// # Errors
    ///
    /// [`CacheLayerError`] if the layer could not look, or found an entry that is damaged. The caller reports it and
    /// treats it as a miss.
    fn get(&self, key: &CacheKey) -> Result<Option<Arc<[CacheEntry]>>, CacheLayerError>;

    /// Keeps `entry` under `key`, in place of the one of the same [variant](CacheEntry::variant): wholly or not at all.
    ///
    /// # Errors
    ///
    /// [`CacheLayerError`] if the layer could not keep it. The caller reports it; the run is none the worse.
    fn put(&self, key: &CacheKey, entry: &CacheEntry) -> Result<(), CacheLayerError>;
}

/// A cache layer could not do its part; the run goes on without it.
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
        /// What the medium said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// What the medium gave back is not what was put there.
    #[error("the {layer} cache found entry {key} damaged ({problem}); it counts as missing")]
    Damaged {
        /// The layer's name.
        layer: &'static str,
        /// The entry's key.
        key: CacheKey,
        /// What does not fit.
        problem: &'static str,
    },
}
