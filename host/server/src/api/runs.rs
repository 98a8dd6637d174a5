//! Runs: submitted, listed, shown and removed.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hostel::journal::{Cursor, Journal, Page, SqliteJournal};
use hostel::{RunId, UniqueMode};
use hostel_wire::{RunAnswerObject, RunHeadObject, filter_word, instant};
use http::header::LOCATION;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::components::limit;
use crate::app::App;
use crate::extract::{JsonBody, Path, Query, parsed, wrong};
use crate::long_calls;
use crate::peers::Peer;
use crate::problem::{Answer, ApiProblem, Code};
use crate::rates::Counted;
use crate::restricted::Subject;
use crate::run_view::{head, read_filter, run_answer};
use crate::scope::Scope;
use crate::submission::{RunRequest, derived_id, store, wait, wait_for_end, with_blobs};
use crate::tokens::Identity;
use crate::trace::RequestTrace;
use crate::turn::Turn;

/// The most bytes of an idempotency key.
const KEY_BYTES: usize = 255;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list_runs, post_run)).routes(routes!(get_run, put_run, delete_run))
}

/// How long to wait for the end of a run.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wait {
    /// Answer when the run has ended, or after this time: `30s`, at most `60s`.
    #[serde(default)]
    pub(super) wait: Option<String>,
}

/// Submit a run
///
/// With an `Idempotency-Key`, a repetition returns the first run. The key is known as long as the run is.
#[utoipa::path(post, path = "/runs", operation_id = "post_run", tag = "runs", request_body = RunRequest,
    params(Wait, ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible characters"),
        ("traceparent" = Option<String>, Header, description = "The trace of the request, of W3C Trace Context")),
    responses((status = 201, description = "It is stored", body = RunAnswerObject),
        (status = 200, description = "It has ended within the wait, or was there before", body = RunAnswerObject),
        (status = 202, description = "It has not ended within the wait", body = RunAnswerObject)),
    security(("token" = ["run"])))]
async fn post_run(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Arc<Peer>>,
    identity: Identity,
    Query(query): Query<Wait>,
    headers: HeaderMap,
    JsonBody(request, turn): JsonBody<RunRequest>,
) -> Answer<Response> {
    let id = headers.get("idempotency-key").map(|key| idempotency_id(&identity, key)).transpose()?;
    let way = Way { peer: &peer, id, wait: wait(query.wait.as_deref())?, trace: RequestTrace::of(&headers) };
    let submitted = submit(&app, &identity, request, turn, way).await;
    submitted.map_err(|problem| if id.is_some() { key_reused(problem) } else { problem })
}

/// Submit a run by its id
///
/// Safe to repeat: the same request again returns the run, and another request is refused.
#[utoipa::path(put, path = "/runs/{run}", operation_id = "put_run", tag = "runs", request_body = RunRequest,
    params(("run" = String, Path, description = "A UUID that the client chooses, best of version 7"), Wait,
        ("traceparent" = Option<String>, Header, description = "The trace of the request, of W3C Trace Context")),
    responses((status = 201, description = "It is stored", body = RunAnswerObject),
        (status = 200, description = "It has ended within the wait, or was there before", body = RunAnswerObject),
        (status = 202, description = "It has not ended within the wait", body = RunAnswerObject)),
    security(("token" = ["run"])))]
async fn put_run(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Arc<Peer>>,
    identity: Identity,
    Path(run): Path<String>,
    Query(query): Query<Wait>,
    headers: HeaderMap,
    JsonBody(request, turn): JsonBody<RunRequest>,
) -> Answer<Response> {
    let id = Some(parsed::<RunId>("run", &run)?);
    let way = Way { peer: &peer, id, wait: wait(query.wait.as_deref())?, trace: RequestTrace::of(&headers) };
    submit(&app, &identity, request, turn, way).await
}

/// How a run is submitted, beside what it is.
#[derive(Clone, Copy, Debug)]
struct Way<'a> {
    /// The connection that waits.
    peer: &'a Peer,
    /// The id that the client has chosen.
    id: Option<RunId>,
    /// How long to wait for its end.
    wait: Option<Duration>,
    trace: RequestTrace,
}

fn idempotency_id(identity: &Identity, key: &HeaderValue) -> Answer<RunId> {
    let text = key.to_str().ok().filter(|key| (1..=KEY_BYTES).contains(&key.len()));
    let text = text
        .ok_or_else(|| wrong("Idempotency-Key", format!("expected 1 to {KEY_BYTES} visible characters")))?;
    Ok(derived_id(&["idempotency key", &identity.name, text]))
}

fn key_reused(problem: ApiProblem) -> ApiProblem {
    if problem.code() == Code::IdInUse {
        let detail = "the idempotency key was used for a run with another request";
        return ApiProblem::new(Code::KeyReused, detail)
            .hint("choose another key, or send the same request again");
    }
    problem
}

async fn submit(
    app: &Arc<App>,
    identity: &Identity,
    mut request: RunRequest,
    turn: Turn,
    Way { peer, id, wait, trace }: Way<'_>,
) -> Answer<Response> {
    app.count(identity, Counted::Submit)?;
    let prepared = request.prepare(app, identity).await?.in_trace(trace);
    let task = prepared.task.clone();
    // Without the arguments as JSON, for they may take much more memory than the run.
    let spec = with_blobs(app, turn, prepared, id, request.args.take()).await?;
    drop(request);
    identity.require_for(Scope::Run, &Subject::of_spec(&spec))?;
    if let Some(unique) = &spec.unique {
        identity.require_queue(Scope::Run, &spec.queue)?;
        if matches!(unique.mode, UniqueMode::Replace | UniqueMode::Debounce { .. }) {
            // Replacing a run cancels it, and another client may have submitted it.
            identity.require_queue(Scope::Cancel, &spec.queue)?;
        }
    }
    let stored = store(app, task, spec, id.is_some()).await?;
    let mut entry = match (stored.ended, wait) {
        (Some(ended), _) => Some(ended),
        (None, Some(wait)) => Some(wait_for_end(app, peer, stored.run, wait).await?),
        (None, None) => None,
    };
    let mut place = None;
    if stored.existing {
        // It may have had thousands of attempts by now.
        entry = None;
        place = Some(long_calls::place(&app.long_calls.runs, identity.digest).await?);
    }
    let entry = match entry {
        Some(entry) => entry,
        None => app.entry(stored.run).await?,
    };
    let status = match wait {
        Some(_) if !entry.state().is_terminal() => StatusCode::ACCEPTED,
        None if !stored.existing => StatusCode::CREATED,
        Some(_) | None => StatusCode::OK,
    };
    let answer = run_answer(app, entry, identity.clone(), Some(stored.existing)).await?;
    drop(place);
    let mut response = (status, answer).into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("/api/v1/runs/{}", stored.run)) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// Show a run
#[utoipa::path(get, path = "/runs/{run}", operation_id = "get_run", tag = "runs",
    params(("run" = String, Path, description = "Its id"), Wait),
    responses((status = 200, description = "The run", body = RunAnswerObject)), security(("token" = ["read"])))]
async fn get_run(
    State(app): State<Arc<App>>,
    Extension(peer): Extension<Arc<Peer>>,
    identity: Identity,
    Path(run): Path<String>,
    Query(query): Query<Wait>,
) -> Answer<Response> {
    let run = parsed::<RunId>("run", &run)?;
    if let Some(wait) = wait(query.wait.as_deref())? {
        wait_for_end(&app, &peer, run, wait).await?;
    }
    let _place = long_calls::place(&app.long_calls.runs, identity.digest).await?;
    run_answer(&app, app.entry(run).await?, identity, None).await
}

/// Remove a run that has ended, with its events and logs
#[utoipa::path(delete, path = "/runs/{run}", operation_id = "delete_run", tag = "runs",
    params(("run" = String, Path, description = "Its id")),
    responses((status = 204, description = "It is removed")), security(("token" = ["cancel"])))]
async fn delete_run(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(run): Path<String>,
) -> Answer<StatusCode> {
    let run = parsed::<RunId>("run", &run)?;
    let logs = Arc::clone(&app.logs);
    let remove = move |journal: &SqliteJournal| {
        journal.remove(run)?;
        logs.remove(run)
    };
    app.in_turn_of(&app.long_calls.changes, &identity, remove).await.map(|()| StatusCode::NO_CONTENT)
}

/// Which runs to list. All parameters must match.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct RunQuery {
    /// States or types of states, joined by commas: `failed,crashed`; also `unfinished` and `attention`.
    #[serde(default)]
    state: Option<String>,
    /// `sha256:HEX#EXPORT`, `sha256:HEX`, or `EXPORT`.
    #[serde(default)]
    task: Option<String>,
    /// A tag.
    #[serde(default)]
    tag: Option<String>,
    /// A queue.
    #[serde(default)]
    queue: Option<String>,
    /// The schedule that has submitted them.
    #[serde(default)]
    schedule: Option<String>,
    /// The map that they are rows of.
    #[serde(default)]
    map: Option<String>,
    /// A part of the name.
    #[serde(default)]
    name: Option<String>,
    /// A part of the line that says what went wrong. Needs the scope `read:values`.
    #[serde(default)]
    error: Option<String>,
    /// Submitted at this time or later: `1h` ago, a date, or an instant.
    #[serde(default)]
    since: Option<String>,
    /// Submitted before this time.
    #[serde(default)]
    until: Option<String>,
    /// A filter as `hostel runs ls` takes it: `state:failed tag:nightly`.
    #[serde(default)]
    q: Option<String>,
    /// How many at most; 100 if there is none.
    #[serde(default)]
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// Runs that were submitted before those of a page, as its `next` has it.
    #[serde(default)]
    before: Option<String>,
    /// Runs that were submitted after those of a page, the nearest ones, as its `previous` has it.
    #[serde(default)]
    after: Option<String>,
}

/// Where a page is in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    First,
    Before(Cursor),
    After(Cursor),
}

impl RunQuery {
    /// The filter as text, for the one parser of filters.
    fn words(&self) -> String {
        let words = [
            ("state", &self.state),
            ("task", &self.task),
            ("tag", &self.tag),
            ("queue", &self.queue),
            ("schedule", &self.schedule),
            ("name", &self.name),
            ("error", &self.error),
            ("since", &self.since),
            ("until", &self.until),
        ];
        let words = words.into_iter().filter_map(|(key, value)| Some(filter_word(key, value.as_deref()?)));
        let map = self.map.as_deref().map(|map| filter_word("tag", &super::maps::tag_text(map)));
        words.chain(map).chain(self.q.clone()).collect::<Vec<_>>().join(" ")
    }

    fn place(&self) -> Answer<Place> {
        match (&self.before, &self.after) {
            (None, None) => Ok(Place::First),
            (Some(before), None) => parsed("before", before).map(Place::Before),
            (None, Some(after)) => parsed("after", after).map(Place::After),
            (Some(_), Some(_)) => Err(wrong("after", "expected either before or after")),
        }
    }

    /// The address of the page on this side of a place: `before` or `after`.
    fn page(&self, side: &str, cursor: Cursor) -> String {
        let pairs = [
            ("state", &self.state),
            ("task", &self.task),
            ("tag", &self.tag),
            ("queue", &self.queue),
            ("schedule", &self.schedule),
            ("map", &self.map),
            ("name", &self.name),
            ("error", &self.error),
            ("since", &self.since),
            ("until", &self.until),
            ("q", &self.q),
        ];
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in pairs {
            value.iter().for_each(|value| _ = query.append_pair(name, value));
        }
        self.limit.iter().for_each(|limit| _ = query.append_pair("limit", &limit.to_string()));
        query.append_pair(side, &cursor.to_string());
        format!("/api/v1/runs?{}", query.finish())
    }
}

/// A page of runs.
#[derive(Debug, Serialize, ToSchema)]
struct Runs {
    /// The runs, newest first.
    items: Vec<RunHeadObject>,
    /// The address of the next page, with older runs; `null` if there is none.
    next: Option<String>,
    /// The address of the page before, with newer runs; `null` if there is none. Runs that were submitted since the first page are on pages
    /// before it: asked for without `before` and `after`, the list has them.
    previous: Option<String>,
    /// If the page ended because many runs had been looked at that do not match: when the last one of them was submitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    scanned_to: Option<String>,
}

/// List runs, newest first
#[utoipa::path(get, path = "/runs", operation_id = "list_runs", tag = "runs", params(RunQuery),
    responses((status = 200, description = "A page", body = Runs)), security(("token" = ["read"])))]
async fn list_runs(
    State(app): State<Arc<App>>,
    identity: Identity,
    Query(query): Query<RunQuery>,
) -> Answer<Json<Runs>> {
    let limit = limit(query.limit)?;
    let words = query.words();
    let filter = read_filter(&words, &identity)?;
    let place = query.place()?;
    let find = move |journal: &SqliteJournal| match place {
        Place::First => journal.find(&filter, Page::first(limit)),
        Place::Before(cursor) => journal.find(&filter, Page { after: Some(cursor), limit }),
        Place::After(cursor) => journal.find_newer(&filter, cursor, limit),
    };
    let found = app.in_turn_of(&app.long_calls.scans, &identity, find).await?;
    // A token may see some runs only: then a page has fewer than it could.
    let seen = found.runs.iter().filter(|run| identity.allows(Scope::Read, &Subject::of_head(run)));
    let items = seen.map(|run| head(run, &identity)).collect();
    let scanned_to = found.scanned_to.map(instant);
    let (first, last) = found.span.unzip();
    let (next, previous) = match place {
        Place::First => (found.next, None),
        // Of a page without runs, the place itself is where the newer ones begin, which it has among them.
        Place::Before(cursor) => (found.next, first.or(cursor.number().checked_sub(1).map(Cursor::behind))),
        Place::After(cursor) => (last.or(cursor.number().checked_add(1).map(Cursor::behind)), found.next),
    };
    let next = next.map(|cursor| query.page("before", cursor));
    let previous = previous.map(|cursor| query.page("after", cursor));
    Ok(Json(Runs { items, next, previous, scanned_to }))
}

#[cfg(test)]
mod tests {
    use hostel_wire::run_filter;

    use super::*;
    use crate::clock::now;

    #[test]
    fn a_value_of_the_query_stays_one_word() {
        assert_eq!(filter_word("name", r#"a "b" \ c"#), r#"name:"a \"b\" \\ c""#);
        let filter = run_filter(&filter_word("name", r#"a "b" state:failed"#), now()).unwrap();
        assert_eq!(filter, hostel::RunFilter::new().name(r#"a "b" state:failed"#));
    }
}
