//! The paths of the objects of a remote cache, and the format of objects with entries. The layout is documented in
//! `docs/remote-cache.md`.

use hostel_core::{CacheEntry, CacheKey, CacheRecord, Digest};
use object_store::path::Path;

/// The version of the layout.
const LAYOUT: &str = "v1";

/// The number of hex digits of a name that form its directory, so that listings can be split into 256 parts.
const FAN_OUT_DIGITS: usize = 2;

/// The content of an object with entries.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Records {
    /// The intact records, in their order.
    pub(super) intact: Vec<Intact>,
    /// The problem with the others, or with the whole object.
    pub(super) damage: Option<&'static str>,
}

/// A checked record, and its bytes.
#[derive(Debug, PartialEq)]
pub(super) struct Intact {
    pub(super) record: CacheRecord,
    pub(super) bytes: Vec<u8>,
}

/// The path of a key's entries.
pub(super) fn entries_path(prefix: &Path, key: &CacheKey) -> Path {
    path(prefix, "entries", &key.to_string())
}

/// The path of the value with this digest.
pub(super) fn blob_path(prefix: &Path, digest: &Digest) -> Path {
    path(prefix, "blobs", &digest.hex())
}

fn path(prefix: &Path, kind: &str, hex: &str) -> Path {
    let fan_out = hex.get(..FAN_OUT_DIGITS).unwrap_or(hex);
    [LAYOUT, kind, fan_out, hex].into_iter().fold(prefix.clone(), Path::join)
}

/// The records of a key one after the other, newest first, each preceded by its length.
pub(super) fn frame<'a>(records: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for record in records {
        bytes.extend((record.len() as u64).to_le_bytes());
        bytes.extend_from_slice(record);
    }
    bytes
}

/// Parses and checks the output of [`frame`]. Costs one hash of the bytes.
pub(super) fn unframe(mut bytes: &[u8], key: &CacheKey) -> Records {
    let mut records = Records::default();
    if bytes.is_empty() {
        records.damage = Some("it is empty");
    }
    while !bytes.is_empty() {
        let Some((record, rest)) = first(bytes) else {
            records.damage = Some("it is too short");
            break;
        };
        if records.intact.len() == CacheEntry::MAX_VARIANTS {
            records.damage = Some("it holds too much");
            break;
        }
        match CacheRecord::read(record, key) {
            Ok(read) => records.intact.push(Intact { record: read, bytes: record.to_vec() }),
            Err(problem) => records.damage = Some(problem),
        }
        bytes = rest;
    }
    records
}

fn first(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{entry, key};
    use super::*;

    #[test]
    fn an_object_is_named_by_its_key_or_digest() {
        let prefix = Path::from("a/b");
        let hex = key("a").to_string();
        assert_eq!(entries_path(&prefix, &key("a")).as_ref(), format!("a/b/v1/entries/{}/{hex}", &hex[..2]));
        let digest = Digest::of(b"value");
        let hex = digest.hex();
        let root = Path::default();
        assert_eq!(blob_path(&root, &digest).as_ref(), format!("v1/blobs/{}/{hex}", &hex[..2]));
    }

    #[test]
    fn records_are_framed_by_their_lengths() {
        let of = |text: &str| entry(text).to_record(&key("a")).0;
        let (one, two) = (of("one"), of("two"));
        let framed = frame([one.as_slice(), two.as_slice()]);
        let records = unframe(&framed, &key("a"));
        let texts: Vec<_> =
            records.intact.iter().map(|intact| intact.record.entry().value.to_vec()).collect();
        assert_eq!((texts, records.damage), (vec![b"one".to_vec(), b"two".to_vec()], None));

        for length in 0..framed.len() {
            let records = unframe(&framed[..length], &key("a"));
            let is_whole = length == 8 + one.len();
            assert_eq!(records.damage.is_none(), is_whole, "{length}");
        }
        for bit in 0..framed.len() * 8 {
            let mut damaged = framed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let records = unframe(&damaged, &key("a"));
            assert!(records.damage.is_some() && records.intact.len() < 2, "{bit}");
        }
        assert!(unframe(&framed, &key("b")).intact.is_empty());
        let many = frame(std::iter::repeat_n(one.as_slice(), CacheEntry::MAX_VARIANTS + 1));
        assert_eq!(unframe(&many, &key("a")).damage, Some("it holds too much"));
    }
}
