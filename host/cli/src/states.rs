//! Runs, their errors and their attempts as JSON, for programs to read.

use std::time::Duration;

use hostel::{Attempt, Event, Failure, FailureKind, Outcome, Signature, State, TaskFuture};
use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use crate::output::printed::Printed;
use crate::output::{self, Shown};
use crate::receipt::ReceiptObject;
use crate::report;
use crate::ui::text::instant;

/// A run, as `--states` shows it. Fields that are `None` are left out.
#[derive(Serialize)]
pub(crate) struct RunObject<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    run: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Vec<String>>,
    state: &'static str,
    /// The outer `Option` says whether there is a value; the inner one is `null` for a function without a result.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Option<Shown<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorText>,
    /// Present for every run, unlike the attempts themselves, which make a line long.
    pub(crate) attempt_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<Vec<AttemptObject>>,
    /// The grants of the run, without the values of variables.
    #[serde(skip_serializing_if = "Option::is_none")]
    grants: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<ReceiptObject>,
}

/// One attempt of a run.
#[derive(Serialize)]
struct AttemptObject {
    number: u32,
    began_at: String,
    duration_ms: Option<f64>,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorText>,
    /// The output of a program that did not complete; if it completed, the output is the value.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_printed")]
    stdout: Vec<u8>,
}

/// Why a run or an attempt did not complete.
#[derive(Serialize)]
pub(crate) struct ErrorText {
    kind: &'static str,
    message: String,
    /// The typed error of the guest.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Json>,
    /// The last lines of stderr, which have a panic's message.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stderr: Vec<String>,
}

impl<'a> RunObject<'a> {
    /// A run with this outcome, if it has ended.
    pub(crate) fn new(run: &TaskFuture, outcome: Option<&'a Outcome>, signature: &'a Signature) -> Self {
        Self {
            index: None,
            run: run.id().to_string(),
            name: None,
            task: None,
            tags: None,
            state: run.state().name(),
            value: outcome.and_then(|outcome| value(outcome, signature)),
            error: outcome.and_then(|outcome| ErrorText::of(outcome, signature)),
            attempt_count: attempt_count(run),
            attempts: None,
            grants: None,
            receipt: None,
        }
    }

    pub(crate) fn of_item(self, index: usize) -> Self {
        Self { index: Some(index), ..self }
    }

    pub(crate) fn named(self, run: &TaskFuture) -> Self {
        Self { name: Some(run.name().to_string()), ..self }
    }

    /// With the task and the tags too.
    pub(crate) fn labelled(self, run: &TaskFuture) -> Self {
        let tags = run.tags().iter().map(ToString::to_string).collect();
        Self { task: Some(run.task().key().to_string()), tags: Some(tags), ..self }
    }

    pub(crate) fn with_attempts(self, run: &TaskFuture, signature: &Signature) -> Self {
        let attempts = run.attempts();
        let attempts = attempts.iter().map(|attempt| AttemptObject::new(attempt, signature)).collect();
        Self { attempts: Some(attempts), ..self }
    }

    pub(crate) fn with_grants(self, run: &TaskFuture) -> Self {
        Self { grants: Some(run.task().granted().texts()), ..self }
    }

    pub(crate) fn with_receipt(self, run: &TaskFuture) -> Self {
        Self { receipt: Some(ReceiptObject::from(&run.receipt())), ..self }
    }
}

impl AttemptObject {
    fn new(attempt: &Attempt, signature: &Signature) -> Self {
        let outcome = attempt.outcome.as_deref();
        Self {
            number: attempt.number,
            began_at: instant(attempt.began_at),
            // In thousandths: finer digits are noise.
            duration_ms: attempt.duration().map(|took| (took.as_secs_f64() * 1e6).round() / 1e3),
            state: outcome.map_or(State::Running, state).name(),
            error: outcome.and_then(|outcome| ErrorText::of(outcome, signature)),
            stdout: attempt.stdout.clone(),
        }
    }
}

fn as_printed<S: Serializer>(stdout: &[u8], to: S) -> Result<S::Ok, S::Error> {
    Printed(stdout).serialize(to)
}

impl ErrorText {
    /// `None` for a run that completed.
    pub(crate) fn of(outcome: &Outcome, signature: &Signature) -> Option<Self> {
        let kind = error_kind(outcome)?;
        let message = report::cause(outcome)?;
        let mut error = Self { kind, message, value: None, stderr: Vec::new() };
        if let Outcome::Failed(failure) = outcome {
            error.stderr = failure.stderr_tail().to_vec();
            if let Failure::Error(value) = failure {
                error.value = Some(output::json(value, signature.error_type()));
            }
        }
        Some(error)
    }
}

/// The value, if the run completed with one.
pub(crate) fn value<'a>(outcome: &'a Outcome, signature: &'a Signature) -> Option<Option<Shown<'a>>> {
    match outcome {
        Outcome::Completed(value) => Some(output::as_json(value, signature.completed_type())),
        Outcome::Failed(_) | Outcome::Crashed { .. } | Outcome::Cancelled => None,
    }
}

/// The number of attempts that a run has started; none if its value was cached.
pub(crate) fn attempt_count(run: &TaskFuture) -> usize {
    run.history().iter().filter(|transition| transition.cause == Some(Event::Started)).count()
}

/// A duration in whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn to_json(line: &impl Serialize) -> String {
    // Cannot fail: no map with keys other than strings, and no writer that could.
    serde_json::to_string(line).unwrap_or_default()
}

/// The state in which a run ends with this outcome.
const fn state(outcome: &Outcome) -> State {
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
