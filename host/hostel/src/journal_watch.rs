//! One thread that waits for changes of the journal, for all who wait for a run of it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::watch::{Receiver, Sender};

use crate::journal::Journal;

/// How long the thread waits before it looks whether someone still listens, and wakes all listeners.
const BEAT: Duration = Duration::from_secs(1);

/// Wakes those who listen after each change of a journal, and every second. Its thread exists while someone listens.
#[derive(Default)]
pub(crate) struct JournalWatch {
    /// Nothing panics while it holds the lock, so a poisoned lock is as good as any.
    beats: Mutex<Option<Sender<()>>>,
}

impl JournalWatch {
    /// Listens to this journal, which is always the same one.
    ///
    /// # Errors
    ///
    /// The system refused a thread.
    pub(crate) fn listen(self: &Arc<Self>, journal: &Arc<dyn Journal>) -> io::Result<Receiver<()>> {
        let mut beats = self.beats.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(beats) = &*beats {
            return Ok(beats.subscribe());
        }
        let (send, receive) = tokio::sync::watch::channel(());
        let (watch, journal) = (Arc::clone(self), Arc::clone(journal));
        thread::Builder::new().name("hostel-changes".to_owned()).spawn(move || watch.beat(&*journal))?;
        *beats = Some(send);
        Ok(receive)
    }

    fn beat(&self, journal: &dyn Journal) {
        let mut seen = journal.changes().unwrap_or_default();
        loop {
            match journal.wait_for_change(seen, BEAT) {
                Ok(now) => seen = now,
                // The listeners read the journal themselves, and get the error.
                Err(_) => thread::sleep(BEAT),
            }
            let mut beats = self.beats.lock().unwrap_or_else(PoisonError::into_inner);
            if beats.as_ref().is_none_or(|beats| beats.send(()).is_err()) {
                // Nobody listens, and the next one starts another thread.
                *beats = None;
                return;
            }
        }
    }
}
