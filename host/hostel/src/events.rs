//! What happens to the runs of a host, as a stream that anyone may listen to.

use std::sync::{Arc, OnceLock};

use futures_core::Stream;
use hostel_core::{LogLine, Progress, RunId, TaskKey, Timestamp, Transition};
use tokio::sync::broadcast::{self, error::RecvError};

/// Something that happened to a run.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RunEvent {
    /// The run.
    pub run: RunId,
    /// The task that it runs.
    pub task: TaskKey,
    /// The run's name.
    pub name: Arc<str>,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
}

/// What happened to a run.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// It came to a state, the one it was born in included.
    State(Transition),
    /// It printed or logged a line.
    Log(LogLine),
    /// It reported how far it is.
    Progress(Progress),
}

/// A listener was too slow, and has missed events; it goes on with those after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{events} events were missed: they came faster than they were taken")]
pub struct Missed {
    /// How many.
    pub events: u64,
}

/// What happens to the runs of a host, from when this was made.
///
/// The events of one run come in their order. At most [`Events::CAPACITY`] wait for the listener; one that is slower is
/// told how many it has missed. Runs are never held up by a listener.
pub struct Events(broadcast::Receiver<RunEvent>);

/// Where events come together: nowhere, until someone listens for the first time.
#[derive(Default)]
pub(crate) struct EventHub(OnceLock<broadcast::Sender<RunEvent>>);

impl Events {
    /// How many events wait for a listener before it misses the oldest.
    pub const CAPACITY: usize = 16_384;

    /// The next event; `None` when the host is gone.
    ///
    /// # Errors
    ///
    /// [`Missed`] once, in the place of the events that the listener was too slow for.
    ///
    /// # Cancel safety
    ///
    /// Can be dropped at any time: no event is lost.
    pub async fn next(&mut self) -> Option<Result<RunEvent, Missed>> {
        match self.0.recv().await {
            Ok(event) => Some(Ok(event)),
            Err(RecvError::Lagged(events)) => Some(Err(Missed { events })),
            Err(RecvError::Closed) => None,
        }
    }

    /// The events as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Result<RunEvent, Missed>> {
        futures_util::stream::unfold(self, async |mut events| {
            let next = events.next().await;
            next.map(|next| (next, events))
        })
    }
}

impl EventHub {
    pub(crate) fn listen(&self) -> Events {
        let sender = self.0.get_or_init(|| broadcast::Sender::new(Events::CAPACITY));
        Events(sender.subscribe())
    }

    /// Whether anyone has ever listened.
    pub(crate) fn were_asked_for(&self) -> bool {
        self.0.get().is_some()
    }

    /// Whether anyone listens now.
    pub(crate) fn are_heard(&self) -> bool {
        self.0.get().is_some_and(|sender| sender.receiver_count() > 0)
    }

    pub(crate) fn publish(&self, event: RunEvent) {
        if let Some(sender) = self.0.get() {
            // Fails only if the last listener has just gone.
            let _ = sender.send(event);
        }
    }
}
