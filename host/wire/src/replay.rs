//! Replays of stored runs.

use hostel::{Outcome, Replay, Signature};
use serde::Serialize;

use crate::error::ErrorObject;
use crate::run::value;
use crate::value::ValueJson;

/// A replay of a run.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ReplayObject<'a> {
    /// The id of the recorded run.
    pub run: String,
    /// Whether it ended as it did before.
    pub same: bool,
    /// How it ended, as recorded.
    pub recorded: EndObject<'a>,
    /// How it ended this time.
    pub replayed: EndObject<'a>,
    /// What the result may depend on that was not recorded, in words.
    pub may_differ: Vec<String>,
}

/// How a run ended: with a value or an error.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct EndObject<'a> {
    /// The value. The outer `Option` says whether there is one; the inner one is `null` for a function without a result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Option<ValueJson<'a>>>,
    /// Why it did not complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorObject>,
}

impl<'a> EndObject<'a> {
    /// An outcome of a run of a task with this signature.
    pub fn new(outcome: &'a Outcome, signature: &'a Signature) -> Self {
        let error = ErrorObject::of(outcome, signature);
        Self { value: value(outcome, signature.completed_type()), error }
    }
}

impl<'a> ReplayObject<'a> {
    /// A replay of the run with this id.
    pub fn new(run: hostel::RunId, replay: &'a Replay) -> Self {
        let signature = replay.run.task().signature();
        Self {
            run: run.to_string(),
            same: replay.is_same,
            recorded: EndObject::new(&replay.recorded, signature),
            replayed: EndObject::new(&replay.replayed, signature),
            may_differ: replay.may_differ.clone(),
        }
    }
}
