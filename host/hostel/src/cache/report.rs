//! What the cache did for a run, and why.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hostel_core::{CacheKey, CachePolicy, Observation, RunId, Timestamp, bytes_text, duration_text};

/// What the cache did for a run, and why: [`TaskFuture::cache_report`](crate::TaskFuture::cache_report).
///
/// Displayed, it is a line for people: ``miss (no result under this key); not stored: read the wall clock 1×``.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CacheReport {
    /// The policy of its task.
    pub policy: CachePolicy,
    /// The key that the policy gives; `None` if it caches nothing, or while inputs are awaited.
    pub key: Option<CacheKey>,
    /// What came of looking for another run's value.
    pub look_up: LookUp,
    /// Whether the run's own value stands for later ones.
    pub kept: Kept,
}

/// What came of looking for another run's value.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LookUp {
    /// It has not been looked for yet.
    Pending,
    /// The policy is none.
    Off,
    /// The task takes no other run's value, and puts its own in the place of what is there.
    Refresh,
    /// There is one.
    Hit(Arc<CacheHit>),
    /// There is none that may stand for this run.
    Miss(CacheMiss),
}

/// Another run's value, which stands for this one's.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CacheHit {
    /// The run that made it.
    pub producer: RunId,
    /// When it was made.
    pub created: Timestamp,
    /// How long that attempt took: what this run saved, but for the look-up.
    pub saved: Duration,
    /// Where it was found: `memory`, `disk` or `remote`.
    pub layer: &'static str,
    /// The name of the remote cache that it came from, if it was found in a layer of this machine.
    pub origin: Option<Arc<str>>,
    /// Its canonical bytes.
    pub value_bytes: u64,
    /// What it was made from in granted directories, and what has been found unchanged: the number of facts.
    pub facts_checked: usize,
}

/// Why no value may stand for this run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheMiss {
    /// There is none under the key.
    #[default]
    Absent,
    /// It is older than the task takes, or seems to come from the future.
    Expired {
        /// When it was made.
        created: Timestamp,
    },
    /// What it was made from is not as it was.
    Changed {
        /// What has changed, such as `` `data/a.txt` has other content``.
        what: Arc<str>,
    },
}

/// Whether the run's own value stands for later ones.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Kept {
    /// The run has not ended.
    Pending,
    /// It does.
    Yes,
    /// It is another run's.
    Hit,
    /// The policy is none.
    Off,
    /// There is none: the run did not complete.
    NotCompleted,
    /// It is not a function of its key, and the policy wants that; or the program read a stream as its standard input, which no
    /// policy allows. This is what the attempt touched.
    Touched(Arc<Observation>),
    /// Not until its transaction is committed.
    InTransaction,
    /// Its transaction was rolled back.
    RolledBack,
    /// Nowhere: it is too large for the memory layer, and there is no other.
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
            Self::Refresh => f.write_str("not looked up: a fresh value is wanted"),
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
            1 => f.write_str(", from files; what was read there, one fact, is unchanged"),
            facts => write!(f, ", from files; all that was read there, {facts} facts, is unchanged"),
        }
    }
}

/// Where something was found, by the name of the layer: `in memory`, `on disk`.
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
            Self::NotCompleted => f.write_str("not stored: it did not complete"),
            Self::Touched(observation) => write!(f, "not stored: {observation}"),
            Self::RolledBack => f.write_str("not stored: its transaction was rolled back"),
            Self::NoRoom => {
                f.write_str("not stored: there is no room for it in memory, and no data directory")
            }
            Self::InTransaction => f.write_str("not stored until its transaction is committed"),
        }
    }
}
