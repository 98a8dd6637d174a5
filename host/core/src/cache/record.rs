//! The byte form of a cache entry, for every medium that outlives the process.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::{CacheEntry, CacheKey, Dependencies, Digest, RunId, Timestamp};

/// Begins every record of this version.
const MAGIC: &[u8; 16] = b"hostel entry 2\n\0";

/// Begins every record of the previous version, which has no origin.
const MAGIC_1: &[u8; 16] = b"hostel entry 1\n\0";

/// The place of the digest in a record.
const DIGEST: Range<usize> = 16..48;

/// Values up to this many bytes are in the record itself.
const INLINE_BYTES: usize = 16 << 10;

/// Says whether the value is in the record.
const BESIDE: u8 = 0;
const INLINE: u8 = 1;

/// A checked entry from a medium, with its value inside or beside the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheRecord {
    entry: CacheEntry,
    beside: Option<BlobRef>,
}

/// Identifies the bytes of a value beside its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlobRef {
    /// The SHA-256 of the bytes.
    pub digest: Digest,
    /// Their number.
    pub length: u64,
}

impl CacheEntry {
    /// Whether its record contains the value.
    pub fn is_inline(&self) -> bool {
        self.value.len() <= INLINE_BYTES
    }

    /// The entry as the bytes of a record, for `key`. A value of more than 16 KiB is left out; it must be stored beside the
    /// record under the returned digest.
    ///
    /// The record is, with every number and length as 8 bytes little-endian:
    ///
    /// 1. the magic `hostel entry 2\n\0` (16 bytes);
    /// 2. the SHA-256 of all that follows (32);
    /// 3. the key (32), the producer's id (16), the time of creation in nanoseconds since 1970, the duration in
    ///    nanoseconds;
    /// 4. the task's key as text, preceded by its length;
    /// 5. one byte, 1 if the entry has a recipe: then the recipe as text, preceded by its length;
    /// 6. one byte, 1 if the entry came from a remote cache: then the cache's name as text, preceded by its length;
    /// 7. one byte, 1 if the entry has dependencies: then their identity (32) and their bytes, preceded by their length;
    /// 8. the value's length, its SHA-256 (32), and one byte, 1 if the value follows: then its canonical bytes.
    pub fn to_record(&self, key: &CacheKey) -> (Vec<u8>, Option<BlobRef>) {
        let inline = if self.is_inline() { &self.value[..] } else { &[] };
        let dependencies = self.depends_on.as_ref();
        let mut record = Vec::with_capacity(
            256 + usize::try_from(self.size_bytes()).unwrap_or_default().min(2 * INLINE_BYTES),
        );
        record.extend(MAGIC);
        record.extend([0; 32]);
        record.extend(key.as_bytes());
        record.extend(self.producer.as_bytes());
        record.extend(self.created.unix_nanos().to_le_bytes());
        record.extend(u64::try_from(self.took.as_nanos()).unwrap_or(u64::MAX).to_le_bytes());
        push_sized(&mut record, self.task.as_bytes());
        push_maybe(&mut record, self.recipe.as_deref());
        push_maybe(&mut record, self.origin.as_deref());
        record.push(u8::from(dependencies.is_some()));
        if let Some(dependencies) = dependencies {
            record.extend(dependencies.identity.as_bytes());
            push_sized(&mut record, &dependencies.bytes);
        }
        let blob = BlobRef { digest: Digest::of(&self.value), length: self.value.len() as u64 };
        record.extend(blob.length.to_le_bytes());
        record.extend(blob.digest.as_bytes());
        record.push(if self.is_inline() { INLINE } else { BESIDE });
        record.extend(inline);
        let digest = Digest::of(record.get(DIGEST.end..).unwrap_or_default());
        record.splice(DIGEST, *digest.as_bytes());
        (record, (!self.is_inline()).then_some(blob))
    }
}

impl CacheRecord {
    /// Parses a record, if it is intact and belongs to `key`. Costs one hash of the bytes.
    ///
    /// # Errors
    ///
    /// The mismatch, as a clause that begins with `it`.
    pub fn read(bytes: &[u8], key: &CacheKey) -> Result<Self, &'static str> {
        const SHORT: &str = "it is too short";
        let (rest, has_origin) = match (bytes.strip_prefix(MAGIC), bytes.strip_prefix(MAGIC_1)) {
            (Some(rest), _) => (rest, true),
            (None, Some(rest)) => (rest, false),
            (None, None) => return Err("it does not begin like a record"),
        };
        let (digest, content) = rest.split_first_chunk::<32>().ok_or(SHORT)?;
        if Digest::of(content).as_bytes() != digest {
            return Err("its digest does not fit");
        }
        let mut reader = Reader(content);
        if reader.take::<32>().ok_or(SHORT)? != key.as_bytes() {
            return Err("it belongs to another key");
        }
        let (record, inline) = reader.record(has_origin).ok_or(SHORT)?;
        match inline {
            Some(value) => record.with_value(value),
            None => Ok(record),
        }
    }

    /// The location of the value, if it is not in the record.
    pub fn beside(&self) -> Option<BlobRef> {
        self.beside
    }

    /// The entry, if its value is in the record.
    pub fn complete(self) -> Option<CacheEntry> {
        self.beside.is_none().then_some(self.entry)
    }

    /// The entry; its value is empty if it is beside the record.
    pub fn entry(&self) -> &CacheEntry {
        &self.entry
    }

    /// The length of the value, inside or beside the record.
    pub fn value_bytes(&self) -> u64 {
        self.beside.map_or(self.entry.value.len() as u64, |blob| blob.length)
    }

    /// Adds the value from beside the record.
    ///
    /// # Errors
    ///
    /// If these are not the value's bytes.
    pub fn with_value(mut self, value: Vec<u8>) -> Result<Self, &'static str> {
        if let Some(blob) = self.beside
            && (blob.length != value.len() as u64 || blob.digest != Digest::of(&value))
        {
            return Err("its value is not what was put there");
        }
        self.entry.value = value.into();
        self.beside = None;
        Ok(self)
    }
}

/// The remaining bytes of a record.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().copied().map(u64::from_le_bytes)
    }

    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn text(&mut self) -> Option<Arc<str>> {
        std::str::from_utf8(self.sized()?).ok().map(Arc::from)
    }

    /// An optional text.
    fn maybe_text(&mut self) -> Option<Option<Arc<str>>> {
        match self.take()? {
            [0] => Some(None),
            [1] => self.text().map(Some),
            _ => None,
        }
    }

    /// The part after the key, and the value if it is inside.
    fn record(&mut self, has_origin: bool) -> Option<(CacheRecord, Option<Vec<u8>>)> {
        let producer = RunId::from_bytes(*self.take()?);
        let created = Timestamp::from_unix_nanos(self.number()?);
        let took = Duration::from_nanos(self.number()?);
        let task = self.text()?;
        let recipe = self.maybe_text()?;
        let origin = if has_origin { self.maybe_text()? } else { None };
        let depends_on = match self.take()? {
            [0] => None,
            [1] => Some(Dependencies {
                identity: Digest::from_bytes(*self.take()?),
                bytes: Arc::from(self.sized()?),
            }),
            _ => return None,
        };
        let length = self.number()?;
        let blob = BlobRef { length, digest: Digest::from_bytes(*self.take()?) };
        let inline = match self.take()? {
            [INLINE] => Some(self.0.to_vec()),
            [BESIDE] if self.0.is_empty() => None,
            _ => return None,
        };
        let value = Arc::from([]);
        let entry = CacheEntry { value, producer, created, took, task, recipe, origin, depends_on };
        Some((CacheRecord { entry, beside: Some(blob) }, inline))
    }
}

fn push_maybe(content: &mut Vec<u8>, text: Option<&str>) {
    content.push(u8::from(text.is_some()));
    text.into_iter().for_each(|text| push_sized(content, text.as_bytes()));
}

fn push_sized(content: &mut Vec<u8>, bytes: &[u8]) {
    content.extend((bytes.len() as u64).to_le_bytes());
    content.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: CacheKey = CacheKey::from_bytes([7; 32]);

    fn entry(value_bytes: usize, depends: bool) -> CacheEntry {
        let depends_on = depends.then(|| Dependencies {
            identity: Digest::of(b"world"),
            bytes: Arc::from(b"what was read".as_slice()),
        });
        CacheEntry {
            value: (0..value_bytes).map(|byte| byte.to_le_bytes()[0]).collect(),
            producer: RunId::from_bytes([9; 16]),
            created: Timestamp::from_unix_nanos(1_234_567_890),
            took: Duration::from_millis(250),
            task: Arc::from("sha256:00#add"),
            recipe: depends.then(|| Arc::from("{}")),
            origin: depends.then(|| Arc::from("s3://bucket")),
            depends_on,
        }
    }

    /// Version 1 of a record of `entry(5, true)`.
    fn version_1() -> Vec<u8> {
        let (record, _) = entry(5, true).to_record(&KEY);
        let origin = [&[1][..], &11_u64.to_le_bytes(), b"s3://bucket"].concat();
        let content = &record[MAGIC.len() + 32..];
        let place = content.windows(origin.len()).position(|window| window == origin).unwrap();
        let content = [&content[..place], &content[place + origin.len()..]].concat();
        [&MAGIC_1[..], Digest::of(&content).as_bytes(), &content].concat()
    }

    #[test]
    fn the_version_before_is_read() {
        // This is the digest that version 1 recorded.
        let digest = "sha256:3227b54804743426a2fab1ac5a5a3377e03a73e33e8666d5cfc54dc02d98e24d";
        assert_eq!(Digest::of(&version_1()).to_string(), digest);
        let read = CacheRecord::read(&version_1(), &KEY).unwrap().complete();
        assert_eq!(read, Some(CacheEntry { origin: None, ..entry(5, true) }));
    }

    #[test]
    fn what_is_written_is_read() {
        for depends in [false, true] {
            for bytes in [0, 1, INLINE_BYTES] {
                let (record, beside) = entry(bytes, depends).to_record(&KEY);
                assert_eq!(beside, None);
                let read = CacheRecord::read(&record, &KEY).unwrap();
                assert_eq!(read.value_bytes(), bytes as u64);
                assert_eq!(read.complete(), Some(entry(bytes, depends)));
            }
        }
    }

    #[test]
    fn a_long_value_stands_beside_its_record() {
        let long = entry(INLINE_BYTES + 1, true);
        let (record, beside) = long.to_record(&KEY);
        assert!(record.len() < 300);
        let read = CacheRecord::read(&record, &KEY).unwrap();
        assert_eq!((read.beside(), read.value_bytes()), (beside, INLINE_BYTES as u64 + 1));
        assert_eq!(read.clone().complete(), None);
        let wrong = vec![0; INLINE_BYTES + 1];
        assert_eq!(read.clone().with_value(wrong), Err("its value is not what was put there"));
        assert_eq!(read.with_value(long.value.to_vec()).unwrap().complete(), Some(long));
    }

    #[test]
    fn whatever_bit_is_flipped_it_is_no_record() {
        let (intact, _) = entry(5, true).to_record(&KEY);
        for bit in 0..intact.len() * 8 {
            let mut damaged = intact.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(CacheRecord::read(&damaged, &KEY).is_err(), "bit {bit}");
        }
        for length in 0..intact.len() {
            assert!(CacheRecord::read(&intact[..length], &KEY).is_err(), "length {length}");
        }
    }

    #[test]
    fn a_record_under_another_key_is_not_taken() {
        let (record, _) = entry(5, false).to_record(&KEY);
        let other = CacheKey::from_bytes([8; 32]);
        assert_eq!(CacheRecord::read(&record, &other), Err("it belongs to another key"));
    }

    #[test]
    fn the_encoding_is_as_recorded() {
        let (record, _) = entry(5, true).to_record(&KEY);
        insta::assert_snapshot!(Digest::of(&record), @"sha256:e6667b3a3c7f9cfbdc68856c53b1035a74759902391d5cc9f83b53e516b96872");
    }

    #[test]
    fn of_the_same_dependencies_the_later_entry_stays() {
        let of = |identity: u8, created: u64| CacheEntry {
            created: Timestamp::from_unix_nanos(created),
            depends_on: Some(Dependencies { identity: Digest::of(&[identity]), bytes: Arc::from([]) }),
            ..entry(1, false)
        };
        let mut kept: Arc<[CacheEntry]> = Arc::from([]);
        for number in 0..10 {
            kept = of(number, 0).with_others(&kept);
        }
        assert_eq!(kept.len(), CacheEntry::MAX_VARIANTS);
        let kept = of(5, 1).with_others(&kept);
        assert_eq!((kept.len(), kept[0].created.unix_nanos()), (CacheEntry::MAX_VARIANTS, 1));
        assert_eq!(kept.iter().filter(|entry| entry.variant() == Some(&Digest::of(&[5]))).count(), 1);
    }
}
