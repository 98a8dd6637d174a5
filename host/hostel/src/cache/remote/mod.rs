//! Cached results in a bucket, or in a directory that machines share: asked last, written behind, and never in the way.
//!
//! Whatever goes wrong with it is a miss and a warning. Objects are read and written on the runner's timer thread, which
//! does nothing long: whatever hashes much does so on a thread of its own.

mod breaker;
mod bucket;
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
use self::objects::{Records, blob_path, entries_path, unframe};
use self::queue::{QUEUE_ENTRIES, Queue};
use self::trouble::Trouble;
use self::write::Put;

pub use self::setting::{RemoteCache, RemoteCacheError};

/// The largest object with entries that is read or written: without their values, but with what they depend on.
const MAX_ENTRIES_BYTES: u64 = 16 << 20;

/// The most that the values of one key may have together to be read, and that a value may have to be written.
const MAX_VALUE_BYTES: u64 = 256 << 20;

/// What is hashed in less than a tenth of a millisecond is hashed where it is.
const QUICK_BYTES: usize = 64 << 10;

/// The layer's name in reports.
const NAME: &str = "remote";

/// Cached results at a remote place.
///
/// It owns one task on the runtime it was given, which writes what was put; dropping the layer ends that task and
/// forgets what it has not written. So whoever has a layer calls [`RemoteLayer::flush`] or
/// [`RemoteLayer::flush_blocking`] first.
#[derive(Debug)]
pub(crate) struct RemoteLayer {
    shared: Arc<Shared>,
    puts: mpsc::Sender<Put>,
    runtime: Handle,
    writer: JoinHandle<()>,
}

/// What readers and the writer share.
#[derive(Debug)]
struct Shared {
    name: Arc<str>,
    prefix: Path,
    timeout: Duration,
    bucket: Bucket,
    reads: Breaker,
    /// Apart from the reads: many may read a bucket that few may write.
    writes: Breaker,
    queue: Arc<Queue>,
    told_of_size: AtomicBool,
}

/// What becomes of an entry that is there already and depends on nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It stays: the first result counts, on all machines.
    Keep,
    /// The later one takes its place: for a run that was to run although there was a result, or that did not take what
    /// it found, because that was too old.
    Replace,
}

impl RemoteLayer {
    /// The layer's name in reports.
    pub(crate) const NAME: &str = NAME;

    /// The place that it is at, without credentials.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.shared.name
    }

    /// A layer at the place that `setting` names, which works on `runtime`. Speaks to nobody yet.
    pub(crate) fn start(setting: &RemoteCache, runtime: &Handle) -> Self {
        let shared = Arc::new(Shared {
            name: Arc::clone(&setting.name),
            prefix: setting.prefix.clone(),
            timeout: setting.timeout,
            bucket: Bucket::new(Arc::clone(&setting.store)),
            reads: Breaker::default(),
            writes: Breaker::default(),
            queue: Arc::default(),
            told_of_size: AtomicBool::new(false),
        });
        // The queue has no more places, so that sending never fails for want of room.
        let (puts, receiver) = mpsc::channel(QUEUE_ENTRIES);
        let writer = runtime.spawn(write::write_all(Arc::clone(&shared), receiver));
        Self { shared, puts, runtime: runtime.clone(), writer }
    }

    /// The entries under `key`, the newest first, checked as far as their bytes go; `None` if there are none, and as well
    /// if the place is away, slow or damaged, of which there is a warning then.
    ///
    /// Takes two requests one after the other at the most, and no longer than [`RemoteCache::timeout`]; no time at all
    /// for a while after several failures. Is to be awaited on the runtime that the layer was started with.
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

    /// Puts `entry` into the queue of what is to be written; never blocks. If the queue is full, the entry is left out,
    /// and there is a warning once until it is empty again.
    ///
    /// An entry with dependencies joins those of other [variants](CacheEntry::variant), in place of its own. One
    /// without is the only one of its kind, and `existing` says which counts.
    pub(crate) fn put(&self, key: &CacheKey, entry: &CacheEntry, existing: Existing) {
        let bytes = entry.size_bytes();
        if bytes > MAX_VALUE_BYTES {
            self.shared.tell_of_size(key, bytes);
            return;
        }
        match self.shared.queue.enter(bytes) {
            Ok(place) => {
                // The inputs may be confidential; a machine that takes the result has its own.
                let entry = CacheEntry { recipe: None, origin: None, ..entry.clone() };
                let put = Put { key: *key, entry, existing, _place: place };
                // Fails when the runtime is gone, and nobody can write any more.
                let _ = self.puts.try_send(put);
            }
            Err(full) if full.is_first => tracing::warn!(
                "the remote cache {} is slower than results arrive; some are not uploaded",
                self.shared.name
            ),
            Err(_) => {}
        }
    }

    /// Is done when all that was put is written or given up, or after `timeout`; then there is a warning.
    ///
    /// Can be awaited on any runtime.
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time; the writing goes on.
    pub(crate) async fn flush(&self, timeout: Duration) {
        // The caller may be on a runtime without a clock.
        let emptied = {
            let _clock = self.runtime.enter();
            time::timeout(timeout, self.shared.queue.emptied())
        };
        if emptied.await.is_err() {
            self.shared.tell_of_rest(timeout);
        }
    }

    /// [`RemoteLayer::flush`] for a thread that cannot await, such as one that drops a host. Does not wait on a thread of the
    /// runtime's own, which would hold up the writing that it waits for.
    pub(crate) fn flush_blocking(&self, timeout: Duration) {
        if Handle::try_current().is_ok_and(|current| current.id() == self.runtime.id()) {
            return;
        }
        self.shared.queue.wait_emptied(timeout);
        if self.shared.queue.len() > 0 {
            self.shared.tell_of_rest(timeout);
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
            self.tell_of_damage(&path, key, problem);
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

    /// The entry of a record, with its value; `None` if that is not what was put there.
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
                // Both, or a value that differs from the lost one would be put there and never be named.
                self.bucket.remember_damage(&blob_path);
                self.tell_of_damage(path, key, problem);
                Ok(None)
            }
        }
    }

    fn tell_of_damage(&self, path: &Path, key: &CacheKey, problem: &'static str) {
        if self.bucket.remember_damage(path) {
            let error = CacheLayerError::Damaged { layer: NAME, key: *key, problem };
            tracing::warn!("{error}");
        }
    }

    fn tell_of_size(&self, key: &CacheKey, bytes: u64) {
        if !self.told_of_size.swap(true, Ordering::Relaxed) {
            let bytes = bytes_text(bytes);
            tracing::warn!("results as large as entry {key} ({bytes}) are not uploaded to the remote cache");
        }
    }

    fn tell_of_rest(&self, waited: Duration) {
        let (left, name) = (self.queue.len(), &self.name);
        tracing::warn!("{left} results were not written to the remote cache {name} within {waited:?}");
    }
}

/// What is said of bytes that nobody could look at, because the runtime ends.
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

/// Does something that hashes so many bytes, on a thread of its own if they are many. `None` if the runtime ends.
async fn aside<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    if bytes <= QUICK_BYTES {
        return Some(work());
    }
    spawn_blocking(work).await.ok()
}
