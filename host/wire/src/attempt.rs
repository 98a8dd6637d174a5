//! One attempt of a run.

use std::borrow::Cow;

use hostel::journal::AttemptRecord;
use hostel::{Attempt, Outcome, Signature, State};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

use crate::error::{ErrorObject, state};
use crate::stored::TypedOutcome;
use crate::time::{exact_millis, instant};
use crate::value::{Printed, printed_bytes};

/// One attempt of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Attempt)]
#[non_exhaustive]
pub struct AttemptObject {
    /// Counted from 1.
    pub number: u32,
    /// When it began, in RFC 3339.
    pub began_at: String,
    /// How long it took in milliseconds; `null` while it executes.
    pub duration_ms: Option<f64>,
    /// `Running`, or the state in which a run ends with this outcome.
    pub state: Cow<'static, str>,
    /// Why it did not complete. In a run of a journal, the errors of all attempts have at most 1 MiB, those of the last ones first; the others
    /// say that they are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorObject>,
    /// The output of a program that did not complete; if it completed, the output is the value.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        serialize_with = "as_printed",
        deserialize_with = "printed_bytes"
    )]
    #[schema(value_type = Value)]
    pub stdout: Vec<u8>,
}

impl AttemptObject {
    /// An attempt of a function with this signature.
    pub fn new(attempt: &Attempt, signature: &Signature) -> Self {
        let outcome = attempt.outcome.as_deref();
        Self {
            number: attempt.number,
            began_at: instant(attempt.began_at),
            duration_ms: attempt.duration().map(exact_millis),
            state: outcome.map_or(State::Running, state).name().into(),
            error: outcome.and_then(|outcome| ErrorObject::of(outcome, signature)),
            stdout: attempt.stdout.clone(),
        }
    }
}

impl AttemptObject {
    /// An attempt of a journal with its outcome. `None` means that it executes, or was lost with its host. One that was cancelled,
    /// although its run went on, was given back by its worker.
    pub(crate) fn stored(attempt: &AttemptRecord, outcome: Option<&TypedOutcome>, run: State) -> Self {
        let lost =
            attempt.ended.filter(|_| outcome.is_none()).map(|_| Outcome::Crashed { reason: LOST.to_owned() });
        let outcome = outcome.cloned().or(lost.map(TypedOutcome::untyped));
        let error = outcome.as_ref().and_then(|typed| ErrorObject::typed(&typed.outcome, &typed.ty));
        let was_cancelled = outcome.as_ref().is_some_and(|typed| matches!(typed.outcome, Outcome::Cancelled));
        let is_given_back = was_cancelled && run != State::Cancelled;
        let message = GIVEN_BACK.to_owned();
        Self {
            number: attempt.number,
            began_at: instant(attempt.began),
            duration_ms: attempt.ended.map(|ended| exact_millis(ended.since(attempt.began))),
            state: outcome.as_ref().map_or(State::Running, |typed| state(&typed.outcome)).name().into(),
            error: error.map(|error| if is_given_back { ErrorObject { message, ..error } } else { error }),
            stdout: Vec::new(),
        }
    }
}

/// The reason for the end of an attempt that no host reported.
const LOST: &str = "its host was lost";

/// The reason for the end of an attempt whose worker stopped.
const GIVEN_BACK: &str = "given back by its worker";

fn as_printed<S: Serializer>(stdout: &[u8], to: S) -> Result<S::Ok, S::Error> {
    Printed(stdout).serialize(to)
}
