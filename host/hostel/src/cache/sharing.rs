//! The cache's remote layer, as runs and hosts use it.

use std::sync::Arc;
use std::time::Duration;

use hostel_core::{CacheEntry, CacheKey};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;

use super::remote::{Existing, RemoteCache, RemoteLayer};
use super::{Cache, CacheMatch, CacheMiss, CacheQuery};

/// How long what was put into the remote layer may take to be written when a host ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(10);

/// How many runs at once ask the remote layer, or have its answer and have not looked at it.
pub(super) const ASKING_AT_ONCE: usize = 64;

/// The turn of a run to ask the remote layer.
pub(crate) type Asking = OwnedSemaphorePermit;

impl Cache {
    /// With a remote layer behind the others, which works on `runtime`.
    pub(crate) fn with_remote(self, setting: Option<&RemoteCache>, runtime: &Handle) -> Self {
        Self { remote: setting.map(|setting| RemoteLayer::start(setting, runtime)), ..self }
    }

    /// Whether there is a remote layer.
    pub(crate) fn is_shared(&self) -> bool {
        self.remote.is_some()
    }

    /// Is ready when the remote layer may be asked, and its answer held; `None` if it may not any more.
    pub(crate) async fn turn_to_ask(&self) -> Option<Asking> {
        Arc::clone(&self.asking).acquire_owned().await.ok()
    }

    /// The entries that the remote layer has under `key`. To be awaited on the runtime that the layer works on.
    pub(crate) async fn fetch(&self, key: &CacheKey) -> Option<Arc<[CacheEntry]>> {
        self.remote.as_ref()?.get(key).await
    }

    /// The fetched value that may stand for the run, if there is one. The faster layers keep it with its origin, and with the
    /// task and the recipe of this run: another machine must not decide what is run here, nor with which grants.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub(crate) fn get_fetched(
        &self,
        entries: &[CacheEntry],
        key: &CacheKey,
        wanted: CacheQuery<'_>,
        own: (Arc<str>, impl FnOnce() -> Option<Arc<str>>),
    ) -> Result<CacheMatch, CacheMiss> {
        let (entry, mut found) = Self::first_of(entries, key, wanted, RemoteLayer::NAME)?;
        // The layer says it already, and not by what stands in the record.
        found.hit.origin = None;
        let origin = self.remote.as_ref().map(|remote| Arc::clone(remote.name()));
        let (task, recipe) = own;
        self.put_back(key, &CacheEntry { task, recipe: recipe(), origin, ..entry });
        Ok(found)
    }

    /// Has the remote layer keep an entry; does not block.
    pub(super) fn share(&self, key: &CacheKey, entry: &CacheEntry, existing: Existing) {
        self.remote.iter().for_each(|layer| layer.put(key, entry, existing));
    }

    /// Is done when what was shared is written, or has taken too long. Can be awaited on any runtime.
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
