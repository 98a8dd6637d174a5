//! Removing results that came from remote caches.

use hostel_core::{CacheKey, CacheRecord};

use super::{Removed, remove};
use crate::cache::disk::index::{self, Doomed, Stored};
use crate::cache::disk::results::Results;
use crate::cache::disk::trouble::Broken;

/// The number of entries read in one transaction. Others can write between two transactions.
const PAGE: usize = 256;

/// Removes all entries with an origin.
pub(super) fn remove_from_remote(results: &Results) -> Result<Removed, Broken> {
    let mut all = Removed::default();
    let mut after = Some(i64::MIN);
    while let Some(from) = after.filter(|_| results.exists().unwrap_or(true)) {
        let (removed, last) = results.write(|transaction| {
            let page = index::page(transaction, from, PAGE)?;
            let doomed: Vec<_> = page.iter().filter_map(|(key, stored)| from_remote(key, stored)).collect();
            Ok((remove(results, transaction, &doomed)?, page.last().map(|(_, last)| last.number)))
        })?;
        all.entries += removed.entries;
        all.bytes += removed.bytes;
        after = last;
    }
    Ok(all)
}

/// The row of an entry that came from a remote cache.
fn from_remote(key: &CacheKey, stored: &Stored) -> Option<Doomed> {
    let record = CacheRecord::read(&stored.record, key).ok()?;
    record.entry().origin.as_ref()?;
    let blob = record.beside();
    Some(Doomed {
        number: stored.number,
        used: stored.used,
        bytes: stored.record.len() as u64 + blob.map_or(0, |blob| blob.length),
        blob: blob.map(|blob| blob.digest),
    })
}
