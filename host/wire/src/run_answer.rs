//! A run, as a server answers it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::stored_run::StoredRunObject;
use crate::waiting::{WaitingObject, known};

/// A run, as the server answers it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = RunAnswer)]
pub struct RunAnswerObject<'a> {
    /// The run.
    #[serde(flatten)]
    pub run: StoredRunObject<'a>,
    /// Why it has not started or ended.
    #[serde(deserialize_with = "known")]
    pub waiting_for: Vec<WaitingObject>,
    /// Present after a submission: whether the run was there before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub existing: Option<bool>,
}
