//! What people do with the results that are kept on disk: look at them, and remove them.

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

/// How many keys an error names for a prefix that several begin with.
const NAMED_KEYS: usize = 5;

/// The results that are kept in a data directory: what is there, and what is to go.
///
/// It may be used while hosts, of this and of other processes, run tasks with the same directory: they find what is
/// there, and compute anew what is gone. What another process has in memory stays there. Cheap to open and to clone;
/// every function blocks for as long as the disk takes.
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
    /// The cache of the host that uses them too.
    cache: Option<Arc<Cache>>,
}

/// What is kept under one key.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct KeptResult {
    /// The key.
    pub key: CacheKey,
    /// The entries under it, the newest first: one, or one for each state of what they depend on.
    pub variants: Vec<CacheEntry>,
    /// When one of them was last of use, to within an hour.
    pub used: Timestamp,
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Removed {
    /// How many entries.
    pub entries: u64,
    /// How much they took, values and administration together; a value that several entries share counts for each.
    pub bytes: u64,
}

impl ResultCache {
    /// The results in a data directory, without a host: no thread is started, no engine made. A directory that does not
    /// exist has none.
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

    /// The results that this host uses, if it has a data directory.
    pub(crate) fn of_host(cache: &Arc<Cache>) -> Option<Self> {
        let results = Arc::clone(cache.results()?);
        Some(Self { results, cache: Some(Arc::clone(cache)) })
    }

    /// The directory that they are in, inside of the data directory.
    pub fn dir(&self) -> &Path {
        self.results.dir()
    }

    /// All entries, those that were put first before the others, but for moments. Reads a few hundred at a time, so that a million need no memory
    /// for a million; what is put or removed meanwhile may be given or not. Reads no values.
    pub fn entries(&self) -> Entries {
        self.flush();
        Entries::new(Arc::clone(&self.results))
    }

    /// The only key that begins with these hex digits. Costs one look into the index.
    ///
    /// # Errors
    ///
    /// [`ResultCacheError`] if none does, or several do, or it cannot be looked.
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

    /// What is kept under a key, with values, by the key or the beginning of it that no other has.
    ///
    /// # Errors
    ///
    /// [`ResultCacheError`] if nothing is, or it is damaged, or it cannot be read.
    pub fn show(&self, key: &str) -> Result<KeptResult, ResultCacheError> {
        let key = self.find(key)?;
        let stored = self.results.read(|index| index::under(index, &key));
        let stored = stored.map_err(|error| self.unusable("read", error))?.unwrap_or_default();
        let used = stored.iter().map(|row| row.used).max();
        let used = used.ok_or_else(|| ResultCacheError::NotFound { prefix: key.to_string() })?;
        let variants = stored.iter().map(|row| self.results.entry(&key, &row.record));
        let variants: Result<Vec<_>, _> = variants.collect();
        let variants = variants.map_err(|problem| ResultCacheError::Damaged { key, problem })?;
        Ok(KeptResult { key, variants, used })
    }

    /// Removes what is kept under a key, by the key or the beginning of it that no other has; also from the memory of the
    /// host that this is of.
    ///
    /// # Errors
    ///
    /// [`ResultCacheError`] if nothing is, or it cannot be removed.
    pub fn remove(&self, key: &str) -> Result<Removed, ResultCacheError> {
        let key = self.find(key)?;
        let removed = self.results.write(|index| {
            let doomed = index::all_under(index, &key)?;
            Ok(remove(&self.results, index, &doomed)?)
        });
        self.cache.iter().for_each(|cache| cache.forget(&key));
        removed.map_err(|error| self.unusable("changed", error))
    }

    /// Removes what came from remote caches, also from the memory of the host that this is of: for when someone who may write
    /// there is trusted no longer. Reads the whole index, a few hundred entries in each transaction. What is damaged stays,
    /// and counts as missing.
    ///
    /// # Errors
    ///
    /// [`ResultCacheError::Unusable`] if not all of it can be removed.
    pub fn remove_from_remote(&self) -> Result<Removed, ResultCacheError> {
        self.flush();
        let removed = origin::remove_from_remote(&self.results);
        self.cache.iter().for_each(|cache| cache.forget_all());
        removed.map_err(|error| self.unusable("changed", error))
    }

    /// Removes everything, also from the memory of the host that this is of, and gives the room back to the system. Takes
    /// about as long as to remove the files of long values. What is being put meanwhile stays.
    ///
    /// # Errors
    ///
    /// [`ResultCacheError::Unusable`] if not all of it can be removed.
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

    /// Waits until what the host has put before is there.
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

/// Removes rows, and the values that nobody refers to after that. Under the transaction nobody can begin to refer to one.
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
            // What cannot be removed now is left to a later collection.
            let _ = Blobs::remove(&results.blobs.path(&blob));
        }
    }
    Ok(removed)
}

/// The first and the last key that begin with these hex digits.
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
