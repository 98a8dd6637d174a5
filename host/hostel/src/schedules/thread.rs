//! The thread that fires the schedules of a journal, while a program executes runs.

use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, SystemTime};

use hostel_core::journal::{Journal, JournalError};
use hostel_journal::SqliteJournal;
use tokio::sync::oneshot;

use super::{FiredDue, fire_due, resolve};
use crate::error::in_full;
use crate::journal::JournalPlace;
use crate::registry::Registry;

/// The longest pause between two looks at the schedules, and so the longest delay of a new one.
const LOOK: Duration = Duration::from_secs(1);

/// Fires the schedules of a journal on a thread of its own until it is dropped.
#[derive(Debug)]
pub struct ScheduleThread {
    /// Nothing is sent: the thread ends when this is gone.
    _until: Sender<Infallible>,
    gone: oneshot::Receiver<PathBuf>,
}

impl ScheduleThread {
    /// Starts the thread. `on_problem` gets each problem once as long as it lasts, as a line of text; it may block.
    ///
    /// # Errors
    ///
    /// The system refused the thread, or does not show the file of the journal.
    pub fn start(
        journal: Arc<SqliteJournal>,
        registry: Arc<Registry>,
        on_problem: impl FnMut(&str) + Send + 'static,
    ) -> io::Result<Self> {
        let dir = journal.file().and_then(Path::parent).map(Path::to_owned).unwrap_or_default();
        let place = JournalPlace::of(&dir)?;
        let (until, ended) = channel();
        let (tell_gone, gone) = oneshot::channel();
        let mut firing = Firing { journal, registry, on_problem, reported: Vec::new() };
        let work = move || {
            if firing.until_gone(&place, &ended) {
                // The program may have ended.
                _ = tell_gone.send(place.path().to_owned());
            }
        };
        std::thread::Builder::new().name("hostel-schedules".to_owned()).spawn(work)?;
        Ok(Self { _until: until, gone })
    }

    /// Completes with the path of the journal when its file, or its log, was removed, replaced or emptied: other
    /// programs do not see what is written to it any
    /// more, and the thread has ended.
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time.
    pub async fn gone(&mut self) -> PathBuf {
        match (&mut self.gone).await {
            Ok(path) => path,
            Err(_) => std::future::pending().await,
        }
    }
}

/// What the thread works with.
struct Firing<F> {
    journal: Arc<SqliteJournal>,
    registry: Arc<Registry>,
    on_problem: F,
    /// The problems of the last look.
    reported: Vec<String>,
}

impl<F: FnMut(&str)> Firing<F> {
    /// Fires until the program drops the handle; `true` if the journal is gone before.
    fn until_gone(&mut self, place: &JournalPlace, ended: &Receiver<Infallible>) -> bool {
        let mut pause = Duration::ZERO;
        while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
            if place.is_gone() {
                return true;
            }
            let now = SystemTime::now().into();
            let fired = fire_due(&self.journal, now, |schedule| resolve(&self.registry, schedule));
            pause = self.report(fired);
        }
        false
    }

    /// Reports new problems, and returns the time until the next look.
    fn report(&mut self, fired: Result<FiredDue, JournalError>) -> Duration {
        let (problems, pause) = match fired {
            Ok(fired) => {
                let problem = |(name, error): (Arc<str>, String)| {
                    format!("the schedule {name} has submitted nothing: {error}")
                };
                let pause = fired.next.map_or(LOOK, |next| next.since(SystemTime::now().into()).min(LOOK));
                (fired.failed.into_iter().map(problem).collect(), pause)
            }
            Err(error) => (vec![format!("schedules cannot be read: {}", in_full(&error))], LOOK),
        };
        for problem in &problems {
            if !self.reported.contains(problem) {
                (self.on_problem)(problem);
            }
        }
        self.reported = problems;
        pause
    }
}
