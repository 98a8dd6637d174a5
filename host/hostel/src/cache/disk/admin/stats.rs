//! Statistics of the cached results, in total and by task.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hostel_core::Timestamp;

use super::{Entries, EntrySummary, ResultCache, ResultCacheError};
use crate::cache::disk::blobs::Blobs;
use crate::cache::disk::layout::files_in;
use crate::cache::disk::trouble::Broken;

/// Statistics of the cached results.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResultStats {
    /// The number of entries.
    pub entries: u64,
    /// Their size in bytes, including metadata. A value that several entries share counts for each.
    pub bytes: u64,
    /// The number of values in files of their own.
    pub blobs: u64,
    /// The size of these files in bytes.
    pub blob_bytes: u64,
    /// The size of all files of the cache in bytes.
    pub disk_bytes: u64,
    /// The number of damaged entries. They count as missing, and only the sizes of files include them.
    pub damaged: u64,
    /// The time at which the oldest entry was computed.
    pub oldest: Option<Timestamp>,
    /// The time at which the newest entry was computed.
    pub newest: Option<Timestamp>,
    /// Statistics by task, largest size first.
    pub tasks: Vec<TaskStats>,
}

/// Statistics of the cached results of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskStats {
    /// The task's key, as text.
    pub task: Arc<str>,
    /// The number of its entries.
    pub entries: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// The total duration of the attempts that computed them.
    pub took: Duration,
}

impl ResultCache {
    /// Computes the statistics. Reads all entries without their values: about a second for a million entries.
    ///
    /// # Errors
    ///
    /// [`ResultCacheError::Unusable`] if the entries cannot be read.
    pub fn stats(&self) -> Result<ResultStats, ResultCacheError> {
        let mut stats = self.of_files().map_err(|error| self.unusable("read", error))?;
        stats.count(self.entries())?;
        Ok(stats)
    }

    fn of_files(&self) -> Result<ResultStats, Broken> {
        let mut stats = ResultStats::default();
        for part in self.results.blobs.parts()? {
            for file in Blobs::files(&part)? {
                let file = file?;
                stats.disk_bytes += file.bytes;
                if file.digest.is_some() {
                    stats.blobs += 1;
                    stats.blob_bytes += file.bytes;
                }
            }
        }
        for file in files_in(self.dir())? {
            let metadata = file?.metadata()?;
            stats.disk_bytes += if metadata.is_file() { metadata.len() } else { 0 };
        }
        Ok(stats)
    }
}

impl ResultStats {
    fn count(&mut self, entries: Entries) -> Result<(), ResultCacheError> {
        let mut tasks: HashMap<Arc<str>, TaskStats> = HashMap::new();
        for entry in entries {
            match entry {
                Ok(entry) => {
                    self.add(&entry);
                    let task = tasks.entry(Arc::clone(&entry.task));
                    task.or_insert_with(|| TaskStats::new(Arc::clone(&entry.task))).add(&entry);
                }
                Err(ResultCacheError::Damaged { .. }) => self.damaged += 1,
                Err(error) => return Err(error),
            }
        }
        self.tasks = tasks.into_values().collect();
        self.tasks.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.task.cmp(&b.task)));
        Ok(())
    }

    fn add(&mut self, entry: &EntrySummary) {
        self.entries += 1;
        self.bytes += entry.stored_bytes;
        self.oldest = Some(self.oldest.map_or(entry.created, |oldest| oldest.min(entry.created)));
        self.newest = self.newest.max(Some(entry.created));
    }
}

impl TaskStats {
    fn new(task: Arc<str>) -> Self {
        Self { task, entries: 0, bytes: 0, took: Duration::ZERO }
    }

    fn add(&mut self, entry: &EntrySummary) {
        self.entries += 1;
        self.bytes += entry.stored_bytes;
        self.took = self.took.saturating_add(entry.took);
    }
}
