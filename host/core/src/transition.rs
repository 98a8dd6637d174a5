//! One entry of a run's history.

use crate::{Event, State, Timestamp};

/// A state that a run entered, with when and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// When the run entered the state.
    pub at: Timestamp,
    /// The state.
    pub state: State,
    /// The event that led to it; `None` for the state in which the run was created.
    pub cause: Option<Event>,
}
