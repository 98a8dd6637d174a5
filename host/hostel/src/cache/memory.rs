//! Cached results in this process's memory, bounded by bytes.

use std::sync::Arc;

use hostel_core::{CacheEntry, CacheKey, CacheLayer, CacheLayerError};
use quick_cache::sync::{self, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

/// What an entry takes beside its bytes: key, producer, times, and the map's own room.
const ENTRY_BYTES: u64 = 160;

/// The size of an ordinary small entry, from which the number of entries is guessed.
const USUAL_BYTES: u64 = 256;

/// The cache is in so many parts, each under a lock of its own.
const SHARDS: usize = 4;

/// A cache in memory that forgets what was used least.
pub(crate) struct MemoryLayer(sync::Cache<CacheKey, Arc<[CacheEntry]>, Weight>);

#[derive(Clone)]
struct Weight;

impl MemoryLayer {
    /// Keeps up to `bytes`, values and administration together.
    pub(crate) fn new(bytes: u64) -> Self {
        let entries = usize::try_from(bytes / USUAL_BYTES).unwrap_or(usize::MAX).clamp(16, 1 << 20);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(entries)
            .weight_capacity(bytes)
            // Each part has a share of the bytes, and a value larger than that is not kept.
            .shards(SHARDS)
            .build();
        let cache = |options| {
            sync::Cache::with_options(
                options,
                Weight,
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            )
        };
        Self(match options {
            Ok(options) => cache(options),
            Err(_incomplete) => sync::Cache::with_weighter(entries, bytes, Weight),
        })
    }

    /// Whether something is kept under a key.
    pub(crate) fn has(&self, key: &CacheKey) -> bool {
        self.0.peek(key).is_some()
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
