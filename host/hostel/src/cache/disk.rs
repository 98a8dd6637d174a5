//! Cached results on a local disk: one file an entry, whole or absent, checked when it is read.
//!
//! An entry's file is named by its key, in a directory named by the key's first byte, and holds, in this order: the
//! magic (16 bytes); the SHA-256 of all that follows (32); the key (32); the producer (16); the time in nanoseconds
//! since 1970 (8, little-endian); the value's canonical bytes.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use hostel_core::{CacheEntry, CacheKey, CacheLayer, CacheLayerError, Digest, RunId, Timestamp};

const NAME: &str = "disk";
const MAGIC: &[u8; 16] = b"hostel result 1\n";

/// A cache in a directory, which any number of processes may share.
pub(crate) struct DiskLayer {
    dir: PathBuf,
}

impl DiskLayer {
    /// Uses `dir`, which is made when the first entry is put.
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
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

    fn get(&self, key: &CacheKey) -> Result<Option<CacheEntry>, CacheLayerError> {
        match fs::read(self.path(key)) {
            Ok(file) => decode(&file, key).map(Some).map_err(|problem| CacheLayerError::Damaged {
                layer: NAME,
                key: *key,
                problem,
            }),
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
    let created = entry.created.unix_nanos().to_le_bytes();
    let content = [&key.as_bytes()[..], &entry.producer.as_bytes()[..], &created, &entry.value].concat();
    [&MAGIC[..], Digest::of(&content).as_bytes(), &content].concat()
}

fn decode(file: &[u8], key: &CacheKey) -> Result<CacheEntry, &'static str> {
    const SHORT: &str = "it is too short";
    let file = file.strip_prefix(MAGIC).ok_or("it does not begin like one")?;
    let (digest, content) = file.split_first_chunk::<32>().ok_or(SHORT)?;
    if Digest::of(content).as_bytes() != digest {
        return Err("its digest does not fit");
    }
    let (of, content) = content.split_first_chunk::<32>().ok_or(SHORT)?;
    let (producer, content) = content.split_first_chunk::<16>().ok_or(SHORT)?;
    let (created, value) = content.split_first_chunk::<8>().ok_or(SHORT)?;
    if of != key.as_bytes() {
        return Err("it belongs to another key");
    }
    Ok(CacheEntry {
        value: value.into(),
        producer: RunId::from_bytes(*producer),
        created: Timestamp::from_unix_nanos(u64::from_le_bytes(*created)),
    })
}
