//! What has happened to a run: its attempts, its facts, and what it has used.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use hostel::RunId;
use hostel::journal::RunChange;
use hostel_wire::{AttemptObject, ReceiptObject, instant};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::extract::{Path, parsed};
use crate::long_calls;
use crate::problem::Answer;
use crate::run_view::with_run;
use crate::tokens::Identity;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(get_attempts))
        .routes(routes!(get_run_events))
        .routes(routes!(get_receipt))
}

/// The attempts of a run.
#[derive(Debug, Serialize, ToSchema)]
struct Attempts {
    /// In order.
    items: Vec<AttemptObject>,
}

/// What has happened to a run.
#[derive(Debug, Serialize, ToSchema)]
struct RunEvents {
    /// In order.
    items: Vec<RunEvent>,
}

/// Something that has happened to a run.
#[derive(Debug, Serialize, ToSchema)]
struct RunEvent {
    /// The version of the run after it.
    version: u64,
    /// When.
    at: String,
    /// What: `Born`, `Named`, `AttemptEnded`, or the name of an event of the states.
    kind: &'static str,
}

/// Show the attempts of a run
#[utoipa::path(get, path = "/runs/{run}/attempts", operation_id = "get_attempts", tag = "runs",
    params(("run" = String, Path, description = "Its id")),
    responses((status = 200, description = "Its attempts", body = Attempts)), security(("token" = ["read"])))]
async fn get_attempts(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(run): Path<String>,
) -> Answer<Json<Attempts>> {
    let run = parsed::<RunId>("run", &run)?;
    let _place = long_calls::place(&app.long_calls.runs, identity.digest).await?;
    let entry = app.entry(run).await?;
    let (place, journal) = (app.places.of_run(&entry).await?, Arc::clone(&app.journal));
    let items = place.read(&app.blocking, move || {
        with_run(&*journal, &entry, &identity, |run| Ok(run.attempts.unwrap_or_default()))
    });
    Ok(Json(Attempts { items: items.await? }))
}

/// Show what a run has used
#[utoipa::path(get, path = "/runs/{run}/receipt", operation_id = "get_receipt", tag = "runs",
    params(("run" = String, Path, description = "Its id")),
    responses((status = 200, description = "The sum of all attempts", body = ReceiptObject)),
    security(("token" = ["read"])))]
async fn get_receipt(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(run): Path<String>,
) -> Answer<Json<Option<ReceiptObject>>> {
    let run = parsed::<RunId>("run", &run)?;
    let _place = long_calls::place(&app.long_calls.runs, identity.digest).await?;
    let entry = app.entry(run).await?;
    let (place, journal) = (app.places.of_run(&entry).await?, Arc::clone(&app.journal));
    let receipt =
        place.read(&app.blocking, move || with_run(&*journal, &entry, &identity, |run| Ok(run.receipt)));
    receipt.await.map(Json)
}

/// Show what has happened to a run
#[utoipa::path(get, path = "/runs/{run}/events", operation_id = "get_run_events", tag = "runs",
    params(("run" = String, Path, description = "Its id")),
    responses((status = 200, description = "Everything, in order", body = RunEvents)), security(("token" = ["read"])))]
async fn get_run_events(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(run): Path<String>,
) -> Answer<Json<RunEvents>> {
    let _place = long_calls::place(&app.long_calls.runs, identity.digest).await?;
    let entry = app.entry(parsed::<RunId>("run", &run)?).await?;
    let facts = (1..).zip(entry.record().facts());
    let items = facts.map(|(version, (at, fact))| RunEvent {
        version,
        at: instant(at),
        kind: RunChange::from(&fact).name(),
    });
    Ok(Json(RunEvents { items: items.collect() }))
}
