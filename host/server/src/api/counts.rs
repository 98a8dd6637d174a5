//! How many runs there are, by state and over time.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use hostel::journal::{
    Bucket, HistogramRequest, Journal, JournalError, MAX_BUCKETS, Page, SqliteJournal, each_page,
};
use hostel::{RunCounts, RunFilter, State as RunState, Timestamp, grammar};
use hostel_wire::{filter_word, instant};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::bounds::SCANNED;
use crate::clock::now;
use crate::extract::{Query, unknown_value, wrong};
use crate::problem::Answer;
use crate::run_view::read_filter;
use crate::tokens::Identity;

/// The time that is shown if no beginning is given.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(get_counts))
}

/// What to count.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct CountQuery {
    /// What to count by: only `state`, which is the default.
    #[serde(default)]
    by: Option<String>,
    /// The length of an interval, in whole minutes: `10m`, `1h`. Without it there are only totals.
    #[serde(default)]
    bucket: Option<String>,
    /// Runs that were submitted at this time or later: `1h` ago, a date, or an instant. With `bucket`, a day ago if there is none.
    #[serde(default)]
    since: Option<String>,
    /// Runs that were submitted before this time.
    #[serde(default)]
    until: Option<String>,
    /// Only runs of a task: `sha256:HEX#EXPORT`, `sha256:HEX`, or `EXPORT`. Then the runs are counted one by one.
    #[serde(default)]
    task: Option<String>,
    /// Only runs that match this filter, as `hostel runs ls` takes it. Then the runs are counted one by one.
    #[serde(default)]
    q: Option<String>,
}

/// How many runs there are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Counts)]
struct CountsObject {
    /// From when on, rounded down to a whole interval; `null` for all times.
    from: Option<String>,
    /// Until when, rounded up to a whole interval; `null` for all times.
    until: Option<String>,
    /// The length of an interval; `null` if there are only totals.
    bucket_ms: Option<u64>,
    /// How many runs there are.
    total: u64,
    /// How many of them are in which state now. States without runs are left out.
    states: BTreeMap<&'static str, u64>,
    /// The same by the time of submission: the intervals that have runs, in order.
    items: Vec<BucketObject>,
    /// Whether there may be more runs than were counted: then only the newest were.
    more: bool,
}

/// The runs that were submitted in one interval.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CountBucket)]
struct BucketObject {
    /// When the interval begins.
    from: String,
    /// How many there are.
    total: u64,
    /// How many of them are in which state now.
    states: BTreeMap<&'static str, u64>,
}

/// What was found, before it is written.
struct Counted {
    times: (Option<Timestamp>, Option<Timestamp>),
    interval: Option<Duration>,
    buckets: Vec<Bucket>,
    more: bool,
}

/// Count runs by state, in all and over time
///
/// From tallies, which costs the same however many runs there are. With `task` or `q`, runs are counted one by one: the newest 200,000
/// that match, or fewer if too many others have to be looked at to find them.
#[utoipa::path(get, path = "/counts", operation_id = "get_counts", tag = "runs", params(CountQuery),
    responses((status = 200, description = "How many", body = CountsObject)), security(("token" = ["read"])))]
async fn get_counts(
    State(app): State<Arc<App>>,
    identity: Identity,
    Query(query): Query<CountQuery>,
) -> Answer<Json<CountsObject>> {
    if let Some(by) = query.by.as_deref().filter(|by| *by != "state") {
        return Err(unknown_value("by", by, &["state"]));
    }
    let interval = query.bucket.as_deref().map(read_interval).transpose()?;
    let words = [("task", &query.task), ("since", &query.since), ("until", &query.until)];
    let words = words.into_iter().filter_map(|(key, value)| Some(filter_word(key, value.as_deref()?)));
    let words = words.chain(query.q.clone()).collect::<Vec<_>>().join(" ");
    let filter = read_filter(&words, &identity)?;
    let is_whole = query.task.is_none() && query.q.as_deref().is_none_or(|q| q.trim().is_empty());
    let count = move |journal: &SqliteJournal| count(journal, filter, interval, is_whole);
    let counted = app.in_turn_of(&app.long_calls.scans, &identity, count).await?;
    Ok(Json(CountsObject::from(counted)))
}

fn read_interval(text: &str) -> Answer<Duration> {
    const MINUTE: u128 = 60_000_000_000;
    let interval = grammar::age(text).map_err(|error| wrong("bucket", error))?;
    if interval.is_zero() || !interval.as_nanos().is_multiple_of(MINUTE) {
        return Err(wrong("bucket", format!("{text:?}: expected whole minutes, at least one")));
    }
    Ok(interval)
}

fn count(
    journal: &SqliteJournal,
    filter: RunFilter,
    interval: Option<Duration>,
    is_whole: bool,
) -> Answer<Counted> {
    let now = now();
    let (since, until) = filter.wanted_times();
    let Some(each) = interval else {
        let is_all = is_whole && since.is_none() && until.is_none();
        let (counts, more) =
            if is_all { (journal.counts()?, false) } else { total(journal, &filter, SCANNED)? };
        let bucket = Bucket { from: Timestamp::from_unix_nanos(0), counts };
        return Ok(Counted { times: (since, until), interval, buckets: vec![bucket], more });
    };
    // The end is not in the future, but for the part of the interval that goes on.
    let until = until.unwrap_or_else(|| now.after(Duration::from_nanos(1)));
    let from = since.unwrap_or_else(|| before(until, DAY));
    let request = HistogramRequest { from, until, interval: each };
    let (first, last) = request.minutes().map_err(|error| {
        wrong("bucket", error)
            .hint(format!("a longer bucket, or a shorter time: at most {MAX_BUCKETS} buckets"))
    })?;
    let minute = |minute: u64| Timestamp::from_unix_nanos(minute.saturating_mul(60_000_000_000));
    let times = (Some(minute(first)), Some(minute(last)));
    let (buckets, more) = if is_whole {
        (journal.histogram(&request)?, false)
    } else {
        let filter = filter.since(minute(first)).until(minute(last));
        by_time(journal, &filter, &request)?
    };
    Ok(Counted { times, interval, buckets, more })
}

/// Counts runs one by one, the newest first and about so many at most. Returns also whether there may be more.
fn total(journal: &SqliteJournal, filter: &RunFilter, most: u64) -> Result<(RunCounts, bool), JournalError> {
    let mut counts = RunCounts::default();
    let more = each(journal, filter, most, |_, state| counts.enter(state))?;
    Ok((counts, more))
}

/// Counts runs one by one, by minutes, and groups these.
fn by_time(
    journal: &SqliteJournal,
    filter: &RunFilter,
    request: &HistogramRequest,
) -> Result<(Vec<Bucket>, bool), JournalError> {
    let mut minutes: BTreeMap<(u64, usize), u64> = BTreeMap::new();
    let place = |state| RunState::ALL.iter().position(|other| *other == state).unwrap_or_default();
    let more = each(journal, filter, SCANNED, |created, state| {
        *minutes.entry((hostel::journal::minute_of(created), place(state))).or_default() += 1;
    })?;
    let minutes = minutes
        .into_iter()
        .filter_map(|((minute, place), count)| Some((minute, RunState::ALL.get(place).copied()?, count)));
    Ok((request.group(minutes), more))
}

/// Calls a function with the time and the state of the runs that match, the newest first, until there were so many or a page ends early
/// because many runs did not match. Returns whether there may be more.
fn each(
    journal: &SqliteJournal,
    filter: &RunFilter,
    most: u64,
    mut call: impl FnMut(Timestamp, RunState),
) -> Result<bool, JournalError> {
    let mut counted = 0_u64;
    let next = each_page::<JournalError>(journal, filter, Page::first(Page::MAX_LIMIT), |found| {
        found.runs.iter().for_each(|head| call(head.created, head.state));
        counted += found.runs.len() as u64;
        let is_enough = counted >= most || found.scanned_to.is_some();
        Ok(if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(next.is_some())
}

fn before(time: Timestamp, span: Duration) -> Timestamp {
    let span = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    Timestamp::from_unix_nanos(time.unix_nanos().saturating_sub(span))
}

impl From<Counted> for CountsObject {
    fn from(counted: Counted) -> Self {
        let Counted { times: (from, until), interval, buckets, more } = counted;
        let mut sum = RunCounts::default();
        for bucket in &buckets {
            RunState::ALL.into_iter().for_each(|state| sum.add(state, bucket.counts.of(state)));
        }
        let items = if interval.is_some() { buckets } else { Vec::new() };
        Self {
            from: from.map(instant),
            until: until.map(instant),
            bucket_ms: interval.map(|interval| u64::try_from(interval.as_millis()).unwrap_or(u64::MAX)),
            total: sum.total(),
            states: states(&sum),
            items: items.iter().map(BucketObject::from).collect(),
            more,
        }
    }
}

impl From<&Bucket> for BucketObject {
    fn from(bucket: &Bucket) -> Self {
        let counts = &bucket.counts;
        Self { from: instant(bucket.from), total: counts.total(), states: states(counts) }
    }
}

/// How many runs are in which state. States without runs are left out.
pub(super) fn states(counts: &RunCounts) -> BTreeMap<&'static str, u64> {
    let states = RunState::ALL.into_iter().map(|state| (state.name(), counts.of(state)));
    states.filter(|(_, count)| *count > 0).collect()
}
