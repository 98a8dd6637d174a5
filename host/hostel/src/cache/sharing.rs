//! The remote layer of the cache, as runs and hosts use it.

use std::sync::Arc;
use std::time::Duration;

use hostel_core::{CacheEntry, CacheKey, Value};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;

use super::remote::{Existing, RemoteCache, RemoteLayer};
use super::{Cache, CacheMatch, CacheMiss, CacheQuery};

/// The maximum time that a host waits for pending uploads when it ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(10);

/// The number of runs that may request from the remote layer, or hold its answer, at the same time.
pub(super) const ASKING_AT_ONCE: usize = 64;

/// A run's turn to request from the remote layer.
pub(crate) type Asking = OwnedSemaphorePermit;

impl Cache {
    /// Adds a remote layer behind the others. It works on `runtime`.
    pub(crate) fn with_remote(self, setting: Option<&RemoteCache>, runtime: &Handle) -> Self {
        Self { remote: setting.map(|setting| RemoteLayer::start(setting, runtime)), ..self }
    }

    /// Whether there is a remote layer.
    pub(crate) fn is_shared(&self) -> bool {
        self.remote.is_some()
    }

    /// Waits until the remote layer may be requested and its answer held; `None` if it may not be used any more.
    pub(crate) async fn turn_to_ask(&self) -> Option<Asking> {
        Arc::clone(&self.asking).acquire_owned().await.ok()
    }

    /// The entries under `key` in the remote layer. Await this on the runtime of the layer.
    pub(crate) async fn fetch(&self, key: &CacheKey) -> Option<Arc<[CacheEntry]>> {
        self.remote.as_ref()?.get(key).await
    }

    /// The fetched value that can be used for the run, if there is one. The faster layers store it with its origin, and
    /// with the task and the recipe of this run: another machine must not decide what is run here, or with which
    /// grants.
    ///
    /// # Errors
    ///
    /// The reason for a miss.
    pub(crate) fn get_fetched(
        &self,
        entries: &[CacheEntry],
        key: &CacheKey,
        wanted: CacheQuery<'_>,
        own: (Arc<str>, impl FnOnce() -> Option<Arc<str>>),
    ) -> Result<CacheMatch, CacheMiss> {
        let found = Self::first_of(entries, key, wanted, RemoteLayer::NAME);
        let (entry, mut found) = found.inspect_err(|_| self.distrust(entries, key, &wanted))?;
        // The layer provides its own name; the one in the record is not trusted.
        found.hit.origin = None;
        let origin = self.remote.as_ref().map(|remote| Arc::clone(remote.name()));
        let (task, recipe) = own;
        self.put_back(key, &CacheEntry { task, recipe: recipe(), origin, ..entry });
        Ok(found)
    }

    /// Lets the next result replace what the remote layer has under `key`, if the value of some entry is damaged or of another type: no run
    /// can use it.
    fn distrust(&self, entries: &[CacheEntry], key: &CacheKey, wanted: &CacheQuery<'_>) {
        let is_useless = |entry: &CacheEntry| {
            let is_read = entry.size_bytes() <= wanted.longest;
            is_read && Value::from_canonical(&entry.value).ok().is_none_or(|(ty, _)| ty != *wanted.ty)
        };
        if let Some(remote) = &self.remote
            && entries.iter().any(is_useless)
        {
            remote.distrust(key);
        }
    }

    /// Stores an entry in the remote layer; does not block.
    pub(super) fn share(&self, key: &CacheKey, entry: &CacheEntry, existing: Existing) {
        self.remote.iter().for_each(|layer| layer.put(key, entry, existing));
    }

    /// Waits until pending uploads are written, or have taken too long. Can be awaited on any runtime.
    pub(crate) async fn flush_shared(&self) {
        if let Some(remote) = &self.remote {
            remote.flush(FLUSH_TIMEOUT).await;
        }
    }

    /// [`Cache::flush_shared`] for a thread that cannot await.
    pub(crate) fn flush_shared_blocking(&self) {
        self.remote.iter().for_each(|remote| remote.flush_blocking(FLUSH_TIMEOUT));
    }
}
