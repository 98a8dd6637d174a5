//! Cached results on a local disk: one file an entry, whole or absent, checked when it is read.
//!
//! An entry's file is named by its key, in a directory named by the key's first byte, and holds, in this order: the
//! magic (16 bytes); the SHA-256 of all that follows (32); the key (32); the producer (16); the time in nanoseconds
//! since 1970 (8, little-endian); the value's canonical bytes.
//!
//! Entries that are put together are first written to one file, a *commit*, in the directory `commits`: its magic
//! (16 bytes); the SHA-256 of all that follows (32); then each entry as it is in its own file, its length before it (8,
//! little-endian). Once that file has its name, the entries are there: whoever opens the directory and finds it writes
//! what it holds to the entries' own files, and removes it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostel_core::{CacheEntry, CacheKey, CacheLayer, CacheLayerError, CacheRecord, Digest};

const NAME: &str = "disk";
const COMMIT_MAGIC: &[u8; 16] = b"hostel commit 1\n";
const COMMITS: &str = "commits";
const COMMIT_EXTENSION: &str = "commit";

/// A cache in a directory, which any number of processes may share.
pub(crate) struct DiskLayer {
    dir: PathBuf,
}

impl DiskLayer {
    /// Uses `dir`, which is made when the first entry is put, and finishes what an earlier process was about to.
    pub(crate) fn open(dir: PathBuf) -> Self {
        let layer = Self { dir };
        if let Err(error) = layer.finish_commits() {
            tracing::warn!(
                "what an earlier process was about to put into the cache is not all there: {error}"
            );
        }
        layer
    }

    /// Puts entries so that after a crash all of them are there, or none.
    pub(crate) fn put_together(&self, entries: &[(CacheKey, CacheEntry)]) -> Result<(), CacheLayerError> {
        let [(first, _), _, ..] = entries else {
            return entries.iter().try_for_each(|(key, entry)| self.put(key, entry));
        };
        let commit = self.write_commit(entries).map_err(|error| medium(first, "write", error))?;
        // It is done; what cannot be put in its place now is so by whoever opens the directory next.
        let put = entries.iter().try_for_each(|(key, entry)| self.write(key, entry));
        if let Err(error) = put.and_then(|()| fs::remove_file(commit)) {
            tracing::warn!("results of a transaction will be in their places later: {error}");
        }
        Ok(())
    }

    /// The content of a commit.
    pub(crate) fn commit_bytes(entries: &[(CacheKey, CacheEntry)]) -> Vec<u8> {
        let mut content = Vec::new();
        for (key, entry) in entries {
            let entry = encode(key, entry);
            content.extend((entry.len() as u64).to_le_bytes());
            content.extend(entry);
        }
        [&COMMIT_MAGIC[..], Digest::of(&content).as_bytes(), &content].concat()
    }

    fn write_commit(&self, entries: &[(CacheKey, CacheEntry)]) -> io::Result<PathBuf> {
        let dir = self.dir.join(COMMITS);
        fs::create_dir_all(&dir)?;
        let mut file = tempfile::NamedTempFile::new_in(&dir)?;
        file.write_all(&Self::commit_bytes(entries))?;
        // A name of its own, by the temporary one.
        let path = file.path().with_extension(COMMIT_EXTENSION);
        file.persist(&path)?;
        Ok(path)
    }

    /// Writes the entries of commits that were left, and removes them; damaged ones were never whole.
    fn finish_commits(&self) -> io::Result<()> {
        // Where there is no such directory there is nothing to finish; one that cannot be used is found out by its use.
        let Ok(left) = fs::read_dir(self.dir.join(COMMITS)) else { return Ok(()) };
        for file in left {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == COMMIT_EXTENSION) {
                self.finish_commit(&path)?;
            }
        }
        Ok(())
    }

    fn finish_commit(&self, path: &Path) -> io::Result<()> {
        let commit = match fs::read(path) {
            // Another process was quicker.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            commit => commit?,
        };
        for (key, entry) in decode_commit(&commit).unwrap_or_default() {
            self.write(&key, &entry)?;
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Where the entry of `key` is.
    pub(crate) fn path(&self, key: &CacheKey) -> PathBuf {
        let hex = key.to_string();
        let (first, rest) = hex.split_at(2);
        self.dir.join(first).join(rest)
    }

    /// Writes beside the entry and renames, so that nobody ever reads half of one. Without a sync: what a power cut
    /// leaves behind is found damaged by its digest.
    fn write(&self, key: &CacheKey, entry: &CacheEntry) -> io::Result<()> {
        let path = self.path(key);
        let dir = path.parent().unwrap_or(&self.dir);
        let mut file = tempfile::NamedTempFile::new_in(dir).or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                return Err(error);
            }
            fs::create_dir_all(dir)?;
            tempfile::NamedTempFile::new_in(dir)
        })?;
        file.write_all(&encode(key, entry))?;
        file.persist(&path)?;
        Ok(())
    }
}

impl CacheLayer for DiskLayer {
    fn name(&self) -> &'static str {
        NAME
    }

    fn get(&self, key: &CacheKey) -> Result<Option<Arc<[CacheEntry]>>, CacheLayerError> {
        match fs::read(self.path(key)) {
            Ok(file) => decode(&file, key)
                .map(|entry| Some(Arc::from([entry])))
                .map_err(|problem| CacheLayerError::Damaged { layer: NAME, key: *key, problem }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(medium(key, "read", error)),
        }
    }

    fn put(&self, key: &CacheKey, entry: &CacheEntry) -> Result<(), CacheLayerError> {
        self.write(key, entry).map_err(|error| medium(key, "write", error))
    }
}

fn medium(key: &CacheKey, action: &'static str, error: io::Error) -> CacheLayerError {
    CacheLayerError::Medium { layer: NAME, action, key: *key, source: Box::new(error) }
}

fn encode(key: &CacheKey, entry: &CacheEntry) -> Vec<u8> {
    let (record, beside) = entry.to_record(key);
    let value = beside.map_or(&[][..], |_| &entry.value);
    [&(record.len() as u64).to_le_bytes()[..], &record, value].concat()
}

/// The entries of a commit; `None` if it is damaged.
fn decode_commit(commit: &[u8]) -> Option<Vec<(CacheKey, CacheEntry)>> {
    let (digest, mut content) = commit.strip_prefix(COMMIT_MAGIC)?.split_first_chunk::<32>()?;
    if Digest::of(content).as_bytes() != digest {
        return None;
    }
    let mut entries = Vec::new();
    while let Some((length, rest)) = content.split_first_chunk::<8>() {
        let (entry, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        // Length, magic, digest, key.
        let (key, _) = entry.get(56..)?.split_first_chunk::<32>()?;
        let key = CacheKey::from_bytes(*key);
        entries.push((key, decode(entry, &key).ok()?));
        content = rest;
    }
    Some(entries)
}

fn decode(file: &[u8], key: &CacheKey) -> Result<CacheEntry, &'static str> {
    const SHORT: &str = "it is too short";
    let (length, rest) = file.split_first_chunk::<8>().ok_or(SHORT)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| SHORT)?;
    let (record, value) = rest.split_at_checked(length).ok_or(SHORT)?;
    let record = CacheRecord::read(record, key)?;
    let record = if record.beside().is_some() { record.with_value(value.to_vec())? } else { record };
    record.complete().ok_or(SHORT)
}
