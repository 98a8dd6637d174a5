//! Cached results in a bucket, or in a directory that machines share: read last, written in the background, and never
//! blocking runs.
//!
//! Any failure is a miss and a warning. Objects are read and written on the runner's timer thread, which must not do
//! long work, so larger amounts of data are hashed on other threads.

mod breaker;
mod bucket;
mod directory;
mod http;
mod objects;
mod queue;
mod setting;
mod trouble;
mod write;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::try_join_all;
use hostel_core::{CacheEntry, CacheKey, CacheLayerError, CacheRecord, bytes_text};
use object_store::path::Path;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{self, timeout};

use self::breaker::Breaker;
use self::bucket::{Bucket, Object};
use self::directory::Directory;
use self::objects::{Records, blob_path, entries_path, unframe};
use self::queue::{QUEUE_ENTRIES, Queue};
use self::trouble::Trouble;
use self::write::Put;

pub use self::setting::{RemoteCache, RemoteCacheError};

/// The maximum size of an object with entries: without their values, but with their dependencies.
const MAX_ENTRIES_BYTES: u64 = 16 << 20;

/// The maximum total size of the values of one key when reading, and of a single value when writing.
const MAX_VALUE_BYTES: u64 = 256 << 20;

/// Data of this size is hashed in less than a tenth of a millisecond, and so on the current thread.
const QUICK_BYTES: usize = 64 << 10;

/// The layer's name in reports.
const NAME: &str = "remote";

/// Cached results in a remote cache.
///
/// It owns one task on the given runtime, which writes entries. Dropping the layer ends that task and discards
/// unwritten entries, so call [`RemoteLayer::flush`] or [`RemoteLayer::flush_blocking`] first.
#[derive(Debug)]
pub(crate) struct RemoteLayer {
    shared: Arc<Shared>,
    puts: mpsc::Sender<Put>,
    runtime: Handle,
    writer: JoinHandle<()>,
}

/// The shared state of readers and the writer.
#[derive(Debug)]
struct Shared {
    name: Arc<str>,
    prefix: Path,
    timeout: Duration,
    bucket: Bucket,
    reads: Breaker,
    /// Separate from reads: many may read a bucket that few may write.
    writes: Breaker,
    queue: Arc<Queue>,
    size_reported: AtomicBool,
}

/// How to treat an existing entry without dependencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It stays: the first result counts, on all machines.
    Keep,
    /// The later one replaces it: for a run that refreshed the cache, or that found the existing one too old.
    Replace,
}

impl RemoteLayer {
    /// The layer's name in reports.
    pub(crate) const NAME: &str = NAME;

    /// Its location, without credentials.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.shared.name
    }

    /// A layer at the location in `setting`, which works on `runtime`. Makes no requests yet.
    pub(crate) fn start(setting: &RemoteCache, runtime: &Handle) -> Self {
        let shared = Arc::new(Shared {
            name: Arc::clone(&setting.name),
            prefix: setting.prefix.clone(),
            timeout: setting.timeout,
            bucket: Bucket::new(Arc::clone(&setting.store), setting.local_dir().map(Directory::new)),
            reads: Breaker::default(),
            writes: Breaker::default(),
            queue: Arc::default(),
            size_reported: AtomicBool::new(false),
        });
        // The queue has no more places than this, so sending never fails for lack of room.
        let (puts, receiver) = mpsc::channel(QUEUE_ENTRIES);
        let writer = runtime.spawn(write::write_all(Arc::clone(&shared), receiver));
        Self { shared, puts, runtime: runtime.clone(), writer }
    }

    /// The entries of `key`, newest first, with their bytes checked; `None` if there are none, or if the remote cache
    /// is unavailable, slow or damaged, which is logged as a warning.
    ///
    /// Makes at most two requests one after the other, and takes at most [`RemoteCache::timeout`]. After several
    /// failures it returns immediately for a while. Await it on the runtime with which the layer was started.
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time.
    pub(crate) async fn get(&self, key: &CacheKey) -> Option<Arc<[CacheEntry]>> {
        let shared = &*self.shared;
        let leave = shared.reads.ask()?;
        let found = timeout(shared.timeout, shared.look_up(key)).await;
        match found.unwrap_or(Err(Trouble::Late(shared.timeout))) {
            Ok(found) => {
                leave.succeeded();
                found
            }
            Err(trouble) => {
                leave.failed();
                if shared.reads.is_news(trouble.kind()) {
                    let name = &shared.name;
                    tracing::warn!(
                        "the remote cache {name} cannot be read: {trouble}; runs go on without it"
                    );
                }
                None
            }
        }
    }

    /// Lets the next result replace the entry of `key`, instead of leaving the one that is there.
    pub(crate) fn distrust(&self, key: &CacheKey) {
        self.shared.bucket.remember_damage(&entries_path(&self.shared.prefix, key));
    }

    /// Queues `entry` for writing; never blocks. If the queue is full, the entry is discarded, with one warning until
    /// the queue is empty again.
    ///
    /// An entry with dependencies is stored beside other [variants](CacheEntry::variant), and replaces its own. An
    /// entry without dependencies is the only one, and `existing` decides between it and an existing one.
    pub(crate) fn put(&self, key: &CacheKey, entry: &CacheEntry, existing: Existing) {
        let bytes = entry.size_bytes();
        if bytes > MAX_VALUE_BYTES {
            self.shared.warn_of_size(key, bytes);
            return;
        }
        match self.shared.queue.enter(bytes) {
            Ok(place) => {
                // The inputs may be confidential, and a machine that uses the result has its own.
                let entry = CacheEntry { recipe: None, origin: None, ..entry.clone() };
                let put = Put { key: *key, entry, existing, _place: place };
                // Fails if the runtime has ended, and nothing can be written any more.
                let _ = self.puts.try_send(put);
            }
            Err(full) if full.is_first => tracing::warn!(
                "the remote cache {} is slower than results arrive; some are not uploaded",
                self.shared.name
            ),
            Err(_) => {}
        }
    }

    /// Waits until all queued entries are written or given up, for at most `timeout`. After a timeout it logs a
    /// warning.
    ///
    /// Can be awaited on any runtime.
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time; the writing goes on.
    pub(crate) async fn flush(&self, timeout: Duration) {
        // The caller's runtime may have no timer.
        let emptied = {
            let _clock = self.runtime.enter();
            time::timeout(timeout, self.shared.queue.emptied())
        };
        if emptied.await.is_err() {
            self.shared.warn_of_rest(timeout);
        }
    }

    /// [`RemoteLayer::flush`] for a thread that cannot await, such as one that drops a host. Does not wait on a thread
    /// of the runtime itself, which would block the writing that it waits for.
    pub(crate) fn flush_blocking(&self, timeout: Duration) {
        if Handle::try_current().is_ok_and(|current| current.id() == self.runtime.id()) {
            return;
        }
        self.shared.queue.wait_emptied(timeout);
        if self.shared.queue.len() > 0 {
            self.shared.warn_of_rest(timeout);
        }
    }
}

impl Drop for RemoteLayer {
    fn drop(&mut self) {
        self.writer.abort();
    }
}

impl Shared {
    async fn look_up(&self, key: &CacheKey) -> Result<Option<Arc<[CacheEntry]>>, Trouble> {
        let path = entries_path(&self.prefix, key);
        let Some(object) = self.bucket.read(&path, MAX_ENTRIES_BYTES).await? else { return Ok(None) };
        let records = records(object, key).await;
        if let Some(problem) = records.damage {
            self.warn_of_damage(&path, key, problem);
        }
        if records.intact.iter().any(|intact| intact.record.value_bytes() > MAX_VALUE_BYTES) {
            self.warn_of_damage(&path, key, "its value is too long");
        }
        let mut room = MAX_VALUE_BYTES;
        let fits = records.intact.into_iter().map(|intact| intact.record).filter(|record| {
            let left = room.checked_sub(record.value_bytes());
            room = left.unwrap_or(room);
            left.is_some()
        });
        let entries = try_join_all(fits.map(|record| self.complete(key, &path, record))).await?;
        let entries: Arc<[_]> = entries.into_iter().flatten().collect();
        Ok((!entries.is_empty()).then_some(entries))
    }

    /// The entry of a record, with its value; `None` if the value is damaged.
    async fn complete(
        &self,
        key: &CacheKey,
        path: &Path,
        record: CacheRecord,
    ) -> Result<Option<CacheEntry>, Trouble> {
        let Some(blob) = record.beside() else { return Ok(record.complete()) };
        let blob_path = blob_path(&self.prefix, &blob.digest);
        let content = match self.bucket.read(&blob_path, blob.length).await? {
            Some(object) => object.content,
            None => Err("its value is missing"),
        };
        let completed = match content {
            Ok(value) => aside(value.len(), move || record.with_value(value)).await.unwrap_or(Err(UNCHECKED)),
            Err(problem) => Err(problem),
        };
        match completed {
            Ok(record) => Ok(record.complete()),
            Err(problem) => {
                // Both, or else a different value would be written there and never be referenced.
                self.bucket.remember_damage(&blob_path);
                self.warn_of_damage(path, key, problem);
                Ok(None)
            }
        }
    }

    fn warn_of_damage(&self, path: &Path, key: &CacheKey, problem: &'static str) {
        if self.bucket.remember_damage(path) {
            let error = CacheLayerError::Damaged { layer: NAME, key: *key, problem };
            tracing::warn!("{error}");
        }
    }

    fn warn_of_size(&self, key: &CacheKey, bytes: u64) {
        if !self.size_reported.swap(true, Ordering::Relaxed) {
            let bytes = bytes_text(bytes);
            tracing::warn!("results as large as entry {key} ({bytes}) are not uploaded to the remote cache");
        }
    }

    fn warn_of_rest(&self, waited: Duration) {
        let (left, name) = (self.queue.len(), &self.name);
        tracing::warn!("{left} results were not written to the remote cache {name} within {waited:?}");
    }
}

/// The problem of bytes that could not be checked because the runtime ended.
const UNCHECKED: &str = "it could not be checked";

async fn records(object: Object, key: &CacheKey) -> Records {
    let damaged = |problem| Records { damage: Some(problem), ..Records::default() };
    let key = *key;
    match object.content {
        Err(problem) => damaged(problem),
        Ok(bytes) => {
            aside(bytes.len(), move || unframe(&bytes, &key)).await.unwrap_or_else(|| damaged(UNCHECKED))
        }
    }
}

/// Hashes on another thread if there are many bytes. `None` if the runtime ends.
async fn aside<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    if bytes <= QUICK_BYTES {
        return Some(work());
    }
    spawn_blocking(work).await.ok()
}
