//! Cancelling runs in every state.

use hostel_core::journal::{Cancellation, Journal, JournalConflict, JournalError};
use hostel_core::{Event, Outcome, State};

use crate::cases;
use crate::world::{
    STARTED, add, append, at, cancelled, claim, claim_one, completed, conflict, end, entry, event,
    fence_conflict, id, retry_at, spec_with, start, state, submit, submit_some,
};

cases![
    a_pending_run_is_cancelled_at_once,
    a_scheduled_run_is_cancelled_at_once,
    a_run_that_awaits_a_retry_is_cancelled_at_once,
    a_run_that_executes_is_asked_to_stop,
    a_second_request_changes_nothing,
    a_claimed_run_that_has_not_started_is_cancelled_at_once,
    a_run_that_has_ended_stays_as_it_is,
    an_unknown_run_cannot_be_cancelled,
    a_result_after_the_request_is_refused,
];

fn cancel(journal: &dyn Journal, number: u64, now: u64) -> Cancellation {
    journal.cancel(at(now), id(number)).unwrap()
}

fn ended_at_once(journal: &dyn Journal) {
    assert_eq!(cancel(journal, 1, 5), Cancellation::Now);
    let entry = entry(journal, 1);
    assert_eq!((entry.state(), entry.ended()), (State::Cancelled, Some(at(5))));
    assert_eq!((entry.record().outcome(), entry.claim()), (Some(&Outcome::Cancelled), None));
    assert_eq!(claim(journal, "w", 9, 1_000), []);
    let counts = journal.counts().unwrap();
    assert_eq!((counts.unfinished(), counts.of(State::Cancelled)), (0, 1));
}

fn a_pending_run_is_cancelled_at_once(journal: &dyn Journal) {
    submit_some(journal, [1]);
    ended_at_once(journal);
}

fn a_scheduled_run_is_cancelled_at_once(journal: &dyn Journal) {
    submit(journal, [spec_with(1, 0, Some(50))]);
    ended_at_once(journal);
}

fn a_run_that_awaits_a_retry_is_cancelled_at_once(journal: &dyn Journal) {
    submit_some(journal, [1]);
    add(journal, 1, 2, [STARTED, retry_at(30)]).unwrap();
    ended_at_once(journal);
}

fn a_run_that_executes_is_asked_to_stop(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let fence = start(journal, 1, 2);
    assert_eq!(cancel(journal, 1, 3), Cancellation::Requested);
    let asked = entry(journal, 1);
    assert_eq!((asked.state(), asked.claim().unwrap().fence), (State::Cancelling, fence));
    let event = journal.events(0, 10).unwrap().pop().unwrap();
    assert_eq!((event.run, event.state, event.version), (id(1), State::Cancelling, asked.version()));
    append(journal, 1, asked.version(), Some(fence), 4, [cancelled()]).unwrap();
    assert_eq!((state(journal, 1), entry(journal, 1).ended()), (State::Cancelled, Some(at(4))));
}

fn a_second_request_changes_nothing(journal: &dyn Journal) {
    submit_some(journal, [1]);
    start(journal, 1, 2);
    cancel(journal, 1, 3);
    let before = entry(journal, 1);
    assert_eq!(cancel(journal, 1, 4), Cancellation::Requested);
    assert_eq!(entry(journal, 1), before);
}

fn a_claimed_run_that_has_not_started_is_cancelled_at_once(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let fence = claim_one(journal, 1, 2);
    ended_at_once(journal);
    let version = entry(journal, 1).version();
    let late = conflict(append(journal, 1, version, Some(fence), 6, [STARTED]));
    assert_eq!(late, fence_conflict(1, Some(fence), None));
}

fn a_run_that_has_ended_stays_as_it_is(journal: &dyn Journal) {
    end(journal, 1, 3);
    end(journal, 2, 3);
    add(journal, 2, 4, [event(Event::RolledBack)]).unwrap();
    submit_some(journal, [3]);
    cancel(journal, 3, 5);
    for run in 1..=3 {
        let before = entry(journal, run);
        assert_eq!(cancel(journal, run, 9), Cancellation::TooLate);
        assert_eq!(entry(journal, run), before);
    }
}

fn an_unknown_run_cannot_be_cancelled(journal: &dyn Journal) {
    let error = journal.cancel(at(1), id(1)).unwrap_err();
    assert!(matches!(error, JournalError::NotFound { run } if run == id(1)), "{error}");
}

fn a_result_after_the_request_is_refused(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let fence = start(journal, 1, 2);
    let version = entry(journal, 1).version();
    cancel(journal, 1, 3);
    let late = conflict(append(journal, 1, version, Some(fence), 4, [completed()]));
    assert_eq!(late, JournalConflict::Version { run: id(1), expected: version, actual: version + 1 });
}
