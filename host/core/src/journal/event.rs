//! Events: what happened to the runs of a journal, in one order.

use crate::{Event, RunFact, RunId, State, Timestamp};

/// The most events that [`Journal::events`](super::Journal::events) returns at once.
pub const MAX_EVENTS: usize = 1_000;

/// A fact about a run, without its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEvent {
    /// Its number, counted from 1 over all runs of the journal.
    pub seq: u64,
    /// The run.
    pub run: RunId,
    /// The run's version after the fact.
    pub version: u64,
    /// The run's state after the fact.
    pub state: State,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub change: RunChange,
}

/// The kind of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunChange {
    /// The run was submitted.
    Born,
    /// An event, which may have ended the run.
    Event(Event),
    /// A person changed something about the run while it waited.
    Amended,
    /// The run got its name.
    Named,
    /// An attempt ended.
    AttemptEnded,
}

impl RunChange {
    /// Its name: `Born`, `Amended`, `Named`, `AttemptEnded`, or that of an event of the states, such as `Started`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Born => "Born",
            Self::Event(event) => event.name(),
            Self::Amended => "Amended",
            Self::Named => "Named",
            Self::AttemptEnded => "AttemptEnded",
        }
    }
}

impl From<&RunFact> for RunChange {
    fn from(fact: &RunFact) -> Self {
        match fact {
            RunFact::Born(_) => Self::Born,
            RunFact::Event(event) | RunFact::Ended { event, .. } => Self::Event(*event),
            RunFact::Amended(_) => Self::Amended,
            RunFact::Named(_) => Self::Named,
            RunFact::AttemptEnded { .. } => Self::AttemptEnded,
        }
    }
}
