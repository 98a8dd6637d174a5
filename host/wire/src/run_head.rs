//! Runs in lists.

use std::borrow::Cow;

use hostel::journal::RunHead;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::time::instant;

/// A run as lists show it: everything that is small. Fields that are `None` are left out.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = RunHead)]
#[non_exhaustive]
pub struct RunHeadObject {
    /// The run's id.
    pub run: String,
    /// Its name.
    pub name: String,
    /// The key of its task: `sha256:DIGEST#EXPORT`.
    pub task: String,
    /// The function of a script that it calls, if its task is that of a language runtime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its state, such as `Completed`.
    pub state: Cow<'static, str>,
    /// Its queue.
    pub queue: String,
    /// Its priority.
    pub priority: i32,
    /// When it was submitted.
    pub created: String,
    /// When its next attempt is or was due.
    pub due: String,
    /// When its last attempt began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// How many attempts have begun.
    pub attempt_count: u32,
    /// How often a worker was lost that executed it.
    pub crashes: u32,
    /// The worker that has claimed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// The schedule that submitted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// What went wrong, in one line, if it ended badly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether it ended badly, and nobody has seen that.
    pub needs_attention: bool,
}

impl From<&RunHead> for RunHeadObject {
    fn from(head: &RunHead) -> Self {
        Self {
            run: head.run.to_string(),
            name: head.name.to_string(),
            task: head.task.to_string(),
            function: head.function.as_ref().map(ToString::to_string),
            tags: head.tags.iter().map(ToString::to_string).collect(),
            state: head.state.name().into(),
            queue: head.queue.to_string(),
            priority: head.priority,
            created: instant(head.created),
            due: instant(head.due),
            started: head.started.map(instant),
            ended: head.ended.map(instant),
            attempt_count: head.attempts,
            crashes: head.crashes,
            worker: head.worker.as_ref().map(ToString::to_string),
            schedule: head.schedule.as_ref().map(ToString::to_string),
            error: head.error.as_ref().map(ToString::to_string),
            needs_attention: head.needs_attention,
        }
    }
}
