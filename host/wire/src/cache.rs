//! Cached results: lists of them, single ones, and counts.

use std::borrow::Cow;

use hostel::{
    CacheEntry, EntrySummary, GcReport, KeptResult, ResultStats, TaskStats, Trace, TraceRead, Type, Value,
};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use utoipa::ToSchema;

use crate::time::{instant, millis};
use crate::value::json;

/// The part of an entry that lists and details share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CacheEntry)]
#[non_exhaustive]
pub struct EntryObject {
    /// The cache key.
    pub key: String,
    /// The key of the task that computed it.
    pub task: String,
    /// The run that computed it.
    pub run: String,
    /// When it was computed, in RFC 3339.
    pub created_at: String,
    /// When it was last used on disk, to within an hour, in RFC 3339.
    pub used_at: String,
    /// How long it took to compute.
    pub took_ms: u64,
    /// The size of the value.
    pub value_bytes: u64,
    /// The size of its dependencies.
    pub dependency_bytes: u64,
    /// The remote cache that it came from; null if it was computed on this machine.
    pub origin: Option<String>,
}

/// An entry of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CacheEntryLine)]
#[non_exhaustive]
pub struct EntryLine {
    /// The entry.
    #[serde(flatten)]
    pub entry: EntryObject,
    /// What it takes on disk.
    pub stored_bytes: u64,
}

/// An entry with its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = CacheEntryDetail)]
#[non_exhaustive]
pub struct EntryDetail {
    /// The entry.
    #[serde(flatten)]
    pub entry: EntryObject,
    /// Inputs, policy, grants and other options; null if they were too long to be stored.
    #[schema(value_type = Value)]
    pub recipe: Option<Json>,
    /// The questions that the guest asked, in order.
    pub reads: Vec<ReadObject>,
    /// The type of the value, in WIT.
    #[serde(rename = "type")]
    pub ty: String,
    /// The value.
    #[schema(value_type = Value)]
    pub value: Json,
}

/// A question about a file or directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CacheRead)]
#[non_exhaustive]
pub struct ReadObject {
    /// The path in the guest.
    pub path: String,
    /// The subject of the question, such as `content`.
    pub what: Cow<'static, str>,
}

/// The number and size of all results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CacheStats)]
#[non_exhaustive]
pub struct StatsObject<'a> {
    /// The number of results.
    pub entries: u64,
    /// Their size.
    pub bytes: u64,
    /// The number of values that have files of their own.
    pub blobs: u64,
    /// The size of those.
    pub blob_bytes: u64,
    /// What all of it takes on disk.
    pub disk_bytes: u64,
    /// The number of damaged results, which are computed again when needed.
    pub damaged: u64,
    /// When the oldest result was computed.
    pub oldest: Option<String>,
    /// When the newest result was computed.
    pub newest: Option<String>,
    /// The same by task.
    pub tasks: Vec<TaskStatsObject<'a>>,
}

/// The number and size of the results of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CacheTaskStats)]
#[non_exhaustive]
pub struct TaskStatsObject<'a> {
    /// The key of the task.
    pub task: Cow<'a, str>,
    /// The number of results.
    pub entries: u64,
    /// Their size.
    pub bytes: u64,
    /// How long it took to compute them: what it would cost to lose them.
    pub took_ms: u64,
}

/// What was removed, and what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CacheGc)]
#[non_exhaustive]
pub struct GcObject {
    /// The number of removed results.
    pub removed: u64,
    /// Their size.
    pub removed_bytes: u64,
    /// The number of the others.
    pub left: u64,
    /// Their size.
    pub left_bytes: u64,
    /// The number of removed files without references.
    pub orphans: u64,
    /// Their size.
    pub orphan_bytes: u64,
}

impl From<&EntrySummary> for EntryLine {
    fn from(entry: &EntrySummary) -> Self {
        let object = EntryObject {
            key: entry.key.to_string(),
            task: entry.task.to_string(),
            run: entry.producer.to_string(),
            created_at: instant(entry.created),
            used_at: instant(entry.used),
            took_ms: millis(entry.took),
            value_bytes: entry.value_bytes,
            dependency_bytes: entry.dependency_bytes,
            origin: entry.origin.as_deref().map(str::to_owned),
        };
        Self { entry: object, stored_bytes: entry.stored_bytes }
    }
}

impl EntryDetail {
    /// One of the entries of a result, with its decoded value.
    pub fn new(kept: &KeptResult, entry: &CacheEntry, value: &Value, ty: &Type) -> Self {
        let object = EntryObject {
            key: kept.key.to_string(),
            task: entry.task.to_string(),
            run: entry.producer.to_string(),
            created_at: instant(entry.created),
            used_at: instant(kept.used),
            took_ms: millis(entry.took),
            value_bytes: entry.value.len() as u64,
            dependency_bytes: entry.depends_on.as_ref().map_or(0, |depends| depends.bytes.len() as u64),
            origin: entry.origin.as_deref().map(str::to_owned),
        };
        Self {
            entry: object,
            recipe: recipe(entry),
            reads: reads(entry),
            ty: ty.to_string(),
            value: json(value, ty),
        }
    }
}

/// The recipe of the result, if it was stored.
pub fn recipe(entry: &CacheEntry) -> Option<Json> {
    serde_json::from_str(entry.recipe.as_deref()?).ok()
}

/// The dependencies of the result.
pub fn reads(entry: &CacheEntry) -> Vec<ReadObject> {
    let trace = entry.depends_on.as_ref().and_then(|dependencies| Trace::decode(&dependencies.bytes).ok());
    let reads = trace.map(|trace| trace.reads()).unwrap_or_default();
    reads.into_iter().map(|TraceRead { path, what }| ReadObject { path, what: what.into() }).collect()
}

impl<'a> From<&'a ResultStats> for StatsObject<'a> {
    fn from(stats: &'a ResultStats) -> Self {
        Self {
            entries: stats.entries,
            bytes: stats.bytes,
            blobs: stats.blobs,
            blob_bytes: stats.blob_bytes,
            disk_bytes: stats.disk_bytes,
            damaged: stats.damaged,
            oldest: stats.oldest.map(instant),
            newest: stats.newest.map(instant),
            tasks: stats.tasks.iter().map(TaskStatsObject::from).collect(),
        }
    }
}

impl<'a> From<&'a TaskStats> for TaskStatsObject<'a> {
    fn from(task: &'a TaskStats) -> Self {
        Self {
            task: Cow::Borrowed(&task.task),
            entries: task.entries,
            bytes: task.bytes,
            took_ms: millis(task.took),
        }
    }
}

impl From<&GcReport> for GcObject {
    fn from(report: &GcReport) -> Self {
        Self {
            removed: report.removed.entries,
            removed_bytes: report.removed.bytes,
            left: report.left_entries,
            left_bytes: report.left_bytes,
            orphans: report.orphans,
            orphan_bytes: report.orphan_bytes,
        }
    }
}
