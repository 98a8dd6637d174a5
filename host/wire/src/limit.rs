//! Limits of queues and tags.

use hostel::journal::LimitUse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::time::{instant, millis};

/// A limit, and who uses it. Fields that are `None` are left out.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = LimitUse)]
#[non_exhaustive]
pub struct LimitUseObject {
    /// `queue NAME` or `tag NAME`.
    pub scope: String,
    /// The most runs at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_running: Option<u32>,
    /// How many runs start in `rate_per_ms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_starts: Option<u32>,
    /// The time of the rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_per_ms: Option<u64>,
    /// Whether it is paused.
    pub paused: bool,
    /// Until when it is paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<String>,
    /// Why it is paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many of its runs workers have claimed.
    pub running: u64,
    /// Some of these runs.
    pub holders: Vec<String>,
    /// How many runs it keeps back.
    pub waiting: u64,
}

impl From<&LimitUse> for LimitUseObject {
    fn from(used: &LimitUse) -> Self {
        let pause = used.pause.as_ref();
        Self {
            scope: used.scope.to_string(),
            max_running: used.limit.max_running,
            rate_starts: used.limit.rate.map(|rate| rate.starts),
            rate_per_ms: used.limit.rate.map(|rate| millis(rate.per)),
            paused: pause.is_some(),
            paused_until: pause.and_then(|pause| pause.until).map(instant),
            reason: pause.map(|pause| pause.reason.to_string()),
            running: used.held,
            holders: used.holders.iter().map(ToString::to_string).collect(),
            waiting: used.waiting,
        }
    }
}
