//! Submits the runs of schedules, while the server executes runs.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use hostel::registry::Registry;
use hostel::schedules::{SqliteJournal, fire_due, resolve};

use crate::clock::now;

/// How often the schedules are looked at at least: so late a new one may fire.
const LOOK: Duration = Duration::from_secs(1);

/// Fires schedules until it is dropped.
#[derive(Debug)]
pub(crate) struct Firing {
    /// Nothing is sent: the thread ends when this is gone.
    _until: Sender<()>,
}

impl Firing {
    /// Starts a thread that fires the schedules of a journal.
    pub(crate) fn start(journal: Arc<SqliteJournal>, registry: Arc<Registry>) -> std::io::Result<Self> {
        let (until, ended) = channel();
        let fire = move || fire(&journal, &registry, &ended);
        thread::Builder::new().name("hostel-schedules".to_owned()).spawn(fire)?;
        Ok(Self { _until: until })
    }
}

fn fire(journal: &SqliteJournal, registry: &Registry, ended: &Receiver<()>) {
    let mut pause = Duration::ZERO;
    while ended.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
        pause = match fire_due(journal, now(), |schedule| resolve(registry, schedule)) {
            Ok(fired) => {
                for (name, error) in fired.failed {
                    tracing::warn!("the schedule {name} has submitted nothing: {error}");
                }
                fired.next.map_or(LOOK, |next| next.since(now()).min(LOOK))
            }
            Err(error) => {
                tracing::warn!("schedules cannot be read: {error}");
                LOOK
            }
        };
    }
}
