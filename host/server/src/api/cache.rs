//! Cached results.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use hostel::{ErrorKind, Host, ResultCache, ResultCacheError, Value};
use hostel_wire::{EntryDetail, EntryLine, StatsObject};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::components::limit;
use super::json_answer;
use crate::app::App;
use crate::extract::{Path, Query};
use crate::large::{JSON, Text};
use crate::problem::{Answer, ApiProblem, Code};
use crate::tokens::Identity;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_cache))
        .routes(routes!(get_cache_stats))
        .routes(routes!(get_cache_entry, delete_cache_entry))
}

/// How many entries to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct CacheQuery {
    /// How many at most.
    #[serde(default)]
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// Only results of this task: `sha256:HEX#EXPORT`.
    #[serde(default)]
    task: Option<String>,
}

/// Cached results.
#[derive(Debug, Serialize, ToSchema)]
struct CacheEntries {
    /// Approximately in the order in which they were stored.
    items: Vec<EntryLine>,
    /// Whether there are more.
    more: bool,
}

/// The results of the host, on a thread that may block.
async fn cache<T: Send + 'static>(
    app: &Arc<App>,
    call: impl FnOnce(&ResultCache) -> Answer<T> + Send + 'static,
) -> Answer<T> {
    let host = Arc::clone(&app.host);
    app.blocking.run(move || call(&results(&host)?)).await
}

/// The same for what looks at many results.
async fn read_all<T: Send + 'static>(
    app: &Arc<App>,
    identity: &Identity,
    call: impl FnOnce(&ResultCache) -> Answer<T> + Send + 'static,
) -> Answer<T> {
    let host = Arc::clone(&app.host);
    app.in_turn_of(&app.long_calls.scans, identity, move |_| call(&results(&host)?)).await
}

fn results(host: &Host) -> Answer<ResultCache> {
    let none = || ApiProblem::new(Code::Kind(ErrorKind::NotFound), "the host has no cache on disk");
    host.cache().ok_or_else(none)
}

/// List cached results
#[utoipa::path(get, path = "/cache", operation_id = "list_cache", tag = "cache", params(CacheQuery),
    responses((status = 200, description = "Some of them", body = CacheEntries)), security(("token" = ["read"])))]
async fn list_cache(
    State(app): State<Arc<App>>,
    identity: Identity,
    Query(query): Query<CacheQuery>,
) -> Answer<Json<CacheEntries>> {
    /// The most entries that are looked at.
    const LOOKED_AT: usize = 20_000;
    let limit = limit(query.limit)?;
    let entries = read_all(&app, &identity, move |results| {
        let mut items = Vec::new();
        for entry in results.entries().take(LOOKED_AT) {
            let entry = match entry {
                // `GET /cache/KEY` reports it.
                Err(ResultCacheError::Damaged { .. }) => continue,
                entry => entry?,
            };
            if query.task.as_deref().is_none_or(|task| *entry.task == *task) {
                if items.len() == limit {
                    return Ok(CacheEntries { items, more: true });
                }
                items.push(EntryLine::from(&entry));
            }
        }
        Ok(CacheEntries { items, more: false })
    });
    entries.await.map(Json)
}

/// Show the size of the cache, by task
#[utoipa::path(get, path = "/cache/stats", operation_id = "get_cache_stats", tag = "cache",
    responses((status = 200, description = "The statistics", body = StatsObject)), security(("token" = ["read"])))]
async fn get_cache_stats(State(app): State<Arc<App>>, identity: Identity) -> Answer<Response> {
    let stats = read_all(&app, &identity, |results| {
        let stats = results.stats()?;
        // Cannot fail: all keys are texts.
        Ok(serde_json::to_vec(&StatsObject::from(&stats)).unwrap_or_default())
    });
    stats.await.map(json_answer)
}

/// The entries under a key.
#[derive(Debug, Serialize, ToSchema)]
struct CacheKeyEntries {
    /// One, or one for each state of the files that they depend on; newest first.
    items: Vec<EntryDetail>,
}

/// Show a cached result
#[utoipa::path(get, path = "/cache/{key}", operation_id = "get_cache_entry", tag = "cache",
    params(("key" = String, Path, description = "The key, or the beginning of it")),
    responses((status = 200, description = "The entries under the key", body = CacheKeyEntries)),
    security(("token" = ["read:values"])))]
async fn get_cache_entry(State(app): State<Arc<App>>, Path(key): Path<String>) -> Answer<Response> {
    let (place, host) = (app.places.all().await?, Arc::clone(&app.host));
    let make = move |text: &mut Text| {
        let kept = results(&host)?.show(&key)?;
        let entries = kept.variants.iter().map(|entry| {
            let damaged = |error: hostel::CanonicalError| {
                ApiProblem::new(Code::Kind(ErrorKind::Internal), format!("the value is damaged: {error}"))
            };
            let (ty, value) = Value::from_canonical(&entry.value).map_err(damaged)?;
            Ok(EntryDetail::new(&kept, entry, &value, &ty))
        });
        let items = entries.collect::<Answer<Vec<_>>>()?;
        text.json(&CacheKeyEntries { items })
    };
    place.answer(&app.blocking, JSON, make).await
}

/// Remove a cached result
#[utoipa::path(delete, path = "/cache/{key}", operation_id = "delete_cache_entry", tag = "cache",
    params(("key" = String, Path, description = "The key, or the beginning of it")),
    responses((status = 204, description = "It is removed")), security(("token" = ["admin"])))]
async fn delete_cache_entry(State(app): State<Arc<App>>, Path(key): Path<String>) -> Answer<StatusCode> {
    cache(&app, move |results| Ok(results.remove(&key)?)).await.map(|_| StatusCode::NO_CONTENT)
}
