//! Schedules: tasks that are submitted again and again.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hostel::schedules::{
    AddScheduleError, Missed, Overlap, Schedule, ScheduleName, StoredSchedule, Timetable, When, add_schedule,
    held_back, resolve, script_arguments_of,
};
use hostel::{Digest, ErrorKind, Timestamp, grammar};
use hostel_wire::ScheduleObject;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as JsonValue};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::components::limit;
use super::tasks::PageByName;
use crate::app::App;
use crate::bounds::SCHEDULES_READ;
use crate::clock::now;
use crate::extract::{JsonBody, Members, Path, Query, parsed, wrong};
use crate::fair::{Fair, KeptPlace};
use crate::long_calls;
use crate::problem::{Answer, ApiProblem, Code};
use crate::rates::Counted;
use crate::scope::Scope;
use crate::submission::{RunRequest, derived_id};
use crate::tokens::{Identity, secret};
use crate::turn::Turn;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_schedules))
        .routes(routes!(get_schedule, put_schedule, delete_schedule))
        .routes(routes!(pause_schedule))
        .routes(routes!(resume_schedule))
        .routes(routes!(run_schedule))
}

/// What to submit, and when. Either `cron` or `every`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
struct ScheduleRequest {
    /// The task. A name stands for its accepted version at each time; if the runs have grants, for the last version that a token with
    /// the scope `admin` has registered or accepted.
    task: String,
    /// The arguments: an object by the names of the parameters, or an array in their order.
    #[serde(default)]
    #[schema(value_type = Value)]
    args: Option<JsonValue>,
    /// Options of the task by their names. Grants need the scope `admin`.
    #[serde(default)]
    #[schema(value_type = Object)]
    options: Map<String, JsonValue>,
    /// Labels of the runs.
    #[serde(default)]
    tags: Vec<String>,
    /// The queue of the runs; `default` if there is none.
    #[serde(default)]
    queue: Option<String>,
    /// The priority of the runs.
    #[serde(default)]
    priority: Option<i32>,
    /// At these times: `30 2 * * *` is 2:30 each day.
    #[serde(default)]
    cron: Option<String>,
    /// The time zone of `cron`; `UTC` if there is none.
    #[serde(default)]
    zone: Option<String>,
    /// At regular intervals from now on: `30s`, `5m`, `1d`.
    #[serde(default)]
    every: Option<String>,
    /// What happens to missed times: `last` (the default), `all` or `none`.
    #[serde(default)]
    missed: Option<String>,
    /// What happens if an earlier run has not ended: `allow` (the default), `skip`, `queue-one` or `cancel-running`, which needs the scope
    /// `cancel`, too.
    #[serde(default)]
    overlap: Option<String>,
    /// Delay each run by a time of its own, at most this long.
    #[serde(default)]
    spread: Option<String>,
}

impl Members for ScheduleRequest {
    const NAMES: &'static [&'static str] = &[
        "task", "args", "options", "tags", "queue", "priority", "cron", "zone", "every", "missed", "overlap",
        "spread",
    ];
}

impl ScheduleRequest {
    fn when(&self) -> Answer<When> {
        match (&self.cron, &self.every) {
            (Some(cron), None) => {
                let zone = self.zone.as_deref().unwrap_or("UTC");
                Ok(When::Cron { expression: cron.as_str().into(), zone: zone.into() })
            }
            (None, Some(_)) if self.zone.is_some() => Err(wrong("zone", "expected with cron only")),
            (None, Some(every)) => {
                let interval = grammar::age(every).map_err(|error| wrong("every", error))?;
                Ok(When::Every { interval, anchor: now() })
            }
            (Some(_), Some(_)) | (None, None) => Err(wrong("cron", "expected either cron or every")),
        }
    }

    /// A run as the schedule will submit it, without its arguments.
    fn run(&self) -> RunRequest {
        RunRequest {
            task: self.task.clone(),
            args: None,
            options: self.options.clone(),
            tags: self.tags.clone(),
            queue: self.queue.clone(),
            priority: self.priority,
            at: None,
            after: None,
            unique: None,
        }
    }

    async fn schedule(
        mut self,
        app: &App,
        identity: &Identity,
        turn: Turn,
        name: ScheduleName,
    ) -> Answer<Schedule> {
        let when = self.when()?;
        let read = |text: &Option<String>| text.clone();
        let missed = read(&self.missed).map_or(Ok(Missed::default()), |text| parsed("missed", &text))?;
        let overlap = read(&self.overlap).map_or(Ok(Overlap::default()), |text| parsed("overlap", &text))?;
        let spread = self.spread.as_deref().map_or(Ok(std::time::Duration::ZERO), grammar::duration);
        let spread = spread.map_err(|error| wrong("spread", error))?;
        let prepared = self.run().prepare(app, identity).await?;
        let run = prepared.clone().spec_in_turn(app, turn, None, self.args.take(), Vec::new()).await?;
        // The export is written out, so that a later version may have others beside it.
        let source = self.task.split_once('#').map_or(self.task.as_str(), |(source, _)| source);
        let task = &prepared.task;
        let export =
            if task.is_script() { task.function_name().to_owned() } else { task.key().export.to_string() };
        let reference = format!("{source}#{export}");
        let schedule = Schedule {
            spec: Arc::clone(&run.spec),
            arguments: script_arguments_of(task, &run),
            tags: run.tags,
            queue: run.queue,
            missed,
            overlap,
            spread,
            ..Schedule::new(name, reference, when)
        };
        Ok(schedule)
    }
}

/// A page of schedules.
#[derive(Debug, Serialize, ToSchema)]
struct Schedules {
    /// By name.
    items: Vec<ScheduleObject>,
    /// The address of the next page.
    next: Option<String>,
}

/// List schedules
#[utoipa::path(get, path = "/schedules", operation_id = "list_schedules", tag = "schedules", params(PageByName),
    responses((status = 200, description = "A page", body = Schedules)), security(("token" = ["read"])))]
async fn list_schedules(
    State(app): State<Arc<App>>,
    identity: Identity,
    Query(page): Query<PageByName>,
) -> Answer<Json<Schedules>> {
    let limit = limit(page.limit)?;
    let after = page.after.as_deref().map(|after| parsed::<ScheduleName>("after", after)).transpose()?;
    let read = |after: Option<ScheduleName>, wanted, place: KeptPlace| {
        app.journal(move |journal| {
            let _place = place;
            journal.schedules(after.as_ref(), wanted)
        })
    };
    let items = in_parts((&app.long_calls.schedules, identity.digest), limit, after, read, |found| {
        objects(&app, found)
    })
    .await?;
    let last = items.last().filter(|_| items.len() == limit);
    let next = last.map(|last| format!("/api/v1/schedules?after={}&limit={limit}", last.name));
    Ok(Json(Schedules { next, items }))
}

/// The first schedules after one, as they are shown. A few are read at a time, by all requests together, because each may have long
/// arguments, which are not shown.
async fn in_parts<R, S>(
    (places, token): (&Fair, Digest),
    limit: usize,
    mut after: Option<ScheduleName>,
    read: impl Fn(Option<ScheduleName>, usize, KeptPlace) -> R,
    show: impl Fn(Vec<StoredSchedule>) -> S,
) -> Answer<Vec<ScheduleObject>>
where
    R: Future<Output = Answer<Vec<StoredSchedule>>>,
    S: Future<Output = Answer<Vec<ScheduleObject>>>,
{
    let mut items = Vec::new();
    while items.len() < limit {
        let wanted = SCHEDULES_READ.min(limit - items.len());
        let place = long_calls::place(places, token).await?;
        let found = read(after.take(), wanted, KeptPlace::clone(&place)).await?;
        let is_last = found.len() < wanted;
        after = found.last().map(|last| last.schedule.name.clone());
        items.extend(show(found).await?);
        if is_last {
            break;
        }
    }
    Ok(items)
}

/// Show a schedule
#[utoipa::path(get, path = "/schedules/{schedule}", operation_id = "get_schedule", tag = "schedules",
    params(("schedule" = String, Path, description = "Its name")),
    responses((status = 200, description = "The schedule", body = ScheduleObject)), security(("token" = ["read"])))]
async fn get_schedule(State(app): State<Arc<App>>, Path(name): Path<String>) -> Answer<Json<ScheduleObject>> {
    let stored = find(&app, &parsed("schedule", &name)?).await?;
    object(&app, stored).await.map(Json)
}

/// Add a schedule, or replace one
#[utoipa::path(put, path = "/schedules/{schedule}", operation_id = "put_schedule", tag = "schedules",
    params(("schedule" = String, Path, description = "Its name")), request_body = ScheduleRequest,
    responses((status = 201, description = "It is added", body = ScheduleObject),
        (status = 200, description = "It is replaced", body = ScheduleObject)), security(("token" = ["run"])))]
async fn put_schedule(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(name): Path<String>,
    JsonBody(request, turn): JsonBody<ScheduleRequest>,
) -> Answer<Response> {
    let name = parsed::<ScheduleName>("schedule", &name)?;
    let of_name = name.clone();
    if let Some(earlier) = app.journal(move |journal| journal.schedule(&of_name)).await? {
        check_granted(&earlier, &identity)?;
    }
    let schedule = request.schedule(&app, &identity, turn, name.clone()).await?;
    if schedule.overlap == Overlap::CancelRunning {
        // Another client may have submitted what it cancels, also under an earlier schedule of this name.
        identity.require(Scope::Cancel)?;
    }
    let is_new = app.journal(move |journal| match add_schedule(journal, &schedule, now()) {
        Ok(_) => Ok(true),
        Err(AddScheduleError::Exists { .. }) => {
            let next = Timetable::new(&schedule.when)?.next_after(now());
            journal.change_schedule(&schedule, next)?;
            Ok(false)
        }
        Err(error) => Err(ApiProblem::from(error)),
    });
    let status = if is_new.await? { StatusCode::CREATED } else { StatusCode::OK };
    let stored = object(&app, find(&app, &name).await?).await?;
    Ok((status, Json(stored)).into_response())
}

/// Remove a schedule
#[utoipa::path(delete, path = "/schedules/{schedule}", operation_id = "delete_schedule", tag = "schedules",
    params(("schedule" = String, Path, description = "Its name")),
    responses((status = 204, description = "It is removed; its runs stay")), security(("token" = ["run"])))]
async fn delete_schedule(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(name): Path<String>,
) -> Answer<StatusCode> {
    let name = parsed::<ScheduleName>("schedule", &name)?;
    check_granted(&find(&app, &name).await?, &identity)?;
    let removed = name.clone();
    match app.journal(move |journal| journal.remove_schedule(&removed)).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(unknown(&name)),
    }
}

/// Pause a schedule: its times pass without a run
#[utoipa::path(post, path = "/schedules/{schedule}/pause", operation_id = "pause_schedule", tag = "schedules",
    params(("schedule" = String, Path, description = "Its name")),
    responses((status = 200, description = "The schedule", body = ScheduleObject)), security(("token" = ["run"])))]
async fn pause_schedule(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(name): Path<String>,
) -> Answer<Json<ScheduleObject>> {
    set_paused(&app, &identity, &parsed("schedule", &name)?, true).await
}

/// Resume a schedule, from its next time on
#[utoipa::path(post, path = "/schedules/{schedule}/resume", operation_id = "resume_schedule", tag = "schedules",
    params(("schedule" = String, Path, description = "Its name")),
    responses((status = 200, description = "The schedule", body = ScheduleObject)), security(("token" = ["run"])))]
async fn resume_schedule(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(name): Path<String>,
) -> Answer<Json<ScheduleObject>> {
    set_paused(&app, &identity, &parsed("schedule", &name)?, false).await
}

/// Refuses a token that may not grant what the runs of a schedule are granted.
fn check_granted(stored: &StoredSchedule, identity: &Identity) -> Answer<()> {
    if stored.schedule.spec.grants.is_empty() || identity.scopes.allow(Scope::Admin) {
        return Ok(());
    }
    let problem =
        format!("the runs of the schedule {} have grants: it needs the scope admin", stored.schedule.name);
    Err(ApiProblem::new(Code::MissingScope, problem).with("scope", Scope::Admin))
}

async fn set_paused(
    app: &App,
    identity: &Identity,
    name: &ScheduleName,
    paused: bool,
) -> Answer<Json<ScheduleObject>> {
    let stored = find(app, name).await?;
    check_granted(&stored, identity)?;
    app.journal(move |journal| {
        let next = Timetable::new(&stored.schedule.when)?.next_after(now());
        let schedule = Schedule { paused, ..stored.schedule };
        journal.change_schedule(&schedule, next).map_err(ApiProblem::from)
    })
    .await?;
    object(app, find(app, name).await?).await.map(Json)
}

/// A run that was submitted.
#[derive(Debug, Serialize, ToSchema)]
struct SubmittedRun {
    /// Its id.
    run: String,
}

/// Submit a run of a schedule now
#[utoipa::path(post, path = "/schedules/{schedule}/run", operation_id = "run_schedule", tag = "schedules",
    params(("schedule" = String, Path, description = "Its name")),
    responses((status = 201, description = "The run is stored", body = SubmittedRun)), security(("token" = ["run"])))]
async fn run_schedule(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(name): Path<String>,
) -> Answer<Response> {
    app.count(&identity, Counted::Submit)?;
    let stored = find(&app, &parsed("schedule", &name)?).await?;
    check_granted(&stored, &identity)?;
    let unguessable = secret().map_err(|error| {
        ApiProblem::new(Code::Kind(ErrorKind::Unavailable), format!("no random numbers: {error}"))
    })?;
    let id = derived_id(&["run of a schedule", &unguessable]);
    let schedule = stored.schedule.clone();
    let task = app.registry(move |registry| {
        let no_task = |error: String| ApiProblem::new(Code::Kind(ErrorKind::Conflict), error);
        resolve(registry, &schedule).map_err(no_task)
    });
    let task = task.await?;
    let at: Timestamp = now();
    let mut spec = stored.schedule.run(at, id, task, at);
    spec.due = None;
    let host = Arc::clone(&app.host);
    app.journal(move |_| host.delay_specs(&[spec])).await?;
    Ok((StatusCode::CREATED, Json(SubmittedRun { run: id.to_string() })).into_response())
}

/// Schedules as they are answered, with why they do not use the newest version.
async fn objects(app: &App, stored: Vec<StoredSchedule>) -> Answer<Vec<ScheduleObject>> {
    app.registry(move |registry| {
        let object = |stored: &StoredSchedule| {
            let mut object = ScheduleObject::from(stored);
            object.held_back = held_back(registry, &stored.schedule)?;
            Ok(object)
        };
        stored.iter().map(object).collect::<Result<_, hostel::registry::RegistryError>>()
    })
    .await
}

async fn object(app: &App, stored: StoredSchedule) -> Answer<ScheduleObject> {
    let lost = || ApiProblem::new(Code::Kind(ErrorKind::Internal), "the schedule is not answered");
    objects(app, vec![stored]).await?.pop().ok_or_else(lost)
}

async fn find(app: &App, name: &ScheduleName) -> Answer<StoredSchedule> {
    let of_name = name.clone();
    let found = app.journal(move |journal| journal.schedule(&of_name)).await?;
    found.ok_or_else(|| unknown(name))
}

fn unknown(name: &ScheduleName) -> ApiProblem {
    ApiProblem::not_found(format!("there is no schedule {name}"))
        .hint("GET /api/v1/schedules lists schedules")
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::future::ready;

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn few_schedules_are_in_memory_at_once() {
        let stored = |number: usize| {
            let name: ScheduleName = format!("s{number:03}").parse().unwrap();
            let when = When::Every { interval: std::time::Duration::from_secs(60), anchor: now() };
            let schedule = Schedule::new(name, "job#run", when);
            StoredSchedule { schedule, created: now(), next: None, last: None }
        };
        let list = |limit: usize, total: usize| {
            let (in_memory, parts) = (Cell::new(0), RefCell::new(Vec::new()));
            let read = |after: Option<ScheduleName>, wanted: usize, _| {
                assert_eq!(in_memory.get(), 0, "those before are released");
                let first = after.map_or(0, |after| after.as_str()[1..].parse::<usize>().unwrap() + 1);
                let found: Vec<_> = (first..total).take(wanted).map(stored).collect();
                in_memory.set(found.len());
                parts.borrow_mut().push(wanted);
                ready(Ok(found))
            };
            let show = |found: Vec<StoredSchedule>| {
                in_memory.set(0);
                ready(Ok(found.iter().map(ScheduleObject::from).collect()))
            };
            let items = in_parts((&Fair::new(1), Digest::of(b"a")), limit, None, read, show)
                .now_or_never()
                .unwrap()
                .unwrap();
            assert!(items.iter().enumerate().all(|(place, item)| item.name == format!("s{place:03}")));
            (items.len(), parts.into_inner())
        };
        assert_eq!(SCHEDULES_READ, 8);
        assert_eq!(list(20, 100), (20, vec![8, 8, 4]));
        assert_eq!(list(500, 19), (19, vec![8, 8, 8]));
        assert_eq!(list(500, 16), (16, vec![8, 8, 8]));
        assert_eq!(list(500, 0), (0, vec![8]));
    }

    #[tokio::test]
    async fn requests_read_schedules_in_turns() {
        let (places, token) = (Fair::new(1), Digest::of(b"a"));
        let none = |_, _, _| ready(Ok(Vec::new()));
        let show = |_| ready(Ok(Vec::new()));
        let waits = |_: Vec<StoredSchedule>| std::future::pending();
        let mut first = Box::pin(in_parts((&places, token), 1, None, none, waits));
        assert!((&mut first).now_or_never().is_none());
        let mut second = Box::pin(in_parts((&places, token), 1, None, none, show));
        assert!((&mut second).now_or_never().is_none(), "the first one has its part in memory");
        drop(first);
        assert!(second.now_or_never().unwrap().unwrap().is_empty());
    }
}
