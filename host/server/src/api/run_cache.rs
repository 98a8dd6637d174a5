//! What the cache did for a run, and what it has now.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use hostel::journal::{JournalEntry, SqliteJournal};
use hostel::{CacheEntry, CacheKey, ErrorKind, Origin, ResultCacheError, RunId, Value};
use hostel_wire::{ReadObject, instant, reads};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::extract::{Path, parsed};
use crate::large::Place;
use crate::long_calls;
use crate::problem::{Answer, Code};
use crate::run_view::read_value;
use crate::tokens::Identity;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(get_run_cache))
}

/// What the cache did for a run, and what it has under its key.
#[derive(Debug, Serialize, ToSchema)]
struct RunCache {
    /// The run.
    run: String,
    /// The cache policy of the task.
    policy: String,
    /// The cache key; `null` if the policy gives none, or it cannot be derived.
    key: Option<String>,
    /// `hit`: it has the value of another run. `miss`: it was executed. `off`, `refresh`: it was executed without looking. `pending`: it
    /// has not begun. `none`: it ended without being executed.
    look_up: &'static str,
    /// The run that has computed the value, if it was a hit.
    producer: Option<String>,
    /// The same in words, with the reason as far as it is recorded.
    text: String,
    /// What this machine has under the key now: one entry, or one for each state of the files that they depend on; newest first.
    entries: Vec<RunCacheEntry>,
}

/// A cached result, without its value.
#[derive(Debug, Serialize, ToSchema)]
struct RunCacheEntry {
    /// The run that has computed it.
    run: String,
    /// Whether that is this run.
    own: bool,
    /// When it was computed.
    created_at: String,
    /// How long that took.
    took_ms: u64,
    /// The size of the value.
    value_bytes: u64,
    /// The remote cache that it came from; `null` if it was computed on this machine.
    origin: Option<String>,
    /// The facts about files that it depends on.
    reads: Vec<ReadObject>,
}

/// Show what the cache did for a run, and what it has under its key
#[utoipa::path(get, path = "/runs/{run}/cache", operation_id = "get_run_cache", tag = "runs",
    params(("run" = String, Path, description = "Its id")),
    responses((status = 200, description = "The report", body = RunCache)), security(("token" = ["read:values"])))]
async fn get_run_cache(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(run): Path<String>,
) -> Answer<Json<RunCache>> {
    let run = parsed::<RunId>("run", &run)?;
    let _place = long_calls::place(&app.long_calls.runs, identity.digest).await?;
    let entry = app.entry(run).await?;
    // The inputs, and what the cache has, are in memory.
    let place = app.places.all().await?;
    let (key, why_none) = match key(&app, &entry, &place).await? {
        Ok(key) => (key, "the policy gives no key"),
        Err(why) => (None, why),
    };
    let entries = match key {
        Some(key) => entries(&app, key, run, place).await?,
        None => Vec::new(),
    };
    let (look_up, producer, mut text) = look_up(&entry);
    if key.is_none() && look_up != "off" {
        text = format!("{text}; {why_none}");
    }
    Ok(Json(RunCache {
        run: run.to_string(),
        policy: entry.record().spec().spec.cache.to_string(),
        key: key.map(|key| key.to_string()),
        look_up,
        producer: producer.map(|run| run.to_string()),
        text,
        entries,
    }))
}

/// What the record says about the cache.
fn look_up(entry: &JournalEntry) -> (&'static str, Option<RunId>, String) {
    let (record, spec) = (entry.record(), &entry.record().spec().spec);
    let hit = record.cached_from();
    let (word, text) = if let Some(producer) = hit {
        ("hit", format!("the value is that of run {producer}"))
    } else if record.attempts().is_empty() {
        let has_ended = entry.state().is_terminal();
        if has_ended {
            ("none", format!("the run is {} and was not executed", entry.state()))
        } else {
            ("pending", "the run has not begun".to_owned())
        }
    } else if spec.cache == hostel::CachePolicy::NONE {
        ("off", "the policy of the task is none".to_owned())
    } else if spec.refresh {
        ("refresh", "the task asks for a new value".to_owned())
    } else {
        ("miss", "the run was executed: the cache had no value for it then".to_owned())
    };
    (word, hit, text)
}

/// The key of a run, or why it cannot be derived.
async fn key(
    app: &Arc<App>,
    entry: &JournalEntry,
    place: &Place,
) -> Answer<Result<Option<CacheKey>, &'static str>> {
    let spec = entry.record().spec();
    match Origin::of(spec) {
        Origin::Map => return Ok(Err("a map has no key: its items have")),
        Origin::Program if !spec.spec.grants.env.is_empty() => {
            return Ok(Err("the values of its variables are not recorded"));
        }
        Origin::Program | Origin::Worker => {}
    }
    let component = match app.component(spec.task.component).await {
        Ok(component) => component,
        Err(problem) if problem.code() == Code::Kind(ErrorKind::NotFound) => {
            return Ok(Err("its component was removed"));
        }
        Err(problem) => return Err(problem),
    };
    let task = component.task(&spec.task.export.to_string())?.with_spec(Arc::clone(&spec.spec));
    let of_entry = entry.clone();
    let journal = Arc::clone(&app.journal);
    let inputs = place.read(&app.blocking, move || inputs(&journal, &of_entry)).await?;
    let Some(inputs) = inputs else {
        return Ok(Err("its inputs are made of the results of other runs"));
    };
    Ok(Ok(task.cache_key(&inputs)))
}

fn inputs(journal: &SqliteJournal, entry: &JournalEntry) -> Answer<Option<Vec<Value>>> {
    let inputs = entry.record().spec().inputs.iter().map(|input| {
        let Some(value) = input.as_value() else { return Ok(None) };
        read_value(journal, value).map(|(_, value)| Some(value))
    });
    inputs.collect()
}

/// What the cache has under a key.
async fn entries(app: &Arc<App>, key: CacheKey, run: RunId, place: Place) -> Answer<Vec<RunCacheEntry>> {
    let host = Arc::clone(&app.host);
    let entries = app.blocking.run(move || {
        let _place = place;
        match host.cache().map(|cache| cache.show(&key.to_string())) {
            Some(Ok(kept)) => Ok(kept.variants.iter().map(|entry| shown(entry, run)).collect()),
            None => Ok(Vec::new()),
            Some(Err(error)) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            // It is computed again when it is needed.
            Some(Err(ResultCacheError::Damaged { .. })) => Ok(Vec::new()),
            Some(Err(error)) => Err(error),
        }
    });
    entries.await
}

fn shown(entry: &CacheEntry, run: RunId) -> RunCacheEntry {
    RunCacheEntry {
        run: entry.producer.to_string(),
        own: entry.producer == run,
        created_at: instant(entry.created),
        took_ms: u64::try_from(entry.took.as_millis()).unwrap_or(u64::MAX),
        value_bytes: entry.value.len() as u64,
        origin: entry.origin.as_deref().map(str::to_owned),
        reads: reads(entry),
    }
}
