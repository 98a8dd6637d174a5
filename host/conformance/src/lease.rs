//! Leases, fences, and what becomes of runs whose worker is lost.

use std::time::Duration;

use hostel_core::journal::{
    ExpireRequest, Expired, Fence, Journal, JournalError, MAX_CLAIMED, MAX_EXPIRED, MAX_LEASE, WorkerId,
};
use hostel_core::{Event, State};

use crate::cases;
use crate::world::{
    LEASE, STARTED, add, append, at, attempt_ended, claim, claim_one, completed, conflict, entry, event,
    expire, fence_conflict, id, ids, numbers, spec_with, start, state, submit, submit_some, until,
};

cases![
    a_lease_is_renewed,
    a_lease_is_never_shortened,
    a_claim_that_is_over_is_not_renewed,
    too_many_renewals_are_refused,
    a_lease_is_over_when_its_end_has_come,
    the_first_and_the_last_lease_are_known,
    a_lease_that_was_renewed_is_not_over,
    an_attempt_is_rescued_when_its_lease_is_over,
    a_run_that_did_not_start_stays_as_it_is,
    a_run_that_was_being_cancelled_is_cancelled,
    a_retry_keeps_its_time,
    crashes_are_counted,
    leases_end_in_order_and_in_slices,
    a_worker_that_lost_its_lease_is_refused,
    a_worker_whose_run_was_claimed_again_is_refused,
    a_released_run_is_pending_and_has_no_crash,
    a_released_run_that_was_being_cancelled_is_cancelled,
    a_release_needs_the_fence,
    a_rescued_run_keeps_its_place,
    time_without_writes_does_not_count,
    a_stall_makes_no_lease_longer_than_a_new_one,
    a_lost_worker_is_noticed_after_a_stall,
    a_late_renewal_is_accepted,
    requests_that_come_in_time_extend_nothing,
    a_clock_that_is_put_back_takes_leases_with_it,
    a_clock_that_is_put_back_a_little_changes_no_lease,
];

fn a_lease_is_renewed(journal: &dyn Journal) {
    submit_some(journal, [1, 2]);
    let (first, second) = (claim_one(journal, 1, 2), claim_one(journal, 2, 3));
    assert_eq!(journal.renew(&[(id(1), first), (id(2), second)], at(500)).unwrap(), []);
    assert_eq!([1, 2].map(|run| until(&entry(journal, run))), [Some(at(500)); 2]);
    assert_eq!(entry(journal, 1).version(), 1);
}

fn a_lease_is_never_shortened(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let fence = claim_one(journal, 1, 2);
    assert_eq!(journal.renew(&[(id(1), fence)], at(3)).unwrap(), []);
    assert_eq!(until(&entry(journal, 1)), Some(at(2).after(LEASE)));
}

fn a_claim_that_is_over_is_not_renewed(journal: &dyn Journal) {
    submit_some(journal, [1, 2]);
    let (first, second) = (claim_one(journal, 1, 2), claim_one(journal, 2, 500));
    expire(journal, 300);
    let claims = [(id(1), first), (id(2), second), (id(3), second), (id(2), Fence::new(0))];
    assert_eq!(journal.renew(&claims, at(900)).unwrap(), numbers([1, 3, 2]));
    assert_eq!(until(&entry(journal, 2)), Some(at(900)));
    assert_eq!(entry(journal, 1).claim(), None);
}

fn too_many_renewals_are_refused(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let fence = claim_one(journal, 1, 2);
    let error = journal.renew(&vec![(id(1), fence); MAX_CLAIMED + 1], at(900)).unwrap_err();
    assert!(matches!(error, JournalError::TooMany { .. }), "{error}");
    assert_eq!(until(&entry(journal, 1)), Some(at(2).after(LEASE)));
}

fn a_lease_is_over_when_its_end_has_come(journal: &dyn Journal) {
    submit_some(journal, [1]);
    claim_one(journal, 1, 2);
    assert_eq!(expire(journal, 101), []);
    let worker = WorkerId::new("w");
    assert_eq!(expire(journal, 102), [Expired { run: id(1), worker, state: State::Pending, crashes: 1 }]);
    assert_eq!(expire(journal, 102), []);
}

fn the_first_and_the_last_lease_are_known(journal: &dyn Journal) {
    let ends = || journal.lease_ends().unwrap().map(|ends| (ends.first, ends.last));
    submit_some(journal, [1, 2, 3]);
    assert_eq!(ends(), None);
    let first = claim_one(journal, 1, 2);
    assert_eq!(ends(), Some((at(102), at(102))));
    claim_one(journal, 2, 50);
    assert_eq!(ends(), Some((at(102), at(150))));
    journal.renew(&[(id(1), first)], at(500)).unwrap();
    assert_eq!(ends(), Some((at(150), at(500))));
    expire(journal, 150);
    assert_eq!(ends(), Some((at(500), at(500))));
    journal.release(at(151), id(1), first).unwrap();
    assert_eq!(ends(), None);
}

fn a_lease_that_was_renewed_is_not_over(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let fence = claim_one(journal, 1, 2);
    journal.renew(&[(id(1), fence)], at(500)).unwrap();
    assert_eq!(expire(journal, 499), []);
    assert_eq!(expire(journal, 500).len(), 1);
}

fn an_attempt_is_rescued_when_its_lease_is_over(journal: &dyn Journal) {
    submit_some(journal, [1]);
    start(journal, 1, 2);
    assert_eq!(expire(journal, 200)[0].state, State::Pending);
    let entry = entry(journal, 1);
    assert_eq!((entry.state(), entry.claim(), entry.crashes()), (State::Pending, None, 1));
    assert_eq!(entry.record().rescues(), 1);
    let lost = &entry.record().attempts()[0];
    assert_eq!((lost.ended, &lost.outcome), (Some(at(200)), &None));
    let last = journal.events(0, 10).unwrap().pop().unwrap();
    assert_eq!((last.version, last.state, last.at), (entry.version(), State::Pending, at(200)));
}

fn a_run_that_did_not_start_stays_as_it_is(journal: &dyn Journal) {
    submit_some(journal, [1]);
    claim_one(journal, 1, 2);
    expire(journal, 200);
    let entry = entry(journal, 1);
    assert_eq!((entry.state(), entry.version(), entry.record().rescues()), (State::Pending, 1, 0));
    claim_one(journal, 1, 201);
}

fn a_run_that_was_being_cancelled_is_cancelled(journal: &dyn Journal) {
    submit_some(journal, [1]);
    start(journal, 1, 2);
    journal.cancel(at(3), id(1)).unwrap();
    assert_eq!(expire(journal, 200)[0].state, State::Cancelled);
    let entry = entry(journal, 1);
    assert_eq!((entry.state(), entry.ended()), (State::Cancelled, Some(at(200))));
    assert_eq!(entry.record().outcome(), Some(&hostel_core::Outcome::Cancelled));
}

fn a_retry_keeps_its_time(journal: &dyn Journal) {
    submit_some(journal, [1]);
    start(journal, 1, 2);
    add(journal, 1, 3, [attempt_ended(), event(Event::RetryPlanned { due: at(10) })]).unwrap();
    claim_one(journal, 1, 10);
    expire(journal, 200);
    let entry = entry(journal, 1);
    assert_eq!((entry.state(), entry.due()), (State::AwaitingRetry, at(10)));
    claim_one(journal, 1, 11);
}

fn crashes_are_counted(journal: &dyn Journal) {
    submit_some(journal, [1]);
    for crash in 1..=2 {
        start(journal, 1, u64::from(crash) * 1_000);
        let expired = expire(journal, u64::from(crash) * 1_000 + 500);
        assert_eq!(expired[0].crashes, crash);
    }
    assert_eq!((entry(journal, 1).crashes(), entry(journal, 1).record().rescues()), (2, 2));
    // They are there for the next worker.
    assert_eq!(claim(journal, "w", 1, 9_000)[0].crashes(), 2);
}

fn leases_end_in_order_and_in_slices(journal: &dyn Journal) {
    let count = MAX_EXPIRED as u64 + 5;
    submit_some(journal, 0..count);
    for run in 0..count {
        claim_one(journal, run, 10_000 - run);
    }
    let first = journal.expire(&ExpireRequest { now: at(20_000), lease: Duration::MAX }).unwrap();
    assert_eq!((first.runs.len(), first.more), (MAX_EXPIRED, true));
    assert_eq!(first.runs[0].run, id(count - 1));
    let rest: Vec<_> = expire(journal, 20_000).iter().map(|expired| expired.run).collect();
    assert_eq!(rest, numbers((0..5).rev()));
}

fn a_worker_that_lost_its_lease_is_refused(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let stale = start(journal, 1, 2);
    expire(journal, 200);
    let version = entry(journal, 1).version();
    for expected in [version, version - 1] {
        let late = conflict(append(journal, 1, expected, Some(stale), 201, [completed()]));
        assert_eq!(late, fence_conflict(1, Some(stale), None));
    }
    assert_eq!(conflict(journal.release(at(201), id(1), stale)), fence_conflict(1, Some(stale), None));
    assert_eq!(state(journal, 1), State::Pending);
}

fn a_worker_whose_run_was_claimed_again_is_refused(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let stale = start(journal, 1, 2);
    expire(journal, 200);
    let fence = start(journal, 1, 201);
    let version = entry(journal, 1).version();
    let late = conflict(append(journal, 1, version, Some(stale), 202, [completed()]));
    assert_eq!(late, fence_conflict(1, Some(stale), Some(fence)));
    conflict(journal.release(at(202), id(1), stale));
    assert_eq!(journal.renew(&[(id(1), stale)], at(900)).unwrap(), numbers([1]));
    append(journal, 1, version, Some(fence), 203, [completed()]).unwrap();
    assert_eq!(entry(journal, 1).ended(), Some(at(203)));
}

fn a_released_run_is_pending_and_has_no_crash(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let fence = start(journal, 1, 2);
    let version = journal.release(at(3), id(1), fence).unwrap();
    let entry = entry(journal, 1);
    assert_eq!((entry.state(), entry.version(), entry.crashes()), (State::Pending, version, 0));
    assert_eq!((entry.claim(), entry.record().rescues()), (None, 1));
    // Without an attempt there is nothing to rescue.
    let fence = claim_one(journal, 1, 4);
    assert_eq!(journal.release(at(5), id(1), fence).unwrap(), version);
    claim_one(journal, 1, 6);
}

fn a_released_run_that_was_being_cancelled_is_cancelled(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let fence = start(journal, 1, 2);
    journal.cancel(at(3), id(1)).unwrap();
    journal.release(at(4), id(1), fence).unwrap();
    assert_eq!(state(journal, 1), State::Cancelled);
    assert_eq!(claim(journal, "w", 1, 5), []);
}

fn a_release_needs_the_fence(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let fence = Fence::new(77);
    assert_eq!(conflict(journal.release(at(2), id(1), fence)), fence_conflict(1, Some(fence), None));
    let error = journal.release(at(2), id(2), fence).unwrap_err();
    assert!(matches!(error, JournalError::NotFound { run } if run == id(2)), "{error}");
}

fn a_rescued_run_keeps_its_place(journal: &dyn Journal) {
    submit(journal, [spec_with(1, 0, None), spec_with(2, 0, None), spec_with(3, 1, None)]);
    let claimed = claim(journal, "w", 2, 2);
    assert_eq!(ids(&claimed), numbers([3, 1]));
    add(journal, 1, 3, [STARTED]).unwrap();
    expire(journal, 200);
    assert_eq!(ids(&claim(journal, "w", 9, 201)), numbers([3, 1, 2]));
}

/// Ends the claims that are over, with leases of the usual length.
fn expire_in_time(journal: &dyn Journal, now: u64) -> usize {
    journal.expire(&ExpireRequest { now: at(now), lease: LEASE }).unwrap().runs.len()
}

fn time_without_writes_does_not_count(journal: &dyn Journal) {
    submit_some(journal, [1, 2]);
    let fences = [claim_one(journal, 1, 1_000), claim_one(journal, 2, 1_020)];
    // The first claim began the count at 1,000. Then nobody could write for longer than leases last.
    assert_eq!(expire_in_time(journal, 1_400), 0);
    assert_eq!([1, 2].map(|run| until(&entry(journal, run))), [Some(at(1_500)); 2]);
    // Those who waited for the lock renew now.
    assert_eq!(journal.renew(&[(id(1), fences[0]), (id(2), fences[1])], at(1_501)).unwrap(), []);
    assert_eq!(expire_in_time(journal, 1_440), 0);
    assert_eq!((entry(journal, 1).crashes(), entry(journal, 2).crashes()), (0, 0));
}

fn a_stall_makes_no_lease_longer_than_a_new_one(journal: &dyn Journal) {
    submit_some(journal, [1, 2]);
    claim_one(journal, 1, 1_000);
    let long = claim_one(journal, 2, 1_000);
    journal.renew(&[(id(2), long)], at(9_000)).unwrap();
    assert_eq!(expire_in_time(journal, 1_040), 0);
    assert_eq!(expire_in_time(journal, 1_200), 0);
    // It had 60 left, and has them again; that of the other is not shortened.
    assert_eq!([1, 2].map(|run| until(&entry(journal, run))), [Some(at(1_260)), Some(at(9_000))]);
}

fn a_lost_worker_is_noticed_after_a_stall(journal: &dyn Journal) {
    submit_some(journal, [1]);
    claim_one(journal, 1, 1_000);
    for now in [1_030, 5_000, 5_030, 5_060] {
        assert_eq!(expire_in_time(journal, now), 0, "{now}");
    }
    assert_eq!((expire_in_time(journal, 5_070), entry(journal, 1).crashes()), (1, 1));
}

fn a_late_renewal_is_accepted(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let fence = claim_one(journal, 1, 1_000);
    // Long after its end, and before anyone looked.
    assert_eq!(journal.renew(&[(id(1), fence)], at(8_000)).unwrap(), []);
    assert_eq!(until(&entry(journal, 1)), Some(at(8_000)));
    add(journal, 1, 7_950, [STARTED, completed()]).unwrap();
}

fn requests_that_come_in_time_extend_nothing(journal: &dyn Journal) {
    submit_some(journal, [1]);
    claim_one(journal, 1, 1_000);
    // A clock that was set back counts as no time.
    for now in [1_040, 1_080, 900, 940, 980, 1_020, 1_060] {
        assert_eq!(expire_in_time(journal, now), 0, "{now}");
        assert_eq!(until(&entry(journal, 1)), Some(at(1_100)));
    }
    assert_eq!(expire_in_time(journal, 1_105), 1);
}

fn a_clock_that_is_put_back_takes_leases_with_it(journal: &dyn Journal) {
    submit_some(journal, [1, 2]);
    let longest = MAX_LEASE.as_nanos() as u64;
    let wrong = 3 * longest;
    claim_one(journal, 1, wrong);
    assert_eq!(expire_in_time(journal, wrong + 40), 0);
    // The clock is right again, and somebody claims a run, before anyone looks: with the longest lease.
    let second = claim_one(journal, 2, 1_000);
    journal.renew(&[(id(2), second)], at(1_000 + longest)).unwrap();
    assert_eq!(expire_in_time(journal, 1_005), 0);
    // The first run's worker had 60 left.
    assert_eq!([1, 2].map(|run| until(&entry(journal, run))), [Some(at(1_065)), Some(at(1_000 + longest))]);
    assert_eq!((expire_in_time(journal, 1_045), expire_in_time(journal, 1_065)), (0, 1));
    assert_eq!((entry(journal, 1).crashes(), entry(journal, 2).crashes()), (1, 0));
}

fn a_clock_that_is_put_back_a_little_changes_no_lease(journal: &dyn Journal) {
    submit_some(journal, [1]);
    let longest = MAX_LEASE.as_nanos() as u64;
    claim_one(journal, 1, 2 * longest);
    assert_eq!(expire_in_time(journal, 2 * longest), 0);
    assert_eq!(expire_in_time(journal, longest), 0);
    assert_eq!(until(&entry(journal, 1)), Some(at(2 * longest).after(LEASE)));
}
