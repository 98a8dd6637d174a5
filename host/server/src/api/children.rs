//! The runs that belong to another one: the items of a map that the command has recorded.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use hostel::journal::{Journal, Page, RunHead, SqliteJournal, each_page};
use hostel::{Origin, QueueName, RunFilter, RunId};
use hostel_wire::RunHeadObject;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::bounds::LIST;
use crate::extract::{Path, parsed};
use crate::problem::{Answer, ApiProblem};
use crate::restricted::Subject;
use crate::run_view::{entry_of, head};
use crate::scope::Scope;
use crate::tokens::Identity;

/// The most runs of the time of the map that are looked at.
const LOOKED_AT: usize = 5_000;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(get_children))
}

/// The runs that belong to another one.
#[derive(Debug, Serialize, ToSchema)]
struct Children {
    /// The newest first.
    items: Vec<RunHeadObject>,
    /// Whether there may be more.
    more: bool,
}

/// List the runs that belong to a run
///
/// A map of `hostel map` has its first items that did not complete, at most 100. Other runs have none: the rows of a map of this API are
/// those of `GET /maps/{map}/rows`.
#[utoipa::path(get, path = "/runs/{run}/children", operation_id = "get_children", tag = "runs",
    params(("run" = String, Path, description = "Its id")),
    responses((status = 200, description = "The runs", body = Children)), security(("token" = ["read"])))]
async fn get_children(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(run): Path<String>,
) -> Answer<Json<Children>> {
    let run = parsed::<RunId>("run", &run)?;
    let (heads, more) = app.journal(move |journal| children(journal, run)).await?;
    let seen = heads.iter().filter(|run| identity.allows(Scope::Read, &Subject::of_head(run)));
    Ok(Json(Children { items: seen.map(|run| head(run, &identity)).collect(), more }))
}

fn children(journal: &SqliteJournal, parent: RunId) -> Answer<(Vec<RunHead>, bool)> {
    let entry = entry_of(journal, parent)?;
    if Origin::of(entry.record().spec()) != Origin::Map {
        return Ok((Vec::new(), false));
    }
    let head = entry.head();
    // An item begins while its map does.
    let end = head.ended.unwrap_or(head.created).after(Duration::from_nanos(1));
    let queue = QueueName::new(QueueName::PROGRAMS).unwrap_or_default();
    let filter = RunFilter::new().queue(queue).since(head.created).until(end);
    let (mut items, mut looked_at) = (Vec::new(), 0);
    let next = each_page::<ApiProblem>(journal, &filter, Page::first(LIST), |found| {
        looked_at += found.runs.len();
        for head in found.runs {
            let entry = journal.get(head.run)?;
            if entry.is_some_and(|entry| entry.record().spec().parent == Some(parent)) {
                items.push(head);
            }
        }
        let is_enough = looked_at >= LOOKED_AT || items.len() >= LIST;
        Ok(if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok((items, next.is_some()))
}
