//! Runs.

use std::borrow::Cow;

use hostel::{Event, Outcome, Signature, TaskFuture, Transition, Type};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::attempt::AttemptObject;
use crate::error::ErrorObject;
use crate::receipt::ReceiptObject;
use crate::stored::StoredRun;
use crate::value::{ValueJson, as_json, present};

/// A run. Fields that are `None` are left out.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Run)]
#[non_exhaustive]
pub struct RunObject<'a> {
    /// The item of a map, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// The run's id.
    pub run: String,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The key of its task: `sha256:DIGEST#EXPORT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Its tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// Its state, such as `Completed`.
    pub state: Cow<'static, str>,
    /// The value. The outer `Option` says whether there is one; the inner one is `null` for a function without a result.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    #[schema(value_type = Value)]
    pub value: Option<Option<ValueJson<'a>>>,
    /// Why it did not complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorObject>,
    /// Present for every run, unlike the attempts themselves, which make a line long. 0 if its value was cached.
    pub attempt_count: usize,
    /// The attempts, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<Vec<AttemptObject>>,
    /// The grants of the run, without the values of variables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<String>>,
    /// What it used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptObject>,
}

impl<'a> RunObject<'a> {
    /// A run with this outcome, if it has ended.
    pub fn new(run: &TaskFuture, outcome: Option<&'a Outcome>, signature: &'a Signature) -> Self {
        Self {
            index: None,
            run: run.id().to_string(),
            name: None,
            task: None,
            tags: None,
            state: run.state().name().into(),
            value: outcome.and_then(|outcome| value(outcome, signature.completed_type())),
            error: outcome.and_then(|outcome| ErrorObject::of(outcome, signature)),
            attempt_count: attempt_count(run),
            attempts: None,
            grants: None,
            receipt: None,
        }
    }

    /// With everything that is known of it, except the index.
    #[must_use]
    pub fn whole(run: &TaskFuture, outcome: Option<&'a Outcome>, signature: &'a Signature) -> Self {
        let object = Self::new(run, outcome, signature).named(run).labelled(run);
        object.with_attempts(run, signature).with_grants(run).with_receipt(run)
    }

    /// A run of a journal, with everything that is known of it. It looks like the same run in memory, except that a journal
    /// has no output of a program that did not complete.
    pub fn stored(run: &'a StoredRun<'_>) -> Self {
        let (record, spec) = (run.record(), run.record().spec());
        let name = record.name().map_or_else(|| spec.task.run_name(spec.id), str::to_owned);
        let outcome = run.outcome();
        Self {
            index: None,
            run: spec.id.to_string(),
            name: Some(name),
            task: Some(spec.task.to_string()),
            tags: Some(spec.all_tags().iter().map(ToString::to_string).collect()),
            state: record.state().name().into(),
            value: outcome.and_then(|typed| value(&typed.outcome, &typed.ty)),
            error: outcome.and_then(|typed| {
                Some(ErrorObject::typed(&typed.outcome, &typed.ty)?.with_backtrace(&typed.outcome))
            }),
            attempt_count: starts(record.history()),
            attempts: Some(
                run.attempts()
                    .map(|(attempt, outcome)| AttemptObject::stored(attempt, outcome, record.state()))
                    .collect(),
            ),
            grants: Some(spec.spec.grants.texts()),
            receipt: Some(ReceiptObject::from(&run.receipt())),
        }
    }

    /// As an item of a map.
    #[must_use]
    pub fn of_item(self, index: usize) -> Self {
        Self { index: Some(index), ..self }
    }

    /// With its name.
    #[must_use]
    pub fn named(self, run: &TaskFuture) -> Self {
        Self { name: Some(run.name().to_string()), ..self }
    }

    /// With its task and tags.
    #[must_use]
    pub fn labelled(self, run: &TaskFuture) -> Self {
        let tags = run.tags().iter().map(ToString::to_string).collect();
        Self { task: Some(run.task().key().to_string()), tags: Some(tags), ..self }
    }

    /// With its attempts.
    #[must_use]
    pub fn with_attempts(self, run: &TaskFuture, signature: &Signature) -> Self {
        let attempts = run.attempts();
        let attempts = attempts.iter().map(|attempt| AttemptObject::new(attempt, signature)).collect();
        Self { attempts: Some(attempts), ..self }
    }

    /// With its grants.
    #[must_use]
    pub fn with_grants(self, run: &TaskFuture) -> Self {
        Self { grants: Some(run.task().granted().texts()), ..self }
    }

    /// With its receipt.
    #[must_use]
    pub fn with_receipt(self, run: &TaskFuture) -> Self {
        Self { receipt: Some(ReceiptObject::from(&run.receipt())), ..self }
    }
}

/// The value, if the run completed with one.
pub(crate) fn value<'a>(outcome: &'a Outcome, ty: &'a Type) -> Option<Option<ValueJson<'a>>> {
    match outcome {
        Outcome::Completed(value) => Some(as_json(value, ty)),
        Outcome::Failed(_) | Outcome::Crashed { .. } | Outcome::Cancelled => None,
    }
}

/// The number of attempts that a run has started; none if its value was cached.
pub fn attempt_count(run: &TaskFuture) -> usize {
    starts(&run.history())
}

/// The number of attempts that were started in a history.
fn starts(history: &[Transition]) -> usize {
    history.iter().filter(|transition| transition.cause == Some(Event::Started)).count()
}
