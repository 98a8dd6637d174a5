//! The rows of maps, by their numbers, and when they executed.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use hostel::journal::{Journal, JournalError, RunHead, RunTimes, SqliteJournal};
use hostel::{RunId, Tag, Timestamp};
use hostel_wire::{RunHeadObject, instant};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::components::limit;
use super::maps::{row_id, tag_text, unknown_map};
use crate::app::App;
use crate::bounds::{LANES, MAP_ROWS, TIMELINE_ROWS};
use crate::clock::now;
use crate::extract::{Path, Query, parsed, within, wrong};
use crate::problem::Answer;
use crate::run_view::head;
use crate::submission::is_derived;
use crate::timeline::{self, Bar, LaneColumns, RowColumns, Span};
use crate::tokens::Identity;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(get_map_rows)).routes(routes!(get_map_timeline))
}

/// Which rows to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct RowQuery {
    /// The number of the first row, counted from 0.
    #[serde(default)]
    #[param(minimum = 0, maximum = 1_000_000)]
    from: u64,
    /// How many at most; 100 if there is none.
    #[serde(default)]
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

/// A row of a map.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MapRow)]
struct RowObject {
    /// Its number, counted from 0.
    row: u64,
    #[serde(flatten)]
    run: RunHeadObject,
}

/// Rows of a map.
#[derive(Debug, Serialize, ToSchema)]
struct MapRows {
    /// In the order of their numbers. Rows that were removed are left out.
    items: Vec<RowObject>,
    /// The address of the next page; `null` if there is none.
    next: Option<String>,
}

/// List the rows of a map in the order in which they were given
#[utoipa::path(get, path = "/maps/{map}/rows", operation_id = "get_map_rows", tag = "maps",
    params(("map" = String, Path, description = "Its id"), RowQuery),
    responses((status = 200, description = "A page", body = MapRows)), security(("token" = ["read"])))]
async fn get_map_rows(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(map): Path<String>,
    Query(query): Query<RowQuery>,
) -> Answer<Json<MapRows>> {
    let map = parsed::<RunId>("map", &map)?.to_string();
    let limit = limit(query.limit)?;
    if query.from > MAP_ROWS {
        return Err(wrong("from", format!("{}: expected at most {MAP_ROWS}", query.from)));
    }
    let (of_map, from) = (map.clone(), query.from);
    let read = move |journal: &SqliteJournal| read_rows(journal, &of_map, from, limit);
    let (items, next) = app.in_turn_of(&app.long_calls.rows, &identity, read).await?;
    let items = items.iter().map(|(row, run)| RowObject { row: *row, run: head(run, &identity) });
    let next = next.map(|from| format!("/api/v1/maps/{map}/rows?from={from}&limit={limit}"));
    Ok(Json(MapRows { items: items.collect(), next }))
}

/// Rows with their numbers, and the number of the next one.
type NumberedRows = (Vec<(u64, RunHead)>, Option<u64>);

/// The rows from a number on.
fn read_rows(journal: &SqliteJournal, map: &str, from: u64, limit: usize) -> Answer<NumberedRows> {
    let tag = Tag::from(tag_text(map).as_str());
    // A row whose tag was changed is none of the map any more.
    let read = |row| -> Result<Option<RunHead>, JournalError> {
        let head = journal.get(row_id(map, row))?.map(|entry| entry.head());
        Ok(head.filter(|head| head.tags.contains(&tag)))
    };
    // One more than asked for, because it is where the next page begins.
    let mut rows = Vec::new();
    let mut row = from;
    while rows.len() <= limit && row < MAP_ROWS {
        let Some(head) = read(row)? else { break };
        rows.push((row, head));
        row += 1;
    }
    if rows.len() <= limit {
        let counts = journal.tag_counts(&tag_text(map))?;
        if rows.is_empty() && counts.counts.total() == 0 {
            return Err(unknown_map(map));
        }
        // No row is stored before all with smaller numbers are: behind one that never was, there is none. If some were removed, all runs
        // of the map tell which rows follow.
        if counts.has_gaps {
            let all = numbered(journal, map, |_| ())?.into_iter();
            for (row, ()) in all.skip_while(|(other, ())| *other < row) {
                rows.extend(read(row)?.map(|head| (row, head)));
                if rows.len() > limit {
                    break;
                }
            }
        }
    }
    let next = if rows.len() > limit { rows.pop().map(|(row, _)| row) } else { None };
    Ok((rows, next))
}

/// The rows among the runs with the tag of a map, in the order of their numbers, and what `of` answers for each.
///
/// Rows that are sent again after they were removed arrive later than others, and any client may give the tag to a run that is no row: only
/// the id of a run tells its number. At most as many runs are read as a map has rows.
fn numbered<T>(
    journal: &SqliteJournal,
    map: &str,
    of: impl Fn(&RunTimes) -> T,
) -> Result<Vec<(u64, T)>, JournalError> {
    const MOST: usize = MAP_ROWS as usize;
    let runs = journal.tag_times(&tag_text(map), MOST, |run| (run.run, of(&run)))?;
    let mut rows = Vec::with_capacity(runs.len());
    let mut others = HashMap::new();
    let mut next = 0;
    for (run, of) in runs {
        // Nearly always they arrive in the order of their numbers.
        if run == row_id(map, next) {
            rows.push((next, of));
            next += 1;
        } else if is_derived(run) {
            others.insert(run, of);
        }
    }
    for number in next..MAP_ROWS {
        if others.is_empty() {
            break;
        }
        rows.extend(others.remove(&row_id(map, number)).map(|of| (number, of)));
    }
    Ok(rows)
}

/// Which part of a timeline to show.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct TimelineQuery {
    /// The beginning, in milliseconds since the origin; 0 if there is none.
    #[serde(default)]
    #[param(minimum = 0, maximum = 9_007_199_254_740_992_u64)]
    from: Option<u64>,
    /// The end, in milliseconds since the origin; the last one known if there is none.
    #[serde(default)]
    #[param(minimum = 0, maximum = 9_007_199_254_740_992_u64)]
    to: Option<u64>,
    /// Pack the rows into at most so many lanes. A map with more than 200,000 rows always is packed, into 64 if no number is given.
    #[serde(default)]
    #[param(minimum = 1, maximum = 256)]
    lanes: Option<usize>,
}

/// When the rows of a map executed. Times are milliseconds since the origin.
#[derive(Debug, Serialize, ToSchema)]
struct MapTimeline {
    /// The map.
    map: String,
    /// When the first row was submitted.
    origin: String,
    /// The time of the answer: unfinished rows last until then.
    now: u64,
    /// The beginning of what is shown.
    from: u64,
    /// The end of what is shown.
    to: u64,
    /// How many rows the map has.
    total: u64,
    /// The names of the states, to which the columns refer by place.
    states: Vec<&'static str>,
    /// The rows, if there are not too many and no lanes were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<RowColumns>,
    /// The rows packed into lanes.
    #[serde(skip_serializing_if = "Option::is_none")]
    lanes: Option<LaneColumns>,
}

/// Show when the rows of a map executed, in columns
///
/// Reads all rows: some milliseconds for 1,000 of them, and less where they are packed. Rows that wait for their first attempt are in no
/// lane.
#[utoipa::path(get, path = "/maps/{map}/timeline", operation_id = "get_map_timeline", tag = "maps",
    params(("map" = String, Path, description = "Its id"), TimelineQuery),
    responses((status = 200, description = "The timeline", body = MapTimeline)), security(("token" = ["read"])))]
async fn get_map_timeline(
    State(app): State<Arc<App>>,
    identity: Identity,
    Path(map): Path<String>,
    Query(query): Query<TimelineQuery>,
) -> Answer<Json<MapTimeline>> {
    let map = parsed::<RunId>("map", &map)?.to_string();
    if let Some(lanes) = query.lanes.filter(|lanes| !(1..=LANES).contains(lanes)) {
        return Err(wrong("lanes", format!("{lanes}: expected 1 to {LANES}")));
    }
    query.from.map_or(Ok(()), |from| within("from", from))?;
    query.to.map_or(Ok(()), |to| within("to", to))?;
    if let (Some(from), Some(to)) = (query.from, query.to)
        && from > to
    {
        return Err(wrong("to", format!("{to}: expected {from} or more, as from is")));
    }
    let read = move |journal: &SqliteJournal| read_timeline(journal, map, &query);
    app.in_turn_of(&app.long_calls.timelines, &identity, read).await.map(Json)
}

fn read_timeline(journal: &SqliteJournal, map: String, query: &TimelineQuery) -> Answer<MapTimeline> {
    let counts = journal.tag_counts(&tag_text(&map))?.counts;
    let is_packed = query.lanes.is_some() || counts.total() > TIMELINE_ROWS as u64;
    if is_packed {
        read_lanes(journal, map, counts.total(), query)
    } else {
        read_columns(journal, map, query)
    }
}

/// A row for each.
fn read_columns(journal: &SqliteJournal, map: String, query: &TimelineQuery) -> Answer<MapTimeline> {
    let rows = numbered(journal, &map, |run| *run)?;
    let origin = rows.iter().map(|(_, run)| run.created).min().ok_or_else(|| unknown_map(&map))?;
    let now = offset(origin, now());
    let bars = rows.into_iter().map(|(row, run)| {
        let end = run.ended.map(|ended| offset(origin, ended));
        let start = run.started.map(|started| offset(origin, started));
        let start = start.or_else(|| end.filter(|_| run.state.is_terminal()));
        let row = u32::try_from(row).unwrap_or(u32::MAX);
        Bar { row, start, end, state: run.state, attempts: run.attempts }
    });
    let bars: Vec<Bar> = bars.collect();
    let last = bars.iter().map(|bar| bar.end.unwrap_or(now)).max().unwrap_or(now);
    let (from, to) = query.window(last);
    let rows = Some(timeline::rows(&bars, from, to, now));
    let (origin, total, states) = (instant(origin), bars.len() as u64, timeline::states());
    Ok(MapTimeline { map, origin, now, from, to, total, states, rows, lanes: None })
}

/// Lanes, from the times of the runs alone.
fn read_lanes(
    journal: &SqliteJournal,
    map: String,
    total: u64,
    query: &TimelineQuery,
) -> Answer<MapTimeline> {
    /// The lanes if no number is given.
    const DEFAULT_LANES: usize = 64;
    let at = now();
    let found = journal.tag_spans(&tag_text(&map), |origin, run| {
        let end = offset(origin, run.ended.unwrap_or(at));
        let start = run.started.map_or(end, |started| offset(origin, started));
        Span { start, end: end.max(start), state: run.state }
    })?;
    let (origin, spans) = found.ok_or_else(|| unknown_map(&map))?;
    let now = offset(origin, at);
    // Some rows have not ended if not all have a span.
    let has_ended = spans.len() as u64 == total;
    let last = spans.iter().map(|span| span.end).max().filter(|_| has_ended).unwrap_or(now);
    let (from, to) = query.window(last);
    let lanes = Some(timeline::lanes(spans, from, to, query.lanes.unwrap_or(DEFAULT_LANES)));
    let (origin, states) = (instant(origin), timeline::states());
    Ok(MapTimeline { map, origin, now, from, to, total, states, rows: None, lanes })
}

/// Milliseconds since the origin.
fn offset(origin: Timestamp, at: Timestamp) -> u64 {
    u64::try_from(at.since(origin).as_millis()).unwrap_or(u64::MAX)
}

impl TimelineQuery {
    /// The times that are shown, where the last one known is this.
    fn window(&self, last: u64) -> (u64, u64) {
        let from = self.from.unwrap_or(0);
        (from, self.to.unwrap_or(last).max(from))
    }
}
