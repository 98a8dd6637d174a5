//! The removal of what is old, and of the logs of runs that a batch removes.

use hostel_core::journal::{
    Batch, BatchAction, Cursor, Journal, JournalError, MAX_BATCH_STEP, Page, Retention,
};
use hostel_core::{RunId, Timestamp};

use crate::logs::RunLogs;

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// How many runs.
    pub runs: u64,
    /// How many bytes of logs, compressed.
    pub logs_bytes: u64,
    /// How many values that no run had, and options of tasks.
    pub values: u64,
}

/// Removes runs and logs that need not stay, and then the values that no run has had for a day: in slices, so that others can write in
/// between. After each slice of runs or logs it asks `goes_on` whether to take the next one; what is left is for another time. The first
/// slice of each is always taken.
///
/// # Errors
///
/// Those of [`Journal::retain`], [`RunLogs::retain`] and [`Journal::sweep_values`]. What was removed before stays removed.
pub fn remove_old(
    journal: &dyn Journal,
    logs: Option<&RunLogs>,
    retention: &Retention,
    now: Timestamp,
    goes_on: impl Fn() -> bool,
) -> Result<Removed, JournalError> {
    let mut removed = Removed::default();
    loop {
        let slice = journal.retain(retention, now)?;
        removed.runs += slice.runs;
        if !slice.more || !goes_on() {
            break;
        }
    }
    if let Some(logs) = logs {
        let before = logs.size_bytes()?;
        while logs.retain_slice(retention, now)? > 0 && goes_on() {}
        removed.logs_bytes = before.saturating_sub(logs.size_bytes()?);
    }
    removed.values = journal.sweep_values(now)?;
    Ok(removed)
}

/// Goes on with a batch as [`Journal::step_batch`] does, continuing after the step that returned `batch`. If it removes runs, their logs are
/// removed after them; the logs of a process that ends in between stay until they are old.
///
/// # Errors
///
/// Those of [`Journal::step_batch`], [`Journal::find`] and [`RunLogs::remove`].
pub fn step_batch(
    journal: &dyn Journal,
    logs: Option<&RunLogs>,
    at: Timestamp,
    batch: &Batch,
) -> Result<Batch, JournalError> {
    let Some(logs) = logs.filter(|_| batch.action == BatchAction::Remove && !batch.is_finished()) else {
        return journal.step_batch(at, batch.id);
    };
    let page = Page { after: Some(Cursor::behind(batch.before)), limit: MAX_BATCH_STEP };
    let runs: Vec<RunId> = journal.find(&batch.to_do(), page)?.runs.iter().map(|head| head.run).collect();
    let stepped = journal.step_batch(at, batch.id)?;
    for run in runs {
        if journal.get(run)?.is_none() {
            logs.remove(run)?;
        }
    }
    Ok(stepped)
}
