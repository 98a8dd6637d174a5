//! Cached results in this process's memory, bounded by bytes.

use std::sync::Arc;

use hostel_core::{CacheEntry, CacheKey, CacheLayer, CacheLayerError};
use quick_cache::Weighter;
use quick_cache::sync;

/// What an entry takes beside its bytes: key, producer, times, and the map's own room.
const ENTRY_BYTES: u64 = 160;

/// The size of an ordinary small entry, from which the number of entries is guessed.
const USUAL_BYTES: u64 = 256;

/// A cache in memory that forgets what was used least.
pub(crate) struct MemoryLayer(sync::Cache<CacheKey, Arc<[CacheEntry]>, Weight>);

#[derive(Clone)]
struct Weight;

impl MemoryLayer {
    /// Keeps up to `bytes`, values and administration together.
    pub(crate) fn new(bytes: u64) -> Self {
        let entries = usize::try_from(bytes / USUAL_BYTES).unwrap_or(usize::MAX).clamp(16, 1 << 20);
        Self(sync::Cache::with_weighter(entries, bytes, Weight))
    }

    /// Lets go of what is kept under a key.
    pub(crate) fn forget(&self, key: &CacheKey) {
        self.0.remove(key);
    }

    /// Lets go of everything.
    pub(crate) fn forget_all(&self) {
        self.0.clear();
    }
}

impl Weighter<CacheKey, Arc<[CacheEntry]>> for Weight {
    fn weight(&self, _: &CacheKey, entries: &Arc<[CacheEntry]>) -> u64 {
        entries.iter().map(|entry| ENTRY_BYTES + entry.size_bytes()).sum()
    }
}

impl CacheLayer for MemoryLayer {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn get(&self, key: &CacheKey) -> Result<Option<Arc<[CacheEntry]>>, CacheLayerError> {
        Ok(self.0.get(key))
    }

    fn put(&self, key: &CacheKey, entry: &CacheEntry) -> Result<(), CacheLayerError> {
        let others = self.0.get(key);
        // Of two that are put at the same time one may be forgotten, as any entry may.
        self.0.insert(*key, entry.clone().with_others(others.as_deref().unwrap_or_default()));
        Ok(())
    }
}
