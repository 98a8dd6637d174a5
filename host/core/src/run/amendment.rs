//! What may be changed about a run that waits.

use std::sync::Arc;

use super::{QueueName, RunSpec};
use crate::{Tags, Timestamp};

/// Changes of a run that waits for its first attempt. What is `None` stays. Its task, its arguments and all other options never change:
/// for that, submit another run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amendment {
    /// Its priority.
    pub priority: Option<i32>,
    /// When it is due. If that is later than now, the run becomes [`Scheduled`](crate::State::Scheduled).
    pub due: Option<Timestamp>,
    /// Its queue.
    pub queue: Option<QueueName>,
    /// Its own tags, instead of those that it has. Those of its task stay.
    pub tags: Option<Tags>,
}

impl Amendment {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn apply_to(&self, run: &mut RunSpec) {
        let Self { priority, due, queue, tags } = self;
        if let Some(priority) = *priority
            && priority != run.spec.priority
        {
            Arc::make_mut(&mut run.spec).priority = priority;
        }
        run.due = due.or(run.due);
        run.queue = queue.clone().unwrap_or_else(|| run.queue.clone());
        run.tags = tags.clone().unwrap_or_else(|| run.tags.clone());
    }
}
