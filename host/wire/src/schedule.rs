//! Schedules: when a task is submitted again.

use std::borrow::Cow;
use std::time::Duration;

use hostel::schedules::{Schedule, StoredSchedule, Timetable, When};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::time::{instant, millis, parse_instant};

/// A schedule. Either `cron` and `zone` are there, or `every_ms` and `anchor_at`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Schedule)]
#[non_exhaustive]
pub struct ScheduleObject {
    /// Its name.
    pub name: String,
    /// The reference to the task, as written.
    pub task: String,
    /// The cron expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// The time zone of the expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_ms: Option<u64>,
    /// An instant that is a slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anchor_at: Option<String>,
    /// When it is due, in words; `null` if the expression or the zone is unknown to this version.
    pub description: Option<String>,
    /// What happens to missed slots: `last`, `all` or `none`.
    pub missed: Cow<'static, str>,
    /// What happens if an earlier run has not ended: `allow`, `skip`, `queue-one` or `cancel-running`.
    pub overlap: Cow<'static, str>,
    /// The longest delay of a run after its slot.
    pub spread_ms: u64,
    /// The queue of its runs.
    pub queue: String,
    /// The tags of its runs, beside those of the task's options.
    pub tags: Vec<String>,
    /// Whether it is paused.
    pub paused: bool,
    /// When it was added.
    pub created_at: String,
    /// The slot that fires next.
    pub next_at: Option<String>,
    /// The last slot that fired or was left out.
    pub last_at: Option<String>,
    /// Why it does not use the version that its name stands for otherwise: its runs have grants, and nobody who may grant has registered
    /// or accepted that version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_back: Option<String>,
}

impl ScheduleObject {
    /// When it is due; `None` if this version cannot read that.
    pub fn when(&self) -> Option<When> {
        if let (Some(cron), Some(zone)) = (&self.cron, &self.zone) {
            return Some(When::Cron { expression: cron.as_str().into(), zone: zone.as_str().into() });
        }
        let interval = Duration::from_millis(self.every_ms?);
        Some(When::Every { interval, anchor: parse_instant(self.anchor_at.as_deref()?)? })
    }
}

impl From<&StoredSchedule> for ScheduleObject {
    fn from(stored: &StoredSchedule) -> Self {
        let StoredSchedule { schedule, created, next, last } = stored;
        let Schedule { name, task, tags, queue, when, missed, overlap, spread, paused, .. } = schedule;
        let (cron, every) = match when {
            When::Cron { expression, zone } => (Some((expression.to_string(), zone.to_string())), None),
            When::Every { interval, anchor } => (None, Some((millis(*interval), instant(*anchor)))),
        };
        let (cron, zone) = cron.unzip();
        let (every_ms, anchor_at) = every.unzip();
        Self {
            name: name.to_string(),
            task: task.to_string(),
            cron,
            zone,
            every_ms,
            anchor_at,
            description: Timetable::new(when).ok().map(|timetable| timetable.describe()),
            missed: missed.name().into(),
            overlap: overlap.name().into(),
            spread_ms: millis(*spread),
            queue: queue.to_string(),
            tags: tags.iter().map(ToString::to_string).collect(),
            paused: *paused,
            created_at: instant(*created),
            next_at: next.map(instant),
            last_at: last.map(instant),
            held_back: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use hostel::Timestamp;
    use serde_json::json;

    use super::*;

    fn object(when: When, next: Option<u64>) -> serde_json::Value {
        let at = |second: u64| Timestamp::from_unix_nanos(second * 1_000_000_000);
        let schedule = Schedule::new("nightly".parse().unwrap(), "acme.math#add", when);
        let stored = StoredSchedule { schedule, created: at(0), next: next.map(at), last: None };
        serde_json::to_value(ScheduleObject::from(&stored)).unwrap()
    }

    #[test]
    fn a_schedule_has_its_expression_or_its_interval() {
        let when = When::Cron { expression: "30 2 * * *".into(), zone: "Europe/Berlin".into() };
        let expected = json!({
            "name": "nightly", "task": "acme.math#add", "cron": "30 2 * * *", "zone": "Europe/Berlin",
            "description": "At 02:30 (Europe/Berlin)", "missed": "last", "overlap": "allow", "spread_ms": 0,
            "queue": "default", "tags": [], "paused": false, "created_at": "1970-01-01T00:00:00Z",
            "next_at": "1970-01-02T01:30:00Z", "last_at": null,
        });
        assert_eq!(object(when, Some(91_800)), expected);
        let anchor = Timestamp::from_unix_nanos(0);
        let every = object(When::Every { interval: Duration::from_secs(300), anchor }, None);
        assert_eq!(
            (&every["every_ms"], &every["anchor_at"]),
            (&json!(300_000), &json!("1970-01-01T00:00:00Z"))
        );
        assert_eq!((&every["description"], &every["next_at"]), (&json!("Every 5m"), &json!(null)));
        assert!(every.get("cron").is_none() && every.get("zone").is_none());
    }
}
