//! Submits the runs of schedules while a worker runs.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use hostel::journal::JournalError;
use hostel::registry::Registry;
use hostel::schedules::{FiredDue, SqliteJournal, fire_due, resolve};

use crate::problem::Problem;
use crate::time::now;
use crate::ui::Ui;

/// How often the schedules are looked at at least: so late a new one may fire.
const LOOK: Duration = Duration::from_secs(1);

/// Fires schedules until it is dropped.
pub(crate) struct Firing {
    /// Nothing is sent: the thread ends when this is gone.
    _until: Sender<()>,
}

impl Firing {
    /// Starts a thread that fires the schedules of a data directory.
    pub(crate) fn start(ui: &Arc<Ui>, dir: &Path, registry: &Arc<Registry>) -> Result<Self, Problem> {
        let journal = SqliteJournal::open(dir).map_err(|error| Problem::of(error.kind(), &error))?;
        let (ui, registry) = (Arc::clone(ui), Arc::clone(registry));
        let (until, ended) = channel();
        let fire = move || fire(&ui, &journal, &registry, &ended);
        let thread = thread::Builder::new().name("schedules".to_owned()).spawn(fire);
        thread.map_err(|error| Problem::new(hostel::ErrorKind::Exhausted, format!("no thread: {error}")))?;
        Ok(Self { _until: until })
    }
}

fn fire(ui: &Ui, journal: &SqliteJournal, registry: &Registry, ended: &Receiver<()>) {
    let mut pause = Duration::ZERO;
    while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
        let fired = fire_due(journal, now(), |schedule| resolve(registry, schedule));
        pause = tell(ui, fired);
    }
}

/// Reports what went wrong, and returns the time until schedules are looked at again.
fn tell(ui: &Ui, fired: Result<FiredDue, JournalError>) -> Duration {
    match fired {
        Ok(fired) => {
            for (name, error) in fired.failed {
                ui.warning(&format!("the schedule {name} has submitted nothing: {error}"));
            }
            fired.next.map_or(LOOK, |next| next.since(now()).min(LOOK))
        }
        Err(error) => {
            ui.warning(&format!("schedules cannot be read: {error}"));
            LOOK
        }
    }
}
