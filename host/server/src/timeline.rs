//! When the rows of a map executed, in columns: a row each, or packed into lanes where there are too many to show.

use hostel::State;
use serde::Serialize;
use utoipa::ToSchema;

/// Into how many steps the shown time is divided for lanes: what is shorter joins its neighbour.
const STEPS: u64 = 1_000;

/// A row on its way into a timeline. Times are milliseconds since the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bar {
    /// The number of the row, counted from 0.
    pub(crate) row: u32,
    /// When its last attempt began; `None` if none has begun.
    pub(crate) start: Option<u64>,
    /// When it ended; `None` if it has not.
    pub(crate) end: Option<u64>,
    /// Its state.
    pub(crate) state: State,
    /// How many attempts have begun.
    pub(crate) attempts: u32,
}

/// When a row executed, on its way into a lane. Times are milliseconds since the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// When its last attempt began, or when it ended without one.
    pub(crate) start: u64,
    /// When it ended, or the time of the answer.
    pub(crate) end: u64,
    /// Its state.
    pub(crate) state: State,
}

/// Rows as columns: the same place in each column is the same row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct RowColumns {
    /// The number of the row, counted from 0.
    row: Vec<u32>,
    /// When its last attempt began, in milliseconds since the origin; `null` before that.
    start: Vec<Option<u64>>,
    /// When it ended; `null` before that.
    end: Vec<Option<u64>>,
    /// Its state: a place in `states`.
    state: Vec<usize>,
    /// How many attempts have begun.
    attempt: Vec<u32>,
}

/// Lanes as columns: the same place in each column is the same bar.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct LaneColumns {
    /// The lane, counted from 0.
    lane: Vec<u32>,
    /// When the first of its rows began, in milliseconds since the origin.
    start: Vec<u64>,
    /// When the last of its rows ended, or the time of the answer.
    end: Vec<u64>,
    /// The state that needs most attention among its rows: a place in `states`.
    state: Vec<usize>,
    /// How many rows it stands for.
    count: Vec<u64>,
}

/// The names of the states that columns refer to.
pub(crate) fn states() -> Vec<&'static str> {
    State::ALL.into_iter().map(State::name).collect()
}

fn place(state: State) -> usize {
    State::ALL.iter().position(|other| *other == state).unwrap_or_default()
}

impl Bar {
    /// Whether a part of it is between these times. A row that has not begun is at the end of all times.
    fn is_between(&self, from: u64, to: u64, now: u64) -> bool {
        self.start.unwrap_or(now) <= to && self.end.unwrap_or(now) >= from
    }
}

/// The rows that execute between two times.
pub(crate) fn rows(bars: &[Bar], from: u64, to: u64, now: u64) -> RowColumns {
    let mut columns = RowColumns::default();
    for bar in bars.iter().filter(|bar| bar.is_between(from, to, now)) {
        columns.row.push(bar.row);
        columns.start.push(bar.start);
        columns.end.push(bar.end);
        columns.state.push(place(bar.state));
        columns.attempt.push(bar.attempts);
    }
    columns
}

/// A bar of a lane that may grow.
#[derive(Clone, Copy)]
struct Open {
    start: u64,
    end: u64,
    state: State,
    count: u64,
}

/// The rows that execute between two times, packed: each in the first lane that is free when it begins, and in the last one if none is.
/// Short ones, and those that follow each other closely, are one bar.
pub(crate) fn lanes(mut spans: Vec<Span>, from: u64, to: u64, lanes: usize) -> LaneColumns {
    let step = (to.saturating_sub(from) / STEPS).max(1);
    spans.retain(|span| span.start <= to && span.end >= from);
    spans.sort_unstable_by_key(|span| (span.start, span.end));
    let mut open: Vec<Option<Open>> = vec![None; lanes.max(1)];
    let mut columns = LaneColumns::default();
    for Span { start, end, state } in spans {
        let free = open.iter().position(|open| open.is_none_or(|open| open.end <= start));
        let lane = free.unwrap_or(open.len() - 1);
        let Some(slot) = open.get_mut(lane) else { continue };
        // A bar grows until it is long enough to be seen. Beyond that only in the last lane, whose rows have found no free one.
        let joins = slot.is_some_and(|open| {
            let is_short = open.end - open.start < step;
            start < open.end || is_short && start <= open.end.saturating_add(step)
        });
        if joins && let Some(open) = slot {
            open.end = open.end.max(end);
            open.count += 1;
            open.state = worse(open.state, state);
        } else {
            let before = slot.replace(Open { start, end, state, count: 1 });
            before.into_iter().for_each(|before| columns.push(lane, before));
        }
    }
    for (lane, open) in open.into_iter().enumerate() {
        open.into_iter().for_each(|open| columns.push(lane, open));
    }
    columns
}

impl LaneColumns {
    fn push(&mut self, lane: usize, bar: Open) {
        self.lane.push(u32::try_from(lane).unwrap_or(u32::MAX));
        self.start.push(bar.start);
        self.end.push(bar.end);
        self.state.push(place(bar.state));
        self.count.push(bar.count);
    }
}

/// Which of two states someone who looks for trouble wants to see.
fn worse(one: State, other: State) -> State {
    let weight = |state: State| match state {
        State::Crashed => 5,
        State::Failed | State::TimedOut | State::UpstreamFailed => 4,
        State::Cancelled | State::Cancelling => 3,
        State::Retrying | State::AwaitingRetry => 2,
        State::Running => 1,
        State::Completed
        | State::Cached
        | State::RolledBack
        | State::Scheduled
        | State::Pending
        | State::AwaitingConcurrencySlot => 0,
    };
    if weight(other) > weight(one) { other } else { one }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(row: u32, start: u64, end: u64, state: State) -> Bar {
        Bar { row, start: Some(start), end: Some(end), state, attempts: 1 }
    }

    fn span(start: u64, end: u64, state: State) -> Span {
        Span { start, end, state }
    }

    #[test]
    fn spans_outside_of_the_time_are_in_no_lane() {
        let spans =
            [(0, 10), (5, 30), (25, 26), (40, 50)].map(|(start, end)| span(start, end, State::Failed));
        let packed = lanes(spans.to_vec(), 20, 30, 4);
        assert_eq!((packed.start, packed.end), (vec![5, 25], vec![30, 26]));
    }

    #[test]
    fn rows_outside_of_the_time_are_left_out() {
        let waiting = Bar { row: 3, start: None, end: None, state: State::Pending, attempts: 0 };
        let bars = [
            bar(0, 0, 10, State::Completed),
            bar(1, 5, 30, State::Failed),
            bar(2, 40, 50, State::Completed),
            waiting,
        ];
        assert_eq!(rows(&bars, 20, 30, 100).row, [1]);
        let all = rows(&bars, 0, 100, 100);
        assert_eq!((all.row, all.start), (vec![0, 1, 2, 3], vec![Some(0), Some(5), Some(40), None]));
        assert_eq!(states()[all.state[1]], "Failed");
    }

    #[test]
    fn rows_at_the_same_time_are_in_lanes_of_their_own() {
        let spans = vec![
            span(0, 50_000, State::Completed),
            span(1_000, 60_000, State::Completed),
            span(50_000, 100_000, State::Failed),
        ];
        let packed = lanes(spans, 0, 100_000, 8);
        let mut found: Vec<_> = packed.lane.iter().zip(&packed.start).zip(&packed.count).collect();
        found.sort();
        assert_eq!(found, [((&0, &0), &1), ((&0, &50_000), &1), ((&1, &1_000), &1)]);
    }

    #[test]
    fn many_rows_make_few_bars_and_none_is_lost() {
        let state = |row| if row % 1_000 == 7 { State::Crashed } else { State::Completed };
        let spans = (0..300_000).map(|row| span(row / 4, row / 4 + 1, state(row))).collect();
        let packed = lanes(spans, 0, 75_001, 16);
        assert_eq!(packed.count.iter().sum::<u64>(), 300_000);
        assert!(packed.lane.len() <= 16 * 1_001, "{}", packed.lane.len());
        let crashed = packed.state.iter().filter(|state| states()[**state] == "Crashed").count();
        assert!(crashed > 0);
    }

    #[test]
    fn what_finds_no_lane_is_in_the_last_one() {
        let packed = lanes(vec![span(0, 10_000, State::Running); 100], 0, 10_000, 4);
        assert_eq!((packed.lane.len(), packed.count.iter().sum::<u64>()), (4, 100));
    }
}
