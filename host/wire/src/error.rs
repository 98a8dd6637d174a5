//! Why a run or an attempt did not complete.

use hostel::{Failure, FailureKind, Outcome, ScriptFailure, Signature, State, Type};
use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use crate::text::printable;
use crate::value::json;

/// Why a run or an attempt did not complete.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = Error)]
#[non_exhaustive]
pub struct ErrorObject {
    /// The kind of the failure (`error`, `trap`, `exit`, `limit`, `timeout`, `upstream`), or `crash`, or `cancelled`.
    pub kind: &'static str,
    /// The cause on one line, with deceptive characters escaped.
    pub message: String,
    /// The typed error of the guest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value)]
    pub value: Option<Json>,
    /// The last lines of stderr, which have a panic's message.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stderr: Vec<String>,
}

impl ErrorObject {
    /// `None` for a run that completed.
    pub fn of(outcome: &Outcome, signature: &Signature) -> Option<Self> {
        Self::typed(outcome, signature.error_type())
    }

    /// The same for a function whose typed errors have this type.
    pub(crate) fn typed(outcome: &Outcome, error_type: &Type) -> Option<Self> {
        let kind = error_kind(outcome)?;
        let message = cause(outcome)?;
        let mut error = Self { kind, message, value: None, stderr: Vec::new() };
        if let Outcome::Failed(failure) = outcome {
            error.stderr = failure.stderr_tail().to_vec();
            if let Failure::Error(value) = failure {
                error.value = Some(json(value, error_type));
            }
        }
        Some(error)
    }
}

/// The cause of a failure on one line, without the state, and with deceptive characters escaped; `None` for a run that
/// completed.
pub fn cause(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Completed(_) => None,
        Outcome::Failed(failure) => Some(printable(&failure_text(failure)).into_owned()),
        Outcome::Crashed { reason } => Some(format!("crashed: {}", printable(reason))),
        Outcome::Cancelled => Some("cancelled".to_owned()),
    }
}

/// What failed. Of an exception of a script it is the class and the message.
pub fn failure_text(failure: &Failure) -> String {
    match ScriptFailure::of(failure) {
        Some(thrown @ ScriptFailure::Thrown { .. }) => thrown.to_string(),
        _ => failure.to_string(),
    }
}

/// The state in which a run ends with this outcome.
pub(crate) const fn state(outcome: &Outcome) -> State {
    match outcome {
        Outcome::Completed(_) => State::Completed,
        Outcome::Failed(failure) => match failure.kind() {
            FailureKind::Timeout => State::TimedOut,
            FailureKind::Upstream => State::UpstreamFailed,
            FailureKind::Error | FailureKind::Trap | FailureKind::Exit | FailureKind::Limit => State::Failed,
        },
        Outcome::Crashed { .. } => State::Crashed,
        Outcome::Cancelled => State::Cancelled,
    }
}

/// The word for why something did not complete; for a failure, its kind.
const fn error_kind(outcome: &Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Completed(_) => None,
        Outcome::Failed(failure) => Some(failure.kind().name()),
        Outcome::Crashed { .. } => Some("crash"),
        Outcome::Cancelled => Some("cancelled"),
    }
}
