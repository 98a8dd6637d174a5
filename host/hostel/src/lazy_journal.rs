//! A journal that is opened when it is first used.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::journal::{Journal, MemoryJournal, OpenJournalError, RunHistory, RunLogs, SqliteJournal};

/// A journal that a program gives its host.
#[derive(Clone)]
pub(crate) struct GivenJournal(pub(crate) Arc<dyn Journal>);

impl fmt::Debug for GivenJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").finish_non_exhaustive()
    }
}

/// The journal of a host. Most hosts never use theirs, so opening it waits for the first use.
pub(crate) struct LazyJournal {
    data_dir: Option<PathBuf>,
    journal: OnceLock<Arc<dyn Journal>>,
    /// The logs of runs, which are on disk only.
    logs: OnceLock<Arc<RunLogs>>,
    /// Held while the journal is opened, so that it is opened once.
    opening: Mutex<()>,
}

impl LazyJournal {
    /// This journal, or the one in a data directory, or one in memory.
    pub(crate) fn new(journal: Option<GivenJournal>, data_dir: Option<&Path>) -> Self {
        let data_dir = data_dir.map(Path::to_owned);
        let journal = journal.map_or_else(OnceLock::new, |given| OnceLock::from(given.0));
        Self { data_dir, journal, logs: OnceLock::new(), opening: Mutex::default() }
    }

    /// The data directory of the host.
    pub(crate) fn data_dir(&self) -> Option<&Path> {
        self.data_dir.as_deref()
    }

    /// The logs of delayed runs, which the first call opens; `None` without a data directory.
    pub(crate) fn logs(&self) -> Result<Option<&Arc<RunLogs>>, OpenJournalError> {
        let Some(data_dir) = &self.data_dir else { return Ok(None) };
        if let Some(logs) = self.logs.get() {
            return Ok(Some(logs));
        }
        let _opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        let logs = match self.logs.get() {
            Some(logs) => Arc::clone(logs),
            None => Arc::new(RunLogs::open(data_dir)?),
        };
        Ok(Some(self.logs.get_or_init(|| logs)))
    }

    /// The journal, which the first call opens.
    pub(crate) fn get(&self) -> Result<&Arc<dyn Journal>, OpenJournalError> {
        if let Some(journal) = self.journal.get() {
            return Ok(journal);
        }
        let _opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if self.journal.get().is_none() {
            let journal: Arc<dyn Journal> = match &self.data_dir {
                Some(data_dir) => {
                    let journal = SqliteJournal::open(data_dir)?;
                    // Runs that ended before this come first in the order of arrival. What cannot be stored waits.
                    if let Err(error) = RunHistory::of(data_dir).gather(&journal) {
                        tracing::debug!("the history is not gathered: {error}");
                    }
                    Arc::new(journal)
                }
                None => Arc::new(MemoryJournal::default()),
            };
            // Nobody else sets it while `opening` is held.
            _ = self.journal.set(journal);
        }
        Ok(self.journal.get_or_init(|| Arc::new(MemoryJournal::default())))
    }
}
