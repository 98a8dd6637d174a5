//! A line of a map's results.

use hostel::{Outcome, Signature};
use serde::Serialize;

use crate::error::ErrorObject;
use crate::run::{RunObject, value};
use crate::value::ValueJson;

/// The line for one item of a map.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum MapLine<'a> {
    /// The run, with its index and state.
    Run(Box<RunObject<'a>>),
    /// The item did not complete. No WIT name begins with `$`, so this is never a value.
    Error {
        /// Why not.
        #[serde(rename = "$error")]
        error: ErrorObject,
    },
    /// The value alone; `null` if there is none.
    Value(Option<ValueJson<'a>>),
}

impl<'a> MapLine<'a> {
    /// The line without the run: a value or an error.
    pub fn of(outcome: &'a Outcome, signature: &'a Signature) -> Self {
        match ErrorObject::of(outcome, signature) {
            Some(error) => Self::Error { error },
            None => Self::Value(value(outcome, signature.completed_type()).flatten()),
        }
    }
}

impl<'a> From<RunObject<'a>> for MapLine<'a> {
    fn from(run: RunObject<'a>) -> Self {
        Self::Run(Box::new(run))
    }
}
