//! Batches: the rows of them, and their steps.

use hostel_core::journal::{
    Batch, BatchAction, BatchId, Cursor, JournalError, MAX_BATCH_STEP, MAX_BATCHES, MAX_REFUSED, MAX_SCANNED,
    Page,
};
use hostel_core::{RunFilter, RunId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::find::{self, Way};
use super::names::Names;
use super::operate;
use super::row::{self, exact, time};
use super::writing::Writing;
use crate::error::Fault;

const COLUMNS: &str =
    "SELECT id, action, filter, before, done, failed, created, finished, stopped, refused FROM batch";

/// The next step of a batch: the runs that were found for it.
#[derive(Clone)]
pub(super) struct Step {
    pub(super) batch: Batch,
    runs: Vec<RunId>,
    next: Option<Cursor>,
}

pub(super) fn start(
    writing: &mut Writing<'_>,
    at: Timestamp,
    action: BatchAction,
    filter: &RunFilter,
) -> Result<Batch, Fault> {
    let most = MAX_BATCHES;
    let mut drop = writing.db.prepare_cached(
        "DELETE FROM batch WHERE id IN (SELECT id FROM batch WHERE finished IS NOT NULL ORDER BY id \
         LIMIT max(0, (SELECT count(*) FROM batch) - ?))",
    )?;
    drop.execute([most as i64 - 1])?;
    let stored: i64 = writing.db.query_row("SELECT count(*) FROM batch", [], |row| row.get(0))?;
    if stored >= most as i64 {
        let (what, count) = ("unfinished batches", most + 1);
        return Err(JournalError::TooMany { what, count, most }.into());
    }
    let mut insert = writing
        .db
        .prepare_cached("INSERT INTO batch (action, filter, before, created) VALUES (?, ?, ?, ?)")?;
    insert.execute(params![action as i64, filter.encode(), writing.next_run(), exact(at)])?;
    load(writing.db, BatchId::new(writing.db.last_insert_rowid().cast_unsigned()))
}

pub(super) fn load(db: &Connection, batch: BatchId) -> Result<Batch, Fault> {
    let mut query = db.prepare_cached(&format!("{COLUMNS} WHERE id = ?"))?;
    let found = query.query_row([batch.number().cast_signed()], read).optional()?;
    found.ok_or(Fault::Refused(JournalError::NoBatch { batch }))
}

pub(super) fn all(db: &Connection) -> Result<Vec<Batch>, Fault> {
    let mut query = db.prepare_cached(&format!("{COLUMNS} ORDER BY id DESC LIMIT ?"))?;
    Ok(query.query_map([MAX_BATCHES as i64], read)?.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Batch> {
    let wrong =
        |column, kind| rusqlite::Error::FromSqlConversionFailure(column, kind, "it is damaged".into());
    let number = |column: usize| row.get::<_, i64>(column).map(i64::cast_unsigned);
    let action =
        usize::try_from(row.get::<_, i64>(1)?).ok().and_then(|code| BatchAction::ALL.get(code).copied());
    let filter = RunFilter::decode(row.get_ref(2)?.as_blob()?).ok();
    Ok(Batch {
        id: BatchId::new(number(0)?),
        action: action.ok_or_else(|| wrong(1, rusqlite::types::Type::Integer))?,
        filter: filter.ok_or_else(|| wrong(2, rusqlite::types::Type::Blob))?,
        before: number(3)?,
        done: number(4)?,
        failed: number(5)?,
        refused: ids(row.get_ref(9)?.as_blob()?),
        created: time(row.get(6)?),
        finished: row.get::<_, Option<i64>>(7)?.map(time),
        is_stopped: row.get(8)?,
    })
}

/// The ids that were stored one after another.
fn ids(bytes: &[u8]) -> Vec<RunId> {
    bytes.as_chunks().0.iter().map(|id| RunId::from_bytes(*id)).collect()
}

/// Finds the runs of the next step. Outside of the transaction that acts on them, because it may look at many others.
pub(super) fn prepare(db: &Connection, names: &mut Names, batch: BatchId) -> Result<Step, Fault> {
    let batch = load(db, batch)?;
    if batch.is_finished() {
        return Ok(Step { batch, runs: Vec::new(), next: None });
    }
    let page = Page { after: Some(Cursor::behind(batch.before)), limit: MAX_BATCH_STEP };
    let found = find::find(db, names, &batch.to_do(), (page, Way::Older), MAX_SCANNED)?;
    let fits = found.runs.into_iter().filter(|head| batch.action.fits_queue(&head.queue));
    let runs = fits.map(|head| head.run).collect();
    Ok(Step { batch, runs, next: found.next })
}

/// Acts on the runs of a step, if nobody has taken it in the meantime.
pub(super) fn take(writing: &mut Writing<'_>, at: Timestamp, step: &Step) -> Result<Batch, Fault> {
    let batch = load(writing.db, step.batch.id)?;
    if batch.is_finished() || batch.before != step.batch.before {
        return Ok(batch);
    }
    // Inputs never change.
    let filter = batch.to_do().any_inputs();
    let (mut done, mut failed) = (0_i64, 0_i64);
    let mut refused = Vec::new();
    for &run in &step.runs {
        // It may have changed since it was found.
        let still_fits = match row::load(writing.db, writing.names, run) {
            Ok(loaded) => loaded.is_some_and(|loaded| loaded.entry.matches(&filter)),
            Err(Fault::Refused(_)) => batch.action == BatchAction::Remove,
            Err(fault) => return Err(fault),
        };
        if !still_fits {
            continue;
        }
        match act(writing, at, batch.action, run) {
            Ok(()) => done += 1,
            Err(Fault::Refused(_)) => {
                failed += 1;
                if batch.refused.len() + refused.len() / size_of::<[u8; 16]>() < MAX_REFUSED {
                    refused.extend(run.as_bytes());
                }
            }
            Err(fault) => return Err(fault),
        }
    }
    let before = step.next.map_or(0, Cursor::number).cast_signed();
    let finished = step.next.is_none().then(|| exact(at));
    let mut update = writing.db.prepare_cached(
        "UPDATE batch SET before = ?, done = done + ?, failed = failed + ?, refused = CAST(refused || ? AS BLOB), finished = ? \
         WHERE id = ?",
    )?;
    update.execute(params![before, done, failed, refused, finished, batch.id.number().cast_signed()])?;
    load(writing.db, batch.id)
}

/// A refusal comes before anything is written.
fn act(writing: &mut Writing<'_>, at: Timestamp, action: BatchAction, run: RunId) -> Result<(), Fault> {
    match action {
        BatchAction::Cancel => operate::cancel(writing, at, run).map(|_| ()),
        BatchAction::Retry => operate::retry(writing, at, run).map(|_| ()),
        BatchAction::RetryWithoutGrants => operate::retry_without_grants(writing, at, run).map(|_| ()),
        BatchAction::MarkSeen => operate::mark_seen(writing, run),
        BatchAction::Remove => operate::remove(writing, run),
    }
}

pub(super) fn stop(writing: &Writing<'_>, at: Timestamp, batch: BatchId) -> Result<Batch, Fault> {
    let mut update = writing
        .db
        .prepare_cached("UPDATE batch SET finished = ?, stopped = 1 WHERE id = ? AND finished IS NULL")?;
    update.execute([exact(at), batch.number().cast_signed()])?;
    load(writing.db, batch)
}
