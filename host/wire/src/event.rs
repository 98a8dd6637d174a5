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
