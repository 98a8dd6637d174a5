//! Workers: those that have claimed runs.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use hostel::RunFilter;
use hostel::StateSet;
use hostel::journal::{JournalError, Page, RunHead, SqliteJournal, each_page};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::problem::Answer;

/// The most runs that are looked at: of those that execute, and of those that wait.
const LOOKED_AT: usize = 20_000;

/// The most runs that are named for one worker.
const NAMED: usize = 100;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list_workers))
}

/// Workers that have claimed runs.
#[derive(Debug, Serialize, ToSchema)]
struct Workers {
    /// By name.
    items: Vec<WorkerObject>,
    /// Whether there are more unfinished runs than the server looks at: then runs that are claimed and have not begun may be missing.
    incomplete: bool,
}

/// A worker that has claimed runs.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Worker)]
struct WorkerObject {
    /// Its name.
    worker: String,
    /// How many runs it has claimed.
    claimed: u64,
    /// Some of them.
    runs: Vec<String>,
}

/// List the workers that have claimed runs, of all processes
#[utoipa::path(get, path = "/workers", operation_id = "list_workers", tag = "queues",
    responses((status = 200, description = "The workers", body = Workers)), security(("token" = ["read"])))]
async fn list_workers(State(app): State<Arc<App>>) -> Answer<Json<Workers>> {
    app.journal(workers).await.map(Json)
}

fn workers(journal: &SqliteJournal) -> Result<Workers, JournalError> {
    let mut workers: BTreeMap<String, WorkerObject> = BTreeMap::new();
    // Those that execute are claimed, all of them. Those that wait are many and mostly not.
    let (executing, waiting): (Vec<_>, Vec<_>) =
        StateSet::unfinished().iter().partition(|state| state.is_executing());
    let mut incomplete = false;
    for states in [executing, waiting] {
        let filter = RunFilter::new().states(states);
        let mut looked_at = 0;
        let next = each_page::<JournalError>(journal, &filter, Page::first(Page::MAX_LIMIT), |found| {
            looked_at += found.runs.len();
            found.runs.iter().for_each(|head| add(&mut workers, head));
            Ok(if looked_at >= LOOKED_AT { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        incomplete |= next.is_some();
    }
    let items = workers.into_iter().map(|(worker, object)| WorkerObject { worker, ..object });
    Ok(Workers { items: items.collect(), incomplete })
}

/// Adds a run to those of the worker that has claimed it, if one has.
fn add(workers: &mut BTreeMap<String, WorkerObject>, head: &RunHead) {
    let Some(worker) = &head.worker else { return };
    let object = workers.entry(worker.to_string()).or_default();
    object.claimed += 1;
    if object.runs.len() < NAMED {
        object.runs.push(head.run.to_string());
    }
}
