//! What the cache did for a run.

use hostel::{CacheHit, CacheMiss, CacheReport, Kept, LookUp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::text::printable;
use crate::time::{instant, millis};

/// What the cache did for a run, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CacheReport)]
#[non_exhaustive]
pub struct CacheReportObject {
    /// The policy of the task.
    pub policy: String,
    /// The cache key; null if the policy gives none, or while inputs are awaited.
    pub key: Option<String>,
    /// `pending`, `off`, `refresh`, `hit`, `absent`, `expired` or `changed`.
    pub look_up: &'static str,
    /// The value of another run, if there was a hit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hit: Option<HitObject>,
    /// What became of the run's own value: `pending`, `stored`, `hit`, `off`, `not-completed`, `touched`, `in-transaction`,
    /// `rolled-back` or `no-room`.
    pub stored: &'static str,
    /// Both decisions with their reasons, in words; deceptive characters are escaped.
    pub text: String,
}

/// The value of another run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CacheHit)]
#[non_exhaustive]
pub struct HitObject {
    /// The run that computed it.
    pub run: String,
    /// When it was computed, in RFC 3339.
    pub created_at: String,
    /// How long that took.
    pub saved_ms: u64,
    /// Where it was found: `memory`, `disk` or `remote`.
    pub layer: &'static str,
    /// The remote cache that it came from; null if it was computed on this machine.
    pub origin: Option<String>,
    /// The size of the value.
    pub value_bytes: u64,
    /// The number of facts about files that were found unchanged.
    pub facts_checked: usize,
}

impl From<&CacheReport> for CacheReportObject {
    fn from(report: &CacheReport) -> Self {
        Self {
            policy: report.policy.to_string(),
            key: report.key.map(|key| key.to_string()),
            look_up: look_up(&report.look_up),
            hit: hit(&report.look_up).map(HitObject::from),
            stored: stored(&report.kept),
            text: printable(&report.to_string()).into_owned(),
        }
    }
}

impl From<&CacheHit> for HitObject {
    fn from(hit: &CacheHit) -> Self {
        Self {
            run: hit.producer.to_string(),
            created_at: instant(hit.created),
            saved_ms: millis(hit.saved),
            layer: hit.layer,
            origin: hit.origin.as_deref().map(str::to_owned),
            value_bytes: hit.value_bytes,
            facts_checked: hit.facts_checked,
        }
    }
}

fn hit(look_up: &LookUp) -> Option<&CacheHit> {
    if let LookUp::Hit(hit) = look_up { Some(hit) } else { None }
}

/// A word for a decision that this version does not know.
const UNKNOWN: &str = "unknown";

fn look_up(look_up: &LookUp) -> &'static str {
    match look_up {
        LookUp::Pending => "pending",
        LookUp::Off => "off",
        LookUp::Refresh => "refresh",
        LookUp::Hit(_) => "hit",
        LookUp::Miss(CacheMiss::Absent) => "absent",
        LookUp::Miss(CacheMiss::Expired { .. }) => "expired",
        LookUp::Miss(CacheMiss::Changed { .. }) => "changed",
        LookUp::Miss(_) | _ => UNKNOWN,
    }
}

fn stored(kept: &Kept) -> &'static str {
    match kept {
        Kept::Pending => "pending",
        Kept::Yes => "stored",
        Kept::Hit => "hit",
        Kept::Off => "off",
        Kept::NotCompleted => "not-completed",
        Kept::Touched(_) => "touched",
        Kept::InTransaction => "in-transaction",
        Kept::RolledBack => "rolled-back",
        Kept::NoRoom => "no-room",
        _ => UNKNOWN,
    }
}
