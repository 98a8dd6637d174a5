//! Batches: one action on all runs that match a filter.

use std::borrow::Cow;

use hostel::journal::{Batch, BatchAction};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::filter_text::filter_text;
use crate::time::instant;

/// An action on all runs that match a filter and had arrived when the batch was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Batch)]
#[non_exhaustive]
pub struct BatchObject {
    /// Its number.
    pub batch: u64,
    /// `cancel`, `retry`, `seen` or `delete`.
    pub action: Cow<'static, str>,
    /// Which runs, as text; times ago have become instants. A filter by error or input needs the scope `read:values`.
    pub filter: String,
    /// `running`, `finished`, or `stopped` before it had acted on all.
    pub state: Cow<'static, str>,
    /// How many runs it has acted on.
    pub done: u64,
    /// How many runs refused the action.
    pub failed: u64,
    /// When it was made.
    pub created: String,
    /// When it had acted on all, or was stopped.
    pub ended: Option<String>,
}

impl From<&Batch> for BatchObject {
    fn from(batch: &Batch) -> Self {
        Self {
            batch: batch.id.number(),
            action: batch_action_name(batch.action).into(),
            filter: filter_text(&batch.filter),
            state: match (batch.is_finished(), batch.is_stopped) {
                (false, _) => "running",
                (true, false) => "finished",
                (true, true) => "stopped",
            }
            .into(),
            done: batch.done,
            failed: batch.failed,
            created: instant(batch.created),
            ended: batch.finished.map(instant),
        }
    }
}

/// The name of what a batch does.
pub const fn batch_action_name(action: BatchAction) -> &'static str {
    match action {
        BatchAction::Cancel => "cancel",
        BatchAction::Retry | BatchAction::RetryWithoutGrants => "retry",
        BatchAction::MarkSeen => "seen",
        BatchAction::Remove => "delete",
    }
}
