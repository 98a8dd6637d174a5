//! How far a run has come, as its guest tells.

/// How far a run has come, as its guest tells. The last one counts; nobody checks that it is true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many parts are done, of whatever the guest counts.
    pub done: u64,
    /// How many parts there are, if the guest knows.
    pub total: Option<u64>,
    /// What is being done, in a few words.
    pub message: Option<String>,
}
