//! Kinds of events as numbers.

use hostel_core::journal::RunChange;
use hostel_core::{Event, RunFact};

/// The codes of the events follow from here, in the order of their bytes in an encoded fact.
const FIRST_EVENT: i64 = 16;

/// The code of a birth.
pub(super) const BORN: i64 = 0;

const NAMED: i64 = 1;
const ATTEMPT_ENDED: i64 = 2;
const AMENDED: i64 = 3;

/// The events that carry nothing, by their codes from [`FIRST_EVENT`] on; those in between are read from the fact.
const PLAIN: [Option<Event>; 17] = [
    Some(Event::CameDue),
    Some(Event::SlotAwaited),
    Some(Event::SlotGranted),
    Some(Event::Started),
    None,
    Some(Event::CancelRequested),
    Some(Event::Completed),
    None,
    Some(Event::Failed),
    Some(Event::TimedOut),
    Some(Event::UpstreamFailed),
    Some(Event::Crashed),
    Some(Event::Rescued),
    Some(Event::Cancelled),
    Some(Event::RolledBack),
    Some(Event::RetryRequested),
    Some(Event::Postponed),
];

const RETRY_PLANNED: i64 = 4;
const CACHE_HIT: i64 = 7;

/// The code of a kind of event.
pub(super) fn code(change: RunChange) -> i64 {
    let event = match change {
        RunChange::Born => return BORN,
        RunChange::Named => return NAMED,
        RunChange::Amended => return AMENDED,
        RunChange::AttemptEnded => return ATTEMPT_ENDED,
        RunChange::Event(event) => event,
    };
    let plain = PLAIN.iter().position(|one| *one == Some(event)).map(|place| place as i64);
    // All but two are in the list.
    let place =
        plain.unwrap_or(if matches!(event, Event::CacheHit { .. }) { CACHE_HIT } else { RETRY_PLANNED });
    FIRST_EVENT + place
}

/// Whether the kind of an event is known only from its fact.
pub(super) const fn needs_fact(code: i64) -> bool {
    code == FIRST_EVENT + RETRY_PLANNED || code == FIRST_EVENT + CACHE_HIT
}

/// The kind of event that a code has. The fact is only looked at if the code [needs](needs_fact) it.
pub(super) fn decode(code: i64, fact: Option<&[u8]>) -> Option<RunChange> {
    match code {
        BORN => return Some(RunChange::Born),
        NAMED => return Some(RunChange::Named),
        AMENDED => return Some(RunChange::Amended),
        ATTEMPT_ENDED => return Some(RunChange::AttemptEnded),
        _ => {}
    }
    if needs_fact(code) {
        return RunFact::decode(fact?).ok().map(|fact| RunChange::from(&fact));
    }
    let place = usize::try_from(code - FIRST_EVENT).ok()?;
    PLAIN.get(place).copied().flatten().map(RunChange::Event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostel_core::{RunId, Timestamp};

    fn each() -> [Event; 17] {
        Event::each(Timestamp::from_unix_nanos(7), RunId::from_bytes([1; 16]))
    }

    #[test]
    fn every_kind_has_a_code_of_its_own() {
        let events = each().into_iter().map(RunChange::Event);
        let all: Vec<_> = [RunChange::Born, RunChange::Named, RunChange::AttemptEnded, RunChange::Amended]
            .into_iter()
            .chain(events)
            .collect();
        let mut codes = Vec::new();
        for change in all {
            let fact = if let RunChange::Event(event) = change {
                RunFact::Event(event).encode()
            } else {
                Vec::new()
            };
            assert_eq!(decode(code(change), Some(&fact)), Some(change));
            codes.push(code(change));
        }
        codes.sort_unstable();
        assert_eq!(codes, (0..4).chain(16..33).collect::<Vec<_>>());
    }

    #[test]
    fn codes_are_the_bytes_of_facts() {
        for event in each() {
            let fact = RunFact::Event(event).encode();
            assert_eq!(code(RunChange::Event(event)), FIRST_EVENT + i64::from(fact[2]), "{event}");
        }
    }

    #[test]
    fn other_numbers_have_no_kind() {
        for code in [-1, 4, 15, 33, 99] {
            assert_eq!(decode(code, None), None, "{code}");
        }
        assert_eq!(decode(FIRST_EVENT + RETRY_PLANNED, Some(&[9])), None);
    }
}
