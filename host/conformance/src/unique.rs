//! Keys that one unfinished run of a queue may have.

use std::time::Duration;

use hostel_core::journal::{Journal, JournalConflict, Submitted};
use hostel_core::{ErrorKind, Event, Outcome, RunFact, RunSpec, State, Unique, UniqueMode};

use crate::cases;
use crate::world::{
    STARTED, add, at, completed, conflict, entry, id, queue, retry_at, spec, start, state, submit_some,
};

cases![
    a_second_run_with_a_key_is_a_duplicate,
    a_key_is_free_when_its_run_has_ended,
    a_key_belongs_to_a_queue,
    a_rejected_run_names_the_holder,
    a_rejected_run_takes_its_batch_with_it,
    a_run_replaces_one_that_has_not_started,
    a_run_that_has_started_is_not_replaced,
    a_run_between_attempts_is_not_replaced,
    runs_of_one_batch_have_one_key,
    runs_of_one_batch_replace_each_other,
    a_debounced_run_waits_for_quiet,
    a_debounced_run_waits_no_longer_than_the_most,
    a_debounced_run_is_existing_when_it_is_submitted_again,
    a_key_that_is_taken_prevents_a_retry,
    a_retried_run_has_its_key_again,
];

fn with(number: u64, mode: UniqueMode) -> RunSpec {
    RunSpec { unique: Some(Unique::new("k").mode(mode)), ..spec(number) }
}

fn existing(number: u64) -> RunSpec {
    with(number, UniqueMode::Existing)
}

fn debounced(number: u64) -> RunSpec {
    let (wait, most) = (Duration::from_nanos(20), Duration::from_nanos(50));
    with(number, UniqueMode::Debounce { wait, most })
}

fn submit(journal: &dyn Journal, now: u64, spec: RunSpec) -> Submitted {
    journal.submit(at(now), &[spec]).unwrap()[0]
}

fn taken(run: u64, holder: u64) -> JournalConflict {
    JournalConflict::key_taken(&existing(run), id(holder))
}

fn a_second_run_with_a_key_is_a_duplicate(journal: &dyn Journal) {
    assert_eq!(submit(journal, 1, existing(1)), Submitted::New);
    for _ in 0..2 {
        assert_eq!(submit(journal, 2, existing(2)), Submitted::Duplicate { of: id(1) });
    }
    assert_eq!(journal.get(id(2)).unwrap(), None);
    assert_eq!(submit(journal, 3, existing(1)), Submitted::Existing);
    start(journal, 1, 4);
    assert_eq!(submit(journal, 5, existing(2)), Submitted::Duplicate { of: id(1) });
    assert_eq!(journal.counts().unwrap().total(), 1);
    assert_eq!(journal.events(0, 9).unwrap().len(), 2);
}

fn a_key_is_free_when_its_run_has_ended(journal: &dyn Journal) {
    submit(journal, 1, existing(1));
    add(journal, 1, 2, [STARTED, completed()]).unwrap();
    assert_eq!(submit(journal, 3, existing(2)), Submitted::New);
    journal.cancel(at(4), id(2)).unwrap();
    assert_eq!(submit(journal, 5, existing(3)), Submitted::New);
    // The rollback of a run that had the key changes nothing for the one that has it now.
    add(journal, 1, 6, [RunFact::Event(Event::RolledBack)]).unwrap();
    assert_eq!(submit(journal, 7, existing(4)), Submitted::Duplicate { of: id(3) });
    journal.remove(id(1)).unwrap();
    assert_eq!(submit(journal, 8, existing(4)), Submitted::Duplicate { of: id(3) });
}

fn a_key_belongs_to_a_queue(journal: &dyn Journal) {
    submit(journal, 1, existing(1));
    assert_eq!(submit(journal, 2, RunSpec { queue: queue("b"), ..existing(2) }), Submitted::New);
    let other = RunSpec { unique: Some(Unique::new("K")), ..spec(3) };
    assert_eq!(submit(journal, 2, other), Submitted::New);
}

fn a_rejected_run_names_the_holder(journal: &dyn Journal) {
    let reject = |number| with(number, UniqueMode::Reject);
    assert_eq!(submit(journal, 1, reject(1)), Submitted::New);
    let error = conflict(journal.submit(at(2), &[reject(2)]));
    assert_eq!((error.kind(), &error), (ErrorKind::Conflict, &taken(2, 1)));
    let id = id(1).to_string();
    assert!(error.to_string().contains(&id), "{error}");
}

fn a_rejected_run_takes_its_batch_with_it(journal: &dyn Journal) {
    submit(journal, 1, existing(1));
    let batch = [spec(2), with(3, UniqueMode::Replace), with(4, UniqueMode::Reject)];
    assert_eq!(conflict(journal.submit(at(2), &batch)), taken(4, 3));
    assert_eq!((state(journal, 1), journal.counts().unwrap().total()), (State::Pending, 1));
    assert_eq!(journal.events(0, 9).unwrap().len(), 1);
    submit_some(journal, [5]);
    assert_eq!(journal.events(0, 9).unwrap()[1].seq, 2);
}

fn a_run_replaces_one_that_has_not_started(journal: &dyn Journal) {
    submit(journal, 1, existing(1));
    let replace = with(2, UniqueMode::Replace);
    assert_eq!(submit(journal, 2, replace.clone()), Submitted::Replaced { of: id(1) });
    let old = entry(journal, 1);
    assert_eq!((old.state(), old.ended()), (State::Cancelled, Some(at(2))));
    assert_eq!(old.record().outcome(), Some(&Outcome::Cancelled));
    assert_eq!(entry(journal, 2).record().spec(), &replace);
    assert_eq!(submit(journal, 3, existing(3)), Submitted::Duplicate { of: id(2) });
    assert_eq!(submit(journal, 3, replace), Submitted::Existing);
    let changes: Vec<_> =
        journal.events(0, 9).unwrap().iter().map(|event| (event.run, event.state)).collect();
    assert_eq!(changes, [(id(1), State::Pending), (id(1), State::Cancelled), (id(2), State::Pending)]);
}

fn a_run_that_has_started_is_not_replaced(journal: &dyn Journal) {
    submit(journal, 1, existing(1));
    start(journal, 1, 2);
    let answer = submit(journal, 3, with(2, UniqueMode::Replace));
    assert_eq!((answer, state(journal, 1)), (Submitted::Duplicate { of: id(1) }, State::Running));
    assert_eq!(submit(journal, 3, debounced(2)), Submitted::Duplicate { of: id(1) });
}

fn a_run_between_attempts_is_not_replaced(journal: &dyn Journal) {
    submit(journal, 1, existing(1));
    add(journal, 1, 2, [STARTED, retry_at(30)]).unwrap();
    assert_eq!(submit(journal, 3, with(2, UniqueMode::Replace)), Submitted::Duplicate { of: id(1) });
}

fn runs_of_one_batch_have_one_key(journal: &dyn Journal) {
    let answers = journal.submit(at(1), &[existing(1), existing(2), existing(1)]).unwrap();
    assert_eq!(answers, [Submitted::New, Submitted::Duplicate { of: id(1) }, Submitted::Existing]);
}

fn runs_of_one_batch_replace_each_other(journal: &dyn Journal) {
    let batch = [1, 2, 3].map(|number| with(number, UniqueMode::Replace));
    let answers = journal.submit(at(1), &batch).unwrap();
    let replaced = |of| Submitted::Replaced { of: id(of) };
    assert_eq!(answers, [Submitted::New, replaced(1), replaced(2)]);
    assert_eq!(
        [1, 2, 3].map(|run| state(journal, run)),
        [State::Cancelled, State::Cancelled, State::Pending]
    );
    assert_eq!(journal.counts().unwrap().of(State::Cancelled), 2);
}

fn a_debounced_run_waits_for_quiet(journal: &dyn Journal) {
    assert_eq!(submit(journal, 100, debounced(1)), Submitted::New);
    let first = entry(journal, 1);
    assert_eq!((first.state(), first.due()), (State::Scheduled, at(120)));
    assert_eq!(submit(journal, 110, debounced(2)), Submitted::Replaced { of: id(1) });
    let second = entry(journal, 2);
    assert_eq!((second.due(), second.record().spec().debounced), (at(130), Some(at(100))));
    assert_eq!((state(journal, 1), second.record().history()[0].at), (State::Cancelled, at(110)));
}

fn a_debounced_run_waits_no_longer_than_the_most(journal: &dyn Journal) {
    for (number, now, due) in [(1, 100, 120), (2, 119, 139), (3, 138, 150), (4, 149, 150), (5, 170, 150)] {
        submit(journal, now, debounced(number));
        assert_eq!(entry(journal, number).due(), at(due), "{number}");
    }
    start(journal, 5, 171);
    add(journal, 5, 172, [completed()]).unwrap();
    // The next one counts from its own time.
    submit(journal, 200, debounced(6));
    assert_eq!(entry(journal, 6).due(), at(220));
}

fn a_debounced_run_is_existing_when_it_is_submitted_again(journal: &dyn Journal) {
    submit(journal, 100, debounced(1));
    assert_eq!(submit(journal, 105, debounced(1)), Submitted::Existing);
    assert_eq!(entry(journal, 1).due(), at(120));
    submit(journal, 110, debounced(2));
    assert_eq!(submit(journal, 111, debounced(1)), Submitted::Existing);
    let other = RunSpec { parent: Some(id(9)), ..debounced(2) };
    let error = conflict(journal.submit(at(112), &[other]));
    assert_eq!(error, JournalConflict::OtherSpec { run: id(2) });
}

fn a_key_that_is_taken_prevents_a_retry(journal: &dyn Journal) {
    submit(journal, 1, existing(1));
    journal.cancel(at(2), id(1)).unwrap();
    submit(journal, 3, existing(2));
    assert_eq!(conflict(journal.retry(at(4), id(1))), taken(1, 2));
    assert_eq!(state(journal, 1), State::Cancelled);
    journal.cancel(at(5), id(2)).unwrap();
    journal.retry(at(6), id(1)).unwrap();
    assert_eq!(state(journal, 1), State::Pending);
}

fn a_retried_run_has_its_key_again(journal: &dyn Journal) {
    submit(journal, 1, existing(1));
    journal.cancel(at(2), id(1)).unwrap();
    journal.retry(at(3), id(1)).unwrap();
    assert_eq!(submit(journal, 4, existing(2)), Submitted::Duplicate { of: id(1) });
}
