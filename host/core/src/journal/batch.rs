//! Batches: one action on all runs that match a filter, in steps that any process can take.

use std::fmt;

use crate::{QueueName, RunFilter, RunId, State, Timestamp};

/// The most runs that one step of a batch acts on.
pub const MAX_BATCH_STEP: usize = 500;

/// The most batches that are stored. The oldest ones that are finished make room for new ones.
pub const MAX_BATCHES: usize = 1_000;

/// The most runs of a batch that are listed as refused.
pub const MAX_REFUSED: usize = 100;

/// What a batch does with each run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BatchAction {
    /// Cancels those that have not ended.
    Cancel,
    /// Gives those that ended without a value new attempts, unless they are of the history of a program.
    Retry,
    /// Marks those that need attention as seen.
    MarkSeen,
    /// Removes those that have ended.
    Remove,
    /// As [`BatchAction::Retry`], for someone who may not grant: runs with grants refuse.
    RetryWithoutGrants,
}

/// The number of a batch in its journal, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(u64);

/// An action on all runs that match a filter and had arrived when the batch was made, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its number.
    pub id: BatchId,
    /// What it does.
    pub action: BatchAction,
    /// With which runs. Only those to which the action [fits](BatchAction::fitting) are acted on, as they are when their turn comes.
    pub filter: RunFilter,
    /// How many runs it has acted on.
    pub done: u64,
    /// How many runs refused the action, such as one whose unique key another run has now.
    pub failed: u64,
    /// The first of these; at most [`MAX_REFUSED`].
    pub refused: Vec<RunId>,
    /// When it was made.
    pub created: Timestamp,
    /// When it had acted on all, or was stopped.
    pub finished: Option<Timestamp>,
    /// Whether it was stopped before it had acted on all.
    pub is_stopped: bool,
    /// For drivers: it goes on with runs whose numbers are smaller.
    pub before: u64,
}

impl BatchAction {
    /// Every action.
    pub const ALL: [Self; 5] =
        [Self::Cancel, Self::Retry, Self::MarkSeen, Self::Remove, Self::RetryWithoutGrants];

    /// Whether it fits runs in a state, but for the attention that [`BatchAction::MarkSeen`] needs.
    pub fn fits(self, state: State) -> bool {
        match self {
            Self::Cancel => !state.is_terminal() && state != State::Cancelling,
            Self::Retry | Self::RetryWithoutGrants => state.apply(crate::Event::RetryRequested).is_ok(),
            Self::MarkSeen | Self::Remove => state.is_terminal(),
        }
    }

    /// Whether it fits runs in a queue.
    pub fn fits_queue(self, queue: &QueueName) -> bool {
        !matches!(self, Self::Retry | Self::RetryWithoutGrants) || !queue.is_of_history()
    }

    /// The runs of a filter that it fits, but for their [queues](BatchAction::fits_queue).
    pub fn fitting(self, filter: &RunFilter) -> RunFilter {
        let is_wanted = |state: &State| filter.wanted_states().is_none_or(|wanted| wanted.contains(*state));
        let states = State::ALL.into_iter().filter(is_wanted).filter(|state| self.fits(*state));
        let narrowed = filter.clone().states(states);
        if self == Self::MarkSeen { narrowed.needs_attention() } else { narrowed }
    }
}

impl BatchId {
    /// The batch with this number; a journal gives them out.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Batch {
    /// The runs that are left to act on, if no more change.
    pub fn to_do(&self) -> RunFilter {
        self.action.fitting(&self.filter)
    }

    /// Whether there is nothing more to do.
    pub fn is_finished(&self) -> bool {
        self.finished.is_some()
    }
}
