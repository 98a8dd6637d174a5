//! Changes of runs that wait.

use hostel_core::journal::{
    Journal, JournalConflict, JournalError, LimitScope, RunChange, RunLimit, Submitted,
};
use hostel_core::{Amendment, Event, RunFilter, RunSpec, State, Tags, Unique};

use crate::cases;
use crate::world::{
    STARTED, add, at, claim, claim_one, completed, conflict, end, entry, failed, found, id, ids, numbers,
    queue, request, spec, spec_with, start, state, submit, submit_some,
};

cases![
    a_priority_is_changed,
    a_due_time_is_changed,
    a_queue_and_tags_are_changed,
    what_has_started_is_not_changed,
    a_run_that_was_amended_is_still_the_one_that_was_submitted,
    an_amendment_is_an_event,
    a_key_is_that_of_the_new_queue,
    a_queue_of_the_host_takes_no_run,
    a_run_that_was_kept_back_is_free_of_its_old_limit,
];

fn amend(journal: &dyn Journal, number: u64, amendment: &Amendment) -> u64 {
    journal.amend(at(5), id(number), amendment).unwrap()
}

fn priority(priority: i32) -> Amendment {
    Amendment { priority: Some(priority), ..Amendment::default() }
}

fn due(due: u64) -> Amendment {
    Amendment { due: Some(at(due)), ..Amendment::default() }
}

fn in_queue(name: &str) -> Amendment {
    Amendment { queue: Some(queue(name)), ..Amendment::default() }
}

fn tags(tags: &[&str]) -> Amendment {
    Amendment { tags: Some(tags.iter().copied().collect()), ..Amendment::default() }
}

fn a_queue_of_the_host_takes_no_run(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let refused = conflict(journal.amend(at(5), id(1), &in_queue("hostel.run")));
    assert_eq!(refused, JournalConflict::ReservedQueue { run: id(1), queue: queue("hostel.run") });
    assert_eq!(entry(journal, 1).record().spec().queue, queue("default"));
}

fn a_priority_is_changed(journal: &dyn Journal) {
    submit_some(journal, [1, 2, 3]);
    assert_eq!((amend(journal, 3, &priority(5)), amend(journal, 1, &priority(-1))), (2, 2));
    assert_eq!(entry(journal, 3).head().priority, 5);
    assert_eq!(ids(&claim(journal, "w", 9, 6)), numbers([3, 2, 1]));
}

fn a_due_time_is_changed(journal: &dyn Journal) {
    submit(
        journal,
        [spec(1), spec_with(2, 0, Some(100)), spec_with(3, 0, Some(50)), spec_with(4, 0, Some(70))],
    );
    // Later, earlier, at once, and later still.
    for (run, time) in [(1, 60), (2, 40), (3, 2), (4, 90)] {
        amend(journal, run, &due(time));
    }
    assert_eq!([1, 2, 3, 4].map(|run| state(journal, run)), [State::Scheduled; 4]);
    assert_eq!(entry(journal, 1).record().history().last().unwrap().cause, Some(Event::Postponed));
    assert_eq!(entry(journal, 2).head().due, at(40));
    assert_eq!(ids(&claim(journal, "w", 9, 6)), numbers([3]));
    assert_eq!(journal.next_due(&request("w", 9, 6)).unwrap(), Some(at(40)));
    assert_eq!(
        (ids(&claim(journal, "w", 9, 60)), ids(&claim(journal, "w", 9, 89))),
        (numbers([2, 1]), vec![])
    );
    assert_eq!(ids(&claim(journal, "w", 9, 90)), numbers([4]));
    // Of a run that is due already, an earlier time is another place in the order.
    submit_some(journal, [5, 6]);
    amend(journal, 6, &due(0));
    assert_eq!((state(journal, 6), ids(&claim(journal, "w", 9, 91))), (State::Pending, numbers([6, 5])));
}

fn a_queue_and_tags_are_changed(journal: &dyn Journal) {
    submit(journal, [RunSpec { tags: ["a", "b"].into_iter().collect(), ..spec(1) }]);
    amend(journal, 1, &Amendment { queue: Some(queue("q")), ..tags(&["b", "c"]) });
    let tagged = |tag: &str| found(journal, &RunFilter::new().tag(tag));
    assert_eq!((tagged("a"), tagged("b"), tagged("c")), (vec![], numbers([1]), numbers([1])));
    let queued = |name: &str| found(journal, &RunFilter::new().queue(queue(name)));
    assert_eq!((queued("default"), queued("q")), (vec![], numbers([1])));
    let expected: Tags = ["b", "c"].into_iter().collect();
    assert_eq!((entry(journal, 1).head().tags, entry(journal, 1).head().queue), (expected, queue("q")));
    let mut from = request("w", 9, 6);
    from.queues = vec![queue("default")];
    assert_eq!(journal.claim(&from).unwrap(), []);
    from.queues = vec![queue("q")];
    assert_eq!(ids(&journal.claim(&from).unwrap()), numbers([1]));
    amend_is_refused(journal, 1, State::Pending, true);
}

fn amend_is_refused(journal: &dyn Journal, number: u64, state: State, is_claimed: bool) {
    let before = entry(journal, number);
    let refused = conflict(journal.amend(at(9), id(number), &priority(3)));
    assert_eq!(refused, JournalConflict::Started { run: id(number), state, is_claimed });
    assert_eq!(entry(journal, number), before);
}

fn what_has_started_is_not_changed(journal: &dyn Journal) {
    submit_some(journal, [1]);
    start(journal, 1, 2);
    amend_is_refused(journal, 1, State::Running, true);
    end(journal, 2, 3);
    amend_is_refused(journal, 2, State::Completed, false);
    submit_some(journal, [3, 4]);
    add(journal, 3, 3, [STARTED, crate::world::retry_at(900)]).unwrap();
    amend_is_refused(journal, 3, State::AwaitingRetry, false);
    // A retry by hand is not the first attempt either.
    add(journal, 4, 3, [STARTED, failed()]).unwrap();
    journal.retry(at(4), id(4)).unwrap();
    amend_is_refused(journal, 4, State::Pending, false);
    let error = journal.amend(at(5), id(9), &priority(1)).unwrap_err();
    assert!(matches!(error, JournalError::NotFound { run } if run == id(9)), "{error}");
}

fn a_run_that_was_amended_is_still_the_one_that_was_submitted(journal: &dyn Journal) {
    submit_some(journal, [1]);
    amend(journal, 1, &Amendment { due: Some(at(80)), ..priority(7) });
    amend(journal, 1, &in_queue("q"));
    assert_eq!(journal.submit(at(6), &[spec(1)]).unwrap(), [Submitted::Existing]);
    let other = RunSpec { queue: queue("q"), ..spec_with(1, 7, Some(80)) };
    assert_eq!(
        conflict(journal.submit(at(6), std::slice::from_ref(&other))),
        JournalConflict::OtherSpec { run: id(1) }
    );
    let record = entry(journal, 1).record().clone();
    assert_eq!((record.submitted(), record.spec()), (&spec(1), &other));
    claim_one(journal, 1, 80);
    add(journal, 1, 81, [STARTED, completed()]).unwrap();
    assert_eq!(entry(journal, 1).record().spec(), &other);
}

fn an_amendment_is_an_event(journal: &dyn Journal) {
    submit_some(journal, [1]);
    assert_eq!(amend(journal, 1, &due(80)), 3);
    assert_eq!(amend(journal, 1, &due(90)), 4);
    let events = journal.events(0, 9).unwrap();
    let changes: Vec<_> = events.iter().map(|event| (event.change, event.state)).collect();
    let expected = [
        (RunChange::Born, State::Pending),
        (RunChange::Amended, State::Pending),
        (RunChange::Event(Event::Postponed), State::Scheduled),
        (RunChange::Amended, State::Scheduled),
    ];
    assert_eq!(changes, expected);
}

fn a_key_is_that_of_the_new_queue(journal: &dyn Journal) {
    let keyed =
        |number, name: &str| RunSpec { queue: queue(name), unique: Some(Unique::new("k")), ..spec(number) };
    submit(journal, [keyed(1, "q"), keyed(2, "r")]);
    let refused = conflict(journal.amend(at(5), id(1), &in_queue("r")));
    assert!(matches!(refused, JournalConflict::KeyTaken { holder, .. } if holder == id(2)), "{refused}");
    assert_eq!((entry(journal, 1).version(), entry(journal, 1).head().queue), (1, queue("q")));
    amend(journal, 1, &in_queue("s"));
    assert_eq!(journal.submit(at(6), &[keyed(3, "q")]).unwrap(), [Submitted::New]);
    assert_eq!(journal.submit(at(6), &[keyed(4, "s")]).unwrap(), [Submitted::Duplicate { of: id(1) }]);
    // To the queue that it is in.
    amend(journal, 1, &in_queue("s"));
}

fn a_run_that_was_kept_back_is_free_of_its_old_limit(journal: &dyn Journal) {
    let scope = LimitScope::Tag("a".into());
    journal.set_limit(&scope, RunLimit { max_running: Some(0), rate: None }).unwrap();
    submit(journal, [RunSpec { tags: ["a"].into_iter().collect(), ..spec(1) }, spec(2)]);
    assert_eq!(ids(&claim(journal, "w", 9, 2)), numbers([2]));
    amend(journal, 1, &tags(&[]));
    assert_eq!(ids(&claim(journal, "w", 9, 6)), numbers([1]));
}
