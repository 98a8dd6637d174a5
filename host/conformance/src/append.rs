//! Appending facts.

use hostel_core::journal::{Append, Journal, JournalConflict, JournalError, MAX_APPENDED};
use hostel_core::{ErrorKind, Event, IllegalFact, RunFact, RunRecord, State};

use crate::cases;
use crate::world::{
    STARTED, add, append, at, attempt_ended, claim, claim_one, completed, conflict, end, entry, event,
    expire, failed, fence_conflict, id, retry_at, spec, start, state, submit_some, value,
};

cases![
    facts_lead_to_a_new_version,
    the_record_is_the_fold_of_its_facts,
    nothing_is_appended,
    another_version_is_refused,
    an_unknown_run_is_not_found,
    an_illegal_fact_is_refused,
    facts_are_appended_all_or_none,
    local_events_are_not_stored,
    too_many_facts_are_refused,
    a_fact_has_its_own_time,
    a_claimed_run_needs_the_fence,
    a_fence_needs_a_claim,
    an_end_ends_the_claim,
    a_planned_retry_ends_the_claim,
    a_name_does_not_end_the_claim,
    a_run_that_ended_can_only_be_rolled_back,
    of_two_with_one_version_one_succeeds,
];

fn facts_lead_to_a_new_version(journal: &dyn Journal) {
    submit_some(journal, [1]);
    assert_eq!(append(journal, 1, 1, None, 2, [STARTED]).unwrap(), 2);
    assert_eq!(append(journal, 1, 2, None, 3, [attempt_ended(), completed()]).unwrap(), 4);
    let entry = entry(journal, 1);
    assert_eq!((entry.state(), entry.version(), entry.ended()), (State::Completed, 4, Some(at(3))));
    assert_eq!(entry.record().outcome(), Some(&value()));
}

fn the_record_is_the_fold_of_its_facts(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let facts = [STARTED, attempt_ended(), retry_at(9), RunFact::Named("a".into()), STARTED, failed()];
    let mut expected = RunRecord::born(at(1), spec(1));
    for (now, fact) in (2..).zip(facts) {
        expected.apply(at(now), fact.clone()).unwrap();
        add(journal, 1, now, [fact]).unwrap();
        assert_eq!(entry(journal, 1).record(), &expected);
    }
}

fn nothing_is_appended(journal: &dyn Journal) {
    submit_some(journal, [1]);
    assert_eq!(append(journal, 1, 1, None, 2, []).unwrap(), 1);
    conflict(append(journal, 1, 2, None, 2, []));
    assert_eq!(journal.events(0, 10).unwrap().len(), 1);
}

fn another_version_is_refused(journal: &dyn Journal) {
    submit_some(journal, [1]);
    for expected in [0, 2, u64::MAX] {
        let error = conflict(append(journal, 1, expected, None, 2, [STARTED]));
        assert_eq!(error, JournalConflict::Version { run: id(1), expected, actual: 1 });
        assert_eq!(error.kind(), ErrorKind::Conflict);
    }
    assert_eq!(state(journal, 1), State::Pending);
}

fn an_unknown_run_is_not_found(journal: &dyn Journal) {
    let error = append(journal, 1, 1, None, 2, [STARTED]).unwrap_err();
    assert!(matches!(error, JournalError::NotFound { run } if run == id(1)), "{error}");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

fn an_illegal_fact_is_refused(journal: &dyn Journal) {
    submit_some(journal, [1]);
    for fact in [completed(), event(Event::Completed), RunFact::Born(spec(1).into()), attempt_ended()] {
        let before = entry(journal, 1);
        let error = conflict(append(journal, 1, 1, None, 2, [fact]));
        assert!(matches!(error, JournalConflict::Fact { index: 0, .. }), "{error}");
        assert_eq!(entry(journal, 1), before);
    }
}

fn facts_are_appended_all_or_none(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let before = entry(journal, 1);
    let error = conflict(append(journal, 1, 1, None, 2, [STARTED, retry_at(9), event(Event::CameDue)]));
    let JournalConflict::Fact { run, index: 2, source: IllegalFact::Transition(source) } = error else {
        panic!("{error}");
    };
    assert_eq!((run, source.state), (id(1), State::AwaitingRetry));
    assert_eq!(entry(journal, 1), before);
    assert_eq!(journal.events(0, 10).unwrap().len(), 1);
    assert_eq!(journal.counts().unwrap().of(State::Pending), 1);
}

fn local_events_are_not_stored(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let facts = [event(Event::SlotAwaited), event(Event::SlotGranted), STARTED];
    assert_eq!(append(journal, 1, 1, None, 2, facts).unwrap(), 2);
    assert_eq!(entry(journal, 1).record().history().len(), 2);
    assert_eq!(journal.events(0, 10).unwrap().len(), 2);
}

fn too_many_facts_are_refused(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let rounds = (0..=MAX_APPENDED).map(|index| if index % 2 == 0 { STARTED } else { retry_at(9) });
    let error = append(journal, 1, 1, None, 2, rounds.clone()).unwrap_err();
    assert!(matches!(error, JournalError::TooMany { count, most, .. } if count == most + 1), "{error}");
    assert_eq!(entry(journal, 1).version(), 1);
    let version = append(journal, 1, 1, None, 2, rounds.take(MAX_APPENDED)).unwrap();
    assert_eq!(version, 1 + MAX_APPENDED as u64);
}

fn a_fact_has_its_own_time(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let facts = vec![(at(7), STARTED), (at(3), completed())];
    journal.append(&Append { run: id(1), expected: 1, fence: None, facts }).unwrap();
    let entry = entry(journal, 1);
    let times: Vec<_> = entry.record().history().iter().map(|transition| transition.at).collect();
    assert_eq!(times, [at(1), at(7), at(3)]);
}

fn a_claimed_run_needs_the_fence(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let fence = claim_one(journal, 1, 2);
    let error = conflict(append(journal, 1, 1, None, 3, [STARTED]));
    assert_eq!(error, fence_conflict(1, None, Some(fence)));
    assert_eq!(append(journal, 1, 1, Some(fence), 3, [STARTED]).unwrap(), 2);
    assert_eq!(entry(journal, 1).claim().unwrap().fence, fence);
}

fn a_fence_needs_a_claim(journal: &dyn Journal) {
    submit_some(journal, [1, 2]);
    let fence = claim_one(journal, 1, 2);
    let error = conflict(append(journal, 2, 1, Some(fence), 3, [STARTED]));
    assert_eq!(error, fence_conflict(2, Some(fence), None));
}

fn an_end_ends_the_claim(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let fence = start(journal, 1, 2);
    append(journal, 1, 2, Some(fence), 3, [completed()]).unwrap();
    assert_eq!(entry(journal, 1).claim(), None);
    let error = conflict(append(journal, 1, 3, Some(fence), 4, [event(Event::RolledBack)]));
    assert_eq!(error, fence_conflict(1, Some(fence), None));
    assert_eq!(expire(journal, 1_000), []);
}

fn a_planned_retry_ends_the_claim(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let first = start(journal, 1, 2);
    append(journal, 1, 2, Some(first), 3, [attempt_ended(), retry_at(20)]).unwrap();
    let entry = entry(journal, 1);
    assert_eq!((entry.state(), entry.claim(), entry.due()), (State::AwaitingRetry, None, at(20)));
    assert_eq!(claim(journal, "w", 1, 19), []);
    let second = claim_one(journal, 1, 20);
    assert!(second > first);
    append(journal, 1, 4, Some(second), 21, [STARTED]).unwrap();
    assert_eq!(state(journal, 1), State::Retrying);
}

fn a_name_does_not_end_the_claim(journal: &dyn Journal) {
    submit_some(journal, [1]);
    start(journal, 1, 2);
    add(journal, 1, 3, [retry_at(4)]).unwrap();
    let fence = claim_one(journal, 1, 5);
    append(journal, 1, 3, Some(fence), 6, [RunFact::Named("a".into())]).unwrap();
    let entry = entry(journal, 1);
    assert_eq!((entry.record().name(), entry.claim().map(|claim| claim.fence)), (Some("a"), Some(fence)));
    assert_eq!(entry.state(), State::AwaitingRetry);
}

fn a_run_that_ended_can_only_be_rolled_back(journal: &dyn Journal) {
    end(journal, 1, 3);
    for fact in [STARTED, retry_at(9), failed(), event(Event::CancelRequested), event(Event::Rescued)] {
        conflict(add(journal, 1, 4, [fact]));
    }
    add(journal, 1, 5, [event(Event::RolledBack)]).unwrap();
    let entry = entry(journal, 1);
    assert_eq!((entry.state(), entry.ended()), (State::RolledBack, Some(at(3))));
}

fn of_two_with_one_version_one_succeeds(journal: &dyn Journal) {
    submit_some(journal, [1]);
    append(journal, 1, 1, None, 2, [STARTED]).unwrap();
    append(journal, 1, 2, None, 3, [completed()]).unwrap();
    let late = conflict(append(journal, 1, 2, None, 3, [failed()]));
    assert_eq!(late, JournalConflict::Version { run: id(1), expected: 2, actual: 3 });
    assert_eq!(state(journal, 1), State::Completed);
}
