//! Runs of a journal, with everything that is known of them.

use hostel::journal::JournalEntry;
use serde::Serialize;
use utoipa::ToSchema;

use crate::run::RunObject;
use crate::time::instant;

/// A run of a journal: a [`RunObject`], and what only a journal knows. Fields that are `None` are left out.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = StoredRun)]
#[non_exhaustive]
pub struct StoredRunObject<'a> {
    /// The run as it would be in memory.
    #[serde(flatten)]
    pub run: RunObject<'a>,
    /// Its queue.
    pub queue: String,
    /// Its priority.
    pub priority: i32,
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
}

/// A state that a run came to.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = State)]
#[non_exhaustive]
pub struct StateObject {
    /// When.
    pub at: String,
    /// The state.
    pub state: &'static str,
}

impl<'a> StoredRunObject<'a> {
    /// A run, and the journal's entry about it.
    pub fn new(run: RunObject<'a>, entry: &JournalEntry) -> Self {
        let head = entry.head();
        let history = entry.record().history().iter();
        Self {
            run,
            queue: head.queue.to_string(),
            priority: head.priority,
            created: instant(head.created),
            due: instant(head.due),
            history: history
                .map(|one| StateObject { at: instant(one.at), state: one.state.name() })
                .collect(),
            crashes: head.crashes,
            worker: head.worker.as_ref().map(ToString::to_string),
            needs_attention: head.needs_attention,
        }
    }
}
