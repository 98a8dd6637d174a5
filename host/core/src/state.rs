//! The life of a run: closed lists of states and events, and the fold from state to state.

use std::fmt;

use crate::{RunId, Timestamp};

/// The state of a run. Its [`StateType`] follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Waits for the time at which it is due.
    Scheduled,
    /// Failed, and waits for the time of its next attempt.
    AwaitingRetry,
    /// Accepted; waits for a worker.
    Pending,
    /// Waits for a slot of a concurrency limit.
    AwaitingConcurrencySlot,
    /// Its first attempt executes.
    Running,
    /// A later attempt executes.
    Retrying,
    /// Was asked to stop while it executed.
    Cancelling,
    /// Returned a value.
    Completed,
    /// Got its value from the cache, and never ran.
    Cached,
    /// Returned an error, trapped, or reached a limit.
    Failed,
    /// Was stopped at its timeout.
    TimedOut,
    /// Never ran, because a run it depends on did not complete.
    UpstreamFailed,
    /// Was lost with the host, a worker or the machine: not caused by the guest.
    Crashed,
    /// Was stopped, or withdrawn before it ran, on request.
    Cancelled,
    /// Completed, and was then undone by its transaction.
    RolledBack,
}

/// The type of a [`State`], with the names of Prefect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "State documents each")]
pub enum StateType {
    Scheduled,
    Pending,
    Running,
    Cancelling,
    Completed,
    Failed,
    Crashed,
    Cancelled,
}

/// An event of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// Its due time has come.
    CameDue,
    /// A concurrency limit has no free slot for it.
    SlotAwaited,
    /// A concurrency limit granted it a slot.
    SlotGranted,
    /// A worker began an attempt.
    Started,
    /// The attempt failed, and another one will follow.
    RetryPlanned {
        /// The due time.
        due: Timestamp,
    },
    /// It was asked to stop.
    CancelRequested,
    /// The guest returned a value.
    Completed,
    /// The cache has the value, from this producer.
    CacheHit {
        /// The run that computed the value.
        producer: RunId,
    },
    /// The guest failed for good.
    Failed,
    /// The timeout passed.
    TimedOut,
    /// A run it depends on did not complete.
    UpstreamFailed,
    /// The host, a worker or the machine was lost.
    Crashed,
    /// Its host was lost while an attempt executed, and the run goes back into the queue. The lost attempt does not count
    /// as one that failed. A run that was being cancelled is not queued again: nothing of it executes any more, so it is
    /// cancelled.
    Rescued,
    /// It has stopped on request.
    Cancelled,
    /// Its transaction undid it.
    RolledBack,
    /// A person asked for new attempts after it had ended without a value.
    RetryRequested,
    /// A person gave it a later due time before it started.
    Postponed,
}

/// The error for an event that is not possible in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {event} is not possible in state {state}")]
pub struct IllegalTransition {
    /// The state, which does not change.
    pub state: State,
    /// The event.
    pub event: Event,
}

impl State {
    /// Every state, in the order of a run's life.
    pub const ALL: [Self; 15] = [
        Self::Scheduled,
        Self::AwaitingRetry,
        Self::Pending,
        Self::AwaitingConcurrencySlot,
        Self::Running,
        Self::Retrying,
        Self::Cancelling,
        Self::Completed,
        Self::Cached,
        Self::Failed,
        Self::TimedOut,
        Self::UpstreamFailed,
        Self::Crashed,
        Self::Cancelled,
        Self::RolledBack,
    ];

    /// The state after `event`: the only way in which a run's state changes.
    ///
    /// # Errors
    ///
    /// [`IllegalTransition`] if the event is not possible in this state; a terminal state allows no event, except that
    /// a completed run can be rolled back, and that one without a value can be retried by hand.
    pub fn apply(self, event: Event) -> Result<Self, IllegalTransition> {
        let next = match self {
            Self::Scheduled => scheduled(event),
            Self::AwaitingRetry => awaiting_retry(event),
            Self::Pending => pending(event),
            Self::AwaitingConcurrencySlot => awaiting_slot(event),
            Self::Running | Self::Retrying => executing(event),
            Self::Cancelling => cancelling(event),
            Self::Completed | Self::Cached => completed(event),
            Self::Failed | Self::TimedOut | Self::UpstreamFailed | Self::Crashed | Self::Cancelled => {
                without_value(event)
            }
            Self::RolledBack => None,
        };
        next.ok_or(IllegalTransition { state: self, event })
    }

    /// The state's type.
    pub const fn state_type(self) -> StateType {
        match self {
            Self::Scheduled | Self::AwaitingRetry => StateType::Scheduled,
            Self::Pending | Self::AwaitingConcurrencySlot => StateType::Pending,
            Self::Running | Self::Retrying => StateType::Running,
            Self::Cancelling => StateType::Cancelling,
            Self::Completed | Self::Cached | Self::RolledBack => StateType::Completed,
            Self::Failed | Self::TimedOut | Self::UpstreamFailed => StateType::Failed,
            Self::Crashed => StateType::Crashed,
            Self::Cancelled => StateType::Cancelled,
        }
    }

    /// Whether the run has ended.
    pub const fn is_terminal(self) -> bool {
        match self.state_type() {
            StateType::Completed | StateType::Failed | StateType::Crashed | StateType::Cancelled => true,
            StateType::Scheduled | StateType::Pending | StateType::Running | StateType::Cancelling => false,
        }
    }

    /// Whether an attempt executes.
    pub const fn is_executing(self) -> bool {
        matches!(self.state_type(), StateType::Running | StateType::Cancelling)
    }

    /// The name, such as `AwaitingRetry`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "Scheduled",
            Self::AwaitingRetry => "AwaitingRetry",
            Self::Pending => "Pending",
            Self::AwaitingConcurrencySlot => "AwaitingConcurrencySlot",
            Self::Running => "Running",
            Self::Retrying => "Retrying",
            Self::Cancelling => "Cancelling",
            Self::Completed => "Completed",
            Self::Cached => "Cached",
            Self::Failed => "Failed",
            Self::TimedOut => "TimedOut",
            Self::UpstreamFailed => "UpstreamFailed",
            Self::Crashed => "Crashed",
            Self::Cancelled => "Cancelled",
            Self::RolledBack => "RolledBack",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Event {
    /// One event of each kind, in the order of their codes in encoded facts; with this due time and this producer.
    pub const fn each(due: Timestamp, producer: RunId) -> [Self; 17] {
        [
            Self::CameDue,
            Self::SlotAwaited,
            Self::SlotGranted,
            Self::Started,
            Self::RetryPlanned { due },
            Self::CancelRequested,
            Self::Completed,
            Self::CacheHit { producer },
            Self::Failed,
            Self::TimedOut,
            Self::UpstreamFailed,
            Self::Crashed,
            Self::Rescued,
            Self::Cancelled,
            Self::RolledBack,
            Self::RetryRequested,
            Self::Postponed,
        ]
    }

    /// The name, such as `RetryPlanned`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CameDue => "CameDue",
            Self::SlotAwaited => "SlotAwaited",
            Self::SlotGranted => "SlotGranted",
            Self::Started => "Started",
            Self::RetryPlanned { .. } => "RetryPlanned",
            Self::CancelRequested => "CancelRequested",
            Self::Completed => "Completed",
            Self::CacheHit { .. } => "CacheHit",
            Self::Failed => "Failed",
            Self::TimedOut => "TimedOut",
            Self::UpstreamFailed => "UpstreamFailed",
            Self::Crashed => "Crashed",
            Self::Rescued => "Rescued",
            Self::Cancelled => "Cancelled",
            Self::RolledBack => "RolledBack",
            Self::RetryRequested => "RetryRequested",
            Self::Postponed => "Postponed",
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

// One function for each row of the table; each handles every event.

fn scheduled(event: Event) -> Option<State> {
    match event {
        Event::CameDue => Some(State::Pending),
        Event::CancelRequested => Some(State::Cancelled),
        Event::UpstreamFailed => Some(State::UpstreamFailed),
        Event::SlotAwaited
        | Event::SlotGranted
        | Event::Started
        | Event::RetryPlanned { .. }
        | Event::Completed
        | Event::CacheHit { .. }
        | Event::Failed
        | Event::TimedOut
        | Event::Crashed
        | Event::Rescued
        | Event::Cancelled
        | Event::RolledBack
        | Event::RetryRequested
        | Event::Postponed => None,
    }
}

fn awaiting_retry(event: Event) -> Option<State> {
    match event {
        Event::Started => Some(State::Retrying),
        Event::CancelRequested => Some(State::Cancelled),
        // Another run has computed the value since.
        Event::CacheHit { .. } => Some(State::Cached),
        Event::TimedOut => Some(State::TimedOut),
        Event::Crashed => Some(State::Crashed),
        Event::CameDue
        | Event::SlotAwaited
        | Event::SlotGranted
        | Event::RetryPlanned { .. }
        | Event::Completed
        | Event::Failed
        | Event::UpstreamFailed
        | Event::Rescued
        | Event::Cancelled
        | Event::RolledBack
        | Event::RetryRequested
        | Event::Postponed => None,
    }
}

fn pending(event: Event) -> Option<State> {
    match event {
        Event::Postponed => Some(State::Scheduled),
        Event::SlotAwaited => Some(State::AwaitingConcurrencySlot),
        Event::Started => Some(State::Running),
        Event::CancelRequested => Some(State::Cancelled),
        Event::CacheHit { .. } => Some(State::Cached),
        Event::TimedOut => Some(State::TimedOut),
        Event::UpstreamFailed => Some(State::UpstreamFailed),
        Event::Crashed => Some(State::Crashed),
        Event::CameDue
        | Event::SlotGranted
        | Event::RetryPlanned { .. }
        | Event::Completed
        | Event::Failed
        | Event::Rescued
        | Event::Cancelled
        | Event::RolledBack
        | Event::RetryRequested => None,
    }
}

fn awaiting_slot(event: Event) -> Option<State> {
    match event {
        Event::SlotGranted => Some(State::Pending),
        Event::CancelRequested => Some(State::Cancelled),
        Event::TimedOut => Some(State::TimedOut),
        Event::Crashed => Some(State::Crashed),
        Event::CameDue
        | Event::SlotAwaited
        | Event::Started
        | Event::RetryPlanned { .. }
        | Event::Completed
        | Event::CacheHit { .. }
        | Event::Failed
        | Event::UpstreamFailed
        | Event::Rescued
        | Event::Cancelled
        | Event::RolledBack
        | Event::RetryRequested
        | Event::Postponed => None,
    }
}

fn executing(event: Event) -> Option<State> {
    match event {
        Event::RetryPlanned { .. } => Some(State::AwaitingRetry),
        Event::CancelRequested => Some(State::Cancelling),
        Event::Completed => Some(State::Completed),
        Event::Failed => Some(State::Failed),
        Event::TimedOut => Some(State::TimedOut),
        Event::Crashed => Some(State::Crashed),
        Event::Rescued => Some(State::Pending),
        Event::CameDue
        | Event::SlotAwaited
        | Event::SlotGranted
        | Event::Started
        | Event::CacheHit { .. }
        | Event::UpstreamFailed
        | Event::Cancelled
        | Event::RolledBack
        | Event::RetryRequested
        | Event::Postponed => None,
    }
}

fn cancelling(event: Event) -> Option<State> {
    match event {
        // A second request has no further effect.
        Event::CancelRequested => Some(State::Cancelling),
        Event::Cancelled => Some(State::Cancelled),
        Event::Crashed => Some(State::Crashed),
        Event::Rescued => Some(State::Cancelled),
        Event::CameDue
        | Event::SlotAwaited
        | Event::SlotGranted
        | Event::Started
        | Event::RetryPlanned { .. }
        | Event::Completed
        | Event::CacheHit { .. }
        | Event::Failed
        | Event::TimedOut
        | Event::UpstreamFailed
        | Event::RolledBack
        | Event::RetryRequested
        | Event::Postponed => None,
    }
}

fn completed(event: Event) -> Option<State> {
    match event {
        Event::RolledBack => Some(State::RolledBack),
        Event::CameDue
        | Event::SlotAwaited
        | Event::SlotGranted
        | Event::Started
        | Event::RetryPlanned { .. }
        | Event::CancelRequested
        | Event::Completed
        | Event::CacheHit { .. }
        | Event::Failed
        | Event::TimedOut
        | Event::UpstreamFailed
        | Event::Crashed
        | Event::Rescued
        | Event::Cancelled
        | Event::RetryRequested
        | Event::Postponed => None,
    }
}

fn without_value(event: Event) -> Option<State> {
    (event == Event::RetryRequested).then_some(State::Pending)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [Event; 17] = Event::each(Timestamp::from_unix_nanos(0), RunId::from_bytes([0; 16]));

    /// The whole table, as `State + Event -> State`; every other combination is illegal.
    fn table() -> String {
        let mut rows = String::new();
        for state in State::ALL {
            rows += &format!(
                "{state} ({:?}{})\n",
                state.state_type(),
                if state.is_terminal() { ", terminal" } else { "" }
            );
            for event in EVENTS {
                if let Ok(next) = state.apply(event) {
                    rows += &format!("    {event} -> {next}\n");
                }
            }
        }
        rows
    }

    #[test]
    fn the_table_is_as_recorded() {
        insta::assert_snapshot!(table());
    }

    #[test]
    fn what_is_illegal_names_state_and_event() {
        let error = State::Completed.apply(Event::Started).unwrap_err();
        assert_eq!(error.to_string(), "event Started is not possible in state Completed");
    }

    #[test]
    fn nothing_leaves_a_terminal_state_but_a_roll_back_or_a_retry_by_hand() {
        for state in State::ALL.into_iter().filter(|state| state.is_terminal()) {
            for event in EVENTS {
                let is_late = matches!(event, Event::RolledBack | Event::RetryRequested);
                assert!(state.apply(event).is_err() || is_late, "{state} {event}");
            }
        }
    }

    #[test]
    fn every_state_can_be_reached() {
        let mut reached = vec![State::Scheduled, State::Pending];
        let mut next = 0;
        while let Some(&state) = reached.get(next) {
            reached.extend(EVENTS.into_iter().filter_map(|event| state.apply(event).ok()));
            let mut seen = Vec::new();
            reached.retain(|state| {
                !seen.contains(state) && {
                    seen.push(*state);
                    true
                }
            });
            next += 1;
        }
        assert_eq!(reached.len(), State::ALL.len());
    }
}
