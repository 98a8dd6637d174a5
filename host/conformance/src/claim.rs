//! Claims.

use hostel_core::journal::{Journal, JournalError, MAX_CLAIMED};
use hostel_core::{Event, State};

use crate::cases;
use crate::world::{
    LEASE, STARTED, add, at, claim, claim_one, completed, end, entry, event, expire, fence, id, ids, numbers,
    request, retry_at, spec_with, start, state, submit, submit_some, until,
};

cases![
    a_claim_has_worker_fence_and_lease,
    a_claim_does_not_start_an_attempt,
    a_run_is_claimed_once,
    no_more_are_claimed_than_asked_for,
    higher_priorities_are_claimed_first,
    of_one_priority_the_longest_due_is_first,
    of_one_due_time_the_first_to_arrive_is_first,
    the_order_is_priority_then_time_then_arrival,
    a_run_is_claimed_when_it_is_due,
    a_run_without_due_time_is_always_due,
    a_retry_is_claimed_when_it_is_due,
    a_run_that_executes_or_has_ended_is_not_claimed,
    fences_rise_over_all_runs,
    too_many_claims_are_refused,
];

fn a_claim_has_worker_fence_and_lease(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let claimed = claim(journal, "w1", 5, 7);
    assert_eq!(claimed, [entry(journal, 1)]);
    let claim = claimed[0].claim().unwrap();
    assert_eq!((claim.worker.as_str(), claim.until), ("w1", at(7).after(LEASE)));
    assert!(claim.fence.number() > 0);
}

fn a_claim_does_not_start_an_attempt(journal: &dyn Journal) {
    submit_some(journal, [1]);
    claim_one(journal, 1, 2);
    let entry = entry(journal, 1);
    assert_eq!((entry.state(), entry.version(), entry.record().attempts().len()), (State::Pending, 1, 0));
    assert_eq!(journal.events(0, 10).unwrap().len(), 1);
}

fn a_run_is_claimed_once(journal: &dyn Journal) {
    submit_some(journal, [1, 2]);
    assert_eq!(claim(journal, "w1", 9, 2).len(), 2);
    assert_eq!(claim(journal, "w2", 9, 2), []);
    // Also after its lease, as long as nobody has ended it.
    assert_eq!(claim(journal, "w2", 9, 1_000), []);
}

fn no_more_are_claimed_than_asked_for(journal: &dyn Journal) {
    submit_some(journal, 1..=5);
    assert_eq!(claim(journal, "w", 0, 2), []);
    assert_eq!(ids(&claim(journal, "w", 2, 2)), numbers([1, 2]));
    assert_eq!(ids(&claim(journal, "w", 9, 2)), numbers([3, 4, 5]));
}

fn higher_priorities_are_claimed_first(journal: &dyn Journal) {
    let priorities = [(1, 0), (2, i32::MAX), (3, -1), (4, i32::MIN), (5, 7)];
    submit(journal, priorities.map(|(number, priority)| spec_with(number, priority, None)));
    assert_eq!(ids(&claim(journal, "w", 9, 2)), numbers([2, 5, 1, 3, 4]));
}

fn of_one_priority_the_longest_due_is_first(journal: &dyn Journal) {
    submit(journal, [(1, 30), (2, 10), (3, 20)].map(|(number, due)| spec_with(number, 0, Some(due))));
    assert_eq!(ids(&claim(journal, "w", 9, 30)), numbers([2, 3, 1]));
}

fn of_one_due_time_the_first_to_arrive_is_first(journal: &dyn Journal) {
    submit_some(journal, [3, 1, 2]);
    submit_some(journal, [0]);
    assert_eq!(ids(&claim(journal, "w", 9, 2)), numbers([3, 1, 2, 0]));
}

fn the_order_is_priority_then_time_then_arrival(journal: &dyn Journal) {
    let runs =
        [(1, 0, Some(5)), (2, 1, Some(9)), (3, 0, None), (4, 1, Some(9)), (5, 1, Some(8)), (6, 0, Some(5))];
    submit(journal, runs.map(|(number, priority, due)| spec_with(number, priority, due)));
    // Run 3 has been due since it was created, at 1.
    assert_eq!(ids(&claim(journal, "w", 4, 9)), numbers([5, 2, 4, 3]));
    assert_eq!(ids(&claim(journal, "w", 4, 9)), numbers([1, 6]));
}

fn a_run_is_claimed_when_it_is_due(journal: &dyn Journal) {
    submit(journal, [spec_with(1, 9, Some(50)), spec_with(2, 0, Some(40))]);
    assert_eq!(claim(journal, "w", 9, 39), []);
    assert_eq!(ids(&claim(journal, "w", 9, 49)), numbers([2]));
    assert_eq!(ids(&claim(journal, "w", 9, 50)), numbers([1]));
    let entry = entry(journal, 1);
    assert_eq!((entry.state(), entry.version()), (State::Pending, 2));
    assert_eq!(entry.record().history()[1].cause, Some(Event::CameDue));
    assert_eq!(journal.counts().unwrap().of(State::Scheduled), 0);
}

fn a_run_without_due_time_is_always_due(journal: &dyn Journal) {
    submit_some(journal, [1]);
    claim_one(journal, 1, 0);
}

fn a_retry_is_claimed_when_it_is_due(journal: &dyn Journal) {
    submit_some(journal, [1]);
    add(journal, 1, 2, [STARTED, retry_at(30)]).unwrap();
    assert_eq!(claim(journal, "w", 9, 29), []);
    claim_one(journal, 1, 30);
    assert_eq!(state(journal, 1), State::AwaitingRetry);
}

fn a_run_that_executes_or_has_ended_is_not_claimed(journal: &dyn Journal) {
    submit_some(journal, [1, 2]);
    add(journal, 1, 2, [STARTED]).unwrap();
    add(journal, 2, 2, [STARTED, event(Event::CancelRequested)]).unwrap();
    end(journal, 3, 4);
    assert_eq!(claim(journal, "w", 9, 5), []);
}

fn fences_rise_over_all_runs(journal: &dyn Journal) {
    submit_some(journal, [1, 2]);
    let mut last = claim_one(journal, 1, 2);
    for _ in 0..3 {
        let next = claim_one(journal, 2, 3);
        assert!(next > last);
        journal.release(at(4), id(2), next).unwrap();
        last = next;
    }
    expire(journal, 1_000);
    let claimed = claim(journal, "w", 2, 1_000);
    assert_eq!(ids(&claimed), numbers([1, 2]));
    assert!(last < fence(&claimed[0]) && fence(&claimed[0]) < fence(&claimed[1]));
    // A run that ends takes no fence with it.
    start(
        journal,
        {
            submit_some(journal, [3]);
            3
        },
        1_001,
    );
    add(journal, 3, 1_002, [completed()]).unwrap();
    submit_some(journal, [4]);
    assert!(claim_one(journal, 4, 1_003) > fence(&claimed[1]));
    assert_eq!(until(&entry(journal, 4)), Some(at(1_003).after(LEASE)));
}

fn too_many_claims_are_refused(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let error = journal.claim(&request("w", MAX_CLAIMED + 1, 2)).unwrap_err();
    assert!(matches!(error, JournalError::TooMany { count, most, .. } if count == most + 1), "{error}");
    assert_eq!(entry(journal, 1).claim(), None);
    assert_eq!(claim(journal, "w", MAX_CLAIMED, 2).len(), 1);
}
