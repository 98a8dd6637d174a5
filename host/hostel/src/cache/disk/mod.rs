//! Cached results on a local disk: an index in SQLite, and files for values that are long.

mod admin;
mod blobs;
mod connection;
mod index;
mod place;
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

/// How old the time of last use may be: to write it at each hit would make reading as dear as writing.
const USED_WITHIN: Duration = Duration::from_secs(3600);

/// A log that is longer was left by a process that was killed, and is taken into the database by whoever comes next. A
/// process that has a writer leaves that to it.
const LEFT_LOG_BYTES: u64 = 4 << 20;

/// A cache in a directory, which any number of processes may share. Opens, makes and starts only what it needs, when it
/// is needed.
///
/// What concerns one entry is given back as an error; what concerns the whole directory is told as a warning, once for
/// each kind of trouble, and counts as missing.
pub(crate) struct DiskLayer {
    results: Arc<Results>,
    /// The thread that writes, once something was put; `None` if it could not be started.
    writer: OnceLock<Option<Writer>>,
}

impl DiskLayer {
    pub(crate) fn open(data_dir: &Path) -> Self {
        Self { results: Arc::new(Results::of_data_dir(data_dir)), writer: OnceLock::new() }
    }

    pub(crate) fn results(&self) -> &Arc<Results> {
        &self.results
    }

    /// Puts entries so that, whatever happens, all of them are there, or none. Written when this returns.
    pub(crate) fn put_together(&self, entries: &[(CacheKey, CacheEntry)]) -> Result<(), CacheLayerError> {
        let Some((first, _)) = entries.first() else { return Ok(()) };
        // What was put before must not come after.
        self.flush();
        writer::put_all(&self.results, entries).map_err(|error| medium(first, "write", error))
    }

    /// Lets go of something once all that was put is written, or was given up.
    pub(crate) fn hold(&self, hold: impl Send + Sync + 'static) {
        if let Some(Some(writer)) = self.writer.get() {
            writer.queue.hold(Box::new(hold));
        }
    }

    /// Waits until all that was put is written, or was given up.
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

    /// The entries that stored rows hold. Rows that are damaged are left out; if there are no others, it is an error.
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

    /// What the index has under a key; nothing, if it cannot be read.
    fn stored(&self, key: &CacheKey) -> Vec<Stored> {
        match self.results.read(|index| index::under(index, key)) {
            Ok(stored) => stored.unwrap_or_default(),
            Err(error) => {
                self.tell(&error);
                Vec::new()
            }
        }
    }

    fn tell(&self, error: &Broken) {
        let trouble = error.trouble();
        // Of a damaged index was told when it was set aside, if that could be done.
        if trouble != Trouble::Gone && self.results.told.is_first(trouble) {
            tracing::warn!("cached results in {} cannot be read: {error}", self.results.dir().display());
        }
    }

    /// Has it noted that what was found was of use, if that was not noted for long.
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
        // In this order: what is written in between is found twice, and not missed.
        let waiting = self.writer.get().and_then(|writer| writer.as_ref()?.queue.get(key));
        let mut stored = self.stored(key);
        let mut entries = self.entries(key, &stored);
        if entries.is_err() {
            // Its value may have been removed, or put anew, since the index was asked.
            stored = self.stored(key);
            entries = self.entries(key, &stored);
        }
        let Some(waiting) = waiting else {
            if let Ok(Some(_)) = &entries {
                self.note_use(key, &stored);
            }
            return entries;
        };
        // What is damaged is about to be replaced.
        let written = entries.ok().flatten();
        Ok(Some(queue::together(&waiting, written.as_deref().unwrap_or_default())))
    }

    /// Never fails, nor waits for the disk unless much is waiting already: whatever cannot be written is told later.
    fn put(&self, key: &CacheKey, entry: &CacheEntry) -> Result<(), CacheLayerError> {
        if let Some(writer) = self.writer() {
            writer.queue.put(key, entry.clone());
        }
        Ok(())
    }
}

impl Results {
    /// The entry that a record holds, with its value wherever it stands.
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
