//! Batches: one action on all runs that match a filter.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hostel::journal::{Batch, BatchAction, BatchId, Journal, JournalError, SqliteJournal};
use hostel::{ErrorKind, QueueName, RunFilter};
use hostel_wire::{BatchObject, batch_action_name};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::bounds::SCANNED;
use crate::clock::now;
use crate::extract::{JsonBody, Members, Path, unknown_value, wrong};
use crate::problem::{Answer, ApiProblem, Code};
use crate::rates::Counted;
use crate::run_view::read_filter;
use crate::scope::Scope;
use crate::tokens::Identity;

/// The queues of runs that no worker has executed.
const OF_HISTORY: [&str; 2] = ["hostel.run", "hostel.map"];

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list_batches, post_batch)).routes(routes!(get_batch, stop_batch))
}

/// What to do, and with which runs.
#[derive(Debug, Deserialize, ToSchema)]
struct BatchRequest {
    /// `cancel`, `retry`, `seen` or `delete`. Only runs that it fits are acted on: no run that has ended is cancelled.
    action: String,
    /// Which runs, as `hostel runs ls` takes it: `state:failed tag:nightly`. Runs that arrive later are not among them.
    filter: String,
    /// Only count the runs.
    #[serde(default)]
    dry_run: bool,
}

impl Members for BatchRequest {
    const NAMES: &'static [&'static str] = &["action", "filter", "dry_run"];
}

/// How many runs a batch would act on.
#[derive(Debug, Serialize, ToSchema)]
struct BatchPreview {
    /// How many runs match, and can be acted on now.
    matched: u64,
    /// Whether there are more than were counted.
    more: bool,
}

/// A batch, and how far it is.
#[derive(Debug, Serialize, ToSchema)]
struct BatchAnswer {
    #[serde(flatten)]
    batch: BatchObject,
    /// How many runs matched when it was made; `null` if it was made by another process, or before the server started.
    matched: Option<u64>,
    /// Whether there were more than were counted.
    more: bool,
    /// The first runs that refused the action, at most 100.
    failed_runs: Vec<String>,
}

/// All batches.
#[derive(Debug, Serialize, ToSchema)]
struct BatchList {
    /// The newest first.
    items: Vec<BatchAnswer>,
}

impl BatchAnswer {
    fn new(app: &App, batch: &Batch) -> Self {
        let notes = app.batches.notes(batch.id);
        Self {
            batch: BatchObject::from(batch),
            matched: notes.matched.map(|(matched, _)| matched),
            more: notes.matched.is_some_and(|(_, more)| more),
            failed_runs: batch.refused.iter().map(ToString::to_string).collect(),
        }
    }
}

/// Do the same with all runs that match a filter
///
/// The runs are acted on in the background, 500 at a time, and also after a restart of the server. `retry` needs the scope `run`, and
/// everything else the scope `cancel`.
#[utoipa::path(post, path = "/batches", operation_id = "post_batch", tag = "batches", request_body = BatchRequest,
    responses((status = 202, description = "It has begun", body = BatchAnswer),
        (status = 200, description = "Only counted, as asked for with `dry_run`", body = BatchPreview)),
    security(("token" = ["read"])))]
async fn post_batch(
    State(app): State<Arc<App>>,
    identity: Identity,
    JsonBody(request): JsonBody<BatchRequest>,
) -> Answer<Response> {
    let action = read_action(&request.action)?;
    identity.require(needed(action))?;
    if request.filter.trim().is_empty() {
        return Err(wrong(
            "filter",
            "expected a filter such as state:failed, or since:2000-01-01 for all runs",
        ));
    }
    let filter = read_filter(&request.filter, &identity)?;
    if action == BatchAction::Retry {
        let filter = filter.clone();
        app.journal(move |journal| check_history(journal, &filter)).await?;
    }
    let to_do = action.fitting(&filter);
    let (matched, more) = app.journal(move |journal| journal.count(&to_do, SCANNED)).await?;
    if request.dry_run {
        return Ok(Json(BatchPreview { matched, more }).into_response());
    }
    app.count(&identity, Counted::Submit)?;
    let batch = app.journal(move |journal| journal.start_batch(now(), action, &filter)).await?;
    app.batches.add(batch.clone(), (matched, more));
    let mut response = (StatusCode::ACCEPTED, Json(BatchAnswer::new(&app, &batch))).into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("/api/v1/batches/{}", batch.id)) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// Refuses to retry runs that no worker has executed: they would wait for ever.
fn check_history(journal: &SqliteJournal, filter: &RunFilter) -> Answer<()> {
    for queue in OF_HISTORY {
        // Both are names of queues.
        let queue = QueueName::new(queue).unwrap_or_default();
        if filter.wanted_queue().is_some_and(|wanted| *wanted != queue) {
            continue;
        }
        let of_queue = BatchAction::Retry.fitting(&filter.clone().queue(queue.clone()));
        if journal.count(&of_queue, 1)?.0 > 0 {
            let problem = "some of the runs that match were not executed by a worker: they cannot be retried";
            return Err(ApiProblem::new(Code::Kind(ErrorKind::Conflict), problem)
                .hint("add the queue to the filter: queue:default"));
        }
    }
    Ok(())
}

/// List batches, the newest first
#[utoipa::path(get, path = "/batches", operation_id = "list_batches", tag = "batches",
    responses((status = 200, description = "All that are stored", body = BatchList)), security(("token" = ["read"])))]
async fn list_batches(State(app): State<Arc<App>>) -> Answer<Json<BatchList>> {
    let batches = app.journal(Journal::batches).await?;
    Ok(Json(BatchList { items: batches.iter().map(|batch| BatchAnswer::new(&app, batch)).collect() }))
}

/// Show how far a batch is
#[utoipa::path(get, path = "/batches/{batch}", operation_id = "get_batch", tag = "batches",
    params(("batch" = u64, Path, description = "Its number")),
    responses((status = 200, description = "The batch", body = BatchAnswer)), security(("token" = ["read"])))]
async fn get_batch(State(app): State<Arc<App>>, Path(batch): Path<String>) -> Answer<Json<BatchAnswer>> {
    let batch = find(&app, read_id(&batch)?).await?;
    Ok(Json(BatchAnswer::new(&app, &batch)))
}

/// Stop a batch
///
/// What it has done stays. Needs the same scope as its action.
#[utoipa::path(delete, path = "/batches/{batch}", operation_id = "stop_batch", tag = "batches",
    params(("batch" = u64, Path, description = "Its number")),
    responses((status = 200, description = "It is over", body = BatchAnswer)), security(("token" = ["read"])))]
async fn stop_batch(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(batch): Path<String>,
) -> Answer<Json<BatchAnswer>> {
    let found = find(&app, read_id(&batch)?).await?;
    identity.require(needed(found.action))?;
    let batch = app.journal(move |journal| journal.stop_batch(now(), found.id)).await?;
    Ok(Json(BatchAnswer::new(&app, &batch)))
}

async fn find(app: &App, id: BatchId) -> Answer<Batch> {
    let batches = app.journal(Journal::batches).await?;
    let found = batches.into_iter().find(|batch| batch.id == id);
    found.ok_or_else(|| JournalError::NoBatch { batch: id }.into())
}

fn read_id(text: &str) -> Answer<BatchId> {
    text.parse().map(BatchId::new).map_err(|_| wrong("batch", "expected the number of a batch"))
}

fn read_action(text: &str) -> Answer<BatchAction> {
    let found = BatchAction::ALL.into_iter().find(|action| batch_action_name(*action) == text);
    found.ok_or_else(|| unknown_value("action", text, &BatchAction::ALL.map(batch_action_name)))
}

/// The scope that an action needs.
const fn needed(action: BatchAction) -> Scope {
    match action {
        BatchAction::Retry => Scope::Run,
        BatchAction::Cancel | BatchAction::MarkSeen | BatchAction::Remove => Scope::Cancel,
    }
}
