//! Batches are driven in the background, a slice at a time, those of this server in turn. Batches that an earlier server left
//! unfinished are resumed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use hostel::ErrorKind;
use hostel::journal::{Batch, Journal, step_batch};

use crate::app::App;
use crate::clock::now;
use crate::problem::{Answer, Code};

/// The time after a call of the journal that failed, as with a disk that is full.
const PAUSE: Duration = Duration::from_secs(5);

/// Goes on with batches, without an end.
///
/// # Cancel safety
///
/// Dropping the future ends the work after the slice that is being done. The next server goes on.
pub(crate) async fn drive(app: Arc<App>) {
    let mut open = unfinished(&app).await;
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
            // It was removed to make room for newer batches.
            Err(problem) if problem.code() == Code::Kind(ErrorKind::NotFound) => {}
            Err(problem) => {
                tracing::warn!("batch {id} waits: {}", problem.detail());
                open.push_back(batch);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// The batches that are not finished, the oldest first. Tries until the journal can be read.
async fn unfinished(app: &App) -> VecDeque<Batch> {
    loop {
        match app.journal(Journal::batches).await {
            Ok(found) => return found.into_iter().rev().filter(|batch| !batch.is_finished()).collect(),
            Err(problem) => tracing::warn!("unfinished batches are not found yet: {}", problem.detail()),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Does the next slice, and returns the batch as it is then.
async fn slice(app: &Arc<App>, before: Batch) -> Answer<Batch> {
    let logs = Arc::clone(&app.logs);
    app.journal(move |journal| step_batch(journal, Some(&*logs), now(), &before)).await
}
