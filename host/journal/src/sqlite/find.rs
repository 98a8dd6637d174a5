//! Lists of runs: one index for the narrowest part of a filter, and everything else by the rows found there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hostel_core::journal::{Cursor, Found, Page, RunHead, WorkerId};
use hostel_core::{QueueName, RunFacets, RunFilter, RunId, State, StateSet, TaskKey};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};

use super::input_search::InputSearch;
use super::name_search::NameSearch;
use super::names::{Kind, Names};
use super::row::{self, sortable, time};
use super::tagged;
use crate::error::Fault;

/// The most parts of an index that are read side by side: the states, or the tasks of a component.
const MAX_STREAMS: usize = 64;

/// The most runs that are counted between two times.
const MAX_WINDOW: i64 = 5_000;

/// The longest that a page compares inputs.
const MAX_COMPARING: Duration = Duration::from_millis(200);

/// After so many runs it is asked how long that took.
const TIMED_EVERY: usize = 64;

/// The states of runs that have an error line.
const ERROR_STATES: [State; 4] = [State::Failed, State::TimedOut, State::UpstreamFailed, State::Crashed];

/// What a list needs of a run.
const HEAD: &str = "SELECT r.seq, r.id, r.task, r.queue, r.priority, r.state, r.version, r.due, r.created, r.started, r.ended, \
                    r.attempts, r.crashes, r.attention, r.worker, r.schedule, r.tags, r.name, r.error, r.function";

/// A query: its text after `FROM`, and its parameters.
struct Query {
    text: String,
    values: Vec<Value>,
}

/// The conditions of a filter that SQLite checks, and the order of what it finds.
struct Conditions {
    text: String,
    values: Vec<Value>,
    way: Way,
}

/// The numbers of runs from one on, and before another.
struct Window {
    first: i64,
    before: i64,
}

/// The part of a filter that chooses the index.
enum Narrow {
    /// The number of a tag.
    Tag(i64),
    Attention,
    Schedule(i64),
    States(StateSet),
    Tasks(Vec<i64>),
    Queue(i64),
    All,
}

/// Which way a list goes from a place on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Older,
    Newer,
}

/// A page of the runs that match, which looks at so many runs at most.
pub(super) fn find(
    db: &Connection,
    names: &mut Names,
    filter: &RunFilter,
    (page, way): (Page, Way),
    most: usize,
) -> Result<Found, Fault> {
    let Some(queries) = queries(db, names, filter, (page, way))? else {
        return Ok(Found { runs: Vec::new(), next: None, span: None, scanned_to: None });
    };
    let budget = Budget::of(filter, most, queries.len());
    let mut heads = Vec::new();
    let mut last: Option<Place> = None;
    for query in queries {
        let stopped = read(db, names, (filter, page.limit, budget), &query, &mut heads)?;
        last = last.into_iter().chain(stopped).reduce(|one, other| way.nearer(one, other));
    }
    // Beyond the last place, some queries have not looked at all runs.
    heads.retain(|(seq, _)| last.is_none_or(|last| way.distance(*seq) <= way.distance(last.seq)));
    heads.sort_unstable_by_key(|(seq, _)| way.distance(*seq));
    let more = heads.len() > page.limit;
    heads.truncate(page.limit);
    let place = |seq: i64| Cursor::behind(seq.cast_unsigned());
    let next = heads.last().filter(|_| more).map(|(seq, _)| place(*seq));
    let last = last.filter(|_| next.is_none());
    if way == Way::Newer {
        heads.reverse();
    }
    let span = heads.first().zip(heads.last()).map(|((first, _), (last, _))| (place(*first), place(*last)));
    Ok(Found {
        runs: heads.into_iter().map(|(_, head)| head).collect(),
        next: next.or(last.map(|last| place(last.seq))),
        span,
        scanned_to: last.map(|last| time(last.created)),
    })
}

impl Way {
    /// Smaller for a run that comes earlier on the way.
    const fn distance(self, seq: i64) -> i64 {
        match self {
            Self::Older => -seq,
            Self::Newer => seq,
        }
    }

    /// The place that comes earlier on the way.
    const fn nearer(self, one: Place, other: Place) -> Place {
        if self.distance(one.seq) <= self.distance(other.seq) { one } else { other }
    }

    const fn order(self) -> &'static str {
        match self {
            Self::Older => "DESC",
            Self::Newer => "ASC",
        }
    }
}

/// The run at which a page stopped because it had looked at many.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    seq: i64,
    created: i64,
}

/// How much one query of a page may look at.
#[derive(Clone, Copy)]
struct Budget {
    runs: usize,
    time: Option<Duration>,
}

impl Budget {
    fn of(filter: &RunFilter, most: usize, queries: usize) -> Self {
        let share = u32::try_from(queries.max(1)).unwrap_or(u32::MAX);
        let time = (!filter.wanted_inputs().is_empty()).then_some(MAX_COMPARING / share);
        Self { runs: (most / queries.max(1)).max(1), time }
    }

    fn is_spent(self, looked_at: usize, began: Instant) -> bool {
        let is_late = |most: Duration| looked_at.is_multiple_of(TIMED_EVERY) && began.elapsed() >= most;
        looked_at >= self.runs || self.time.is_some_and(is_late)
    }
}

/// Reads one more match than the page has, at most. If it stops before, because it has looked at many runs, it returns the last one.
fn read(
    db: &Connection,
    names: &mut Names,
    (filter, limit, budget): (&RunFilter, usize, Budget),
    query: &Query,
    heads: &mut Vec<(i64, RunHead)>,
) -> Result<Option<Place>, Fault> {
    // The specification is long: only inputs are looked for in it.
    let born = if filter.wanted_inputs().is_empty() { "NULL" } else { "r.born" };
    let mut statement = db.prepare_cached(&format!("{HEAD}, {born} FROM {}", query.text))?;
    let mut rows = statement.query(params_from_iter(&query.values))?;
    let mut room = limit + 1;
    let mut search = NameSearch::new(filter);
    let mut inputs = InputSearch::new(filter);
    let (began, mut looked_at) = (Instant::now(), 0);
    while let Some(row) = rows.next()?.filter(|_| room > 0) {
        // Asked first, because that of most rows is another one.
        if search.matches(db, names, row, [1, 2, 17])? && inputs.matches(db, names, row, [2, 20])? {
            let found = head(db, names, row)?;
            if matches(filter, &found.1) {
                heads.push(found);
                room -= 1;
            }
        }
        looked_at += 1;
        if room > 0 && budget.is_spent(looked_at, began) {
            return Ok(Some(Place { seq: row.get(0)?, created: row.get(8)? }));
        }
    }
    Ok(None)
}

/// The queries that find all matches; `None` if there can be none.
fn queries(
    db: &Connection,
    names: &mut Names,
    filter: &RunFilter,
    (page, way): (Page, Way),
) -> Result<Option<Vec<Query>>, Fault> {
    let Some(narrow) = narrow(db, names, filter)? else { return Ok(None) };
    let Some(conditions) = conditions(db, names, filter, way)? else { return Ok(None) };
    let cursor = page.after.map(|cursor| i64::try_from(cursor.number()).unwrap_or(i64::MAX));
    let Window { first, before } = window(db, filter)?;
    let range = match way {
        Way::Older => [first.into(), before.min(cursor.unwrap_or(i64::MAX)).into()],
        Way::Newer => [first.max(cursor.map_or(0, |cursor| cursor.saturating_add(1))).into(), before.into()],
    };
    let on = |index: &str, column: &str, value: i64| {
        let text = format!("run r INDEXED BY {index} WHERE r.{column} = ? AND r.seq >= ? AND r.seq < ?");
        conditions.query(text, [vec![value.into()], range.to_vec()].concat())
    };
    Ok(Some(match narrow {
        Narrow::Tag(tag) => {
            let text =
                "run_tag t CROSS JOIN run r ON r.seq = t.run WHERE t.tag = ? AND t.run >= ? AND t.run < ?";
            let values = [vec![tag.into()], range.to_vec()].concat();
            vec![conditions.query_by(text.to_owned(), values, "t.run")]
        }
        Narrow::Attention => {
            let text = "run r INDEXED BY run_attention WHERE r.attention = 1 AND r.seq >= ? AND r.seq < ?";
            vec![conditions.query(text.to_owned(), range.to_vec())]
        }
        Narrow::Schedule(schedule) => vec![on("run_schedule", "schedule", schedule)],
        Narrow::Queue(queue) => vec![on("run_queue", "queue", queue)],
        Narrow::States(states) => states.iter().map(|state| on("run_state", "state", state as i64)).collect(),
        Narrow::Tasks(tasks) => tasks.into_iter().map(|task| on("run_task", "task", task)).collect(),
        Narrow::All => {
            vec![conditions.query("run r WHERE r.seq >= ? AND r.seq < ?".to_owned(), range.to_vec())]
        }
    }))
}

/// The numbers of the runs between the times of a filter, if there are few: then no others have to be looked at. Arrival and time of
/// creation are in different orders, so that only the runs themselves tell.
fn window(db: &Connection, filter: &RunFilter) -> Result<Window, Fault> {
    let all = Window { first: 0, before: i64::MAX };
    let (since, until) = filter.wanted_times();
    let Some(since) = since else { return Ok(all) };
    let mut query = db.prepare_cached(
        "SELECT count(*), min(seq), max(seq) FROM (SELECT seq FROM run INDEXED BY run_created \
         WHERE created >= ? AND created <= ? LIMIT ?)",
    )?;
    let until = until.map_or(i64::MAX, sortable);
    let (count, first, last): (i64, Option<i64>, Option<i64>) = query
        .query_row(params![sortable(since), until, MAX_WINDOW], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    match (first, last) {
        _ if count == MAX_WINDOW => Ok(all),
        (Some(first), Some(last)) => Ok(Window { first, before: last.saturating_add(1) }),
        _ => Ok(Window { first: 0, before: 0 }),
    }
}

/// Which index to use; `None` if nothing can match.
fn narrow(db: &Connection, names: &mut Names, filter: &RunFilter) -> Result<Option<Narrow>, Fault> {
    if let Some(tag) = filter.wanted_tags().first() {
        return Ok(match names.find(db, Kind::Tag, tag)? {
            Some(tag) => narrow_tag(db, tag, filter)?,
            None => None,
        });
    }
    if filter.wants_attention() {
        return Ok(Some(Narrow::Attention));
    }
    if let Some(schedule) = filter.wanted_schedule() {
        return Ok(names.find(db, Kind::Schedule, schedule)?.map(Narrow::Schedule));
    }
    if let Some(tasks) = tasks(db, names, filter)? {
        return Ok(Some(Narrow::Tasks(tasks)));
    }
    let with_error = filter.wanted_error().map(|_| ERROR_STATES.into_iter().collect());
    if let Some(states) = filter.wanted_states().or(with_error) {
        return Ok(Some(Narrow::States(states)));
    }
    match filter.wanted_queue() {
        Some(queue) => Ok(names.find(db, Kind::Queue, queue.as_str())?.map(Narrow::Queue)),
        None => Ok(Some(Narrow::All)),
    }
}

/// The index for runs with a tag: that of the states that are wanted, if fewer runs are in these.
fn narrow_tag(db: &Connection, tag: i64, filter: &RunFilter) -> Result<Option<Narrow>, Fault> {
    let Some(states) = filter.wanted_states() else { return Ok(Some(Narrow::Tag(tag))) };
    let (both, tagged) = tagged::count_in(db, tag, states.iter())?;
    if both == 0 {
        return Ok(None);
    }
    let runs = tally(db)?.into_iter().filter(|(state, _)| states.contains(*state));
    let in_states: u64 = runs.map(|(_, runs)| runs).sum();
    Ok(Some(if in_states < tagged { Narrow::States(states) } else { Narrow::Tag(tag) }))
}

/// The numbers of the tasks that are wanted; `None` for all, and if there are too many to read side by side.
fn tasks(db: &Connection, names: &mut Names, filter: &RunFilter) -> Result<Option<Vec<i64>>, Fault> {
    let Some(component) = filter.wanted_component() else { return Ok(None) };
    if let Some(export) = filter.wanted_export() {
        let task = TaskKey { component, export: export.clone() };
        return Ok(Some(names.find_task(db, &task)?.into_iter().collect()));
    }
    let mut query = db.prepare_cached("SELECT id FROM task WHERE component = ? LIMIT ?")?;
    let rows = query.query_map((component.as_bytes(), MAX_STREAMS as i64 + 1), |row| row.get(0))?;
    let tasks: Vec<i64> = rows.collect::<Result<_, _>>()?;
    Ok((tasks.len() <= MAX_STREAMS).then_some(tasks))
}

/// The conditions that SQLite checks before a row is read whole; `None` if nothing can match.
fn conditions(
    db: &Connection,
    names: &mut Names,
    filter: &RunFilter,
    way: Way,
) -> Result<Option<Conditions>, Fault> {
    let mut conditions = Conditions { text: String::new(), values: Vec::new(), way };
    if let Some(states) = filter.wanted_states() {
        if states.iter().next().is_none() {
            return Ok(None);
        }
        let codes: Vec<_> = states.iter().map(|state| (state as i64).to_string()).collect();
        // A unary plus, so that it chooses no index.
        conditions.add(&format!(" AND +r.state IN ({})", codes.join(", ")), None);
    }
    if let Some(queue) = filter.wanted_queue() {
        let Some(queue) = names.find(db, Kind::Queue, queue.as_str())? else { return Ok(None) };
        conditions.add(" AND +r.queue = ?", Some(queue));
    }
    for tag in filter.wanted_tags() {
        let Some(tag) = names.find(db, Kind::Tag, tag)? else { return Ok(None) };
        conditions.add(" AND EXISTS (SELECT 1 FROM run_tag x WHERE x.tag = ? AND x.run = r.seq)", Some(tag));
    }
    let (since, until) = filter.wanted_times();
    if let Some(since) = since {
        conditions.add(" AND +r.created >= ?", Some(sortable(since)));
    }
    if let Some(until) = until {
        conditions.add(" AND +r.created <= ?", Some(sortable(until)));
    }
    if filter.wanted_error().is_some() {
        conditions.add(" AND r.error IS NOT NULL", None);
    }
    Ok(Some(conditions))
}

impl Conditions {
    fn add(&mut self, text: &str, value: Option<i64>) {
        self.text.push_str(text);
        self.values.extend(value.map(Value::from));
    }

    fn query(&self, text: String, values: Vec<Value>) -> Query {
        self.query_by(text, values, "r.seq")
    }

    fn query_by(&self, mut text: String, mut values: Vec<Value>, order: &str) -> Query {
        text.push_str(&self.text);
        text.push_str(&format!(" ORDER BY {order} {}", self.way.order()));
        values.extend(self.values.iter().cloned());
        Query { text, values }
    }
}

/// What a list shows of a row.
fn head(db: &Connection, names: &mut Names, row: &Row<'_>) -> Result<(i64, RunHead), Fault> {
    let run = RunId::from_bytes(row.get(1)?);
    let task = names.task(db, row.get(2)?)?;
    let damaged = |what| Fault::damaged(run, what);
    let state = row::state(row.get(5)?).ok_or_else(|| damaged("its state"))?;
    let queue = names.name(db, row.get(3)?)?;
    let name: Option<Arc<str>> = row.get(17)?;
    let worker: Option<i64> = row.get(14)?;
    let schedule: Option<i64> = row.get(15)?;
    let (started, ended): (Option<i64>, Option<i64>) = (row.get(9)?, row.get(10)?);
    let head = RunHead {
        run,
        name: name.unwrap_or_else(|| task.run_name(run).into()),
        task,
        function: row.get(19)?,
        tags: row::tags_in(row.get_ref(16)?.as_str_or_null().ok().flatten()).into_iter().collect(),
        priority: row.get(4)?,
        state,
        version: row.get::<_, i64>(6)?.cast_unsigned(),
        created: time(row.get(8)?),
        ended: ended.map(time),
        attempts: row.get(11)?,
        crashes: row.get(12)?,
        worker: worker.map(|worker| names.name(db, worker)).transpose()?.map(WorkerId::new),
        queue: QueueName::new(&queue).map_err(|_| damaged("its queue"))?,
        due: time(row.get(7)?),
        started: started.map(time),
        schedule: schedule.map(|schedule| names.name(db, schedule)).transpose()?,
        error: row.get(18)?,
        needs_attention: row.get(13)?,
    };
    Ok((row.get(0)?, head))
}

/// Whether a filter matches what a list shows, by inputs that match.
fn matches(filter: &RunFilter, head: &RunHead) -> bool {
    filter.matches(&RunFacets {
        state: head.state,
        task: &head.task,
        run: head.run,
        name: Some(&head.name),
        tags: &head.tags,
        created: head.created,
        queue: Some(head.queue.as_str()),
        schedule: head.schedule.as_deref(),
        error: head.error.as_deref(),
        needs_attention: head.needs_attention,
        has_inputs: true,
    })
}

/// How many runs there are by state.
pub(super) fn tally(db: &Connection) -> rusqlite::Result<Vec<(State, u64)>> {
    let mut query = db.prepare_cached("SELECT state, runs FROM tally")?;
    let rows = query.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    let mut tally = Vec::new();
    for row in rows {
        let (state, runs) = row?;
        tally.extend(row::state(state).map(|state| (state, u64::try_from(runs).unwrap_or(0))));
    }
    Ok(tally)
}
