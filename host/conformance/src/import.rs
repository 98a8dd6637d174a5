//! Runs that ended elsewhere.

use hostel_core::journal::{Journal, JournalConflict, JournalError, MAX_SUBMITTED, Prune, Submitted};
use hostel_core::{Event, RunFilter, RunRecord, State};

use crate::cases;
use crate::world::{
    STARTED, at, attempt_ended, claim, completed, conflict, entry, event, failed, found, id, numbers, spec,
    spec_with, submit_some,
};

cases![
    an_imported_run_is_as_it_was,
    an_imported_run_counts_like_others,
    an_imported_run_needs_no_attention,
    events_of_limits_are_not_imported,
    a_second_import_changes_nothing,
    a_run_that_has_not_ended_is_not_imported,
    an_import_is_stored_whole_or_not_at_all,
    an_import_that_is_too_large_is_refused,
];

/// A run that began at 2 and ended at 4.
fn ended(number: u64) -> RunRecord {
    let mut record = RunRecord::born(at(1), spec(number));
    for (now, fact) in [(2, STARTED), (3, attempt_ended()), (4, completed())] {
        record.apply(at(now), fact).unwrap();
    }
    record
}

fn an_imported_run_is_as_it_was(journal: &dyn Journal) {
    assert_eq!(journal.import(&[ended(1), ended(2)]).unwrap(), [Submitted::New; 2]);
    let entry = entry(journal, 1);
    assert_eq!((entry.record(), entry.claim(), entry.ended()), (&ended(1), None, Some(at(4))));
    assert_eq!(claim(journal, "w", 9, 1_000), []);
}

fn an_imported_run_counts_like_others(journal: &dyn Journal) {
    submit_some(journal, [1]);
    journal.import(&[ended(2)]).unwrap();
    let counts = journal.counts().unwrap();
    assert_eq!((counts.of(State::Completed), counts.total()), (1, 2));
    let events: Vec<_> =
        journal.events(0, 9).unwrap().iter().map(|event| (event.seq, event.version)).collect();
    assert_eq!(events, [(1, 1), (2, 1), (3, 2), (4, 3), (5, 4)]);
    assert_eq!(found(journal, &RunFilter::new().states([State::Completed])), numbers([2]));
    assert_eq!(journal.prune(Prune { ended_before: None, keep: Some(0) }).unwrap().runs, 1);
}

fn an_imported_run_needs_no_attention(journal: &dyn Journal) {
    let mut record = RunRecord::born(at(1), spec(1));
    record.apply(at(2), STARTED).unwrap();
    record.apply(at(3), failed()).unwrap();
    journal.import(&[record]).unwrap();
    assert_eq!(found(journal, &RunFilter::new().needs_attention()), []);
    journal.retry(at(9), id(1)).unwrap();
    assert_eq!(entry(journal, 1).state(), State::Pending);
}

fn events_of_limits_are_not_imported(journal: &dyn Journal) {
    let mut record = RunRecord::born(at(1), spec(1));
    let facts = [event(Event::SlotAwaited), event(Event::SlotGranted), STARTED, completed()];
    facts.into_iter().for_each(|fact| record.apply(at(2), fact).unwrap());
    journal.import(&[record.clone()]).unwrap();
    assert_eq!(
        (entry(journal, 1).version(), entry(journal, 1).record().history().len()),
        (record.version(), 3)
    );
}

fn a_second_import_changes_nothing(journal: &dyn Journal) {
    assert_eq!(journal.import(&[ended(1), ended(1)]).unwrap(), [Submitted::New, Submitted::Existing]);
    assert_eq!(journal.import(&[ended(1)]).unwrap(), [Submitted::Existing]);
    assert_eq!(journal.submit(at(9), &[spec(1)]).unwrap(), [Submitted::Existing]);
    assert_eq!(journal.events(0, 9).unwrap().len(), 4);
    let other = RunRecord::born(at(1), spec_with(1, 5, None));
    let mut other = other;
    other.apply(at(2), STARTED).unwrap();
    other.apply(at(3), completed()).unwrap();
    assert_eq!(conflict(journal.import(&[other])), JournalConflict::OtherSpec { run: id(1) });
}

fn a_run_that_has_not_ended_is_not_imported(journal: &dyn Journal) {
    let error = conflict(journal.import(&[ended(1), RunRecord::born(at(1), spec(2))]));
    assert_eq!(error, JournalConflict::Unfinished { run: id(2), state: State::Pending });
    assert_eq!(journal.counts().unwrap().total(), 0);
}

fn an_import_is_stored_whole_or_not_at_all(journal: &dyn Journal) {
    journal.submit(at(1), &[spec_with(2, 5, None)]).unwrap();
    conflict(journal.import(&[ended(1), ended(2), ended(3)]));
    assert_eq!(found(journal, &RunFilter::new()), numbers([2]));
    assert_eq!(journal.events(0, 9).unwrap().len(), 1);
}

fn an_import_that_is_too_large_is_refused(journal: &dyn Journal) {
    let records = vec![ended(1); MAX_SUBMITTED + 1];
    let error = journal.import(&records).unwrap_err();
    assert!(matches!(error, JournalError::TooMany { count, most, .. } if count == most + 1), "{error}");
    assert_eq!(journal.import(&[]).unwrap(), []);
}
