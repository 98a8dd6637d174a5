//! The cache's decisions about a run, and their reasons.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hostel_core::{CacheKey, CachePolicy, Observation, RunId, Timestamp, bytes_text, duration_text};

/// The cache's decisions about a run, and their reasons: [`TaskFuture::cache_report`](crate::TaskFuture::cache_report).
///
/// `Display` writes one line for people: ``miss (no result under this key); not stored: read the wall clock 1×``.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CacheReport {
    /// The task's policy.
    pub policy: CachePolicy,
    /// The key under that policy; `None` if the policy caches nothing, or while the run waits for inputs.
    pub key: Option<CacheKey>,
    /// The result of the look-up.
    pub look_up: LookUp,
    /// Whether the cache stores the run's own value.
    pub kept: Kept,
}

/// The result of a look-up in the cache.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LookUp {
    /// The cache was not looked up yet.
    Pending,
    /// The policy is none.
    Off,
    /// The task ignores cached values, and replaces them with its own.
    Refresh,
    /// The cache has a value for this run.
    Hit(Arc<CacheHit>),
    /// The cache has no value that can be used for this run.
    Miss(CacheMiss),
}

/// A cached value that was used for this run.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CacheHit {
    /// The run that computed it.
    pub producer: RunId,
    /// The time at which it was computed.
    pub created: Timestamp,
    /// The duration of the attempt that computed it: the time that this run saved, apart from the look-up.
    pub saved: Duration,
    /// The layer that had it: `memory`, `disk` or `remote`.
    pub layer: &'static str,
    /// The name of the remote cache that it originally came from, if a layer of this machine had it.
    pub origin: Option<Arc<str>>,
    /// The length of its canonical bytes.
    pub value_bytes: u64,
    /// The number of facts about granted directories that the value depends on. All were found unchanged.
    pub facts_checked: usize,
}

/// The reason why no cached value can be used for this run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheMiss {
    /// There is no value under the key.
    #[default]
    Absent,
    /// The value is older than the task accepts, or its time is in the future.
    Expired {
        /// The time at which it was computed.
        created: Timestamp,
    },
    /// A file or directory that the value depends on has changed.
    Changed {
        /// The change, for example `` `data/a.txt` has different content``.
        what: Arc<str>,
    },
}

/// Whether the cache stores the run's own value.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Kept {
    /// The run has not ended.
    Pending,
    /// The cache holds the run's value.
    Yes,
    /// The run's value is another run's, from the cache.
    Hit,
    /// The policy is none.
    Off,
    /// The run has no value, because it did not complete.
    NotCompleted,
    /// The attempt had effects that the policy does not allow, so the value is not a function of its key. Or the
    /// program read a stream as its standard input, which no policy allows. The observation lists the effects.
    Touched(Arc<Observation>),
    /// The value is stored when the run's transaction is committed.
    InTransaction,
    /// The run's transaction was rolled back.
    RolledBack,
    /// The value is too large for the memory layer, and there is no other layer.
    NoRoom,
}

impl fmt::Display for CacheReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.look_up, &self.kept) {
            (LookUp::Off, _) => f.write_str("off: the policy is none"),
            (look_up, Kept::Pending | Kept::Hit | Kept::Off) => look_up.fmt(f),
            (look_up, kept) => write!(f, "{look_up}; {kept}"),
        }
    }
}

impl fmt::Display for LookUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending => f.write_str("not looked up yet"),
            Self::Off => f.write_str("off"),
            Self::Refresh => f.write_str("not looked up: a refresh was requested"),
            Self::Hit(hit) => hit.fmt(f),
            Self::Miss(CacheMiss::Absent) => f.write_str("miss (no result under this key)"),
            Self::Miss(CacheMiss::Expired { .. }) => {
                f.write_str("miss (the result under this key is too old)")
            }
            Self::Miss(CacheMiss::Changed { what }) => write!(f, "miss ({what})"),
        }
    }
}

impl fmt::Display for CacheHit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { producer, created: _, saved, layer, origin, value_bytes, facts_checked } = self;
        let (place, bytes, saved) = (layer_text(layer), bytes_text(*value_bytes), duration_text(*saved));
        write!(f, "hit {place}: {bytes} made by run {producer} in {saved}")?;
        if let Some(origin) = origin {
            write!(f, ", from the remote cache {origin}")?;
        }
        match facts_checked {
            0 => Ok(()),
            1 => f.write_str(", from files; the one fact that was read there is unchanged"),
            facts => write!(f, ", from files; all {facts} facts that were read there are unchanged"),
        }
    }
}

/// The layer in words, by its name: `in memory`, `on disk`.
pub fn layer_text(layer: &str) -> String {
    match layer {
        "memory" => "in memory".to_owned(),
        "disk" => "on disk".to_owned(),
        other => format!("in the {other} cache"),
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending => f.write_str("not ended yet"),
            Self::Yes => f.write_str("stored"),
            Self::Hit => f.write_str("another run's value"),
            Self::Off => f.write_str("not stored: the policy is none"),
            Self::NotCompleted => f.write_str("not stored: the run did not complete"),
            Self::Touched(observation) => write!(f, "not stored: {observation}"),
            Self::RolledBack => f.write_str("not stored: its transaction was rolled back"),
            Self::NoRoom => f.write_str(
                "not stored: the value is too large for the memory cache, and there is no data directory",
            ),
            Self::InTransaction => f.write_str("not stored until its transaction is committed"),
        }
    }
}
