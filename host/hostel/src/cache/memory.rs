//! Cached results in this process's memory, bounded by bytes.

use std::sync::Arc;

use hostel_core::{CacheEntry, CacheKey, CacheLayer, CacheLayerError};
use quick_cache::sync::{self, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

use crate::ids::IdHasher;

/// The overhead of an entry: key, producer, times, its share of the map, and what the allocator takes for its parts. Measured as the memory
/// of a process with 64 MiB of small entries and with 32 MiB.
const ENTRY_BYTES: u64 = 320;

/// The size of an ordinary small entry, for an estimate of the number of entries.
const USUAL_BYTES: u64 = 420;

/// The number of shards, each with its own lock.
const SHARDS: usize = 4;

/// A cache in memory that evicts the least recently used entries.
pub(crate) struct MemoryLayer(sync::Cache<CacheKey, Arc<[CacheEntry]>, Weight, IdHasher>);

#[derive(Clone)]
struct Weight;

impl MemoryLayer {
    /// A cache of at most `bytes`, values and overhead together.
    pub(crate) fn new(bytes: u64) -> Self {
        let entries = usize::try_from(bytes / USUAL_BYTES).unwrap_or(usize::MAX).clamp(16, 1 << 20);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(entries)
            .weight_capacity(bytes)
            // Each shard has an equal part of the bytes. A value larger than that is not stored.
            .shards(SHARDS)
            .build();
        let cache = |options| {
            sync::Cache::with_options(options, Weight, IdHasher::default(), DefaultLifecycle::default())
        };
        Self(match options {
            Ok(options) => cache(options),
            Err(_incomplete) => {
                sync::Cache::with(entries, bytes, Weight, IdHasher::default(), DefaultLifecycle::default())
            }
        })
    }

    /// Whether there is an entry under a key.
    pub(crate) fn has(&self, key: &CacheKey) -> bool {
        self.0.peek(key).is_some()
    }

    /// Removes the entry of a key.
    pub(crate) fn forget(&self, key: &CacheKey) {
        self.0.remove(key);
    }

    /// Removes all entries.
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
        // Of two entries stored at the same time one may be lost, as any entry may.
        self.0.insert(*key, entry.clone().with_others(others.as_deref().unwrap_or_default()));
        Ok(())
    }
}
