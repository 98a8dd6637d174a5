//! Retries by hand, removed runs, and runs that need attention.

use hostel_core::journal::{Journal, JournalConflict, JournalError, Page, RunChange};
use hostel_core::{
    ErrorKind, Event, IllegalFact, Outcome, QueueName, RunFilter, RunRecord, RunSpec, ScheduleSlot, State,
};

use crate::cases;
use crate::world::{
    STARTED, add, append, at, attempt_ended, claim_one, completed, conflict, end, entry, expire, failed,
    found, id, ids, numbers, retry_at, spec, spec_with, start, state, submit, submit_some,
};

cases![
    a_failed_run_gets_new_attempts,
    its_past_stays_in_its_record,
    every_end_without_a_value_can_be_retried,
    a_value_and_an_unfinished_run_are_not_retried,
    a_retried_run_is_due_at_once,
    a_retried_run_ends_again,
    an_unknown_run_is_not_retried,
    a_run_of_a_history_is_not_retried,
    an_ended_run_is_removed,
    an_unfinished_run_is_not_removed,
    a_run_that_ended_badly_needs_attention,
    a_run_that_was_seen_needs_no_attention,
    a_schedule_that_works_again_needs_no_attention,
    runs_are_found_by_error,
    runs_are_found_by_schedule,
    every_change_is_noticed,
];

fn fail(journal: &dyn Journal, number: u64, now: u64) {
    submit_some(journal, [number]);
    add(journal, number, now, [STARTED, attempt_ended(), failed()]).unwrap();
}

fn a_failed_run_gets_new_attempts(journal: &dyn Journal) {
    fail(journal, 1, 2);
    assert_eq!(journal.retry(at(5), id(1)).unwrap(), 5);
    let entry = entry(journal, 1);
    assert_eq!((entry.state(), entry.version(), entry.ended()), (State::Pending, 5, None));
    assert_eq!((entry.record().counted_attempts(), entry.record().next_attempt()), (0, 2));
    let last = journal.events(0, 9).unwrap().pop().unwrap();
    assert_eq!((last.change, last.at), (RunChange::Event(Event::RetryRequested), at(5)));
    let counts = journal.counts().unwrap();
    assert_eq!((counts.of(State::Failed), counts.of(State::Pending)), (0, 1));
    start(journal, 1, 6);
    assert_eq!(state(journal, 1), State::Running);
}

fn its_past_stays_in_its_record(journal: &dyn Journal) {
    fail(journal, 1, 2);
    journal.retry(at(5), id(1)).unwrap();
    add(journal, 1, 6, [STARTED, completed()]).unwrap();
    let entry = entry(journal, 1);
    let record = entry.record();
    assert_eq!(record.outcomes().len(), 2);
    assert!(record.outcome().is_some_and(Outcome::is_completed) && !record.outcomes()[0].is_completed());
    assert_eq!(record.attempts().iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(record.facts().count() as u64, entry.version());
    assert_eq!(&RunRecord::replay(record.facts()).unwrap(), record);
}

fn every_end_without_a_value_can_be_retried(journal: &dyn Journal) {
    use std::time::Duration;
    let lost = Outcome::Crashed { reason: "lost".into() };
    let late = Outcome::Failed(hostel_core::Failure::TimedOut { after: Duration::from_secs(1) });
    for (number, event, outcome) in [(1, Event::Crashed, lost), (2, Event::TimedOut, late)] {
        submit_some(journal, [number]);
        add(journal, number, 2, [STARTED, hostel_core::RunFact::Ended { event, outcome }]).unwrap();
    }
    submit_some(journal, [3]);
    journal.cancel(at(2), id(3)).unwrap();
    for number in 1..=3 {
        journal.retry(at(3), id(number)).unwrap();
        assert_eq!(state(journal, number), State::Pending);
    }
}

fn a_value_and_an_unfinished_run_are_not_retried(journal: &dyn Journal) {
    end(journal, 1, 2);
    submit_some(journal, [2, 3]);
    add(journal, 3, 2, [STARTED]).unwrap();
    for number in 1..=3 {
        let before = entry(journal, number);
        let error = conflict(journal.retry(at(3), id(number)));
        let JournalConflict::Fact { source: IllegalFact::Transition(source), .. } = error else {
            panic!("{error}");
        };
        assert_eq!((source.state, source.event), (before.state(), Event::RetryRequested));
        assert_eq!(entry(journal, number), before);
    }
}

fn a_retried_run_is_due_at_once(journal: &dyn Journal) {
    submit(journal, [spec_with(1, 0, Some(50))]);
    journal.cancel(at(2), id(1)).unwrap();
    submit_some(journal, [2]);
    journal.retry(at(5), id(1)).unwrap();
    assert_eq!(entry(journal, 1).due(), at(5));
    let claimed = crate::world::claim(journal, "w", 9, 6);
    assert_eq!(ids(&claimed), numbers([2, 1]));
}

fn a_retried_run_ends_again(journal: &dyn Journal) {
    fail(journal, 1, 2);
    journal.retry(at(5), id(1)).unwrap();
    let fence = start(journal, 1, 6);
    append(journal, 1, 6, Some(fence), 7, [attempt_ended(), retry_at(8)]).unwrap();
    claim_one(journal, 1, 8);
    add(journal, 1, 9, [STARTED, failed()]).unwrap();
    assert_eq!((entry(journal, 1).ended(), entry(journal, 1).needs_attention()), (Some(at(9)), true));
    journal.retry(at(10), id(1)).unwrap();
    assert_eq!(entry(journal, 1).record().outcomes().len(), 2);
    let pruned = journal.prune(hostel_core::journal::Prune { ended_before: None, keep: Some(0) }).unwrap();
    assert_eq!(pruned.runs, 0);
}

fn an_unknown_run_is_not_retried(journal: &dyn Journal) {
    let errors = [
        journal.retry(at(1), id(1)).unwrap_err(),
        journal.remove(id(1)).unwrap_err(),
        journal.mark_seen(id(1)).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, JournalError::NotFound { run } if run == id(1)), "{error}");
    }
}

fn a_run_of_a_history_is_not_retried(journal: &dyn Journal) {
    let queue = QueueName::new(QueueName::PROGRAMS).unwrap();
    submit(journal, [RunSpec { queue: queue.clone(), ..spec(1) }]);
    add(journal, 1, 2, [STARTED, failed()]).unwrap();
    let refused = conflict(journal.retry(at(3), id(1)));
    assert_eq!(refused, JournalConflict::History { run: id(1), queue });
    assert_eq!(state(journal, 1), State::Failed);
}

fn an_ended_run_is_removed(journal: &dyn Journal) {
    end(journal, 1, 2);
    end(journal, 2, 2);
    journal.remove(id(1)).unwrap();
    assert_eq!(journal.get(id(1)).unwrap(), None);
    assert!(journal.events(0, 9).unwrap().iter().all(|event| event.run == id(2)));
    let counts = journal.counts().unwrap();
    assert_eq!((counts.total(), counts.removed), (1, 1));
}

fn an_unfinished_run_is_not_removed(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let error = conflict(journal.remove(id(1)));
    assert_eq!(error, JournalConflict::Unfinished { run: id(1), state: State::Pending });
    assert_eq!(error.kind(), ErrorKind::Conflict);
    start(journal, 1, 2);
    conflict(journal.remove(id(1)));
    assert_eq!(state(journal, 1), State::Running);
}

fn attention(journal: &dyn Journal) -> Vec<hostel_core::RunId> {
    found(journal, &RunFilter::new().needs_attention())
}

fn a_run_that_ended_badly_needs_attention(journal: &dyn Journal) {
    fail(journal, 1, 2);
    end(journal, 2, 3);
    submit_some(journal, [3, 4]);
    journal.cancel(at(4), id(3)).unwrap();
    assert_eq!(attention(journal), numbers([1]));
    let heads = journal.find(&RunFilter::new(), Page::first(9)).unwrap().runs;
    assert_eq!(
        heads.iter().map(|head| head.needs_attention).collect::<Vec<_>>(),
        [false, false, false, true]
    );
    journal.retry(at(5), id(1)).unwrap();
    assert_eq!(attention(journal), []);
}

fn a_run_that_was_seen_needs_no_attention(journal: &dyn Journal) {
    fail(journal, 1, 2);
    let version = entry(journal, 1).version();
    for _ in 0..2 {
        journal.mark_seen(id(1)).unwrap();
        assert_eq!((attention(journal), entry(journal, 1).is_seen()), (vec![], true));
    }
    assert_eq!(
        (entry(journal, 1).version(), journal.events(0, 99).unwrap().len() as u64),
        (version, version)
    );
    // Before its end there is nothing to see.
    submit_some(journal, [2]);
    journal.mark_seen(id(2)).unwrap();
    add(journal, 2, 3, [STARTED, failed()]).unwrap();
    assert_eq!(attention(journal), numbers([2]));
    // A new end has not been seen.
    journal.retry(at(4), id(1)).unwrap();
    add(journal, 1, 5, [STARTED, failed()]).unwrap();
    assert_eq!(attention(journal), numbers([2, 1]));
}

fn a_schedule_that_works_again_needs_no_attention(journal: &dyn Journal) {
    let scheduled = |number, name: &str| RunSpec {
        schedule: Some(ScheduleSlot { schedule: name.into(), slot: at(number) }),
        ..spec(number)
    };
    submit(journal, [scheduled(1, "a"), scheduled(2, "b"), scheduled(3, "a"), spec(4), scheduled(5, "a")]);
    for number in [1, 2, 4, 5] {
        add(journal, number, 2, [STARTED, failed()]).unwrap();
    }
    let version = entry(journal, 1).version();
    add(journal, 3, 3, [STARTED]).unwrap();
    assert_eq!(attention(journal), numbers([5, 4, 2, 1]));
    add(journal, 3, 4, [completed()]).unwrap();
    // Not those of another schedule, nor a later one.
    assert_eq!(attention(journal), numbers([5, 4, 2]));
    assert_eq!((entry(journal, 1).is_seen(), entry(journal, 1).version()), (true, version));
}

fn runs_are_found_by_error(journal: &dyn Journal) {
    fail(journal, 1, 2);
    end(journal, 2, 3);
    submit_some(journal, [3]);
    let of = |text: &str| found(journal, &RunFilter::new().error(text));
    assert_eq!((of("code 1"), of("code 2"), of("")), (numbers([1]), vec![], numbers([1])));
    let heads = journal.find(&RunFilter::new(), Page::first(9)).unwrap().runs;
    let errors: Vec<_> = heads.iter().map(|head| head.error.as_deref()).collect();
    assert_eq!(errors, [None, None, Some("exited with code 1")]);
}

fn runs_are_found_by_schedule(journal: &dyn Journal) {
    let scheduled = |number, name: &str, slot| RunSpec {
        schedule: Some(ScheduleSlot { schedule: name.into(), slot: at(slot) }),
        ..spec(number)
    };
    submit(journal, [scheduled(1, "a", 10), spec(2), scheduled(3, "b", 10), scheduled(4, "a", 20)]);
    assert_eq!(found(journal, &RunFilter::new().schedule("a")), numbers([4, 1]));
    assert_eq!(found(journal, &RunFilter::new().schedule("")), []);
    let heads = journal.find(&RunFilter::new(), Page::first(9)).unwrap().runs;
    assert_eq!(heads[0].schedule.as_deref(), Some("a"));
    assert_eq!(entry(journal, 4).record().spec().schedule, scheduled(4, "a", 20).schedule);
}

fn every_change_is_noticed(journal: &dyn Journal) {
    let mut last = journal.changes().unwrap();
    assert_eq!(journal.changes().unwrap(), last);
    let mut changed = |what: &str| {
        let now = journal.changes().unwrap();
        assert_ne!(now, last, "{what}");
        assert_eq!(journal.changes().unwrap(), now, "{what}");
        last = now;
    };
    submit_some(journal, [1]);
    changed("submit");
    let fence = claim_one(journal, 1, 2);
    changed("claim");
    journal.renew(&[(id(1), fence)], at(500)).unwrap();
    changed("renew");
    add(journal, 1, 3, [STARTED]).unwrap();
    changed("append");
    journal.cancel(at(4), id(1)).unwrap();
    changed("cancel");
    expire(journal, 500);
    changed("expire");
    journal.retry(at(501), id(1)).unwrap();
    changed("retry");
    let fence = claim_one(journal, 1, 502);
    changed("claim");
    journal.release(at(503), id(1), fence).unwrap();
    changed("release");
    add(journal, 1, 504, [STARTED, failed()]).unwrap();
    changed("append");
    journal.mark_seen(id(1)).unwrap();
    changed("mark_seen");
    journal.remove(id(1)).unwrap();
    changed("remove");
}
