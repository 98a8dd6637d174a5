//! Why a run or an attempt did not complete.

use std::borrow::Cow;

use hostel::{Failure, FailureKind, Frame, Outcome, Signature, State, Type};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use utoipa::ToSchema;

use crate::text::printable;
use crate::value::json;

/// Why a run or an attempt did not complete.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Error)]
#[non_exhaustive]
pub struct ErrorObject {
    /// The kind of the failure (`error`, `trap`, `exit`, `limit`, `timeout`, `upstream`), or `crash`, or `cancelled`.
    pub kind: Cow<'static, str>,
    /// The cause on one line, with deceptive characters escaped.
    pub message: String,
    /// The typed error of the guest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value)]
    pub value: Option<Json>,
    /// The last lines of stderr, which have a panic's message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stderr: Vec<String>,
    /// Where a guest trapped, innermost first. Only runs of a journal have it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backtrace: Vec<FrameObject>,
}

/// A call of a backtrace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Frame)]
#[non_exhaustive]
pub struct FrameObject {
    /// The name of the function, if the component has names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// The index of the function in its module.
    pub index: u32,
    /// The source file and line, if the component has debug information.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

impl FrameObject {
    /// The call.
    pub fn frame(&self) -> Frame {
        Frame { function: self.function.clone(), index: self.index, source: self.source.clone() }
    }
}

impl ErrorObject {
    /// With the backtrace of a trap.
    pub(crate) fn with_backtrace(self, outcome: &Outcome) -> Self {
        let Outcome::Failed(Failure::Trap(trap)) = outcome else { return self };
        let frame = |frame: &Frame| FrameObject {
            function: frame.function.clone(),
            index: frame.index,
            source: frame.source.clone(),
        };
        Self { backtrace: trap.backtrace.iter().map(frame).collect(), ..self }
    }

    /// `None` for a run that completed.
    pub fn of(outcome: &Outcome, signature: &Signature) -> Option<Self> {
        Self::typed(outcome, signature.error_type())
    }

    /// The same for a function whose typed errors have this type.
    pub(crate) fn typed(outcome: &Outcome, error_type: &Type) -> Option<Self> {
        let kind = error_kind(outcome)?.into();
        let message = cause(outcome)?;
        let mut error = Self { kind, message, value: None, stderr: Vec::new(), backtrace: Vec::new() };
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
        Outcome::Failed(failure) => Some(printable(&failure.to_string()).into_owned()),
        Outcome::Crashed { reason } => Some(format!("crashed: {}", printable(reason))),
        Outcome::Cancelled => Some("cancelled".to_owned()),
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
