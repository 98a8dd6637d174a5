//! Histograms, and how long runs stay.

use hostel_core::journal::{Bucket, HistogramRequest, JournalError, MAX_PRUNED, Pruned, Retention};
use hostel_core::{State, Timestamp};
use rusqlite::{Connection, params};

use super::row::{self, sortable, time};
use super::writing::Writing;
use crate::error::Fault;

pub(super) fn histogram(db: &Connection, request: &HistogramRequest) -> Result<Vec<Bucket>, Fault> {
    let (first, before) = request.minutes().map_err(JournalError::from)?;
    let mut query = db.prepare_cached(
        "SELECT minute, state, runs FROM histogram WHERE minute >= ? AND minute < ? ORDER BY minute, state",
    )?;
    let before = i64::try_from(before).unwrap_or(i64::MAX);
    let rows = query.query_map([first.cast_signed(), before], |row| {
        let (minute, state, runs): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(row::state(state).map(|state| (minute.cast_unsigned(), state, runs.cast_unsigned())))
    })?;
    let minutes = rows.collect::<Result<Vec<_>, _>>()?;
    Ok(request.group(minutes.into_iter().flatten()))
}

pub(super) fn retain(
    writing: &mut Writing<'_>,
    retention: &Retention,
    now: Timestamp,
) -> Result<Pruned, Fault> {
    // Nothing ends before this.
    let before = |has_failed| retention.ended_before(now, has_failed).map_or(i64::MIN, sortable);
    let (failed, others) = (before(true), before(false));
    let codes = Retention::FAILED.map(|state: State| (state as i64).to_string()).join(", ");
    let mut query = writing.db.prepare_cached(&format!(
        "SELECT seq FROM run INDEXED BY run_ended WHERE ended IS NOT NULL AND ended < max(?1, ?2) \
         AND ended < iif(state IN ({codes}), ?1, ?2) ORDER BY ended, seq LIMIT ?3"
    ))?;
    // One more than is removed, to know whether there are more.
    let gone: Vec<i64> = query
        .query_map([failed, others, MAX_PRUNED as i64 + 1], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for seq in gone.iter().take(MAX_PRUNED) {
        writing.remove(*seq)?;
    }
    Ok(Pruned { runs: gone.len().min(MAX_PRUNED) as u64, more: gone.len() > MAX_PRUNED })
}

/// When old runs were last removed.
pub(super) fn last(db: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    let mut query = db.prepare_cached("SELECT upkeep FROM counter")?;
    query.query_row([], |row| Ok(row.get::<_, Option<i64>>(0)?.map(time)))
}

pub(super) fn take(writing: &Writing<'_>, now: Timestamp) -> Result<bool, Fault> {
    let is_due = Retention::is_upkeep_due(now, last(writing.db)?);
    if is_due {
        writing.db.prepare_cached("UPDATE counter SET upkeep = ?")?.execute(params![sortable(now)])?;
    }
    Ok(is_due)
}
