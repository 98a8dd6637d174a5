//! Workers: those that have claimed runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use hostel::RunFilter;
use hostel::StateSet;
use hostel::journal::{Journal, JournalError, Page};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::problem::Answer;

/// The most unfinished runs that are looked at.
const LOOKED_AT: usize = 10_000;

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
    /// Whether there were more unfinished runs than the server looks at.
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
    let workers = app.journal(|journal| {
        let filter = RunFilter::new().states(StateSet::unfinished().iter());
        let mut workers: BTreeMap<String, WorkerObject> = BTreeMap::new();
        let (mut after, mut looked_at) = (None, 0);
        loop {
            let found = journal.find(&filter, Page { after, limit: Page::MAX_LIMIT })?;
            looked_at += found.runs.len();
            for head in &found.runs {
                let Some(worker) = &head.worker else { continue };
                let object = workers.entry(worker.to_string()).or_default();
                object.claimed += 1;
                if object.runs.len() < NAMED {
                    object.runs.push(head.run.to_string());
                }
            }
            after = found.next;
            if after.is_none() || looked_at >= LOOKED_AT {
                let items = workers.into_iter().map(|(worker, object)| WorkerObject { worker, ..object });
                return Ok::<_, JournalError>(Workers {
                    items: items.collect(),
                    incomplete: after.is_some(),
                });
            }
        }
    });
    workers.await.map(Json)
}
