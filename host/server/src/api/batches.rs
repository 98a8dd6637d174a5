//! Batches: one action on all runs that match a filter.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hostel::journal::{Batch, BatchAction, BatchId, Journal, SqliteJournal};
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
use crate::problem::Answer;
use crate::rates::Counted;
use crate::run_view::read_filter_for;
use crate::scope::Scope;
use crate::tokens::Identity;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list_batches, post_batch)).routes(routes!(get_batch, stop_batch))
}

/// What to do, and with which runs.
#[derive(Debug, Deserialize, ToSchema)]
struct BatchRequest {
    /// `cancel`, `retry`, `seen` or `delete`. Only runs that it fits are acted on: no run that has ended is cancelled, and no run that
    /// no worker executed is retried. To retry runs that have grants needs the scope `admin`; without it, they count as refused.
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
    /// Whether there may be more than were counted.
    more: bool,
}

/// A batch, and how far it is.
#[derive(Debug, Serialize, ToSchema)]
struct BatchAnswer {
    #[serde(flatten)]
    batch: BatchObject,
    /// How many runs matched when it was made; `null` if it was made by another process, or before the server started.
    matched: Option<u64>,
    /// Whether there may have been more than were counted.
    more: bool,
    /// The first runs that refused the action, at most 100.
    failed_runs: Vec<String>,
}

/// What stands for a filter by error or input, for those who may not see values.
const HIDDEN: &str = "the token has no scope read:values, which shows the filter";

/// All batches.
#[derive(Debug, Serialize, ToSchema)]
struct BatchList {
    /// The newest first.
    items: Vec<BatchAnswer>,
}

impl BatchAnswer {
    /// The batch, as far as the token may see it.
    fn new(app: &App, batch: &Batch, identity: &Identity) -> Self {
        let matched = app.batches.matched(batch.id);
        let mut object = BatchObject::from(batch);
        if batch.filter.looks_at_values() && !identity.scopes.allow(Scope::ReadValues) {
            HIDDEN.clone_into(&mut object.filter);
        }
        Self {
            batch: object,
            matched: matched.map(|(matched, _)| matched),
            more: matched.is_some_and(|(_, more)| more),
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
    JsonBody(request, _): JsonBody<BatchRequest>,
) -> Answer<Response> {
    let mut action = read_action(&request.action)?;
    if action == BatchAction::Retry && !identity.scopes.allow(Scope::Admin) {
        action = BatchAction::RetryWithoutGrants;
    }
    if request.filter.trim().is_empty() {
        return Err(wrong(
            "filter",
            "expected a filter such as state:failed, or since:2000-01-01 for all runs",
        ));
    }
    let filter = read_filter_for(&request.filter, &identity, &[needed(action)])?;
    // Before the counting, which reads many runs.
    app.count(&identity, Counted::Submit)?;
    let of_batch = filter.clone();
    let count = move |journal: &SqliteJournal| journal.count(action, &of_batch, SCANNED);
    let (matched, more) = app.in_turn_of(&app.long_calls.scans, &identity, count).await?;
    if request.dry_run {
        return Ok(Json(BatchPreview { matched, more }).into_response());
    }
    let batch = app.journal(move |journal| journal.start_batch(now(), action, &filter)).await?;
    app.batches.add(batch.clone(), (matched, more));
    let mut response =
        (StatusCode::ACCEPTED, Json(BatchAnswer::new(&app, &batch, &identity))).into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("/api/v1/batches/{}", batch.id)) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// List batches, the newest first
#[utoipa::path(get, path = "/batches", operation_id = "list_batches", tag = "batches",
    responses((status = 200, description = "All that are stored", body = BatchList)), security(("token" = ["read"])))]
async fn list_batches(State(app): State<Arc<App>>, identity: Identity) -> Answer<Json<BatchList>> {
    let batches = app.journal(Journal::batches).await?;
    let items = batches.iter().map(|batch| BatchAnswer::new(&app, batch, &identity));
    Ok(Json(BatchList { items: items.collect() }))
}

/// Show how far a batch is
#[utoipa::path(get, path = "/batches/{batch}", operation_id = "get_batch", tag = "batches",
    params(("batch" = u64, Path, description = "Its number")),
    responses((status = 200, description = "The batch", body = BatchAnswer)), security(("token" = ["read"])))]
async fn get_batch(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(batch): Path<String>,
) -> Answer<Json<BatchAnswer>> {
    let id = read_id(&batch)?;
    let batch = app.journal(move |journal| journal.batch(id)).await?;
    Ok(Json(BatchAnswer::new(&app, &batch, &identity)))
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
    let id = read_id(&batch)?;
    let found = app.journal(move |journal| journal.batch(id)).await?;
    identity.require(needed(found.action))?;
    let batch = app.journal(move |journal| journal.stop_batch(now(), id)).await?;
    Ok(Json(BatchAnswer::new(&app, &batch, &identity)))
}

fn read_id(text: &str) -> Answer<BatchId> {
    text.parse().map(BatchId::new).map_err(|_| wrong("batch", "expected the number of a batch"))
}

fn read_action(text: &str) -> Answer<BatchAction> {
    let found = NAMED.into_iter().find(|action| batch_action_name(*action) == text);
    found.ok_or_else(|| unknown_value("action", text, &NAMED.map(batch_action_name)))
}

/// The actions that a request names.
const NAMED: [BatchAction; 4] =
    [BatchAction::Cancel, BatchAction::Retry, BatchAction::MarkSeen, BatchAction::Remove];

/// The scope that an action needs.
const fn needed(action: BatchAction) -> Scope {
    match action {
        BatchAction::Retry | BatchAction::RetryWithoutGrants => Scope::Run,
        BatchAction::Cancel | BatchAction::MarkSeen | BatchAction::Remove => Scope::Cancel,
    }
}
