//! The entries that the cache stores under a key.

use std::sync::Arc;
use std::time::Duration;

use crate::{Digest, RunId, Timestamp};

/// A result that may replace later runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheEntry {
    /// The result in canonical bytes, which include the type.
    pub value: Arc<[u8]>,
    /// The run that computed it.
    pub producer: RunId,
    /// When it was computed.
    pub created: Timestamp,
    /// The duration of the attempt that computed it, which a hit saves.
    pub took: Duration,
    /// The key of the task that computed it, as text.
    pub task: Arc<str>,
    /// Inputs and options, for running the task again; `None` if they were too long to be stored.
    pub recipe: Option<Arc<str>>,
    /// The name of the remote cache that it came from; `None` if it was computed on this machine.
    pub origin: Option<Arc<str>>,
    /// Its dependencies outside of its key, if it has any.
    pub depends_on: Option<Dependencies>,
}

/// The dependencies of a result outside of its key: an entry with dependencies may replace a run only while they hold.
///
/// Several entries with different dependencies may be stored under one key, at most [`CacheEntry::MAX_VARIANTS`]: one for
/// each state of the world in which the task ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependencies {
    /// Identifies a state of the world: of two entries under one key with the same identity, the later one replaces the
    /// earlier one.
    pub identity: Digest,
    /// The encoded dependencies, in the format of the code that checks them.
    pub bytes: Arc<[u8]>,
}

impl CacheEntry {
    /// The maximum number of entries with different dependencies under one key; of more, the oldest are dropped.
    pub const MAX_VARIANTS: usize = 8;

    /// Whether it may still replace a run at `now`, if results may be no older than `expiration`.
    ///
    /// The age is counted from when the value was computed. An entry that seems to come from the future, because a clock was
    /// set back, has no known age, and counts as expired.
    pub fn is_fresh(&self, now: Timestamp, expiration: Option<Duration>) -> bool {
        expiration.is_none_or(|expiration| self.created <= now && now.since(self.created) < expiration)
    }

    /// Distinguishes it from other entries under its key: `None` for an entry without dependencies.
    pub fn variant(&self) -> Option<&Digest> {
        self.depends_on.as_ref().map(|dependencies| &dependencies.identity)
    }

    /// Whether both are the same run's result for the same state of the world, even if the encoded dependencies differ.
    pub fn is_of(&self, other: &Self) -> bool {
        self.producer == other.producer && self.variant() == other.variant()
    }

    /// Its size in bytes: value, dependencies, recipe, origin and the task's key.
    pub fn size_bytes(&self) -> u64 {
        let dependencies = self.depends_on.as_ref().map_or(0, |dependencies| dependencies.bytes.len());
        let texts = [&self.recipe, &self.origin].into_iter().flatten().map(|text| text.len()).sum::<usize>();
        (self.value.len() + dependencies + texts + self.task.len()) as u64
    }

    /// This entry and those of `others` that stay beside it, the newest first.
    pub fn with_others(self, others: &[Self]) -> Arc<[Self]> {
        if others.is_empty() {
            return Arc::from([self]);
        }
        let variant = self.variant().copied();
        let others = others.iter().filter(|other| other.variant() != variant.as_ref()).cloned();
        std::iter::once(self).chain(others).take(Self::MAX_VARIANTS).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(created: u64) -> CacheEntry {
        CacheEntry {
            value: Arc::from([1, 2, 3]),
            producer: RunId::from_bytes([7; 16]),
            created: Timestamp::from_unix_nanos(created),
            took: Duration::ZERO,
            task: Arc::from("task"),
            recipe: None,
            origin: None,
            depends_on: None,
        }
    }

    #[test]
    fn an_entry_is_fresh_until_it_is_as_old_as_the_expiration() {
        let check = |created: u64, now: u64, expiration: Option<u64>, expected: bool| {
            let now = Timestamp::from_unix_nanos(now);
            let is_fresh = entry(created).is_fresh(now, expiration.map(Duration::from_nanos));
            assert_eq!(is_fresh, expected, "{created} {now:?} {expiration:?}");
        };
        check(100, 100, Some(1), true);
        check(100, 109, Some(10), true);
        check(100, 110, Some(10), false);
        check(100, 111, Some(10), false);
        check(100, 100, Some(0), false);
        check(101, 100, Some(10), false);
        check(101, 100, None, true);
        check(100, u64::MAX, None, true);
    }

    #[test]
    fn all_that_is_stored_of_an_entry_counts() {
        let bytes = |text: &str| Some(Arc::from(text));
        let dependencies = Dependencies { identity: Digest::of(b""), bytes: Arc::from([0; 100]) };
        assert_eq!(entry(0).size_bytes(), 7);
        assert_eq!(CacheEntry { recipe: bytes("{}"), ..entry(0) }.size_bytes(), 9);
        assert_eq!(CacheEntry { origin: bytes("s3://b"), ..entry(0) }.size_bytes(), 13);
        assert_eq!(CacheEntry { depends_on: Some(dependencies), ..entry(0) }.size_bytes(), 107);
    }

    #[test]
    fn entries_of_one_run_and_one_state_of_the_world_are_the_same() {
        let depends_on = Some(Dependencies { identity: Digest::of(b"world"), bytes: Arc::from([]) });
        let elsewhere = CacheEntry { depends_on, ..entry(0) };
        assert!(entry(0).is_of(&entry(1)) && !entry(0).is_of(&elsewhere) && elsewhere.is_of(&elsewhere));
        assert!(!entry(0).is_of(&CacheEntry { producer: RunId::from_bytes([8; 16]), ..entry(0) }));
    }
}
