//! Tasks: the functions of named components, and what their arguments have to be.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use hostel::registry::ComponentName;
use hostel::{ScriptFunction, Task, ValueReader, bytes_text};
use hostel_wire::{NamedTypeObject, TaskDetailObject, TypeObject, arguments_schema, type_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as JsonValue};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::components::limit;
use crate::app::App;
use crate::bounds::{CHECKED_BYTES, TASKS_BYTES};
use crate::extract::{JsonBody, Members, Path, Query, parsed, wrong};
use crate::large::{JSON, Text};
use crate::problem::Answer;
use crate::run_view::ValueForms;
use crate::scripts::Registered;
use crate::submission::{find_registered, inputs_with_texts, with_options};
use crate::tokens::Identity;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_tasks))
        .routes(routes!(get_task))
        .routes(routes!(check_arguments))
}

/// Which page of a list by name.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageByName {
    /// Begin after this name.
    #[serde(default)]
    pub(super) after: Option<String>,
    /// How many names at most.
    #[serde(default)]
    #[param(minimum = 1, maximum = 500)]
    pub(super) limit: Option<usize>,
}

/// Tasks of named components.
#[derive(Debug, Serialize, ToSchema)]
struct Tasks {
    /// Those of the versions that their names stand for.
    items: Vec<TaskLine>,
    /// The address of the next page.
    next: Option<String>,
}

/// A task in a list.
#[derive(Debug, Serialize, ToSchema)]
struct TaskLine {
    /// How to refer to it: `NAME#EXPORT`.
    task: String,
    /// The version that the name stands for.
    version: String,
    /// The digest of the component.
    digest: String,
    /// Its signature in WIT.
    signature: String,
}

/// List the tasks of named components
#[utoipa::path(get, path = "/tasks", operation_id = "list_tasks", tag = "tasks", params(PageByName),
    responses((status = 200, description = "A page", body = Tasks)), security(("token" = ["read"])))]
async fn list_tasks(State(app): State<Arc<App>>, Query(page): Query<PageByName>) -> Answer<Json<Tasks>> {
    let limit = limit(page.limit)?;
    let after = page.after.as_deref().map(|after| parsed::<ComponentName>("after", after)).transpose()?;
    let found = app.registry(move |registry| {
        let names = registry.names(after.as_ref(), limit)?;
        let (mut items, mut bytes, mut last) = (Vec::new(), 0, None);
        for name in &names {
            if bytes >= TASKS_BYTES {
                break;
            }
            last = Some(name);
            let of_name = hostel::registry::ComponentRef::Named { name: name.clone(), version: None };
            // A name none of whose versions was accepted stands for nothing.
            let Ok(resolved) = registry.resolve(&of_name) else { continue };
            let digest = hostel::registry::ComponentRef::Digest(resolved.digest);
            let manifest = registry.component(&digest)?.manifest;
            let version = resolved.version.map(|version| version.version.to_string()).unwrap_or_default();
            let callable = manifest.exports.iter().filter(|export| export.callable.is_ok());
            for export in callable.filter(|export| export.hook.is_none()) {
                let signature = export.text();
                bytes += signature.len();
                items.push(TaskLine {
                    task: format!("{name}#{}", export.path),
                    version: version.clone(),
                    digest: resolved.digest.to_string(),
                    signature,
                });
            }
        }
        let last = last.filter(|last| names.len() == limit || names.last() != Some(*last));
        let next = last.map(|last| format!("/api/v1/tasks?after={last}&limit={limit}"));
        Ok::<_, hostel::registry::RegistryError>(Tasks { items, next })
    });
    Ok(Json(found.await?))
}

/// Show a task: its signature, types, and what it may ask for
#[utoipa::path(get, path = "/tasks/{task}", operation_id = "get_task", tag = "tasks",
    params(("task" = String, Path, description = "`NAME#EXPORT`, `NAME@VERSION#EXPORT` or `sha256:HEX#EXPORT`, with `#` written as `%23`")),
    responses((status = 200, description = "The task", body = TaskDetailObject)), security(("token" = ["read"])))]
async fn get_task(State(app): State<Arc<App>>, Path(text): Path<String>) -> Answer<Json<TaskDetailObject>> {
    let (digest, registered, task) = find_registered(&app, &text).await?;
    let component = registered.component();
    let signature = task.signature();
    let (export, signature_text, docs) = match &registered {
        Registered::Component(_) => (task.key().export.to_string(), signature.to_string(), None),
        Registered::Script(script) => {
            let name = task.function_name();
            let function = script.functions().iter().find(|function| function.name == name);
            let declaration = function.map_or_else(String::new, ScriptFunction::declaration);
            (name.to_owned(), declaration, function.and_then(|function| function.doc.clone()))
        }
    };
    let capabilities = component
        .manifest()
        .asked_for()
        .into_iter()
        .map(|capability| hostel::Capability::name(capability).into());
    Ok(Json(TaskDetailObject {
        task: format!("{digest}#{export}"),
        digest: digest.to_string(),
        export,
        signature: signature_text,
        docs,
        program: task.is_program(),
        is_async: signature.is_async,
        params: signature.params.iter().map(NamedTypeObject::from).collect(),
        result: signature.result.as_ref().map(TypeObject::from),
        arguments_schema: arguments_schema(signature),
        result_schema: signature.result.as_ref().map(type_schema),
        capabilities: capabilities.collect(),
        not_runnable_because: component.missing().map(ToString::to_string),
    }))
}

/// Arguments and options.
#[derive(Debug, Deserialize, ToSchema)]
struct CheckRequest {
    /// The arguments: an object by the names of the parameters, or an array in their order.
    #[serde(default)]
    #[schema(value_type = Value)]
    args: Option<JsonValue>,
    /// Arguments as texts in WAVE, by the names of their parameters, as `hostel run` takes them. `args` has the others.
    #[serde(default)]
    wave: BTreeMap<String, String>,
    /// Options of the task by their names.
    #[serde(default)]
    #[schema(value_type = Object)]
    options: Map<String, JsonValue>,
}

impl Members for CheckRequest {
    const NAMES: &'static [&'static str] = &["args", "wave", "options"];
}

/// Arguments in normal form.
#[derive(Debug, Serialize, ToSchema)]
struct CheckedArguments {
    /// The key of the task.
    task: String,
    /// The arguments, in the order of the parameters.
    args: Vec<ValueForms>,
}

/// Check arguments and options, and run nothing
#[utoipa::path(post, path = "/tasks/{task}/check", operation_id = "check_arguments", tag = "tasks",
    params(("task" = String, Path, description = "As in `GET /tasks/{task}`")), request_body = CheckRequest,
    responses((status = 200, description = "They fit; in normal form", body = CheckedArguments)),
    security(("token" = ["read"])))]
async fn check_arguments(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(text): Path<String>,
    JsonBody(request, turn): JsonBody<CheckRequest>,
) -> Answer<Response> {
    let (digest, registered, task) = find_registered(&app, &text).await?;
    let key = match &registered {
        Registered::Component(_) => task.key().to_string(),
        Registered::Script(_) => format!("{digest}#{}", task.function_name()),
    };
    let task = with_options(&app, task, &request.options, None, &identity)?;
    let (places, token) = (app.places.clone(), identity.digest);
    let make = move |reader: &mut ValueReader| {
        places.answer(token, JSON, |text| write_checked(text, &task, reader, &key, &request))
    };
    turn.read(&app, make).await
}

/// Writes [`CheckedArguments`], which may be much longer than the request.
fn write_checked(
    text: &mut Text,
    task: &Task,
    reader: &mut ValueReader,
    key: &str,
    request: &CheckRequest,
) -> Answer<()> {
    let inputs = inputs_with_texts(task, reader, request.args.as_ref(), &request.wave)?;
    task.delayed_spec(inputs.clone().into(), hostel::DelayOptions::default())?;
    let params = task.signature().params.iter();
    let args = params.zip(&inputs);
    let args = args.map(|(param, value)| ValueForms::new(Some(param.name.to_string()), value, &param.ty));
    let args = CheckedArguments { task: key.to_owned(), args: args.collect() };
    text.json(&args)?;
    if text.len() > CHECKED_BYTES {
        let most = bytes_text(CHECKED_BYTES);
        return Err(wrong(
            "args",
            format!("they fit, but take more than {most} when all that was left out is written"),
        ));
    }
    Ok(())
}
