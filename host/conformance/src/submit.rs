//! Submitting runs.

use hostel_core::journal::{Journal, JournalConflict, JournalError, MAX_SUBMITTED, Submitted};
use hostel_core::{ErrorKind, InputSpec, RunFilter, RunSpec, State, StoredValue, TraceParent};

use crate::cases;
use crate::world::{
    add, at, claim_one, completed, conflict, entry, found, id, numbers, spec, spec_with, submit_some,
};

cases![
    a_new_run_is_pending,
    a_run_with_a_due_time_is_scheduled,
    a_run_is_stored_as_it_was_submitted,
    an_unknown_run_is_not_there,
    nothing_is_submitted,
    a_second_submission_changes_nothing,
    a_second_submission_is_known_whatever_happened,
    a_second_submission_may_come_from_another_trace,
    another_specification_is_refused,
    a_batch_is_stored_whole_or_not_at_all,
    a_batch_may_have_a_run_twice,
    a_batch_with_two_specifications_of_a_run_is_refused,
    a_batch_too_large_is_refused,
    an_empty_journal_counts_nothing,
];

fn a_new_run_is_pending(journal: &dyn Journal) {
    assert_eq!(journal.submit(at(5), &[spec(1)]).unwrap(), [Submitted::New]);
    let entry = entry(journal, 1);
    assert_eq!((entry.state(), entry.version(), entry.crashes()), (State::Pending, 1, 0));
    assert_eq!((entry.claim(), entry.ended()), (None, None));
    assert_eq!(entry.record().history()[0].at, at(5));
}

fn a_run_with_a_due_time_is_scheduled(journal: &dyn Journal) {
    journal.submit(at(1), &[spec_with(1, 0, Some(50))]).unwrap();
    let entry = entry(journal, 1);
    assert_eq!((entry.state(), entry.due()), (State::Scheduled, at(50)));
}

fn a_run_is_stored_as_it_was_submitted(journal: &dyn Journal) {
    let mut spec = spec_with(1, -7, Some(9));
    spec.inputs = vec![InputSpec::Value(StoredValue::Bytes([1, 2, 3].into())), InputSpec::Result(id(9))];
    spec.tags = ["b", "a"].into_iter().collect();
    spec.parent = Some(id(8));
    journal.submit(at(1), &[spec.clone()]).unwrap();
    assert_eq!(entry(journal, 1).record().spec(), &spec);
}

fn an_unknown_run_is_not_there(journal: &dyn Journal) {
    submit_some(journal, [1]);
    assert_eq!(journal.get(id(2)).unwrap(), None);
}

fn nothing_is_submitted(journal: &dyn Journal) {
    assert_eq!(journal.submit(at(1), &[]).unwrap(), []);
    assert_eq!(journal.counts().unwrap().total(), 0);
}

fn a_second_submission_changes_nothing(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let before = entry(journal, 1);
    assert_eq!(journal.submit(at(9), &[spec(1)]).unwrap(), [Submitted::Existing]);
    assert_eq!(entry(journal, 1), before);
    assert_eq!(journal.events(0, 10).unwrap().len(), 1);
    assert_eq!(journal.counts().unwrap().total(), 1);
}

fn a_second_submission_is_known_whatever_happened(journal: &dyn Journal) {
    submit_some(journal, [1]);
    claim_one(journal, 1, 2);
    assert_eq!(journal.submit(at(9), &[spec(1)]).unwrap(), [Submitted::Existing]);
    add(journal, 1, 3, [crate::world::STARTED, completed()]).unwrap();
    assert_eq!(journal.submit(at(9), &[spec(1)]).unwrap(), [Submitted::Existing]);
    assert_eq!(entry(journal, 1).state(), State::Completed);
}

fn a_second_submission_may_come_from_another_trace(journal: &dyn Journal) {
    let traced = |span: u8| {
        let trace = TraceParent::new([7; 16], [span; 8], 1);
        RunSpec { trace, ..spec(1) }
    };
    assert_eq!(journal.submit(at(1), &[traced(1)]).unwrap(), [Submitted::New]);
    for again in [traced(2), spec(1)] {
        assert_eq!(journal.submit(at(2), &[again]).unwrap(), [Submitted::Existing]);
    }
    assert_eq!(entry(journal, 1).record().spec(), &traced(1));
}

fn another_specification_is_refused(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let before = entry(journal, 1);
    let error = conflict(journal.submit(at(1), &[spec_with(1, 1, None)]));
    assert_eq!((error.kind(), &error), (ErrorKind::Conflict, &JournalConflict::OtherSpec { run: id(1) }));
    assert_eq!(entry(journal, 1), before);
}

fn a_batch_is_stored_whole_or_not_at_all(journal: &dyn Journal) {
    submit_some(journal, [2]);
    conflict(journal.submit(at(1), &[spec(1), spec_with(2, 1, None), spec(3)]));
    assert_eq!(found(journal, &RunFilter::new()), numbers([2]));
    assert_eq!(journal.events(0, 10).unwrap().len(), 1);
    let answers = journal.submit(at(1), &[spec(1), spec(2), spec(3)]).unwrap();
    assert_eq!(answers, [Submitted::New, Submitted::Existing, Submitted::New]);
    assert_eq!(found(journal, &RunFilter::new()), numbers([3, 1, 2]));
}

fn a_batch_may_have_a_run_twice(journal: &dyn Journal) {
    let answers = journal.submit(at(1), &[spec(1), spec(1)]).unwrap();
    assert_eq!(answers, [Submitted::New, Submitted::Existing]);
    assert_eq!(journal.counts().unwrap().total(), 1);
}

fn a_batch_with_two_specifications_of_a_run_is_refused(journal: &dyn Journal) {
    conflict(journal.submit(at(1), &[spec(1), spec_with(1, 1, None)]));
    assert_eq!(journal.get(id(1)).unwrap(), None);
}

fn a_batch_too_large_is_refused(journal: &dyn Journal) {
    let specs: Vec<_> = (0..=MAX_SUBMITTED as u64).map(spec).collect();
    let error = journal.submit(at(1), &specs).unwrap_err();
    assert!(matches!(error, JournalError::TooMany { count, most, .. } if count == most + 1), "{error}");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(journal.counts().unwrap().total(), 0);
    assert_eq!(journal.submit(at(1), &specs[1..]).unwrap().len(), MAX_SUBMITTED);
}

fn an_empty_journal_counts_nothing(journal: &dyn Journal) {
    let counts = journal.counts().unwrap();
    assert_eq!((counts.total(), counts.unfinished(), counts.removed), (0, 0, 0));
    submit_some(journal, [1, 2]);
    add(journal, 1, 3, [crate::world::STARTED, completed()]).unwrap();
    let counts = journal.counts().unwrap();
    assert_eq!((counts.of(State::Pending), counts.of(State::Completed)), (1, 1));
    assert_eq!((counts.total(), counts.unfinished()), (2, 1));
}
