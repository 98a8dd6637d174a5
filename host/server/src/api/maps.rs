//! Maps: many runs of one task. The runs of a map are those with its tag.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hostel::journal::{InputSpec, RunSpec, StoredValue};
use hostel::{Digest, RunId, Tag};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as JsonValue};
use tokio::task::yield_now;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::counts::states;
use super::runs::Wait;
use crate::app::App;
use crate::body::{Parts, check_type};
use crate::bounds::{JSON_BYTES, MAP_BATCH, MAP_BATCH_BYTES, MAP_ROWS, SHORT_JSON_BYTES};
use crate::extract::{Members, Path, Query, parsed, read, wrong};
use crate::jsonl::Lines;
use crate::long_calls;
use crate::problem::{Answer, ApiProblem, Code};
use crate::rates::Counted;
use crate::restricted::Subject;
use crate::scope::Scope;
use crate::submission::{Prepared, RunRequest, derived_id, submit, wait};
use crate::tokens::{Identity, secret};
use crate::trace::RequestTrace;
use crate::turn::Turn;

/// After so many rows, other requests have their turn.
const ROWS_AT_ONCE: u64 = 8;

const JSON_LINES: [&str; 3] = ["application/jsonl", "application/x-ndjson", "application/json-lines"];

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(post_map)).routes(routes!(get_map))
}

/// The tag of the runs of a map.
pub(super) fn tag_text(map: &str) -> String {
    format!("map:{map}")
}

/// The id of a row of a map, by its number, counted from 0.
pub(super) fn row_id(map: &str, row: u64) -> RunId {
    derived_id(&["row of a map", map, &row.to_string()])
}

/// A map without runs.
pub(super) fn unknown_map(map: &str) -> ApiProblem {
    ApiProblem::not_found(format!("there are no runs of the map {map}"))
        .hint("they were removed, or the map has another id")
}

/// Many runs of one task. As JSON Lines, the first line is this without `rows`, and each further line is a row.
#[derive(Clone, Debug, Deserialize, ToSchema)]
struct MapRequest {
    /// The task, as for a run.
    task: String,
    /// The id of the map, a UUID that the client chooses. With it, a repetition stores no row twice.
    #[serde(default)]
    id: Option<String>,
    /// Arguments that all rows have, by the names of the parameters.
    #[serde(default)]
    #[schema(value_type = Object)]
    args: Map<String, JsonValue>,
    /// The arguments of each run: an object by the names of the parameters, or an array in their order.
    #[serde(default)]
    #[schema(value_type = Vec<Value>)]
    rows: Vec<JsonValue>,
    /// Options of the task by their names.
    #[serde(default)]
    #[schema(value_type = Object)]
    options: Map<String, JsonValue>,
    /// Labels of the runs.
    #[serde(default)]
    tags: Vec<String>,
    /// The queue of the runs.
    #[serde(default)]
    queue: Option<String>,
    /// The priority of the runs.
    #[serde(default)]
    priority: Option<i32>,
    /// Begin at this time and not before.
    #[serde(default)]
    at: Option<String>,
    /// Begin this much later and not before.
    #[serde(default, rename = "in")]
    after: Option<String>,
}

impl Members for MapRequest {
    const NAMES: &'static [&'static str] =
        &["task", "id", "args", "rows", "options", "tags", "queue", "priority", "at", "in"];
}

/// A map.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Map)]
struct MapObject {
    /// Its id.
    map: String,
    /// How many runs were stored by this request, or are counted.
    total: u64,
    /// How many of them are in which state.
    states: BTreeMap<&'static str, u64>,
    /// How many have not ended.
    unfinished: u64,
    /// Always `false`: all are counted.
    more: bool,
    /// The address of the list of its runs.
    runs: String,
}

/// Submit many runs of one task
///
/// As JSON Lines (`application/jsonl`) the rows are stored while they come, 500 at a time; if a row is wrong, the problem says how many
/// were stored before. Send the same again with the same `id` to go on.
#[utoipa::path(post, path = "/maps", operation_id = "post_map", tag = "maps",
    params(Wait,
        ("traceparent" = Option<String>, Header, description = "The trace of the request, of W3C Trace Context")),
    request_body(content((MapRequest = "application/json"), (String = "application/jsonl"))),
    responses((status = 201, description = "All rows are stored", body = MapObject),
        (status = 200, description = "All have ended within the wait", body = MapObject),
        (status = 202, description = "Some have not ended within the wait", body = MapObject)),
    security(("token" = ["run"])))]
async fn post_map(
    State(app): State<Arc<App>>,
    identity: Identity,
    Query(query): Query<Wait>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response> {
    let (wait, trace) = (wait(query.wait.as_deref())?, RequestTrace::of(&headers));
    app.count(&identity, Counted::Submit)?;
    let is_json = headers.get(CONTENT_TYPE).is_some_and(|ty| ty.as_bytes().starts_with(b"application/json;"))
        || headers.get(CONTENT_TYPE).is_some_and(|ty| ty == "application/json");
    let sent = Sent { app: &app, identity: &identity, headers: &headers, trace };
    let rows = if is_json { sent.json(body).await? } else { sent.json_lines(body).await? };
    let (map, total) = rows.end().await?;
    let object = match wait {
        Some(wait) => wait_for_all(&app, &map, wait).await?,
        None => MapObject { total, ..count(&app, &map).await? },
    };
    let status = match wait {
        Some(_) if object.unfinished > 0 => StatusCode::ACCEPTED,
        Some(_) => StatusCode::OK,
        None => StatusCode::CREATED,
    };
    let mut response = (status, Json(object)).into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("/api/v1/maps/{map}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// A request with the rows of a map.
struct Sent<'a> {
    app: &'a Arc<App>,
    identity: &'a Identity,
    headers: &'a HeaderMap,
    trace: RequestTrace,
}

impl<'a> Sent<'a> {
    /// All rows in one object.
    async fn json(self, body: Body) -> Answer<Rows<'a>> {
        let body = Parts::new(self.headers, body, JSON_BYTES as u64)?;
        let (body, place) = body.whole(&self.app.long_calls.collected).await?;
        let turn = Turn::for_bytes(self.app, body.len()).await?;
        let mut request: MapRequest = turn.run(self.app, move || read(&body)).await?;
        drop(place);
        let given = std::mem::take(&mut request.rows);
        let turn = turn.for_one_of(given.len());
        let mut rows = Rows::begin(self.app, self.identity, request, self.trace).await?;
        for row in given {
            rows.add(row, &turn).await?;
        }
        Ok(rows)
    }

    /// A row on each line, after one with all else.
    async fn json_lines(self, body: Body) -> Answer<Rows<'a>> {
        let app = self.app;
        check_type(self.headers, &JSON_LINES)?;
        let mut lines = Lines::new(Parts::new(self.headers, body, u64::MAX)?, &app.long_calls.collected);
        let first = lines.next().await?.ok_or_else(|| {
            ApiProblem::new(
                Code::Malformed,
                "the body is empty: expected a line with the task, and a line for each row",
            )
        })?;
        // Before the turn, which others may need for the rows of maps that have such a place.
        let long = if first.len() > SHORT_JSON_BYTES {
            Some(long_calls::place(&app.long_calls.long_maps, self.identity.digest).await?)
        } else {
            None
        };
        let turn = Turn::for_bytes(app, first.len()).await?;
        let read_first = move || read(&first).map_err(|problem: ApiProblem| problem.within("line 1"));
        let request: MapRequest = turn.run(app, read_first).await?;
        drop(turn);
        if !request.rows.is_empty() {
            return Err(wrong("rows", "expected the rows on the lines after this one"));
        }
        let mut rows = Rows::begin(app, self.identity, request, self.trace).await?;
        while let Some(line) = lines.next().await? {
            let turn = match long {
                Some(_) => Turn::long(app, line.len()).await,
                None => Turn::for_bytes(app, line.len()).await,
            };
            let turn = turn.map_err(|problem| rows.failed(problem))?.for_one_of(1);
            let row =
                turn.run(app, move || parse_row(&line)).await.map_err(|problem| rows.failed(problem))?;
            rows.add(row, &turn).await?;
        }
        Ok(rows)
    }
}

fn parse_row(line: &[u8]) -> Answer<JsonValue> {
    let text = std::str::from_utf8(line).map_err(|_| ApiProblem::new(Code::Malformed, "it is not UTF-8"))?;
    hostel::parse_json(text)
        .map_err(|error| ApiProblem::new(Code::Malformed, format!("it is no JSON: {error}")))
}

/// Show a map: how many of its runs are in which state
///
/// From tallies, which costs the same however many runs there are.
#[utoipa::path(get, path = "/maps/{map}", operation_id = "get_map", tag = "maps",
    params(("map" = String, Path, description = "Its id"), Wait),
    responses((status = 200, description = "The map", body = MapObject)), security(("token" = ["read"])))]
async fn get_map(
    State(app): State<Arc<App>>,
    Path(map): Path<String>,
    Query(query): Query<Wait>,
) -> Answer<Json<MapObject>> {
    let map = parsed::<RunId>("map", &map)?.to_string();
    let object = match wait(query.wait.as_deref())? {
        Some(wait) => wait_for_all(&app, &map, wait).await?,
        None => count(&app, &map).await?,
    };
    if object.total == 0 {
        return Err(unknown_map(&map));
    }
    Ok(Json(object))
}

/// The rows of a map on their way into the journal.
struct Rows<'a> {
    app: &'a Arc<App>,
    /// The token of the request.
    token: Digest,
    prepared: Prepared,
    map: String,
    /// Whether the client has chosen the id: then rows may be there.
    is_named: bool,
    tag: Tag,
    args: Map<String, JsonValue>,
    waiting: Vec<RunSpec>,
    /// How many bytes their arguments take.
    waiting_bytes: u64,
    taken: u64,
    stored: u64,
}

impl<'a> Rows<'a> {
    async fn begin(
        app: &'a Arc<App>,
        identity: &Identity,
        request: MapRequest,
        trace: RequestTrace,
    ) -> Answer<Self> {
        let id = match &request.id {
            Some(id) => parsed::<RunId>("id", id)?,
            None => derived_id(&["map", &secret().map_err(|error| wrong("id", error))?]),
        };
        let of_run = RunRequest {
            task: request.task.clone(),
            args: None,
            options: request.options.clone(),
            tags: request.tags.clone(),
            queue: request.queue.clone(),
            priority: request.priority,
            at: request.at.clone(),
            after: request.after.clone(),
            unique: None,
        };
        let prepared = of_run.prepare(app, identity).await?.in_trace(trace);
        let (queue, tags) = (prepared.queue(), prepared.tags());
        identity.require_for(Scope::Run, &Subject { task: prepared.task.key(), queue, tags })?;
        let map = id.to_string();
        let tag = Tag::from(tag_text(&map).as_str());
        let (args, is_named) = (request.args, request.id.is_some());
        let waiting = Vec::new();
        let token = identity.digest;
        Ok(Self {
            app,
            token,
            prepared,
            map,
            is_named,
            tag,
            args,
            waiting,
            waiting_bytes: 0,
            taken: 0,
            stored: 0,
        })
    }

    async fn add(&mut self, row: JsonValue, turn: &Turn) -> Answer<()> {
        if self.taken >= MAP_ROWS {
            let problem =
                ApiProblem::new(Code::TooLarge, format!("too many rows: expected at most {MAP_ROWS}"));
            return Err(self.failed(problem));
        }
        if self.taken.is_multiple_of(ROWS_AT_ONCE) {
            // So that other requests go on, and this one ends if its client has gone.
            yield_now().await;
        }
        let spec = self.spec(row, turn).await.map_err(|problem| self.failed(problem))?;
        let inputs = spec.inputs.iter().filter_map(InputSpec::as_value);
        self.waiting_bytes += inputs.map(StoredValue::size_bytes).sum::<u64>();
        self.waiting.push(spec);
        self.taken += 1;
        let is_full = self.waiting.len() >= MAP_BATCH || self.waiting_bytes >= MAP_BATCH_BYTES;
        if is_full { self.store().await } else { Ok(()) }
    }

    async fn spec(&self, row: JsonValue, turn: &Turn) -> Answer<RunSpec> {
        let args = match row {
            JsonValue::Object(row) => {
                let mut args = self.args.clone();
                args.extend(row);
                JsonValue::Object(args)
            }
            row @ JsonValue::Array(_) if self.args.is_empty() => row,
            JsonValue::Array(_) => {
                return Err(ApiProblem::invalid(
                    "a row is an array, and there are args for all rows: expected an object",
                ));
            }
            JsonValue::Null | JsonValue::Bool(_) | JsonValue::Number(_) | JsonValue::String(_) => {
                return Err(ApiProblem::invalid("expected a row: an object or an array of arguments"));
            }
        };
        let id = row_id(&self.map, self.taken);
        let tags = vec![self.tag.clone()];
        self.prepared.clone().spec_in_turn(self.app, turn.clone(), Some(id), Some(args), tags).await
    }

    async fn store(&mut self) -> Answer<()> {
        let mut specs = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        let (count, is_named) = (specs.len() as u64, self.is_named);
        let of_rows = Arc::clone(self.app);
        // Others submit between the batches, however many maps there are.
        let place = self.app.long_calls.map_batches.place(self.token).await;
        let stored = self.app.journal(move |_| {
            let _place = place;
            submit(&of_rows, &mut specs, is_named).map(drop)
        });
        stored.await.map_err(|problem| self.stopped(problem))?;
        self.stored += count;
        Ok(())
    }

    /// A problem, with what was stored before it.
    fn failed(&self, problem: ApiProblem) -> ApiProblem {
        self.stopped(problem.within(format!("row {}", self.taken + 1)))
    }

    /// A problem of several rows, with what was stored before it.
    fn stopped(&self, problem: ApiProblem) -> ApiProblem {
        problem.with("map", &self.map).with("row", self.taken).with("stored", self.stored)
    }

    /// Stores the rest, and returns the id of the map and the number of rows.
    async fn end(mut self) -> Answer<(String, u64)> {
        if !self.waiting.is_empty() {
            self.store().await?;
        }
        Ok((self.map, self.stored))
    }
}

/// Waits until all runs of a map have ended, or for this time.
async fn wait_for_all(app: &Arc<App>, map: &str, wait: Duration) -> Answer<MapObject> {
    /// The shortest time between two looks, so that many changes do not mean many looks.
    const PAUSE: Duration = Duration::from_millis(50);
    let until = tokio::time::Instant::now() + wait;
    let mut changes = app.host.journal_changes()?;
    let mut closing = app.closing.subscribe();
    loop {
        changes.mark_known();
        let object = count(app, map).await?;
        let is_over = tokio::time::Instant::now() >= until || *closing.borrow();
        if object.unfinished == 0 || is_over {
            return Ok(object);
        }
        tokio::select! {
            () = changes.changed() => {}
            _ = closing.changed() => continue,
            () = tokio::time::sleep_until(until) => {}
        }
        tokio::time::sleep_until(until.min(tokio::time::Instant::now() + PAUSE)).await;
    }
}

async fn count(app: &Arc<App>, map: &str) -> Answer<MapObject> {
    let (tag, map) = (tag_text(map), map.to_owned());
    let counts = app.journal(move |journal| journal.tag_counts(&tag)).await?.counts;
    let runs = format!("/api/v1/runs?map={map}");
    let (total, unfinished) = (counts.total(), counts.unfinished());
    Ok(MapObject { map, total, states: states(&counts), unfinished, more: false, runs })
}
