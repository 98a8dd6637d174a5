//! Cached results in this process's memory, bounded by bytes.

use hostel_core::{CacheEntry, CacheKey, CacheLayer, CacheLayerError};
use quick_cache::Weighter;
use quick_cache::sync;

/// What an entry takes beside its value: key, producer, time, and the map's own room.
const ENTRY_BYTES: u64 = 160;

/// The size of an ordinary small entry, from which the number of entries is guessed.
const USUAL_BYTES: u64 = 256;

/// A cache in memory that forgets what was used least.
pub(crate) struct MemoryLayer(sync::Cache<CacheKey, CacheEntry, Weight>);

#[derive(Clone)]
struct Weight;

impl MemoryLayer {
    /// Keeps up to `bytes`, values and administration together.
    pub(crate) fn new(bytes: u64) -> Self {
        let entries = usize::try_from(bytes / USUAL_BYTES).unwrap_or(usize::MAX).clamp(16, 1 << 20);
        Self(sync::Cache::with_weighter(entries, bytes, Weight))
    }
}

impl Weighter<CacheKey, CacheEntry> for Weight {
    fn weight(&self, _: &CacheKey, entry: &CacheEntry) -> u64 {
        ENTRY_BYTES + entry.value.len() as u64
    }
}

impl CacheLayer for MemoryLayer {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn get(&self, key: &CacheKey) -> Result<Option<CacheEntry>, CacheLayerError> {
        Ok(self.0.get(key))
    }

    fn put(&self, key: &CacheKey, entry: &CacheEntry) -> Result<(), CacheLayerError> {
        self.0.insert(*key, entry.clone());
        Ok(())
    }
}
