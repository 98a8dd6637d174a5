//! Administration of the cached results on disk: inspecting and removing them.

mod error;
mod gc;
mod listing;
mod origin;
mod stats;

use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use hostel_core::{CacheEntry, CacheKey, ErrorKind, Timestamp};
use rusqlite::Transaction;

pub use self::error::ResultCacheError;
use self::error::unusable;
pub use self::gc::{GcOptions, GcReport};
pub use self::listing::{Entries, EntrySummary};
pub use self::stats::{ResultStats, TaskStats};
use super::blobs::Blobs;
use super::index::{self, Doomed};
use super::results::Results;
use super::sweep::sweep;
use super::trouble::Broken;
use crate::cache::Cache;
use crate::data_dir::check_and_mend;

/// The number of keys that an error lists for an ambiguous prefix.
const NAMED_KEYS: usize = 5;

/// The cached results in a data directory, to inspect and remove.
///
/// It may be used while hosts of this or other processes run tasks with the same directory. They use the results that
/// exist, and recompute removed ones. Results in the memory of other processes are not affected. Cheap to open and to
/// clone. Every function blocks while it accesses the disk.
///
/// ```
/// use hostel::{GcOptions, ResultCache};
///
/// # let dir = tempfile::tempdir()?;
/// let results = ResultCache::open(dir.path())?;
/// for entry in results.entries() {
///     let entry = entry?;
///     println!("{} of {}: {} bytes", entry.key, entry.task, entry.value_bytes);
/// }
/// let report = results.gc(GcOptions::default().max_bytes(1 << 30))?;
/// assert_eq!(report.removed.entries, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ResultCache {
    results: Arc<Results>,
    /// The cache of the host that also uses them.
    cache: Option<Arc<Cache>>,
}

/// The cached result under one key.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct KeptResult {
    /// The key.
    pub key: CacheKey,
    /// The entries under the key, newest first: one, or one for each state of their dependencies.
    pub variants: Vec<CacheEntry>,
    /// The time at which one of them was last used, accurate to an hour.
    pub used: Timestamp,
}

/// The number and size of removed entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Removed {
    /// The number of entries.
    pub entries: u64,
    /// Their size in bytes, including metadata. A value that several entries share counts for each.
    pub bytes: u64,
}

impl ResultCache {
    /// Opens the results in a data directory, without a host. No thread or engine is started. A directory that does not
    /// exist has no results.
    ///
    /// # Errors
    ///
    /// [`ResultCacheError::Unusable`] if `data_dir` is not a directory, [`ResultCacheError::DataDir`] if other users can change
    /// it.
    pub fn open(data_dir: impl AsRef<Path>) -> Result<Self, ResultCacheError> {
        let data_dir = data_dir.as_ref();
        if data_dir.is_file() {
            return Err(ResultCacheError::Unusable {
                dir: data_dir.to_owned(),
                action: "read",
                kind: ErrorKind::Invalid,
                source: "expected a directory, found a file".into(),
            });
        }
        check_and_mend(data_dir)?;
        Ok(Self { results: Arc::new(Results::of_data_dir(data_dir)), cache: None })
    }

    /// The results of this host, if it has a data directory.
    pub(crate) fn of_host(cache: &Arc<Cache>) -> Option<Self> {
        let results = Arc::clone(cache.results()?);
        Some(Self { results, cache: Some(Arc::clone(cache)) })
    }

    /// Their directory, inside the data directory.
    pub fn dir(&self) -> &Path {
        self.results.dir()
    }

    /// All entries, approximately in the order in which they were stored. Entries are read a few hundred at a time, so
    /// memory use does not depend on their number. Entries that are stored or removed during the iteration may or may
    /// not be included. Values are not read.
    pub fn entries(&self) -> Entries {
        self.flush();
        Entries::new(Arc::clone(&self.results))
    }

    /// The only key with this prefix of hex digits. Costs one access to the index.
    ///
    /// # Errors
    ///
    /// [`ResultCacheError`] if no key or more than one matches, or the index cannot be read.
    pub fn find(&self, prefix: &str) -> Result<CacheKey, ResultCacheError> {
        let (first, last) =
            bounds(prefix).ok_or_else(|| ResultCacheError::NotAKey { text: prefix.to_owned() })?;
        self.flush();
        let found = self.results.read(|index| index::keys(index, &first, &last, NAMED_KEYS));
        let found = found.map_err(|error| self.unusable("read", error))?.unwrap_or_default();
        match found.as_slice() {
            [] => Err(ResultCacheError::NotFound { prefix: prefix.to_owned() }),
            [only] => Ok(*only),
            _ => Err(ResultCacheError::Ambiguous { prefix: prefix.to_owned(), candidates: found }),
        }
    }

    /// The cached result under a key, including values, by the key or an unambiguous prefix.
    ///
    /// # Errors
    ///
    /// [`ResultCacheError`] if there is none, it is damaged, or it cannot be read.
    pub fn show(&self, key: &str) -> Result<KeptResult, ResultCacheError> {
        let key = self.find(key)?;
        let stored = self.results.read(|index| index::under(index, &key, u64::MAX));
        let stored = stored.map_err(|error| self.unusable("read", error))?.unwrap_or_default();
        let used = stored.iter().map(|row| row.used).max();
        let used = used.ok_or_else(|| ResultCacheError::NotFound { prefix: key.to_string() })?;
        let variants = stored.iter().map(|row| self.results.entry(&key, &row.record));
        let variants: Result<Vec<_>, _> = variants.collect();
        let variants = variants.map_err(|problem| ResultCacheError::Damaged { key, problem })?;
        Ok(KeptResult { key, variants, used })
    }

    /// Removes the cached result under a key, by the key or an unambiguous prefix, also from the memory of this
    /// handle's host.
    ///
    /// # Errors
    ///
    /// [`ResultCacheError`] if there is none, or it cannot be removed.
    pub fn remove(&self, key: &str) -> Result<Removed, ResultCacheError> {
        let key = self.find(key)?;
        let removed = self.results.write(|index| {
            let doomed = index::all_under(index, &key)?;
            Ok(remove(&self.results, index, &doomed)?)
        });
        self.cache.iter().for_each(|cache| cache.forget(&key));
        removed.map_err(|error| self.unusable("changed", error))
    }

    /// Removes all results that came from remote caches, also from the memory of this handle's host. Useful when a
    /// writer of a remote cache is no longer trusted. Reads the whole index, a few hundred entries per transaction.
    /// Damaged entries stay, and count as missing.
    ///
    /// # Errors
    ///
    /// [`ResultCacheError::Unusable`] if some of them cannot be removed.
    pub fn remove_from_remote(&self) -> Result<Removed, ResultCacheError> {
        self.flush();
        let removed = origin::remove_from_remote(&self.results);
        self.cache.iter().for_each(|cache| cache.forget_all());
        removed.map_err(|error| self.unusable("changed", error))
    }

    /// Removes all results, also from the memory of this handle's host, and frees their disk space. Takes about as long
    /// as removing the files of long values. Results that are being stored meanwhile stay.
    ///
    /// # Errors
    ///
    /// [`ResultCacheError::Unusable`] if some of them cannot be removed.
    pub fn clear(&self) -> Result<Removed, ResultCacheError> {
        self.flush();
        let cleared = self.clear_disk();
        self.cache.iter().for_each(|cache| cache.forget_all());
        cleared.map_err(|error| self.unusable("changed", error))
    }

    fn clear_disk(&self) -> Result<Removed, Broken> {
        let mut removed = Removed::default();
        if self.results.exists()? {
            removed = self.results.write(|index| {
                let index::Total { entries, bytes } = index::total(index)?;
                index::remove_all(index)?;
                Ok(Removed { entries, bytes })
            })?;
        }
        sweep(&self.results, std::time::Duration::ZERO)?;
        gc::give_back(&self.results)?;
        Ok(removed)
    }

    /// Waits until the host has written all results that it stored before.
    fn flush(&self) {
        self.cache.iter().for_each(|cache| cache.flush());
    }

    fn unusable(&self, action: &'static str, error: Broken) -> ResultCacheError {
        unusable(&self.results, action, error)
    }
}

impl fmt::Debug for ResultCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultCache").field("dir", &self.dir()).finish_non_exhaustive()
    }
}

/// Removes rows, and then the values that no row refers to. The transaction prevents new references to them.
fn remove(results: &Results, index: &Transaction<'_>, doomed: &[Doomed]) -> rusqlite::Result<Removed> {
    let mut removed = Removed::default();
    for row in doomed {
        index::remove(index, row.number)?;
        removed.entries += 1;
        removed.bytes += row.bytes;
    }
    let blobs: HashSet<_> = doomed.iter().filter_map(|row| row.blob).collect();
    for blob in blobs {
        if !index::refers_to(index, &blob)? {
            // Files that cannot be removed now are left to a later collection.
            let _ = Blobs::remove(&results.blobs.path(&blob));
        }
    }
    Ok(removed)
}

/// The first and the last key with this prefix of hex digits.
fn bounds(prefix: &str) -> Option<([u8; 32], [u8; 32])> {
    let digits: Option<Vec<u8>> =
        prefix.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| (1..=64).contains(&digits.len()))?;
    let filled = |rest: u8| {
        let mut bytes = [rest << 4 | rest; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            *byte = match *pair {
                [high, low] => high << 4 | low,
                [high] => high << 4 | rest,
                _ => *byte,
            };
        }
        bytes
    };
    Some((filled(0), filled(15)))
}
