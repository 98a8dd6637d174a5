//! Cached results on a local disk: an index in SQLite, and files for long values.

mod admin;
mod blobs;
mod connection;
mod index;
mod layout;
mod queue;
mod results;
mod sweep;
mod trouble;
mod writer;

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use hostel_core::{CacheEntry, CacheKey, CacheLayer, CacheLayerError, CacheRecord, Timestamp};

pub use self::admin::{
    Entries, EntrySummary, GcOptions, GcReport, KeptResult, Removed, ResultCache, ResultCacheError,
    ResultStats, TaskStats,
};
use self::index::Stored;
pub(crate) use self::results::Results;
use self::trouble::{Broken, Trouble};
use self::writer::Writer;

const NAME: &str = "disk";

/// The accuracy of the time of last use: writing it at each hit would make reads as expensive as writes.
const USED_WITHIN: Duration = Duration::from_secs(3600);

/// The length of a log that only a killed process leaves behind. The next process to open it takes it into the
/// database. A process with a writer leaves that to its writer.
const LEFT_LOG_BYTES: u64 = 4 << 20;

/// A cache in a directory, which any number of processes may share. It opens, creates and starts everything on first
/// use.
///
/// Problems with one entry are returned as errors. Problems with the whole directory are logged as warnings, once for
/// each kind, and count as a miss.
pub(crate) struct DiskLayer {
    results: Arc<Results>,
    /// The writer thread, started by the first write; `None` if it could not be started.
    writer: OnceLock<Option<Writer>>,
}

impl DiskLayer {
    pub(crate) fn open(data_dir: &Path) -> Self {
        Self { results: Arc::new(Results::of_data_dir(data_dir)), writer: OnceLock::new() }
    }

    pub(crate) fn results(&self) -> &Arc<Results> {
        &self.results
    }

    /// As [`CacheLayer::get`], without entries that take more than `longest` bytes on disk: those are not read.
    pub(crate) fn get_up_to(
        &self,
        key: &CacheKey,
        longest: u64,
    ) -> Result<Option<Arc<[CacheEntry]>>, CacheLayerError> {
        // In this order: entries written in between are found twice, and not missed.
        let waiting = self.writer.get().and_then(|writer| writer.as_ref()?.queue.get(key));
        let mut stored = self.stored(key, longest);
        let mut entries = self.entries(key, &stored);
        if entries.is_err() {
            // Its value may have been removed, or written again, since the index was read.
            stored = self.stored(key, longest);
            entries = self.entries(key, &stored);
        }
        let Some(waiting) = waiting else {
            if let Ok(Some(_)) = &entries {
                self.note_use(key, &stored);
            }
            return entries;
        };
        // Damaged rows are about to be replaced.
        let written = entries.ok().flatten();
        Ok(Some(queue::together(&waiting, written.as_deref().unwrap_or_default())))
    }

    /// Stores entries so that, whatever happens, all of them are stored or none. They are on disk when this returns.
    pub(crate) fn put_together(&self, entries: &[(CacheKey, CacheEntry)]) -> Result<(), CacheLayerError> {
        let Some((first, _)) = entries.first() else { return Ok(()) };
        // Earlier entries must be written first.
        self.flush();
        writer::put_all(&self.results, entries).map_err(|error| medium(first, "write", error))
    }

    /// Drops a value after everything stored before is written, or was given up; at once if a thousand such values wait.
    pub(crate) fn hold(&self, hold: impl Send + Sync + 'static) {
        if let Some(Some(writer)) = self.writer.get() {
            writer.queue.hold(Box::new(hold));
        }
    }

    /// Waits until everything stored before is written, or was given up.
    pub(crate) fn flush(&self) {
        if let Some(Some(writer)) = self.writer.get() {
            writer.queue.flush();
        }
    }

    fn writer(&self) -> Option<&Writer> {
        let started = self.writer.get_or_init(|| {
            let started = Writer::start(&self.results);
            started.inspect_err(|error| tracing::warn!("results are not stored on disk: {error}")).ok()
        });
        started.as_ref()
    }

    /// The entries in stored rows. Damaged rows are left out. If all are damaged, that is an error.
    fn entries(
        &self,
        key: &CacheKey,
        stored: &[Stored],
    ) -> Result<Option<Arc<[CacheEntry]>>, CacheLayerError> {
        let mut entries: Vec<CacheEntry> = Vec::with_capacity(stored.len());
        let mut damaged = None;
        for row in stored {
            match self.results.entry(key, &row.record) {
                Ok(entry) => {
                    if entries.iter().all(|newer| newer.variant() != entry.variant()) {
                        entries.push(entry);
                    }
                }
                Err(problem) => damaged = Some(problem),
            }
        }
        entries.truncate(CacheEntry::MAX_VARIANTS);
        match damaged {
            Some(problem) if entries.is_empty() => {
                Err(CacheLayerError::Damaged { layer: NAME, key: *key, problem })
            }
            Some(problem) => {
                tracing::warn!(
                    "one of several results under {key} is damaged ({problem}); it counts as missing"
                );
                Ok(Some(entries.into()))
            }
            None => Ok(Some(entries).filter(|entries| !entries.is_empty()).map(Arc::from)),
        }
    }

    /// The entries of a key in the index, except longer ones; none, if it cannot be read.
    fn stored(&self, key: &CacheKey, longest: u64) -> Vec<Stored> {
        match self.results.read(|index| index::under(index, key, longest)) {
            Ok(stored) => stored.unwrap_or_default(),
            Err(error) => {
                self.tell(&error);
                Vec::new()
            }
        }
    }

    fn tell(&self, error: &Broken) {
        let trouble = error.trouble();
        // Damage of the index was logged when it was set aside, if that was possible.
        if trouble != Trouble::Gone && self.results.reported_reads.is_first(trouble) {
            tracing::warn!("cached results in {} cannot be read: {error}", self.results.dir().display());
        }
    }

    /// Records the use of an entry, if the last record is old.
    fn note_use(&self, key: &CacheKey, stored: &[Stored]) {
        let now: Timestamp = SystemTime::now().into();
        if stored.iter().any(|row| row.used <= now && now.since(row.used) >= USED_WITHIN)
            && let Some(writer) = self.writer()
        {
            writer.queue.used(key, now);
        }
    }
}

impl Drop for DiskLayer {
    fn drop(&mut self) {
        let has_writer = self.writer.get().is_some();
        if !has_writer {
            self.results.shorten_log(LEFT_LOG_BYTES);
        }
    }
}

impl CacheLayer for DiskLayer {
    fn name(&self) -> &'static str {
        NAME
    }

    fn get(&self, key: &CacheKey) -> Result<Option<Arc<[CacheEntry]>>, CacheLayerError> {
        self.get_up_to(key, u64::MAX)
    }

    /// Never fails, and waits for the disk only if much is already waiting. Failed writes are logged later.
    fn put(&self, key: &CacheKey, entry: &CacheEntry) -> Result<(), CacheLayerError> {
        if let Some(writer) = self.writer() {
            writer.queue.put(key, entry.clone());
        }
        Ok(())
    }
}

impl Results {
    /// The entry of a record, with its value from the record or from a file.
    fn entry(&self, key: &CacheKey, record: &[u8]) -> Result<CacheEntry, &'static str> {
        const MISSING: &str = "its value is missing";
        let record = CacheRecord::read(record, key)?;
        let Some(blob) = record.beside() else { return record.complete().ok_or(MISSING) };
        match self.blobs.read(&blob) {
            Ok(Some(value)) => record.with_value(value)?.complete().ok_or(MISSING),
            Ok(None) => Err(MISSING),
            Err(_) => Err("its value cannot be read"),
        }
    }
}

fn medium(key: &CacheKey, action: &'static str, error: Broken) -> CacheLayerError {
    CacheLayerError::Medium { layer: NAME, action, key: *key, source: Box::new(error) }
}

#[cfg(test)]
mod tests;
