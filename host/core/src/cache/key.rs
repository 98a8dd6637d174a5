//! The name under which a result is kept: a hash of the facts that a policy names.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::{CachePolicy, Digest, Grants, TaskKey};

/// Separates this hash from every other use of SHA-256, and this encoding from later ones.
const DOMAIN: &[u8] = b"hostel cache key\0v1\0";

/// The same for the records of transactions.
const TRANSACTION_DOMAIN: &[u8] = b"hostel transaction\0v1\0";

/// Stands among the bits of the policy's facts, and says that there are grants. No policy has this bit.
const HAS_GRANTS: u8 = 1 << 7;

/// The name under which a result is kept.
///
/// SHA-256 over, in this order, with every number and length as 8 bytes little-endian:
///
/// 1. the domain `hostel cache key\0v1\0`;
/// 2. one byte of facts: bit 0 if inputs count, bit 1 if the task source does, bit 7 if the task has grants;
/// 3. the component's digest (32 bytes);
/// 4. the export path as text, its length before it;
/// 5. if there are grants, which always count: their number, then each as text with its kind (`http example.org:8080`;
///    [`Grants::facts`]), its length before it, in the order of the bytes, equal ones once;
/// 6. if inputs count: their number, then each one's canonical bytes, its length before them; of one that the policy
///    leaves out nothing but a length of 2^64 - 1, which no bytes have.
///
/// Every part is of fixed or declared length, so two different lists of facts never give the same bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CacheKey(Digest);

impl CacheKey {
    /// The key of one run, or `None` if the policy caches nothing. `inputs` are one for each parameter, in order, `None`
    /// for those that the policy leaves out. Costs one hash of the inputs.
    pub fn derive<'a>(
        policy: &CachePolicy,
        task: &TaskKey,
        inputs: impl ExactSizeIterator<Item = Option<&'a [u8]>>,
        grants: &Grants,
    ) -> Option<Self> {
        if policy.is_none() {
            return None;
        }
        let mut hash = Sha256::new_with_prefix(DOMAIN);
        let has_grants = if grants.is_empty() { 0 } else { HAS_GRANTS };
        hash.update([policy.bits() | has_grants]);
        hash.update(task.component.as_bytes());
        update_sized(&mut hash, task.export.to_string().as_bytes());
        if !grants.is_empty() {
            let facts = grants.facts();
            hash.update(length(facts.len()));
            facts.iter().for_each(|fact| update_sized(&mut hash, fact.as_bytes()));
        }
        if policy.includes(&CachePolicy::INPUTS) {
            hash.update(length(inputs.len()));
            inputs.for_each(|input| match input {
                Some(input) => update_sized(&mut hash, input),
                None => hash.update(u64::MAX.to_le_bytes()),
            });
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

    /// Stands for an input that the policy leaves out.
    const LEFT_OUT: &[u8] = b"left out";

    fn key(policy: &CachePolicy, component: &[u8], export: &str, inputs: &[&[u8]]) -> Option<CacheKey> {
        key_with(policy, component, export, inputs, &[])
    }

    fn key_with(
        policy: &CachePolicy,
        component: &[u8],
        export: &str,
        inputs: &[&[u8]],
        http: &[&str],
    ) -> Option<CacheKey> {
        let task = TaskKey { component: Digest::of(component), export: ExportPath::top_level(export) };
        let grants = Grants { http: http.iter().map(|text| text.parse().unwrap()).collect() };
        let inputs = inputs.iter().map(|input| Some(*input).filter(|input| *input != LEFT_OUT));
        CacheKey::derive(policy, &task, inputs, &grants)
    }

    #[test]
    fn the_encoding_is_as_recorded() {
        let both = CachePolicy::INPUTS + CachePolicy::TASK_SOURCE;
        let key = key(&both, b"component", "add", &[b"\x01", b"two"]).unwrap();
        insta::assert_snapshot!(key, @"4433411a511bde71f7f049a790d84e598cdb38bc9c0dcfe8479296c2ce7a52d2");
        let http = ["*.example.org:8080", "http://127.0.0.1"];
        let key = key_with(&both, b"component", "add", &[b"\x01", b"two"], &http).unwrap();
        insta::assert_snapshot!(key, @"aa940c7acb8d3a9de22f2ed8e4a55bda81fd7c058ccc35129ce3d3fc919d5d60");
    }

    #[test]
    fn the_encoding_is_as_described() {
        let both = CachePolicy::INPUTS + CachePolicy::TASK_SOURCE;
        let key = key_with(&both, b"component", "add", &[b"\x01", b"two"], &["b.org", "a.org:80"]).unwrap();
        let mut bytes = b"hostel cache key\0v1\0\x83".to_vec();
        bytes.extend(Digest::of(b"component").as_bytes());
        bytes.extend(b"\x03\0\0\0\0\0\0\0add");
        bytes.extend(b"\x02\0\0\0\0\0\0\0");
        bytes.extend(b"\x0d\0\0\0\0\0\0\0http a.org:80");
        bytes.extend(b"\x0a\0\0\0\0\0\0\0http b.org");
        bytes.extend(b"\x02\0\0\0\0\0\0\0");
        bytes.extend(b"\x01\0\0\0\0\0\0\0\x01");
        bytes.extend(b"\x03\0\0\0\0\0\0\0two");
        assert_eq!(key.as_bytes(), Digest::of(&bytes).as_bytes());
    }

    #[test]
    fn the_order_of_grants_and_how_often_they_are_given_do_not_count() {
        let key = |http: &[&str]| key_with(&CachePolicy::INPUTS, b"c", "add", &[b"1"], http);
        assert_eq!(key(&["a.org", "b.org:*"]), key(&["B.org:*", "a.org", "a.org"]));
    }

    #[test]
    fn every_fact_makes_another_key() {
        let both = CachePolicy::INPUTS + CachePolicy::TASK_SOURCE;
        let keys = [
            key(&both, b"c", "add", &[b"1", b"2"]),
            key(&both, b"d", "add", &[b"1", b"2"]),
            key(&both, b"c", "sub", &[b"1", b"2"]),
            key(&both, b"c", "add", &[b"2", b"1"]),
            key(&both, b"c", "add", &[b"1", LEFT_OUT]),
            key(&both, b"c", "add", &[LEFT_OUT, b"1"]),
            key(&both, b"c", "add", &[LEFT_OUT, LEFT_OUT]),
            key(&both, b"c", "add", &[b"1"]),
            key(&both, b"c", "add", &[b"12"]),
            key(&both, b"c", "add", &[b"12", b""]),
            key(&both, b"c", "add", &[b"", b"12"]),
            key(&CachePolicy::TASK_SOURCE, b"c", "add", &[b"1", b"2"]),
            key(&CachePolicy::INPUTS, b"c", "add", &[b"1", b"2"]),
            // A task never gets another task's result, whatever the policy (PARITY C03).
            key(&CachePolicy::INPUTS, b"c", "sub", &[b"1", b"2"]),
            key_with(&both, b"c", "add", &[b"1", b"2"], &["a.org"]),
            key_with(&both, b"c", "add", &[b"1", b"2"], &["b.org"]),
            key_with(&both, b"c", "add", &[b"1", b"2"], &["a.org", "b.org"]),
            key_with(&CachePolicy::TASK_SOURCE, b"c", "add", &[b"1", b"2"], &["a.org"]),
        ];
        for (index, one) in keys.iter().enumerate() {
            assert!(one.is_some());
            assert!(!keys[..index].contains(one), "{index}");
        }
    }

    #[test]
    fn no_policy_gives_no_key() {
        assert_eq!(key(&CachePolicy::NONE, b"c", "add", &[]), None);
    }

    #[test]
    fn inputs_that_do_not_count_change_nothing() {
        let one = key(&CachePolicy::TASK_SOURCE, b"c", "add", &[b"1"]);
        assert_eq!(one, key(&CachePolicy::TASK_SOURCE, b"c", "add", &[b"2"]));
    }
}
