//! Why a run has not started, or not ended.

use hostel::journal::{JournalEntry, LimitUse};
use hostel::{State, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::time::instant;

/// One thing that a run waits for. Others may follow from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = WaitingFor)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum WaitingObject {
    /// Its time.
    Due {
        /// When it is.
        at: String,
    },
    /// The time of its next attempt.
    Retry {
        /// When it is.
        at: String,
        /// How many attempts were made.
        after_attempt: u32,
    },
    /// The end of a pause.
    Paused {
        /// `queue NAME` or `tag NAME`.
        scope: String,
        /// When it ends; `null` if someone has to resume it.
        until: Option<String>,
        /// Why, for people.
        reason: String,
    },
    /// A slot of a limit.
    Slot {
        /// `queue NAME` or `tag NAME`.
        scope: String,
        /// Some of the runs that have the slots.
        held_by: Vec<String>,
        /// How many slots there are.
        max_running: u32,
    },
    /// The next start that a rate allows.
    Rate {
        /// `queue NAME` or `tag NAME`.
        scope: String,
    },
    /// A worker that serves its queue and has room for it. One whose runs have all memory of guests, or compute for long on all threads, claims
    /// no more.
    NoWorker {
        /// The queue.
        queue: String,
    },
    /// A worker that has claimed it: to start it, to end it, or to stop it.
    Worker {
        /// The worker.
        worker: String,
        /// Whether the worker stops it.
        stops: bool,
    },
}

/// What a run waits for; nothing, if it has ended.
pub fn waiting_for(entry: &JournalEntry, limits: &[LimitUse], now: Timestamp) -> Vec<WaitingObject> {
    if entry.state().is_terminal() {
        return Vec::new();
    }
    if let Some(claim) = entry.claim() {
        let stops = entry.state() == State::Cancelling;
        return vec![WaitingObject::Worker { worker: claim.worker.to_string(), stops }];
    }
    if entry.waits_for_time() && entry.due() > now {
        let at = instant(entry.due());
        let attempts = entry.record().ended_attempts();
        return vec![match attempts {
            0 => WaitingObject::Due { at },
            after_attempt => WaitingObject::Retry { at, after_attempt },
        }];
    }
    let spec = entry.record().spec();
    let kept_back = limits.iter().filter(|used| used.scope.has(spec)).filter_map(|used| of_limit(used, now));
    let kept_back: Vec<_> = kept_back.collect();
    if kept_back.is_empty() {
        return vec![WaitingObject::NoWorker { queue: spec.queue.to_string() }];
    }
    kept_back
}

fn of_limit(used: &LimitUse, now: Timestamp) -> Option<WaitingObject> {
    let scope = used.scope.to_string();
    if let Some(pause) = used.pause.as_ref().filter(|pause| pause.until.is_none_or(|until| until > now)) {
        let (until, reason) = (pause.until.map(instant), pause.reason.to_string());
        return Some(WaitingObject::Paused { scope, until, reason });
    }
    match used.limit.max_running {
        Some(max_running) if used.held >= u64::from(max_running) => {
            let held_by = used.holders.iter().map(ToString::to_string).collect();
            Some(WaitingObject::Slot { scope, held_by, max_running })
        }
        Some(_) | None => {
            (used.limit.rate.is_some() && used.waiting > 0).then_some(WaitingObject::Rate { scope })
        }
    }
}

/// Reads a list of them, without those that only later versions know.
pub(crate) fn known<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<WaitingObject>, D::Error> {
    let found = Vec::<serde_json::Value>::deserialize(from)?;
    Ok(found.into_iter().filter_map(|one| serde_json::from_value(one).ok()).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hostel::journal::{LimitScope, Pause, RunLimit, RunSpec};
    use hostel::{Digest, ExportPath, RunId, TaskKey};

    use super::*;

    fn at(second: u64) -> Timestamp {
        Timestamp::from_unix_nanos(second * 1_000_000_000)
    }

    fn entry(due: Option<u64>) -> JournalEntry {
        let task = TaskKey { component: Digest::of(b""), export: ExportPath::top_level("add") };
        let mut spec = RunSpec::new(RunId::from_bytes([1; 16]), task, Arc::default(), at(0));
        spec.due = due.map(at);
        JournalEntry::born(at(0), spec).0
    }

    fn limit(max_running: Option<u32>, pause: Option<Pause>) -> LimitUse {
        LimitUse {
            scope: LimitScope::Queue("default".parse().unwrap()),
            limit: RunLimit { max_running, rate: None },
            pause,
            held: 1,
            holders: vec![RunId::from_bytes([2; 16])],
            waiting: 1,
        }
    }

    #[test]
    fn a_run_waits_for_one_thing_after_the_other() {
        let check = |entry: &JournalEntry, limits: &[LimitUse], expected: serde_json::Value| {
            assert_eq!(serde_json::to_value(waiting_for(entry, limits, at(5))).unwrap(), expected);
        };
        let due = serde_json::json!([{ "kind": "due", "at": "1970-01-01T00:00:09Z" }]);
        check(&entry(Some(9)), &[], due);
        let none = serde_json::json!([{ "kind": "no-worker", "queue": "default" }]);
        check(&entry(Some(4)), &[limit(Some(2), None)], none);
        let slot = serde_json::json!([{
            "kind": "slot", "scope": "queue default", "held_by": ["02020202-0202-0202-0202-020202020202"],
            "max_running": 1,
        }]);
        check(&entry(None), &[limit(Some(1), None)], slot);
        let pause = Pause { until: None, reason: "repairs".into() };
        let paused = serde_json::json!([{
            "kind": "paused", "scope": "queue default", "until": null, "reason": "repairs",
        }]);
        check(&entry(None), &[limit(Some(1), Some(pause))], paused);
        let mut ended = entry(None);
        ended.cancel(at(1));
        check(&ended, &[], serde_json::json!([]));
    }
}
