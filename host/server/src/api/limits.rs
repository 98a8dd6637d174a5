//! Limits and pauses of queues and tags.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use hostel::journal::{Journal, LimitScope, LimitUse, Pause, Rate, RunLimit};
use hostel::{QueueName, Tag, Timestamp, check_tag, grammar};
use hostel_wire::LimitUseObject;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::bounds::{FARTHEST, REASON_CHARS};
use crate::clock::now;
use crate::extract::{JsonBody, Members, OptionalBody, Path, parsed, wrong};
use crate::problem::{Answer, ApiProblem};
use crate::submission::instant;

/// The most limits that are named as what may have been meant.
const CANDIDATES: usize = 20;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_limits))
        .routes(routes!(put_limit, delete_limit))
        .routes(routes!(pause_queue))
        .routes(routes!(resume_queue))
        .routes(routes!(pause_tag))
        .routes(routes!(resume_tag))
}

/// All limits and pauses.
#[derive(Debug, Serialize, ToSchema)]
struct LimitList {
    /// Each with its use.
    items: Vec<LimitUseObject>,
}

/// A limit.
#[derive(Debug, Deserialize, ToSchema)]
struct LimitRequest {
    /// The most runs at once; 0 for none.
    #[serde(default)]
    max_running: Option<u32>,
    /// How often runs start: `10/1s`.
    #[serde(default)]
    rate: Option<String>,
}

impl Members for LimitRequest {
    const NAMES: &'static [&'static str] = &["max_running", "rate"];
}

/// A pause. Without `for` and `until`, someone has to resume.
#[derive(Debug, Default, Deserialize, ToSchema)]
struct PauseRequest {
    /// Resume by itself after this time: `10m`.
    #[serde(default, rename = "for")]
    span: Option<String>,
    /// Resume by itself at this time, in RFC 3339.
    #[serde(default)]
    until: Option<String>,
    /// Why, for people: at most 1,000 characters.
    #[serde(default)]
    #[schema(max_length = 1_000)]
    reason: String,
}

impl Members for PauseRequest {
    const NAMES: &'static [&'static str] = &["for", "until", "reason"];
}

impl PauseRequest {
    fn pause(&self, now: Timestamp) -> Answer<Pause> {
        let until = match (&self.span, &self.until) {
            (Some(_), Some(_)) => return Err(wrong("until", "expected either for or until")),
            (Some(span), None) => Some(now.after(grammar::age(span).map_err(|error| wrong("for", error))?)),
            (None, Some(until)) => Some(instant("until", until)?),
            (None, None) => None,
        };
        let name = if self.span.is_some() { "for" } else { "until" };
        if until.is_some_and(|until| until <= now) {
            return Err(wrong(name, "the pause would be over: expected a time that is still to come"));
        }
        if until.is_some_and(|until| until.since(now) > FARTHEST) {
            return Err(wrong(name, "it is more than ten years away")
                .hint("without for and until, the pause lasts until someone resumes"));
        }
        let length = self.reason.chars().count();
        if length > REASON_CHARS {
            return Err(wrong("reason", format!("{length} characters: expected at most {REASON_CHARS}")));
        }
        Ok(Pause { until, reason: self.reason.as_str().into() })
    }
}

/// List limits and pauses, and who uses them
#[utoipa::path(get, path = "/limits", operation_id = "list_limits", tag = "queues",
    responses((status = 200, description = "All of them", body = LimitList)), security(("token" = ["read"])))]
async fn list_limits(State(app): State<Arc<App>>) -> Answer<Json<LimitList>> {
    let limits = app.journal(|journal| journal.limits()).await?;
    Ok(Json(LimitList { items: limits.iter().map(LimitUseObject::from).collect() }))
}

/// Set a limit, in place of an earlier one
///
/// A queue needs no run yet: the limit holds for those to come.
#[utoipa::path(put, path = "/limits/{scope}", operation_id = "put_limit", tag = "queues",
    params(("scope" = String, Path, description = "`queue:NAME` or `tag:NAME`")), request_body = LimitRequest,
    responses((status = 204, description = "It is set")), security(("token" = ["admin"])))]
async fn put_limit(
    State(app): State<Arc<App>>,
    Path(scope): Path<String>,
    JsonBody(request, _): JsonBody<LimitRequest>,
) -> Answer<StatusCode> {
    let scope = read_scope(&scope)?;
    let rate = request.rate.as_deref().map(read_rate).transpose()?;
    if rate.is_none() && request.max_running.is_none() {
        return Err(wrong("max_running", "nothing is limited: expected max_running, rate, or both"));
    }
    let limit = RunLimit { max_running: request.max_running, rate };
    app.journal(move |journal| journal.set_limit(&scope, limit)).await.map(|()| StatusCode::NO_CONTENT)
}

/// Remove a limit
#[utoipa::path(delete, path = "/limits/{scope}", operation_id = "delete_limit", tag = "queues",
    params(("scope" = String, Path, description = "`queue:NAME` or `tag:NAME`")),
    responses((status = 204, description = "There is none any more")), security(("token" = ["admin"])))]
async fn delete_limit(State(app): State<Arc<App>>, Path(scope): Path<String>) -> Answer<StatusCode> {
    let scope = read_scope(&scope)?;
    known(&app, &scope, |limit| limit.limit != RunLimit::default()).await?;
    let removed = app.journal(move |journal| journal.set_limit(&scope, RunLimit::default()));
    removed.await.map(|()| StatusCode::NO_CONTENT)
}

/// Start no more runs of a queue
#[utoipa::path(post, path = "/queues/{queue}/pause", operation_id = "pause_queue", tag = "queues",
    params(("queue" = String, Path, description = "Its name")), request_body = Option<PauseRequest>,
    responses((status = 204, description = "It is paused; its runs that execute go on")), security(("token" = ["admin"])))]
async fn pause_queue(
    State(app): State<Arc<App>>,
    Path(queue): Path<String>,
    OptionalBody(request): OptionalBody<PauseRequest>,
) -> Answer<StatusCode> {
    pause(&app, queue_scope(&queue)?, &request).await
}

/// Resume a queue
#[utoipa::path(post, path = "/queues/{queue}/resume", operation_id = "resume_queue", tag = "queues",
    params(("queue" = String, Path, description = "Its name")),
    responses((status = 204, description = "It is not paused")), security(("token" = ["admin"])))]
async fn resume_queue(State(app): State<Arc<App>>, Path(queue): Path<String>) -> Answer<StatusCode> {
    resume(&app, queue_scope(&queue)?).await
}

/// Start no more runs with a tag
#[utoipa::path(post, path = "/tags/{tag}/pause", operation_id = "pause_tag", tag = "queues",
    params(("tag" = String, Path, description = "The tag")), request_body = Option<PauseRequest>,
    responses((status = 204, description = "It is paused; its runs that execute go on")), security(("token" = ["admin"])))]
async fn pause_tag(
    State(app): State<Arc<App>>,
    Path(tag): Path<String>,
    OptionalBody(request): OptionalBody<PauseRequest>,
) -> Answer<StatusCode> {
    pause(&app, tag_scope(&tag)?, &request).await
}

/// Resume a tag
#[utoipa::path(post, path = "/tags/{tag}/resume", operation_id = "resume_tag", tag = "queues",
    params(("tag" = String, Path, description = "The tag")),
    responses((status = 204, description = "It is not paused")), security(("token" = ["admin"])))]
async fn resume_tag(State(app): State<Arc<App>>, Path(tag): Path<String>) -> Answer<StatusCode> {
    resume(&app, tag_scope(&tag)?).await
}

async fn pause(app: &App, scope: LimitScope, request: &PauseRequest) -> Answer<StatusCode> {
    let pause = request.pause(now())?;
    app.journal(move |journal| journal.pause(&scope, pause)).await.map(|()| StatusCode::NO_CONTENT)
}

/// Refuses a scope that has never had a limit or a pause: most likely its name is wrong.
async fn known(app: &App, scope: &LimitScope, is_meant: impl Fn(&LimitUse) -> bool) -> Answer<()> {
    let limits = app.journal(|journal| journal.limits()).await?;
    if limits.iter().any(|limit| limit.scope == *scope) {
        return Ok(());
    }
    let others = limits.iter().filter(|limit| is_meant(limit)).map(|limit| match &limit.scope {
        LimitScope::Queue(queue) => format!("queue:{queue}"),
        LimitScope::Tag(tag) => format!("tag:{tag}"),
    });
    let problem = ApiProblem::not_found(format!("{scope} has no limit and no pause"));
    Err(problem.candidates(others.take(CANDIDATES)).hint("GET /api/v1/limits lists limits and pauses"))
}

async fn resume(app: &App, scope: LimitScope) -> Answer<StatusCode> {
    known(app, &scope, |limit| limit.pause.is_some()).await?;
    app.journal(move |journal| journal.resume(&scope)).await.map(|()| StatusCode::NO_CONTENT)
}

fn read_scope(text: &str) -> Answer<LimitScope> {
    match text.split_once(':') {
        Some(("queue", name)) => queue_scope(name),
        Some(("tag", name)) => tag_scope(name),
        Some(_) | None => Err(wrong("scope", "expected queue:NAME or tag:NAME")),
    }
}

fn queue_scope(name: &str) -> Answer<LimitScope> {
    parsed::<QueueName>("queue", name).map(LimitScope::Queue)
}

fn tag_scope(name: &str) -> Answer<LimitScope> {
    let tag = Tag::from(name);
    check_tag(&tag).map_err(|error| wrong("tag", error))?;
    Ok(LimitScope::Tag(tag))
}

/// Reads a rate such as `10/1s`.
fn read_rate(text: &str) -> Answer<Rate> {
    let expected = || wrong("rate", "expected a number and a time, such as 10/1s");
    let (starts, per) = text.split_once('/').ok_or_else(expected)?;
    let starts = starts.trim().parse().map_err(|_| expected())?;
    let per = grammar::duration(per).map_err(|_| expected())?;
    let rate = Rate { starts, per };
    RunLimit { max_running: None, rate: Some(rate) }.check().map_err(|error| wrong("rate", error))?;
    Ok(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_scopes_are_read() {
        assert_eq!(read_rate("10/1s").unwrap(), Rate { starts: 10, per: std::time::Duration::from_secs(1) });
        for wrong in ["10", "0/1s", "x/1s", "10/0s", "10/2d", "-1/1s"] {
            assert!(read_rate(wrong).is_err(), "{wrong}");
        }
        assert_eq!(read_scope("tag:a:b").unwrap(), LimitScope::Tag("a:b".into()));
        assert!(
            read_scope("queue:Mail").is_err() && read_scope("mail").is_err() && read_scope("tag:").is_err()
        );
    }
}
