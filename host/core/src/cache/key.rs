//! The name under which a result is kept: a hash of the facts that a policy names.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::{CachePolicy, Digest, TaskKey};

/// Separates this hash from every other use of SHA-256, and this encoding from later ones.
const DOMAIN: &[u8] = b"hostel cache key\0v1\0";

/// The same for the records of transactions.
const TRANSACTION_DOMAIN: &[u8] = b"hostel transaction\0v1\0";

/// The name under which a result is kept.
///
/// SHA-256 over, in this order: the domain `hostel cache key\0v1\0`; the policy's facts as one byte (bit 0 inputs,
/// bit 1 task source); the component's digest (32 bytes); the export path as text, its length before it as 8 bytes
/// little-endian; and, if inputs count, the number of arguments (8 bytes little-endian), then each argument's
/// canonical bytes, its length before them as 8 bytes little-endian. Every part is of fixed or declared length, so
/// two different lists of facts never give the same bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CacheKey(Digest);

impl CacheKey {
    /// The key of one run, or `None` if the policy caches nothing. Costs one hash of the inputs.
    pub fn derive<'a>(
        policy: CachePolicy,
        task: &TaskKey,
        inputs: impl ExactSizeIterator<Item = &'a [u8]>,
    ) -> Option<Self> {
        if policy.is_none() {
            return None;
        }
        let mut hash = Sha256::new_with_prefix(DOMAIN);
        hash.update([policy.bits()]);
        hash.update(task.component.as_bytes());
        update_sized(&mut hash, task.export.to_string().as_bytes());
        if policy.includes(CachePolicy::INPUTS) {
            hash.update(length(inputs.len()));
            inputs.for_each(|input| update_sized(&mut hash, input));
        }
        Some(Self(Digest::from_bytes(hash.finalize().into())))
    }

    /// The name under which a transaction with this key leaves its record: SHA-256 over the domain
    /// `hostel transaction\0v1\0` and the key as text.
    pub fn of_transaction(key: &str) -> Self {
        let hash = Sha256::new_with_prefix(TRANSACTION_DOMAIN).chain_update(key);
        Self(Digest::from_bytes(hash.finalize().into()))
    }

    /// The 32 bytes of the hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Takes the 32 bytes that [`CacheKey::as_bytes`] gave.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Digest::from_bytes(bytes))
    }
}

impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.hex())
    }
}

impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn update_sized(hash: &mut Sha256, bytes: &[u8]) {
    hash.update(length(bytes.len()));
    hash.update(bytes);
}

fn length(length: usize) -> [u8; 8] {
    (length as u64).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ExportPath;

    fn key(policy: CachePolicy, component: &[u8], export: &str, inputs: &[&[u8]]) -> Option<CacheKey> {
        let task = TaskKey { component: Digest::of(component), export: ExportPath::top_level(export) };
        CacheKey::derive(policy, &task, inputs.iter().copied())
    }

    #[test]
    fn the_encoding_is_as_recorded() {
        let both = CachePolicy::INPUTS + CachePolicy::TASK_SOURCE;
        let key = key(both, b"component", "add", &[b"\x01", b"two"]).unwrap();
        insta::assert_snapshot!(key, @"4433411a511bde71f7f049a790d84e598cdb38bc9c0dcfe8479296c2ce7a52d2");
    }

    #[test]
    fn every_fact_makes_another_key() {
        let both = CachePolicy::INPUTS + CachePolicy::TASK_SOURCE;
        let keys = [
            key(both, b"c", "add", &[b"1", b"2"]),
            key(both, b"d", "add", &[b"1", b"2"]),
            key(both, b"c", "sub", &[b"1", b"2"]),
            key(both, b"c", "add", &[b"2", b"1"]),
            key(both, b"c", "add", &[b"12"]),
            key(both, b"c", "add", &[b"12", b""]),
            key(both, b"c", "add", &[b"", b"12"]),
            key(CachePolicy::TASK_SOURCE, b"c", "add", &[b"1", b"2"]),
            key(CachePolicy::INPUTS, b"c", "add", &[b"1", b"2"]),
            // A task never gets another task's result, whatever the policy (PARITY C03).
            key(CachePolicy::INPUTS, b"c", "sub", &[b"1", b"2"]),
        ];
        for (index, one) in keys.iter().enumerate() {
            assert!(one.is_some());
            assert!(!keys[..index].contains(one), "{index}");
        }
    }

    #[test]
    fn no_policy_gives_no_key() {
        assert_eq!(key(CachePolicy::NONE, b"c", "add", &[]), None);
    }

    #[test]
    fn inputs_that_do_not_count_change_nothing() {
        let one = key(CachePolicy::TASK_SOURCE, b"c", "add", &[b"1"]);
        assert_eq!(one, key(CachePolicy::TASK_SOURCE, b"c", "add", &[b"2"]));
    }
}
