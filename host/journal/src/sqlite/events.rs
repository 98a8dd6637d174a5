//! The events of all runs, in order.

use hostel_core::RunId;
use hostel_core::journal::JournalEvent;
use rusqlite::Connection;

use super::change;
use super::row::{self, time};
use crate::error::Fault;

/// The number of the last event.
pub(super) fn last(db: &Connection) -> rusqlite::Result<u64> {
    let last: i64 = db.prepare_cached("SELECT event FROM counter")?.query_row([], |row| row.get(0))?;
    Ok(last.cast_unsigned())
}

/// The events after the one with this number.
pub(super) fn after(db: &Connection, after: u64, limit: usize) -> Result<Vec<JournalEvent>, Fault> {
    let mut query = db.prepare_cached(
        "SELECT e.seq, r.id, e.version, e.at, e.state, e.change, e.body FROM event e CROSS JOIN run r ON r.seq = e.run \
         WHERE e.seq > ? ORDER BY e.seq LIMIT ?",
    )?;
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let mut rows = query.query([after, limit as i64])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let run = RunId::from_bytes(row.get(1)?);
        let code: i64 = row.get(5)?;
        let fact =
            if change::needs_fact(code) { row.get_ref(6)?.as_blob_or_null().ok().flatten() } else { None };
        let damaged = || Fault::damaged(run, "one of its events");
        events.push(JournalEvent {
            seq: row.get::<_, i64>(0)?.cast_unsigned(),
            run,
            version: row.get::<_, i64>(2)?.cast_unsigned(),
            state: row::state(row.get(4)?).ok_or_else(damaged)?,
            at: time(row.get(3)?),
            change: change::decode(code, fact).ok_or_else(damaged)?,
        });
    }
    Ok(events)
}
