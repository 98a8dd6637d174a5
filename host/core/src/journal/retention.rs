//! How long runs and logs stay.

use std::time::Duration;

use crate::{State, Timestamp};

/// How long runs and logs stay, without which a journal would grow for ever. Runs that have not ended stay in any case. The values of
/// inputs and results go with the last run that has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How long runs stay after their end; `None` for ever. Default 7 days.
    pub completed: Option<Duration>,
    /// The same for those that failed, timed out or crashed. Default 30 days.
    pub failed: Option<Duration>,
    /// How long lines of logs stay; `None` for ever. Default 7 days.
    pub logs_age: Option<Duration>,
    /// How many bytes of logs stay, compressed: the oldest go first; `None` for all. Default 1 GiB.
    pub logs_bytes: Option<u64>,
}

/// A day.
const DAY: Duration = Duration::from_hours(24);

impl Default for Retention {
    fn default() -> Self {
        Self {
            completed: Some(DAY * 7),
            failed: Some(DAY * 30),
            logs_age: Some(DAY * 7),
            logs_bytes: Some(1 << 30),
        }
    }
}

impl Retention {
    /// How often old runs and logs have to be removed: [`Journal::take_upkeep`](super::Journal::take_upkeep).
    pub const EVERY: Duration = DAY;

    /// The states of runs that stay for as long as failed ones.
    pub const FAILED: [State; 4] = [State::Failed, State::TimedOut, State::UpstreamFailed, State::Crashed];

    /// The time before which runs must have ended to be removed: those that failed, and the others.
    pub fn ended_before(&self, now: Timestamp, has_failed: bool) -> Option<Timestamp> {
        let age = if has_failed { self.failed } else { self.completed };
        age.map(|age| before(now, age))
    }

    /// The time before which lines of logs must have been written to be removed.
    pub fn logs_before(&self, now: Timestamp) -> Option<Timestamp> {
        self.logs_age.map(|age| before(now, age))
    }

    /// Whether a run that ended then, in this state, is to be removed.
    pub fn is_over(&self, now: Timestamp, state: State, ended: Timestamp) -> bool {
        self.ended_before(now, Self::FAILED.contains(&state)).is_some_and(|before| ended < before)
    }

    /// Whether it is time to remove what is old, if that was last done then. A clock that was set back makes it so.
    pub fn is_upkeep_due(now: Timestamp, last: Option<Timestamp>) -> bool {
        last.is_none_or(|last| now < last || now.since(last) >= Self::EVERY)
    }
}

fn before(now: Timestamp, age: Duration) -> Timestamp {
    let age = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
    Timestamp::from_unix_nanos(now.unix_nanos().saturating_sub(age))
}
