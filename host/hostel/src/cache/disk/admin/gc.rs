//! Collecting what is too much or too old, and what nobody refers to.

use std::time::{Duration, SystemTime};

use hostel_core::Timestamp;

use super::{Removed, ResultCache, ResultCacheError, remove};
use crate::cache::disk::connection;
use crate::cache::disk::index::{self, Doomed, Total};
use crate::cache::disk::results::Results;
use crate::cache::disk::sweep::{GRACE, sweep};
use crate::cache::disk::trouble::{Broken, Trouble};

/// How many entries go in one transaction: between two of them others can write.
const TOGETHER: usize = 1000;

/// How many pages are given back to the system at a time, for the same reason.
const PAGES: u32 = 1000;

/// What [`ResultCache::gc`] is to leave. Without any, it removes only what nobody refers to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GcOptions {
    max_bytes: Option<u64>,
    older_than: Option<Duration>,
}

/// What [`ResultCache::gc`] has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GcReport {
    /// The entries that were removed.
    pub removed: Removed,
    /// How many entries are left.
    pub left_entries: u64,
    /// How much they take.
    pub left_bytes: u64,
    /// How many files were removed that nobody referred to.
    pub orphans: u64,
    /// How much these took.
    pub orphan_bytes: u64,
}

/// What is to go.
struct Goal {
    /// Whatever was used before this.
    cutoff: Option<Timestamp>,
    /// How much, of what was not used for the longest time.
    bytes: u64,
}

impl GcOptions {
    /// Leaves no more than this, values and administration together, counted as [`Removed::bytes`].
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Leaves nothing that was of no use for this long. The time of use is kept to within an hour.
    #[must_use]
    pub fn older_than(mut self, age: Duration) -> Self {
        self.older_than = Some(age);
        self
    }
}

impl ResultCache {
    /// Removes entries that are too much or too old, those first that were not used for the longest time; then files that
    /// killed processes left behind, of results and of compiled code, if they are older than an hour; and gives the room back
    /// to the system. A host does the second by itself, once a day.
    ///
    /// Takes time in proportion to what is removed, and to the number of long values. Hosts can go on meanwhile: they are
    /// held up for some milliseconds at a time, and compute anew what is gone.
    ///
    /// # Errors
    ///
    /// [`ResultCacheError::Unusable`] if it cannot be done; what was removed until then is gone.
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
    /// Those of the entries that have to go, if `freed` are free already.
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

/// Removes a number of entries; `false` if no more have to go.
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

/// Gives room that is free back to the system, as far as nobody else writes meanwhile.
pub(super) fn give_back(results: &Results) -> Result<(), Broken> {
    let given = (|| {
        while results.maintain(|index| connection::give_back(index, PAGES))?.unwrap_or(false) {}
        results.maintain(connection::shorten_log).map(drop)
    })();
    // Others who are busy with it leave it for the next time.
    given.or_else(|error: Broken| if error.trouble() == Trouble::Busy { Ok(()) } else { Err(error) })
}

fn before(now: Timestamp, age: Duration) -> Timestamp {
    let age = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
    Timestamp::from_unix_nanos(now.unix_nanos().saturating_sub(age))
}
