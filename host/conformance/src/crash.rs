//! Runs that crashed: they execute alone, and are given up.

use hostel_core::journal::{ClaimRequest, Expired, Journal, MAX_CRASHES};
use hostel_core::{Event, Outcome, State};

use crate::cases;
use crate::world::{
    add, at, claim, claim_one, completed, conflict, entry, expire, failed, id, ids, numbers, request,
    spec_with, start, state, submit, submit_some,
};

cases![
    a_run_that_crashed_is_claimed_alone,
    a_busy_worker_does_not_get_it,
    others_are_claimed_before_it,
    a_limit_of_none_claims_nothing,
    a_run_that_crashed_too_often_is_given_up,
    a_run_that_never_started_is_given_up_too,
    a_run_that_is_being_cancelled_is_not_given_up,
    a_release_is_no_crash,
    a_retry_by_hand_forgets_crashes,
    the_next_due_time_depends_on_the_worker,
];

fn crash(journal: &dyn Journal, number: u64, now: u64) -> Expired {
    start(journal, number, now);
    expire(journal, now + 500).remove(0)
}

fn busy(limit: usize, now: u64) -> ClaimRequest {
    ClaimRequest { is_idle: false, ..request("w", limit, now) }
}

fn a_run_that_crashed_is_claimed_alone(journal: &dyn Journal) {
    submit_some(journal, [1]);
    crash(journal, 1, 2);
    submit_some(journal, [2, 3]);
    let claimed = claim(journal, "w", 9, 600);
    assert_eq!((ids(&claimed), claimed[0].is_solo()), (numbers([1]), true));
    assert_eq!(ids(&claim(journal, "w", 9, 600)), numbers([2, 3]));
}

fn a_busy_worker_does_not_get_it(journal: &dyn Journal) {
    submit_some(journal, [1]);
    crash(journal, 1, 2);
    submit_some(journal, [2]);
    assert_eq!(ids(&journal.claim(&busy(9, 600)).unwrap()), numbers([2]));
    assert_eq!(journal.claim(&busy(9, 600)).unwrap(), []);
    claim_one(journal, 1, 600);
}

fn others_are_claimed_before_it(journal: &dyn Journal) {
    submit_some(journal, [1]);
    crash(journal, 1, 2);
    submit(journal, [spec_with(2, 1, None), spec_with(3, 0, None), spec_with(4, 0, Some(0))]);
    assert_eq!(ids(&claim(journal, "w", 2, 600)), numbers([2, 4]));
    assert_eq!(ids(&claim(journal, "w", 2, 600)), numbers([1]));
    assert_eq!(ids(&claim(journal, "w", 2, 600)), numbers([3]));
}

fn a_limit_of_none_claims_nothing(journal: &dyn Journal) {
    submit_some(journal, [1]);
    crash(journal, 1, 2);
    assert_eq!(claim(journal, "w", 0, 600), []);
}

fn a_run_that_crashed_too_often_is_given_up(journal: &dyn Journal) {
    submit_some(journal, [1]);
    for count in 1..MAX_CRASHES {
        let expired = crash(journal, 1, u64::from(count) * 1_000);
        assert_eq!((expired.state, expired.crashes), (State::Pending, count));
    }
    let expired = crash(journal, 1, 9_000);
    assert_eq!((expired.state, expired.crashes), (State::Crashed, MAX_CRASHES));
    let entry = entry(journal, 1);
    assert_eq!((entry.state(), entry.ended(), entry.claim()), (State::Crashed, Some(at(9_500)), None));
    let Some(Outcome::Crashed { reason }) = entry.record().outcome() else { panic!("{entry:?}") };
    assert!(reason.contains("3 times"), "{reason}");
    assert!(entry.needs_attention());
    assert_eq!(journal.counts().unwrap().of(State::Crashed), 1);
    assert_eq!(journal.events(0, 99).unwrap().last().unwrap().state, State::Crashed);
}

fn a_run_that_never_started_is_given_up_too(journal: &dyn Journal) {
    submit_some(journal, [1]);
    for count in 1..=u64::from(MAX_CRASHES) {
        claim_one(journal, 1, count * 1_000);
        expire(journal, count * 1_000 + 500);
    }
    assert_eq!((state(journal, 1), entry(journal, 1).record().attempts().len()), (State::Crashed, 0));
}

fn a_run_that_is_being_cancelled_is_not_given_up(journal: &dyn Journal) {
    submit_some(journal, [1]);
    crash(journal, 1, 1_000);
    crash(journal, 1, 2_000);
    start(journal, 1, 3_000);
    journal.cancel(at(3_001), id(1)).unwrap();
    assert_eq!(expire(journal, 9_000)[0].state, State::Cancelled);
}

fn a_release_is_no_crash(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let fence = start(journal, 1, 2);
    journal.release(at(3), id(1), fence).unwrap();
    submit_some(journal, [2]);
    assert_eq!(ids(&journal.claim(&busy(9, 4)).unwrap()), numbers([1, 2]));
}

fn a_retry_by_hand_forgets_crashes(journal: &dyn Journal) {
    submit_some(journal, [1]);
    (1..=3).for_each(|count| _ = crash(journal, 1, count * 1_000));
    journal.retry(at(9_000), id(1)).unwrap();
    assert_eq!((entry(journal, 1).crashes(), entry(journal, 1).is_solo()), (0, false));
    assert_eq!(ids(&journal.claim(&busy(9, 9_001)).unwrap()), numbers([1]));
    conflict(add(journal, 1, 9_002, [completed()]));
    add(journal, 1, 9_002, [crate::world::STARTED, failed()]).unwrap();
    assert_eq!(entry(journal, 1).record().history().last().unwrap().cause, Some(Event::Failed));
}

fn the_next_due_time_depends_on_the_worker(journal: &dyn Journal) {
    submit_some(journal, [1]);
    crash(journal, 1, 2);
    assert_eq!(journal.next_due(&request("w", 1, 600)).unwrap(), Some(at(600)));
    assert_eq!(journal.next_due(&busy(1, 600)).unwrap(), None);
    submit(journal, [spec_with(2, 0, Some(900))]);
    assert_eq!(journal.next_due(&busy(1, 600)).unwrap(), Some(at(900)));
}
