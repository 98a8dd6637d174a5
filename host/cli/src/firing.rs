//! Submits the runs of schedules while a worker runs.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use hostel::ErrorKind;
use hostel::journal::{JournalError, JournalPlace};
use hostel::registry::Registry;
use hostel::schedules::{FiredDue, SqliteJournal, fire_due, resolve};
use tokio::sync::oneshot;

use crate::problem::Problem;
use crate::time::now;
use crate::ui::Ui;

/// How often the schedules are looked at at least: so late a new one may fire.
const LOOK: Duration = Duration::from_secs(1);

/// Fires schedules until it is dropped.
pub(crate) struct Firing {
    /// Nothing is sent: the thread ends when this is gone.
    _until: Sender<()>,
    gone: oneshot::Receiver<JournalPlace>,
}

impl Firing {
    /// Starts a thread that fires the schedules of a data directory.
    pub(crate) fn start(ui: &Arc<Ui>, dir: &Path, registry: &Arc<Registry>) -> Result<Self, Problem> {
        let journal = SqliteJournal::open(dir).map_err(|error| Problem::of(error.kind(), &error))?;
        let place = JournalPlace::of(dir).map_err(|error| Problem::unreadable("the journal", &error))?;
        let (ui, registry) = (Arc::clone(ui), Arc::clone(registry));
        let (until, ended) = channel();
        let (tell_gone, gone) = oneshot::channel();
        let fire = move || {
            if fire(&ui, &journal, &place, &registry, &ended).is_break() {
                // The worker may have ended.
                _ = tell_gone.send(place);
            }
        };
        let thread = thread::Builder::new().name("schedules".to_owned()).spawn(fire);
        thread.map_err(|error| Problem::new(ErrorKind::Exhausted, format!("no thread: {error}")))?;
        Ok(Self { _until: until, gone })
    }

    /// Ready when the file of the journal was removed or replaced: nobody else sees what is written to it.
    pub(crate) async fn gone(&mut self) -> Problem {
        let Ok(place) = (&mut self.gone).await else { return std::future::pending().await };
        let path = place.path().display();
        let problem = format!("the journal {path} was removed or replaced while the worker was using it");
        Problem::new(ErrorKind::Unavailable, problem)
    }
}

/// Fires until the worker ends, or breaks off if the journal is gone.
fn fire(
    ui: &Ui,
    journal: &SqliteJournal,
    place: &JournalPlace,
    registry: &Registry,
    ended: &Receiver<()>,
) -> ControlFlow<()> {
    let (mut pause, mut told) = (Duration::ZERO, Vec::new());
    while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
        if place.is_gone() {
            return ControlFlow::Break(());
        }
        let fired = fire_due(journal, now(), |schedule| resolve(registry, schedule));
        pause = tell(ui, fired, &mut told);
    }
    ControlFlow::Continue(())
}

/// Reports what went wrong, if it was not reported the last time, and returns the time until schedules are looked at again.
fn tell(ui: &Ui, fired: Result<FiredDue, JournalError>, told: &mut Vec<String>) -> Duration {
    let (warnings, pause) = match fired {
        Ok(fired) => {
            let warning = |(name, error): (Arc<str>, String)| {
                format!("the schedule {name} has submitted nothing: {error}")
            };
            let pause = fired.next.map_or(LOOK, |next| next.since(now()).min(LOOK));
            (fired.failed.into_iter().map(warning).collect(), pause)
        }
        Err(error) => {
            (vec![format!("schedules cannot be read: {}", Problem::of(error.kind(), &error))], LOOK)
        }
    };
    let is_new = |warning: &&String| !told.contains(*warning);
    warnings.iter().filter(is_new).for_each(|warning| ui.warning(warning));
    *told = warnings;
    pause
}
