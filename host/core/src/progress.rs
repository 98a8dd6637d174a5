//! Progress reports of guests.

/// The progress of a run, as reported by its guest. Only the last report counts, and it is not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The number of completed units; the guest decides the unit.
    pub done: u64,
    /// The total number of units, if it is known.
    pub total: Option<u64>,
    /// The current step, in a few words.
    pub message: Option<String>,
}
