//! Any events in any order, from a run's first state on.

use hostel_core::{Event, IllegalTransition, RunId, State, StateType, Timestamp};

use crate::Target;

pub(super) const TARGET: Target = Target::new("fold", run, 150_000);

/// A first state, and then an event for each byte.
fn run(bytes: &[u8]) {
    let Some((&first, bytes)) = bytes.split_first() else { return };
    let mut state = if first % 2 == 0 { State::Pending } else { State::Scheduled };
    let mut life = Life::default();
    for (place, &byte) in bytes.iter().enumerate() {
        let event = event(byte, place);
        match state.apply(event) {
            Ok(next) => {
                life.went(state, event, next);
                state = next;
            }
            Err(refused) => assert_eq!(refused, IllegalTransition { state, event }),
        }
        assert!(State::ALL.contains(&state));
    }
}

/// What happened to a run so far.
#[derive(Default)]
struct Life {
    has_started: bool,
    was_asked_to_stop: bool,
    has_ended: bool,
    /// What a RetryPlanned or CacheHit carries changes nothing.
    steps: Vec<(State, &'static str, State)>,
}

impl Life {
    /// Asserts what is true of every life, whatever the table says.
    fn went(&mut self, from: State, event: Event, to: State) {
        let step = format!("{from}, {event} -> {to}");
        let earlier = self.steps.iter().find(|(state, name, _)| (*state, *name) == (from, event.name()));
        assert!(earlier.is_none_or(|(_, _, then)| *then == to), "{step}: one event leads to one state");
        self.steps.push((from, event.name(), to));

        let undone = event == Event::RolledBack;
        if event == Event::RetryRequested {
            assert!(self.has_ended && to == State::Pending, "{step}: only what has ended is retried by hand");
            assert_ne!(from.state_type(), StateType::Completed, "{step}: what has a value is not retried");
            let steps = std::mem::take(&mut self.steps);
            *self = Self { steps, ..Self::default() };
            return;
        }
        assert_eq!(self.has_ended, undone, "{step}: what has ended can only be undone or retried");
        assert_eq!(undone, to == State::RolledBack, "{step}");
        if undone {
            assert!(
                matches!(from, State::Completed | State::Cached),
                "{step}: what did not complete is not undone"
            );
        }

        let starts = event == Event::Started;
        assert_eq!(
            starts,
            !from.is_executing() && to.is_executing(),
            "{step}: an attempt begins by being started"
        );
        assert_eq!(to == State::Retrying, starts && self.has_started, "{step}: a second attempt is a retry");
        self.has_started |= starts;
        if event == Event::Rescued {
            assert!(
                from.is_executing() && !to.is_executing(),
                "{step}: a rescue ends the attempt that was lost"
            );
            self.has_started = false;
        }
        if self.has_started {
            let is_late = matches!(to, State::Scheduled | State::UpstreamFailed);
            // Another run may have computed the value while this one waited.
            let is_hit = to == State::Cached && from == State::AwaitingRetry;
            assert!(!is_late && (to != State::Cached || is_hit), "{step}: too late");
        }
        if to == State::Completed {
            assert!(from.is_executing(), "{step}: who completes was executing");
        }

        self.was_asked_to_stop |= event == Event::CancelRequested;
        if self.was_asked_to_stop {
            let stops =
                matches!(to.state_type(), StateType::Cancelling | StateType::Cancelled | StateType::Crashed);
            assert!(stops, "{step}: it was asked to stop");
        } else {
            assert_ne!(to.state_type(), StateType::Cancelled, "{step}: nobody asked");
        }
        self.has_ended |= to.is_terminal();
        assert_eq!(self.has_ended, to.is_terminal(), "{step}: an end is for ever");
    }
}

fn event(byte: u8, place: usize) -> Event {
    match byte % 16 {
        0 => Event::CameDue,
        1 => Event::SlotAwaited,
        2 => Event::SlotGranted,
        3 => Event::Started,
        4 => Event::RetryPlanned { due: Timestamp::from_unix_nanos(place as u64) },
        5 => Event::CancelRequested,
        6 => Event::Completed,
        7 => Event::CacheHit { producer: RunId::from_bytes([byte; 16]) },
        8 => Event::Failed,
        9 => Event::TimedOut,
        10 => Event::UpstreamFailed,
        11 => Event::Crashed,
        12 => Event::Cancelled,
        13 => Event::Rescued,
        14 => Event::RetryRequested,
        _ => Event::RolledBack,
    }
}
