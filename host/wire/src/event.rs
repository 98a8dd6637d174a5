//! Events of a journal.

use std::borrow::Cow;

use hostel::journal::JournalEvent;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::time::instant;

/// Something that happened to a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Event)]
#[non_exhaustive]
pub struct EventObject {
    /// Its number, counted from 1 over all runs. A gap means that a run was removed.
    pub seq: u64,
    /// The run.
    pub run: String,
    /// The version of the run after the event.
    pub version: u64,
    /// The state of the run after the event.
    pub state: Cow<'static, str>,
    /// When it happened.
    pub at: String,
    /// What happened: `Born`, `Amended`, `Named`, `AttemptEnded`, or the name of an event of the states, such as `Started`.
    pub kind: Cow<'static, str>,
}

impl EventObject {
    /// Every kind that a journal stores. Waiting for a slot is an event of one host, and so is none.
    pub const KINDS: [&str; 19] = [
        "Born",
        "Amended",
        "Named",
        "AttemptEnded",
        "CameDue",
        "Started",
        "RetryPlanned",
        "CancelRequested",
        "Completed",
        "CacheHit",
        "Failed",
        "TimedOut",
        "UpstreamFailed",
        "Crashed",
        "Rescued",
        "Cancelled",
        "RolledBack",
        "RetryRequested",
        "Postponed",
    ];
}

impl From<&JournalEvent> for EventObject {
    fn from(event: &JournalEvent) -> Self {
        Self {
            seq: event.seq,
            run: event.run.to_string(),
            version: event.version,
            state: event.state.name().into(),
            at: instant(event.at),
            kind: event.change.name().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use hostel::journal::RunChange;
    use hostel::{Event, RunId, Timestamp};

    use super::*;

    #[test]
    fn the_kinds_are_those_of_changes() {
        let changes = [RunChange::Born, RunChange::Amended, RunChange::Named, RunChange::AttemptEnded];
        assert_eq!(changes.map(RunChange::name), EventObject::KINDS[..4]);
        let each = Event::each(Timestamp::from_unix_nanos(1), RunId::from_bytes([1; 16]));
        let is_local = |event: &Event| matches!(event, Event::SlotAwaited | Event::SlotGranted);
        let stored: Vec<_> = each.iter().filter(|event| !is_local(event)).map(|event| event.name()).collect();
        assert_eq!(stored, EventObject::KINDS[4..]);
    }
}
