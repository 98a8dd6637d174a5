//! Batches are driven in the background, a slice at a time, those of this server in turn. What an earlier server has left unfinished is
//! gone on with.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use hostel::journal::{
    Batch, BatchAction, Cursor, Journal, JournalError, MAX_BATCH_STEP, Page, RunLogs, SqliteJournal,
};
use hostel::{ErrorKind, RunId};

use crate::app::App;
use crate::batches::NAMED;
use crate::clock::now;
use crate::problem::{Answer, Code};

/// The time after a slice that failed, as with a disk that is full.
const PAUSE: Duration = Duration::from_secs(5);

/// Goes on with batches, without an end.
///
/// # Cancel safety
///
/// Dropping the future ends the work after the slice that is being done. The next server goes on.
pub(crate) async fn drive(app: Arc<App>) {
    let mut open: VecDeque<Batch> = VecDeque::new();
    match app.journal(Journal::batches).await {
        Ok(found) => open.extend(found.into_iter().rev().filter(|batch| !batch.is_finished())),
        Err(problem) => tracing::warn!("unfinished batches were not found: {}", problem.detail()),
    }
    loop {
        open.extend(app.batches.take_new());
        let Some(batch) = open.pop_front() else {
            app.batches.added().await;
            continue;
        };
        let id = batch.id;
        match slice(&app, batch.clone()).await {
            Ok(batch) if batch.is_finished() => {}
            Ok(batch) => open.push_back(batch),
            // It was removed: others made room.
            Err(problem) if problem.code() == Code::Kind(ErrorKind::NotFound) => {}
            Err(problem) => {
                tracing::warn!("batch {id} waits: {}", problem.detail());
                open.push_back(batch);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Does the next slice, and returns the batch as it is then.
async fn slice(app: &Arc<App>, before: Batch) -> Answer<Batch> {
    let logs = Arc::clone(&app.logs);
    let (after, refused) = app.journal(move |journal| act(journal, &logs, &before)).await?;
    if !refused.is_empty() {
        app.batches.refused(after.id, refused);
    }
    Ok(after)
}

fn act(journal: &SqliteJournal, logs: &RunLogs, before: &Batch) -> Result<(Batch, Vec<RunId>), JournalError> {
    let (to_do, after) = (before.to_do(), Some(Cursor::behind(before.before)));
    let find = |limit| {
        let found = journal.find(&to_do, Page { after, limit })?;
        Ok::<Vec<RunId>, JournalError>(found.runs.into_iter().map(|head| head.run).collect())
    };
    let removed = if before.action == BatchAction::Remove { find(MAX_BATCH_STEP)? } else { Vec::new() };
    let batch = journal.step_batch(now(), before.id)?;
    for run in removed {
        if journal.get(run)?.is_none() {
            logs.remove(run)?;
        }
    }
    // Those that it still fits are those that have refused it: whatever was done, they would fit no more.
    let count = batch.failed.saturating_sub(before.failed).min(NAMED as u64);
    let refused = if count > 0 { find(usize::try_from(count).unwrap_or(NAMED))? } else { Vec::new() };
    Ok((batch, refused))
}
