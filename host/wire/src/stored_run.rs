//! Runs of a journal, with everything that is known of them.

use std::borrow::Cow;

use hostel::journal::{JournalEntry, UniqueMode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::run::RunObject;
use crate::stored::{InputJson, StoredRun};
use crate::time::instant;

/// A run of a journal: a [`RunObject`], and what only a journal knows. Fields that are `None` are left out.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = StoredRun)]
#[non_exhaustive]
pub struct StoredRunObject<'a> {
    /// The run as it would be in memory.
    #[serde(flatten)]
    pub run: RunObject<'a>,
    /// Its inputs, one for each parameter, if they were asked for. For a map, one that says what its items were.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Value>>)]
    pub inputs: Option<Vec<InputJson<'a>>>,
    /// The function of a script that it calls, if its task is that of a language runtime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Its queue: `hostel.run` for a run that no worker executed, and `hostel.map` for the record of a map.
    pub queue: String,
    /// Its priority.
    pub priority: i32,
    /// The key that no other unfinished run of its queue may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique_key: Option<String>,
    /// What happens to a new run with its key: `existing`, `reject`, `replace` or `debounce`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique_mode: Option<Cow<'static, str>>,
    /// The schedule that submitted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// The time of the schedule for which it was submitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// The run that submitted it, or the map that it is an item of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The trace of the request that submitted it, and the span in it, as a `traceparent` header has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// When it was submitted.
    pub created: String,
    /// When its next attempt is or was due.
    pub due: String,
    /// Every state that it came to, in order.
    pub history: Vec<StateObject>,
    /// How often a worker was lost that executed it.
    pub crashes: u32,
    /// The worker that has claimed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// Whether it ended badly, and nobody has seen that.
    pub needs_attention: bool,
    /// The run that made its value, if the value came from the cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_from: Option<String>,
}

/// A state that a run came to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = State)]
#[non_exhaustive]
pub struct StateObject {
    /// When.
    pub at: String,
    /// The state.
    pub state: Cow<'static, str>,
}

impl<'a> StoredRunObject<'a> {
    /// A run, and the journal's entry about it.
    pub fn new(run: RunObject<'a>, entry: &JournalEntry) -> Self {
        let head = entry.head();
        let (spec, history) = (entry.record().spec(), entry.record().history().iter());
        let unique = spec.unique.as_ref();
        Self {
            run,
            inputs: None,
            function: head.function.as_ref().map(ToString::to_string),
            queue: head.queue.to_string(),
            priority: head.priority,
            unique_key: unique.map(|unique| unique.key.to_string()),
            unique_mode: unique.map(|unique| mode(unique.mode).into()),
            schedule: head.schedule.as_ref().map(ToString::to_string),
            slot: spec.schedule.as_ref().map(|slot| instant(slot.slot)),
            parent: spec.parent.as_ref().map(ToString::to_string),
            traceparent: spec.trace.as_ref().map(ToString::to_string),
            created: instant(head.created),
            due: instant(head.due),
            history: history
                .map(|one| StateObject { at: instant(one.at), state: one.state.name().into() })
                .collect(),
            crashes: head.crashes,
            worker: head.worker.as_ref().map(ToString::to_string),
            needs_attention: head.needs_attention,
            cached_from: entry.record().cached_from().map(|producer| producer.to_string()),
        }
    }

    /// With its inputs.
    #[must_use]
    pub fn with_inputs(self, stored: &'a StoredRun<'_>) -> Self {
        Self { inputs: Some(stored.inputs().collect()), ..self }
    }
}

const fn mode(mode: UniqueMode) -> &'static str {
    match mode {
        UniqueMode::Existing => "existing",
        UniqueMode::Reject => "reject",
        UniqueMode::Replace => "replace",
        UniqueMode::Debounce { .. } => "debounce",
    }
}
