//! What the cache keeps under a key.

use std::sync::Arc;
use std::time::Duration;

use crate::{Digest, RunId, Timestamp};

/// A result that may stand for later runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheEntry {
    /// The result in canonical bytes, which carry their type.
    pub value: Arc<[u8]>,
    /// The run that computed it.
    pub producer: RunId,
    /// When it was computed.
    pub created: Timestamp,
    /// How long the attempt took that computed it: what a hit saves.
    pub took: Duration,
    /// The key of the task that computed it, as text.
    pub task: Arc<str>,
    /// Inputs and options, for running the task again; `None` if they were too long to be stored.
    pub recipe: Option<Arc<str>>,
    /// The name of the remote cache that it came from; `None` if it was computed on this machine.
    pub origin: Option<Arc<str>>,
    /// What it depends on outside of its key, if on anything.
    pub depends_on: Option<Dependencies>,
}

/// What a result depends on outside of its key: an entry with dependencies may stand for a run only where they hold.
///
/// Several entries with different dependencies may be kept under one key, at most [`CacheEntry::MAX_VARIANTS`]: one for
/// each state of the world in which the task ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependencies {
    /// Tells one state of the world from another: of two entries under one key with the same identity the later one
    /// takes the place of the earlier one.
    pub identity: Digest,
    /// The dependencies themselves, as whoever checks them wrote them.
    pub bytes: Arc<[u8]>,
}

impl CacheEntry {
    /// How many entries with different dependencies are kept under one key; of more, the oldest ones are forgotten.
    pub const MAX_VARIANTS: usize = 8;

    /// Whether it may still stand for a run at `now`, if results may be no older than `expiration`.
    ///
    /// The age counts from when the value was there. An entry that seems to come from the future, because a clock was set
    /// back, has no known age, and counts as expired.
    pub fn is_fresh(&self, now: Timestamp, expiration: Option<Duration>) -> bool {
        expiration.is_none_or(|expiration| self.created <= now && now.since(self.created) < expiration)
    }

    /// What tells it from the others under its key: `None` for the one that depends on nothing.
    pub fn variant(&self) -> Option<&Digest> {
        self.depends_on.as_ref().map(|dependencies| &dependencies.identity)
    }

    /// Whether both are the same run's result for the same state of the world, whatever their bytes for checking that are.
    pub fn is_of(&self, other: &Self) -> bool {
        self.producer == other.producer && self.variant() == other.variant()
    }

    /// The bytes that it takes: those of the value, the dependencies, the recipe, the origin and the task's key.
    pub fn size_bytes(&self) -> u64 {
        let dependencies = self.depends_on.as_ref().map_or(0, |dependencies| dependencies.bytes.len());
        let texts = [&self.recipe, &self.origin].into_iter().flatten().map(|text| text.len()).sum::<usize>();
        (self.value.len() + dependencies + texts + self.task.len()) as u64
    }

    /// This entry and those of `others` that are kept beside it, the newest first.
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
