//! What can be done with a run: cancel it, try it again, and mark it as seen.

use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hostel::journal::{Cancellation, Journal, JournalConflict, JournalEntry, JournalError, SqliteJournal};
use hostel::{ErrorKind, RunId};
use hostel_wire::{RunAnswerObject, why_not_retried};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::runs::Wait;
use crate::app::App;
use crate::clock::now;
use crate::extract::{Path, Query, parsed};
use crate::long_calls;
use crate::peers::Peer;
use crate::problem::{Answer, ApiProblem, Code};
use crate::rates::Counted;
use crate::run_view::{entry_of, run_answer};
use crate::scope::Scope;
use crate::submission::{wait, wait_for_end};
use crate::tokens::Identity;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(cancel_run)).routes(routes!(retry_run)).routes(routes!(see_run))
}

/// How a request to cancel a run went.
#[derive(Debug, Serialize, ToSchema)]
struct Cancelled {
    /// The run.
    run: String,
    /// `now`: it has ended. `requested`: it executes, and is asked to stop. `too-late`: it had ended before.
    cancellation: &'static str,
    /// Its state now.
    state: &'static str,
}

/// Cancel a run
///
/// It is Cancelled when its guest has stopped.
#[utoipa::path(post, path = "/runs/{run}/cancel", operation_id = "cancel_run", tag = "runs",
    params(("run" = String, Path, description = "Its id"), Wait),
    responses((status = 200, description = "It has ended", body = Cancelled),
        (status = 202, description = "It is asked to stop", body = Cancelled)), security(("token" = ["cancel"])))]
async fn cancel_run(
    State(app): State<Arc<App>>,
    identity: Identity,
    Extension(peer): Extension<Arc<Peer>>,
    Path(run): Path<String>,
    Query(query): Query<Wait>,
) -> Answer<Response> {
    let run = parsed::<RunId>("run", &run)?;
    let wait = wait(query.wait.as_deref())?;
    let cancel = move |journal: &SqliteJournal| journal.cancel(now(), run);
    let cancellation = app.in_turn_of(&app.long_calls.changes, &identity, cancel).await?;
    let entry = wait_for_end(&app, &peer, run, wait.unwrap_or_default()).await?;
    let object = Cancelled {
        run: run.to_string(),
        cancellation: match cancellation {
            Cancellation::Now => "now",
            Cancellation::Requested => "requested",
            Cancellation::TooLate => "too-late",
        },
        state: entry.state().name(),
    };
    let status = if entry.state().is_terminal() { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(object)).into_response())
}

/// Give a run that ended without a value new attempts
///
/// A run that has grants needs the scope `admin`, as submitting it does.
#[utoipa::path(post, path = "/runs/{run}/retry", operation_id = "retry_run", tag = "runs",
    params(("run" = String, Path, description = "Its id"), Wait),
    responses((status = 200, description = "The run", body = RunAnswerObject),
        (status = 202, description = "It has not ended within the wait", body = RunAnswerObject)),
    security(("token" = ["run"])))]
async fn retry_run(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Arc<Peer>>,
    identity: Identity,
    Path(run): Path<String>,
    Query(query): Query<Wait>,
) -> Answer<Response> {
    let run = parsed::<RunId>("run", &run)?;
    let wait = wait(query.wait.as_deref())?;
    check_granted(&app.entry(run).await?, &identity)?;
    app.count(&identity, Counted::Submit)?;
    let retry = move |journal: &SqliteJournal| retry(journal, run);
    app.in_turn_of(&app.long_calls.changes, &identity, retry).await?;
    wait_for_end(&app, &peer, run, wait.unwrap_or_default()).await?;
    let _place = long_calls::place(&app.long_calls.runs, identity.digest).await?;
    let entry = app.entry(run).await?;
    let is_late = wait.is_some() && !entry.state().is_terminal();
    let answer = run_answer(&app, entry, identity, None).await?;
    let status = if is_late { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, answer).into_response())
}

/// Refuses a token that may not grant what a run is granted. The grants of a run never change.
fn check_granted(entry: &JournalEntry, identity: &Identity) -> Answer<()> {
    if entry.record().spec().spec.grants.is_empty() || identity.scopes.allow(Scope::Admin) {
        return Ok(());
    }
    let problem = format!("the run {} has grants: to retry it needs the scope admin", entry.run());
    Err(ApiProblem::new(Code::MissingScope, problem).with("scope", Scope::Admin))
}

/// Gives a run new attempts, or says why it cannot have any.
fn retry(journal: &SqliteJournal, run: RunId) -> Answer<()> {
    let error = match journal.retry(now(), run) {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    if let JournalError::Conflict(JournalConflict::Fact { .. } | JournalConflict::History { .. }) = error
        && let Some(why) = why_not_retried(&entry_of(journal, run)?)
    {
        return Err(ApiProblem::new(Code::Kind(ErrorKind::Conflict), why));
    }
    Err(error.into())
}

/// Record that someone has seen how a run ended
#[utoipa::path(post, path = "/runs/{run}/seen", operation_id = "see_run", tag = "runs",
    params(("run" = String, Path, description = "Its id")),
    responses((status = 204, description = "It needs no more attention")), security(("token" = ["cancel"])))]
async fn see_run(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(run): Path<String>,
) -> Answer<StatusCode> {
    let run = parsed::<RunId>("run", &run)?;
    let see = move |journal: &SqliteJournal| journal.mark_seen(run);
    app.in_turn_of(&app.long_calls.changes, &identity, see).await.map(|()| StatusCode::NO_CONTENT)
}
