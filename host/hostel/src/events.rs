//! A stream of the events of a host's runs.

use std::sync::{Arc, OnceLock};

use futures_core::Stream;
use hostel_core::{LogLine, Progress, RunId, TaskKey, Timestamp, Transition};
use tokio::sync::broadcast::{self, error::RecvError};

/// An event of a run.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RunEvent {
    /// The run.
    pub run: RunId,
    /// The task of the run.
    pub task: TaskKey,
    /// The run's name.
    pub name: Arc<str>,
    /// The time of the event.
    pub at: Timestamp,
    /// The kind of event, with its data.
    pub kind: EventKind,
}

/// The kind of an event, with its data.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// The run entered a state. The initial state counts too.
    State(Transition),
    /// The run printed or logged a line.
    Log(LogLine),
    /// The run reported progress.
    Progress(Progress),
}

/// A listener was too slow and has missed events. It goes on with the events after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("missed {events} events: they arrived faster than they were read")]
pub struct Missed {
    /// The number of missed events.
    pub events: u64,
}

/// The events of a host's runs, from the creation of this listener on.
///
/// The events of one run arrive in order. At most [`Events::CAPACITY`] events wait for a listener; a slower listener
/// gets the number of events that it missed. A listener never delays runs.
pub struct Events(broadcast::Receiver<RunEvent>);

/// The channel of events, created when the first listener subscribes.
#[derive(Default)]
pub(crate) struct EventHub(OnceLock<broadcast::Sender<RunEvent>>);

impl Events {
    /// The maximum number of events that wait for a listener. If there are more, the oldest are dropped.
    pub const CAPACITY: usize = 16_384;

    /// The next event; `None` when the host is dropped.
    ///
    /// # Errors
    ///
    /// [`Missed`] once, in place of the events that the listener was too slow to receive.
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

    /// Whether there has ever been a listener.
    pub(crate) fn were_asked_for(&self) -> bool {
        self.0.get().is_some()
    }

    /// Whether there is a listener now.
    pub(crate) fn are_heard(&self) -> bool {
        self.0.get().is_some_and(|sender| sender.receiver_count() > 0)
    }

    pub(crate) fn publish(&self, event: RunEvent) {
        if let Some(sender) = self.0.get() {
            // Fails only if the last listener was dropped just now.
            let _ = sender.send(event);
        }
    }
}
