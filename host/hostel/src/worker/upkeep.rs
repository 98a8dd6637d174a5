//! The upkeep of the journal: takes in the history, and once a day removes what is old, on a thread of its own.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::journal::{Journal, JournalError, Retention, RunHistory, RunLogs, remove_old};
use crate::run::now;

/// How often the history is taken in.
const GATHER: Duration = Duration::from_mins(1);

/// The worker asks for its turn to remove what is old once in so many times.
const ASK: u32 = 60;

/// Time for others between two slices.
const PAUSE: Duration = Duration::from_millis(10);

/// What the thread works with.
pub(super) struct Upkeep {
    pub(super) journal: Arc<dyn Journal>,
    /// `None` if they are not on disk.
    pub(super) logs: Option<Arc<RunLogs>>,
    /// That of the journal's data directory.
    pub(super) history: Option<RunHistory>,
    pub(super) retention: Retention,
}

/// As long as it exists, the thread goes on.
pub(super) type Alive = Sender<Infallible>;

impl Upkeep {
    /// Starts the thread. It ends when the first part is dropped, after the slice that it is at.
    pub(super) fn start(self) -> io::Result<(Alive, JoinHandle<()>)> {
        let (alive, ended) = channel();
        let thread =
            thread::Builder::new().name("hostel-upkeep".to_owned()).spawn(move || self.work(&ended))?;
        Ok((alive, thread))
    }

    fn work(&self, ended: &Receiver<Infallible>) {
        for round in (0..ASK).cycle() {
            if let Some(Err(error)) = self.history.as_ref().map(|history| history.gather(&*self.journal)) {
                tracing::debug!("the history is not gathered: {error}");
            }
            if round == 0
                && let Err(error) = self.remove_old(ended)
            {
                tracing::warn!("old runs are not removed: {error}");
            }
            if !goes_on(ended, GATHER) {
                return;
            }
        }
    }

    /// Removes what is old, if it is this worker's turn.
    fn remove_old(&self, ended: &Receiver<Infallible>) -> Result<(), JournalError> {
        let now = now();
        if self.journal.take_upkeep(now)? {
            let goes_on = || goes_on(ended, PAUSE);
            let removed = remove_old(&*self.journal, self.logs.as_deref(), &self.retention, now, goes_on)?;
            tracing::debug!(
                "removed {} runs, {} bytes of logs, {} values",
                removed.runs,
                removed.logs_bytes,
                removed.values
            );
        }
        Ok(())
    }
}

/// Whether the worker still exists after this time.
fn goes_on(ended: &Receiver<Infallible>, time: Duration) -> bool {
    ended.recv_timeout(time) == Err(RecvTimeoutError::Timeout)
}
