//! Events.

use hostel_core::journal::{Journal, JournalEvent, MAX_EVENTS, Prune, RunChange};
use hostel_core::{Event, RunFact, State};

use crate::cases;
use crate::world::{
    STARTED, add, at, attempt_ended, claim, completed, conflict, end, entry, event, expire, id, spec,
    spec_with, start, submit, submit_some,
};

cases![
    every_fact_is_an_event,
    events_are_read_on_from_a_number,
    events_of_all_runs_are_in_one_order,
    a_refused_request_makes_no_event,
    events_are_returned_in_slices,
    events_of_a_pruned_run_are_gone_and_their_numbers_not_given_again,
    the_last_event_has_a_number_even_if_it_is_gone,
    events_fold_to_the_state,
];

fn events(journal: &dyn Journal) -> Vec<JournalEvent> {
    journal.events(0, MAX_EVENTS).unwrap()
}

fn every_fact_is_an_event(journal: &dyn Journal) {
    submit(journal, [spec_with(1, 0, Some(5))]);
    claim(journal, "w", 1, 6);
    add(journal, 1, 7, [STARTED, RunFact::Named("a".into())]).unwrap();
    add(journal, 1, 8, [attempt_ended(), completed()]).unwrap();
    let found: Vec<_> = events(journal)
        .iter()
        .map(|event| (event.seq, event.version, event.at, event.state, event.change))
        .collect();
    let expected = [
        (1, 1, at(1), State::Scheduled, RunChange::Born),
        (2, 2, at(6), State::Pending, RunChange::Event(Event::CameDue)),
        (3, 3, at(7), State::Running, RunChange::Event(Event::Started)),
        (4, 4, at(7), State::Running, RunChange::Named),
        (5, 5, at(8), State::Running, RunChange::AttemptEnded),
        (6, 6, at(8), State::Completed, RunChange::Event(Event::Completed)),
    ];
    assert_eq!(found, expected);
}

fn events_are_read_on_from_a_number(journal: &dyn Journal) {
    submit_some(journal, 1..=5);
    let after =
        |seq, limit| journal.events(seq, limit).unwrap().iter().map(|event| event.seq).collect::<Vec<_>>();
    assert_eq!(after(0, 2), [1, 2]);
    assert_eq!(after(2, 9), [3, 4, 5]);
    assert_eq!(after(3, 0), [0; 0]);
    assert_eq!(after(5, 9), [0; 0]);
    assert_eq!(after(u64::MAX, 9), [0; 0]);
    submit_some(journal, [6]);
    assert_eq!(after(5, 9), [6]);
}

fn the_last_event_has_a_number_even_if_it_is_gone(journal: &dyn Journal) {
    assert_eq!(journal.last_event().unwrap(), 0);
    submit_some(journal, 1..=3);
    assert_eq!(journal.last_event().unwrap(), 3);
    journal.cancel(at(2), id(2)).unwrap();
    assert_eq!(journal.last_event().unwrap(), 4);
    journal.remove(id(2)).unwrap();
    assert_eq!(journal.last_event().unwrap(), 4);
    assert_eq!(journal.events(4, MAX_EVENTS).unwrap().len(), 0);
    submit_some(journal, [4]);
    assert_eq!(journal.last_event().unwrap(), 5);
}

fn events_of_all_runs_are_in_one_order(journal: &dyn Journal) {
    submit_some(journal, [1, 2]);
    start(journal, 1, 2);
    start(journal, 2, 3);
    add(journal, 1, 4, [completed()]).unwrap();
    let runs: Vec<_> = events(journal).iter().map(|event| event.run).collect();
    assert_eq!(runs, [1, 2, 1, 2, 1].map(id));
    assert!(events(journal).iter().zip(1..).all(|(event, seq)| event.seq == seq));
}

fn a_refused_request_makes_no_event(journal: &dyn Journal) {
    submit_some(journal, [1]);
    conflict(journal.submit(at(1), &[spec(2), spec_with(1, 1, None)]));
    conflict(add(journal, 1, 2, [STARTED, STARTED]));
    journal.cancel(at(3), id(9)).unwrap_err();
    assert_eq!(events(journal).len(), 1);
    submit_some(journal, [2]);
    assert_eq!(events(journal)[1].seq, 2);
}

fn events_are_returned_in_slices(journal: &dyn Journal) {
    submit_some(journal, 0..MAX_EVENTS as u64);
    submit_some(journal, 5_000..5_010);
    assert_eq!(journal.events(0, usize::MAX).unwrap().len(), MAX_EVENTS);
    assert_eq!(journal.events(MAX_EVENTS as u64, usize::MAX).unwrap().len(), 10);
}

fn events_of_a_pruned_run_are_gone_and_their_numbers_not_given_again(journal: &dyn Journal) {
    end(journal, 1, 2);
    submit_some(journal, [2]);
    end(journal, 3, 4);
    journal.prune(Prune { ended_before: None, keep: Some(0) }).unwrap();
    assert_eq!(events(journal).iter().map(|event| (event.seq, event.run)).collect::<Vec<_>>(), [(4, id(2))]);
    submit_some(journal, [4]);
    assert_eq!(events(journal)[1].seq, 8);
}

fn events_fold_to_the_state(journal: &dyn Journal) {
    submit_some(journal, [1]);
    start(journal, 1, 2);
    expire(journal, 500);
    start(journal, 1, 501);
    add(journal, 1, 502, [event(Event::RetryPlanned { due: at(600) })]).unwrap();
    claim(journal, "w", 1, 600);
    add(journal, 1, 601, [STARTED]).unwrap();
    journal.cancel(at(602), id(1)).unwrap();
    expire(journal, 2_000);
    let mut state = State::Pending;
    for event in events(journal) {
        if let RunChange::Event(change) = event.change {
            state = state.apply(change).unwrap();
        }
        assert_eq!(event.state, state);
    }
    assert_eq!((state, state), (State::Cancelled, entry(journal, 1).state()));
}
