//! What runs were given, and what they have returned.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hostel::journal::{Journal, JournalEntry, StoredValue};
use hostel::registry::ComponentRef;
use hostel::{ErrorKind, Outcome, RunId, Value, result_for_callers};
use hostel_wire::{ErrorObject, ValueJson, printed};
use http::header::CONTENT_DISPOSITION;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::extract::{Path, Query, parsed};
use crate::large::{JSON, Text};
use crate::long_calls;
use crate::peers::Peer;
use crate::problem::{Answer, ApiProblem, Code};
use crate::run_view::{ValueForms, inputs, read_value, with_run};
use crate::submission::{wait, wait_for_end};
use crate::tokens::Identity;

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(get_result)).routes(routes!(get_inputs))
}

/// How to answer a result.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ResultQuery {
    /// Answer when the run has ended, or after this time: `30s`, at most `60s`.
    #[serde(default)]
    wait: Option<String>,
    /// `json`, `wave`, or `raw` for the bytes of a text, a `list<u8>` or the output of a program.
    #[serde(default)]
    #[param(inline)]
    form: Form,
}

/// A form of results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Form {
    #[default]
    Json,
    Wave,
    Raw,
}

/// How a run has ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RunResult)]
struct ResultObject<'a> {
    /// The run.
    run: String,
    /// Its state.
    state: Cow<'static, str>,
    /// The value, if it has completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value)]
    value: Option<Option<ValueJson<'a>>>,
    /// Why it did not complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorObject>,
}

/// Show how a run has ended
///
/// A run that failed is no error of the request: the answer has `error`.
#[utoipa::path(get, path = "/runs/{run}/result", operation_id = "get_result", tag = "runs",
    params(("run" = String, Path, description = "Its id"), ResultQuery),
    responses((status = 200, description = "It has ended; in the form that was asked for",
        content((ResultObject = "application/json"), (String = "text/plain"), (String = "application/octet-stream"))),
        (status = 202, description = "It has not ended", body = ResultObject)), security(("token" = ["read:values"])))]
async fn get_result(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Arc<Peer>>,
    identity: Identity,
    Path(run): Path<String>,
    Query(query): Query<ResultQuery>,
) -> Answer<Response> {
    let run = parsed::<RunId>("run", &run)?;
    if let Some(wait) = wait(query.wait.as_deref())? {
        wait_for_end(&app, &peer, run, wait).await?;
    }
    let _place = long_calls::place(&app.long_calls.runs, identity.digest).await?;
    let entry = app.entry(run).await?;
    let (place, journal) = (app.places.of_run(&entry).await?, Arc::clone(&app.journal));
    match query.form {
        Form::Json => {
            let status = if entry.state().is_terminal() { StatusCode::OK } else { StatusCode::ACCEPTED };
            let make = move |text: &mut Text| write_result(text, &*journal, &entry, &identity);
            Ok((status, place.answer(&app.blocking, JSON, make).await?).into_response())
        }
        Form::Wave => {
            let make = move |text: &mut Text| text.display(&value(&*journal, &entry)?);
            place.answer(&app.blocking, TEXT, make).await
        }
        Form::Raw => {
            let make = move |text: &mut Text| {
                let (bytes, media_type) = raw(value(&*journal, &entry)?)?;
                text.is(media_type);
                text.bytes(bytes);
                Ok(())
            };
            let mut response = place.answer(&app.blocking, BYTES, make).await?;
            // Nothing of a guest is shown as a page of this server.
            response.headers_mut().insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
            Ok(response)
        }
    }
}

fn write_result(
    text: &mut Text,
    journal: &dyn Journal,
    entry: &JournalEntry,
    identity: &Identity,
) -> Answer<()> {
    with_run(journal, entry, identity, |run| {
        text.json(&ResultObject { run: run.run, state: run.state, value: run.value, error: run.error })
    })
}

/// The value of a run that has completed.
fn value(journal: &dyn Journal, entry: &JournalEntry) -> Answer<Value> {
    let stored: Option<&StoredValue> = match entry.record().outcome() {
        Some(Outcome::Completed(value)) => Some(value),
        Some(Outcome::Failed(_) | Outcome::Crashed { .. } | Outcome::Cancelled) | None => None,
    };
    let stored = stored.ok_or_else(|| {
        let problem = format!("the run is {}: it has no value", entry.state());
        ApiProblem::new(Code::Kind(ErrorKind::Conflict), problem)
            .hint("form=json shows why it did not complete")
    })?;
    let (ty, value) = read_value(journal, stored)?;
    Ok(result_for_callers(&entry.record().spec().task, ty, value).1)
}

/// The bytes of a value, and their type.
fn raw(value: Value) -> Answer<(Vec<u8>, &'static str)> {
    if let Some(stdout) = printed(&value) {
        return Ok((stdout.0.to_vec(), BYTES));
    }
    if let Value::Bytes(bytes) = value {
        return Ok((bytes, BYTES));
    }
    if let Value::String(text) = value {
        return Ok((text.into_bytes(), TEXT));
    }
    let problem = "form=raw is for texts, list<u8> and the output of programs";
    Err(ApiProblem::invalid(problem).hint("form=json and form=wave are for all values"))
}

/// The inputs of a run.
#[derive(Debug, Serialize, ToSchema)]
struct Inputs {
    /// In the order of the parameters.
    items: Vec<ValueForms>,
}

/// Show what a run was given
#[utoipa::path(get, path = "/runs/{run}/inputs", operation_id = "get_inputs", tag = "runs",
    params(("run" = String, Path, description = "Its id")),
    responses((status = 200, description = "Its inputs", body = Inputs)), security(("token" = ["read:values"])))]
async fn get_inputs(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(run): Path<String>,
) -> Answer<Response> {
    let _place = long_calls::place(&app.long_calls.runs, identity.digest).await?;
    let entry = app.entry(parsed::<RunId>("run", &run)?).await?;
    let place = app.places.of_run(&entry).await?;
    let task = entry.record().spec().task.clone();
    let digest = task.component;
    let component = app.registry(move |registry| registry.component(&ComponentRef::Digest(digest)));
    // Without the component, which may have been removed, the inputs have no names.
    let manifest = component.await.ok().map(|component| component.manifest);
    let export = task.export.to_string();
    let signature = manifest.as_ref().and_then(|manifest| Some(manifest.task(Some(&export)).ok()?.1));
    let params = signature.iter().flat_map(|signature| signature.params.iter());
    let names: Vec<_> = params.map(|param| param.name.to_string()).collect();
    let journal = Arc::clone(&app.journal);
    let make = move |text: &mut Text| text.json(&Inputs { items: inputs(&*journal, &entry, &names)? });
    place.answer(&app.blocking, JSON, make).await
}
