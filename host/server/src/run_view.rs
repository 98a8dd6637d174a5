//! The JSON of runs in the journal, without what the token may not see.

use std::sync::Arc;

use axum::response::Response;
use hostel::journal::{InputSpec, Journal, JournalEntry, JournalError, LimitUse, RunHead, StoredValue};
use hostel::{ErrorKind, RunFilter, Type, Value};
use hostel_wire::{
    AttemptObject, ErrorObject, RunAnswerObject, RunHeadObject, RunObject, StoredRun, StoredRunObject, json,
    run_filter, waiting_for,
};
use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use crate::app::App;
use crate::clock::now;
use crate::large::{JSON, Text};
use crate::problem::{Answer, ApiProblem, Code};
use crate::restricted::Subject;
use crate::scope::Scope;
use crate::tokens::Identity;

/// What is said about a failure to those who may not see values.
const HIDDEN: &str = "the token has no scope read:values, which shows the message";

/// A value in the forms that programs and people read.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = ValueForms)]
pub(crate) struct ValueForms {
    /// Its name, for an input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// Its type in WIT.
    #[serde(rename = "type")]
    pub(crate) ty: String,
    /// The value.
    #[schema(value_type = Value)]
    pub(crate) value: Json,
    /// The value as WebAssembly value encoding.
    pub(crate) wave: String,
}

impl ValueForms {
    pub(crate) fn new(name: Option<String>, value: &Value, ty: &Type) -> Self {
        Self { name, ty: ty.to_string(), value: json(value, ty), wave: value.to_string() }
    }
}

/// The answer with a run.
pub(crate) async fn run_answer(
    app: &App,
    entry: JournalEntry,
    identity: Identity,
    existing: Option<bool>,
) -> Answer<Response> {
    let (place, journal) = (app.places.of_run(&entry).await?, Arc::clone(&app.journal));
    let make = move |text: &mut Text| write_run(text, &*journal, &entry, &identity, existing);
    place.answer(&app.blocking, JSON, make).await
}

/// Writes a run as JSON. Blocks, because long values are read from disk.
fn write_run(
    text: &mut Text,
    journal: &dyn Journal,
    entry: &JournalEntry,
    identity: &Identity,
    existing: Option<bool>,
) -> Answer<()> {
    let limits: Vec<LimitUse> = if entry.state().is_terminal() { Vec::new() } else { journal.limits()? };
    with_run(journal, entry, identity, |run| {
        let run = StoredRunObject::new(run, entry);
        let answer = RunAnswerObject { run, waiting_for: waiting_for(entry, &limits, now()), existing };
        text.json(&answer)
    })
}

/// Calls a function with a run, as far as the token may see it.
pub(crate) fn with_run<T>(
    journal: &dyn Journal,
    entry: &JournalEntry,
    identity: &Identity,
    call: impl FnOnce(RunObject<'_>) -> Answer<T>,
) -> Answer<T> {
    // A blob that cannot be read is reported as missing.
    let stored = StoredRun::read(entry.record(), |blob| journal.blob(blob).ok().flatten())?;
    let mut run = RunObject::stored(&stored);
    if !identity.allows(Scope::ReadValues, &Subject::of_spec(entry.record().spec())) {
        hide(&mut run);
    }
    call(run)
}

/// Takes out what guests have returned and printed.
fn hide(run: &mut RunObject<'_>) {
    run.value = None;
    run.error.iter_mut().for_each(hide_error);
    let attempts = run.attempts.iter_mut().flatten();
    attempts.for_each(|attempt: &mut AttemptObject| {
        attempt.error.iter_mut().for_each(hide_error);
        attempt.stdout.clear();
    });
}

fn hide_error(error: &mut ErrorObject) {
    error.value = None;
    error.stderr.clear();
    error.backtrace.clear();
    HIDDEN.clone_into(&mut error.message);
}

/// The entry of a list.
pub(crate) fn head(head: &RunHead, identity: &Identity) -> RunHeadObject {
    let mut object = RunHeadObject::from(head);
    if object.error.is_some() && !identity.allows(Scope::ReadValues, &Subject::of_head(head)) {
        object.error = object.error.map(|_| HIDDEN.to_owned());
    }
    object
}

/// Reads a filter of runs, as the command line has it, if the token may see what it asks about.
pub(crate) fn read_filter(words: &str, identity: &Identity) -> Answer<RunFilter> {
    read_filter_for(words, identity, &[])
}

/// The same for a request that needs these scopes, too.
pub(crate) fn read_filter_for(words: &str, identity: &Identity, needed: &[Scope]) -> Answer<RunFilter> {
    let filter = run_filter(words, now())?;
    let looks_at_values = filter.looks_at_values().then_some(Scope::ReadValues);
    let needed: Vec<Scope> = needed.iter().copied().chain(looks_at_values).collect();
    identity.require_all(&needed).map_err(|problem| match looks_at_values {
        Some(scope) if !identity.scopes.allow(scope) => {
            problem.hint("a filter by error or input shows values of runs: it needs the scope read:values")
        }
        Some(_) | None => problem,
    })?;
    Ok(filter)
}

/// A stored value with its type. Blocks.
pub(crate) fn read_value(journal: &dyn Journal, stored: &StoredValue) -> Answer<(Type, Value)> {
    let bytes = match stored {
        StoredValue::Bytes(bytes) => Some(Arc::clone(bytes)),
        StoredValue::Blob(blob) => journal.blob(blob)?,
    };
    let damaged = |problem: String| ApiProblem::new(Code::Kind(ErrorKind::Internal), problem);
    let bytes = bytes.ok_or_else(|| damaged("a value of the run is missing".to_owned()))?;
    Value::from_canonical(&bytes).map_err(|error| damaged(format!("a value of the run is damaged: {error}")))
}

/// The inputs of a run, in order. Blocks.
pub(crate) fn inputs(
    journal: &dyn Journal,
    entry: &JournalEntry,
    names: &[String],
) -> Answer<Vec<ValueForms>> {
    let inputs = entry.record().spec().inputs.iter().enumerate();
    let values = inputs.map(|(index, input)| {
        let name = names.get(index).cloned();
        let InputSpec::Value(value) = input else {
            let wave = "made of the results of other runs".to_owned();
            return Ok(ValueForms { name, ty: String::new(), value: Json::Null, wave });
        };
        let (ty, value) = read_value(journal, value)?;
        Ok(ValueForms::new(name, &value, &ty))
    });
    values.collect()
}

/// All of a call of the journal and what follows from it, with the problems of both.
pub(crate) fn entry_of(journal: &dyn Journal, run: hostel::RunId) -> Answer<JournalEntry> {
    let entry: Result<_, JournalError> = journal.get(run);
    entry?.ok_or_else(|| crate::app::unknown_run(run))
}
