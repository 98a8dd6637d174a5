//! Iteration over the cached entries.

use std::sync::Arc;
use std::time::Duration;
use std::vec;

use hostel_core::{CacheKey, CacheRecord, RunId, Timestamp};

use super::{ResultCacheError, unusable};
use crate::cache::disk::index::{self, Stored};
use crate::cache::disk::results::Results;

/// The number of entries read at a time. Between two reads, others can write and the log can be shortened.
const PAGE: usize = 256;

/// All entries, approximately in the order in which they were stored: returned by
/// [`ResultCache::entries`](super::ResultCache::entries).
///
/// A damaged entry is an error, and the iteration goes on. Any other error is the last item.
pub struct Entries {
    results: Arc<Results>,
    page: vec::IntoIter<(CacheKey, Stored)>,
    after: i64,
    is_over: bool,
}

/// An entry without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntrySummary {
    /// The key of the entry.
    pub key: CacheKey,
    /// The key of the task that computed it, as text.
    pub task: Arc<str>,
    /// The run that computed it.
    pub producer: RunId,
    /// The name of the remote cache that it came from; `None` if it was computed on this machine.
    pub origin: Option<Arc<str>>,
    /// The time at which it was computed.
    pub created: Timestamp,
    /// The time at which it was last used, accurate to an hour. Hits in memory do not count.
    pub used: Timestamp,
    /// The duration of the attempt that computed it: the time that a hit saves.
    pub took: Duration,
    /// The length of its value, in canonical bytes.
    pub value_bytes: u64,
    /// The size of its stored dependencies outside its key; 0 if it has none.
    pub dependency_bytes: u64,
    /// The size of the entry on disk.
    pub stored_bytes: u64,
}

impl Entries {
    pub(super) fn new(results: Arc<Results>) -> Self {
        Self { results, page: Vec::new().into_iter(), after: i64::MIN, is_over: false }
    }

    /// Reads the next page. After an error the iteration is over.
    fn turn(&mut self) -> Result<(), ResultCacheError> {
        let page = self.results.read(|index| index::page(index, self.after, PAGE));
        let page = page.map_err(|error| unusable(&self.results, "read", error));
        self.is_over = page.is_err();
        let page = page?.unwrap_or_default();
        match page.last() {
            Some((_, last)) => self.after = last.number,
            None => self.is_over = true,
        }
        self.page = page.into_iter();
        Ok(())
    }
}

impl Iterator for Entries {
    type Item = Result<EntrySummary, ResultCacheError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, stored)) = self.page.next() {
                return Some(summary(key, &stored));
            }
            if self.is_over {
                return None;
            }
            if let Err(error) = self.turn() {
                return Some(Err(error));
            }
        }
    }
}

fn summary(key: CacheKey, stored: &Stored) -> Result<EntrySummary, ResultCacheError> {
    let record = CacheRecord::read(&stored.record, &key)
        .map_err(|problem| ResultCacheError::Damaged { key, problem })?;
    let entry = record.entry();
    Ok(EntrySummary {
        key,
        task: Arc::clone(&entry.task),
        producer: entry.producer,
        origin: entry.origin.clone(),
        created: entry.created,
        used: stored.used,
        took: entry.took,
        value_bytes: record.value_bytes(),
        dependency_bytes: entry.depends_on.as_ref().map_or(0, |dependencies| dependencies.bytes.len() as u64),
        stored_bytes: stored.record.len() as u64 + record.beside().map_or(0, |blob| blob.length),
    })
}
