//! Collection of cached results by size or age, and of orphaned files.

use std::time::{Duration, SystemTime};

use hostel_core::Timestamp;

use super::{Removed, ResultCache, ResultCacheError, remove};
use crate::cache::disk::connection;
use crate::cache::disk::index::{self, Doomed, Total};
use crate::cache::disk::results::Results;
use crate::cache::disk::sweep::{GRACE, sweep};
use crate::cache::disk::trouble::{Broken, Trouble};

/// The number of entries per transaction. Others can write between two transactions.
const TOGETHER: usize = 1000;

/// The number of pages that are freed at a time, for the same reason.
const PAGES: u32 = 1000;

/// Which entries [`ResultCache::gc`] removes. By default it removes only orphaned files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GcOptions {
    max_bytes: Option<u64>,
    older_than: Option<Duration>,
}

/// The report of [`ResultCache::gc`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GcReport {
    /// The entries that were removed.
    pub removed: Removed,
    /// The number of remaining entries.
    pub left_entries: u64,
    /// Their size in bytes.
    pub left_bytes: u64,
    /// The number of orphaned files that were removed.
    pub orphans: u64,
    /// Their size in bytes.
    pub orphan_bytes: u64,
}

/// The entries to remove.
struct Goal {
    /// All entries that were last used before this time.
    cutoff: Option<Timestamp>,
    /// The number of bytes to free, least recently used entries first.
    bytes: u64,
}

impl GcOptions {
    /// Leaves at most this many bytes of values and metadata, counted as in [`Removed::bytes`].
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Removes entries that were not used for this long. The time of use is accurate to an hour.
    #[must_use]
    pub fn older_than(mut self, age: Duration) -> Self {
        self.older_than = Some(age);
        self
    }
}

impl ResultCache {
    /// Removes entries by size or age, least recently used first. Then removes files older than an hour that killed
    /// processes left behind, both of results and of compiled code, and frees the disk space. A host removes such files
    /// by itself, once a day.
    ///
    /// Takes time in proportion to the number of removed entries and of long values. Hosts can go on meanwhile. They
    /// are blocked for some milliseconds at a time, and recompute removed results.
    ///
    /// # Errors
    ///
    /// [`ResultCacheError::Unusable`] if the collection fails. Entries removed before that stay removed.
    pub fn gc(&self, options: GcOptions) -> Result<GcReport, ResultCacheError> {
        self.flush();
        self.collect(options).map_err(|error| self.unusable("changed", error))
    }

    fn collect(&self, options: GcOptions) -> Result<GcReport, Broken> {
        let results = &*self.results;
        let total = results.read(index::total)?.unwrap_or_default();
        let now: Timestamp = SystemTime::now().into();
        let goal = Goal {
            cutoff: options.older_than.map(|age| before(now, age)),
            bytes: options.max_bytes.map_or(0, |most| total.bytes.saturating_sub(most)),
        };
        let mut removed = Removed::default();
        if goal.bytes > 0 || goal.cutoff.is_some() {
            while collect_some(results, &goal, &mut removed)? {}
        }
        let swept = sweep(results, GRACE)?;
        if removed.entries > 0 {
            give_back(results)?;
        }
        let Total { entries, bytes } = results.read(index::total)?.unwrap_or_default();
        Ok(GcReport {
            removed,
            left_entries: entries,
            left_bytes: bytes,
            orphans: swept.files,
            orphan_bytes: swept.bytes,
        })
    }
}

impl Goal {
    /// The entries to remove, if `freed` bytes are already free.
    fn doomed(&self, candidates: Vec<Doomed>, mut freed: u64) -> Vec<Doomed> {
        let mut doomed = candidates;
        let kept = doomed.iter().position(|row| {
            let goes = freed < self.bytes || self.cutoff.is_some_and(|cutoff| row.used < cutoff);
            freed += row.bytes;
            !goes
        });
        doomed.truncate(kept.unwrap_or(doomed.len()));
        doomed
    }
}

/// Removes some entries; `false` if no more have to be removed.
fn collect_some(results: &Results, goal: &Goal, removed: &mut Removed) -> Result<bool, Broken> {
    if !results.exists()? {
        return Ok(false);
    }
    let freed = removed.bytes;
    let (some, goes_on) = results.write(|index| {
        let candidates = index::least_used(index, TOGETHER)?;
        let found = candidates.len();
        let doomed = goal.doomed(candidates, freed);
        Ok((remove(results, index, &doomed)?, doomed.len() == found && found == TOGETHER))
    })?;
    removed.entries += some.entries;
    removed.bytes += some.bytes;
    Ok(goes_on)
}

/// Frees unused disk space, unless others are writing.
pub(super) fn give_back(results: &Results) -> Result<(), Broken> {
    let given = (|| {
        while results.maintain(|index| connection::give_back(index, PAGES))?.unwrap_or(false) {}
        results.maintain(connection::shorten_log).map(drop)
    })();
    // If others are writing, the space is freed next time.
    given.or_else(|error: Broken| if error.trouble() == Trouble::Busy { Ok(()) } else { Err(error) })
}

fn before(now: Timestamp, age: Duration) -> Timestamp {
    let age = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
    Timestamp::from_unix_nanos(now.unix_nanos().saturating_sub(age))
}
