//! Runs that crashed: from the second time on they execute alone, and with the third they are given up.

use hostel_core::journal::{
    Append, ClaimRequest, Expired, Journal, JournalEntry, LimitScope, MAX_CRASHES, Pause,
};
use hostel_core::{Event, Outcome, RunId, RunSpec, State};

use crate::cases;
use crate::world::{
    STARTED, add, at, claim, claim_one, completed, conflict, entry, expire, failed, fence, id, ids, numbers,
    queue, request, spec_with, start, state, submit, submit_some,
};

cases![
    a_run_that_crashed_once_is_claimed_beside_others,
    the_runs_of_a_lost_worker_go_on_beside_each_other,
    neighbours_of_runs_that_take_workers_down_are_not_given_up,
    a_run_that_crashed_twice_is_claimed_alone,
    a_busy_worker_does_not_get_it,
    others_are_claimed_before_it,
    a_limit_of_none_claims_nothing,
    a_run_that_crashed_too_often_is_given_up,
    a_run_that_never_started_is_given_up_too,
    a_run_that_is_being_cancelled_is_not_given_up,
    a_release_is_no_crash,
    a_retry_by_hand_forgets_crashes,
    the_next_due_time_depends_on_the_worker,
    one_busy_worker_drains_for_it,
    another_worker_drains_when_the_first_has_gone,
    each_run_that_executes_alone_has_a_worker_that_drains,
    a_worker_stops_claiming_where_it_meets_one,
    one_that_is_kept_back_stops_nobody,
    the_next_due_time_knows_for_what_a_worker_drains,
];

fn crash(journal: &dyn Journal, number: u64, now: u64) -> Expired {
    start(journal, number, now);
    expire(journal, now + 500).remove(0)
}

/// Lets a run crash so often that it executes alone.
pub(crate) fn crash_twice(journal: &dyn Journal, number: u64, now: u64) {
    crash(journal, number, now);
    assert_eq!(crash(journal, number, now + 500).crashes, 2);
}

fn busy(limit: usize, now: u64) -> ClaimRequest {
    ClaimRequest { is_idle: false, ..request("w", limit, now) }
}

fn a_run_that_crashed_once_is_claimed_beside_others(journal: &dyn Journal) {
    submit_some(journal, [1, 2]);
    crash(journal, 1, 2);
    assert!(!entry(journal, 1).is_solo());
    assert_eq!(journal.next_due(&busy(1, 600)).unwrap(), Some(at(600)));
    assert_eq!(ids(&journal.claim(&busy(9, 600)).unwrap()), numbers([1, 2]));
}

fn the_runs_of_a_lost_worker_go_on_beside_each_other(journal: &dyn Journal) {
    submit_some(journal, 0..200);
    claim(journal, "lost", 200, 2);
    assert_eq!(expire(journal, 500).len(), 200);
    let claimed = claim(journal, "w", 200, 501);
    assert_eq!(ids(&claimed), numbers(0..200));
    for number in 0..200 {
        add(journal, number, 502, [STARTED, completed()]).unwrap();
    }
    assert_eq!(journal.counts().unwrap().of(State::Completed), 200);
}

/// Workers claim as they do: all at once, or one run that executes alone. A worker that has one of the runs that are poison is lost;
/// every other one completes its runs.
fn neighbours_of_runs_that_take_workers_down_are_not_given_up(journal: &dyn Journal) {
    const POISON: [u64; 3] = [3, 4, 20];
    submit_some(journal, 0..30);
    let mut now = 1_000;
    // Three workers are lost with each run that is poison, and each run executes alone once.
    for round in 0..3 * POISON.len() + 31 {
        now += 1_000;
        let claimed = claim(journal, &round.to_string(), 10, now);
        let is_poison = |entry: &JournalEntry| POISON.iter().any(|number| entry.run() == id(*number));
        if claimed.iter().any(is_poison) {
            expire(journal, now + 500);
            continue;
        }
        for claimed in &claimed {
            let facts = [STARTED, completed()].map(|fact| (at(now), fact)).to_vec();
            let (run, expected, fence) = (claimed.run(), claimed.version(), Some(fence(claimed)));
            journal.append(&Append { run, expected, fence, facts }).unwrap();
        }
    }
    let crashed = POISON.map(|number| (state(journal, number), entry(journal, number).crashes()));
    assert_eq!(crashed, [(State::Crashed, MAX_CRASHES); 3]);
    assert_eq!(journal.counts().unwrap().of(State::Completed), 27);
}

fn a_run_that_crashed_twice_is_claimed_alone(journal: &dyn Journal) {
    submit_some(journal, [1]);
    crash_twice(journal, 1, 2);
    submit_some(journal, [2, 3]);
    let claimed = claim(journal, "w", 9, 1_600);
    assert_eq!((ids(&claimed), claimed[0].is_solo()), (numbers([1]), true));
    assert_eq!(ids(&claim(journal, "w", 9, 1_600)), numbers([2, 3]));
}

fn a_busy_worker_does_not_get_it(journal: &dyn Journal) {
    submit_some(journal, [1]);
    crash_twice(journal, 1, 2);
    submit(journal, [spec_with(2, 1, None)]);
    assert_eq!(ids(&journal.claim(&busy(9, 1_600)).unwrap()), numbers([2]));
    assert_eq!(journal.claim(&busy(9, 1_600)).unwrap(), []);
    claim_one(journal, 1, 1_600);
}

fn others_are_claimed_before_it(journal: &dyn Journal) {
    submit_some(journal, [1]);
    crash_twice(journal, 1, 2);
    submit(journal, [spec_with(2, 1, None), spec_with(3, 0, None), spec_with(4, 0, Some(0))]);
    assert_eq!(ids(&claim(journal, "w", 2, 1_600)), numbers([2, 4]));
    assert_eq!(ids(&claim(journal, "w", 2, 1_600)), numbers([1]));
    assert_eq!(ids(&claim(journal, "w", 2, 1_600)), numbers([3]));
}

fn a_limit_of_none_claims_nothing(journal: &dyn Journal) {
    submit_some(journal, [1]);
    crash_twice(journal, 1, 2);
    assert_eq!(claim(journal, "w", 0, 1_600), []);
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
    add(journal, 1, 9_002, [STARTED, failed()]).unwrap();
    assert_eq!(entry(journal, 1).record().history().last().unwrap().cause, Some(Event::Failed));
}

fn the_next_due_time_depends_on_the_worker(journal: &dyn Journal) {
    submit_some(journal, [1]);
    crash_twice(journal, 1, 2);
    assert_eq!(journal.next_due(&request("w", 1, 1_600)).unwrap(), Some(at(1_600)));
    assert_eq!(journal.next_due(&busy(1, 1_600)).unwrap(), None);
    submit(journal, [spec_with(2, 0, Some(1_900))]);
    assert_eq!(journal.next_due(&busy(1, 1_600)).unwrap(), Some(at(1_900)));
}

/// What a worker gets that executes something else.
fn busy_claim(journal: &dyn Journal, worker: &str, now: u64) -> Vec<RunId> {
    let request = ClaimRequest { is_idle: false, ..request(worker, 1, now) };
    let first = journal.claim(&request).unwrap();
    // A second time, the same: nothing that is not claimed is given out meanwhile.
    if first.is_empty() {
        assert_eq!(journal.claim(&request).unwrap(), []);
    }
    ids(&first)
}

/// Run 1 crashed, runs 2 and 3 are claimed by workers a and b, and 4 to 9 wait.
fn two_workers(journal: &dyn Journal) {
    submit_some(journal, [1]);
    crash_twice(journal, 1, 2);
    submit(journal, [spec_with(2, 1, None), spec_with(3, 1, None)]);
    submit_some(journal, 4..=9);
    assert_eq!(ids(&claim(journal, "a", 1, 1_600)), numbers([2]));
    assert_eq!(ids(&claim(journal, "b", 1, 1_600)), numbers([3]));
}

fn one_busy_worker_drains_for_it(journal: &dyn Journal) {
    two_workers(journal);
    assert_eq!(busy_claim(journal, "a", 1_601), []);
    assert_eq!(busy_claim(journal, "b", 1_601), numbers([4]));
    assert_eq!(busy_claim(journal, "a", 1_602), []);
    // One that is idle need not wait for the other.
    add(journal, 2, 1_603, [STARTED, completed()]).unwrap();
    let claimed = claim(journal, "a", 9, 1_603);
    assert_eq!((ids(&claimed), claimed[0].is_solo()), (numbers([1]), true));
    assert_eq!(busy_claim(journal, "b", 1_604), numbers([5]));
    add(journal, 1, 1_605, [STARTED, completed()]).unwrap();
    assert_eq!(ids(&claim(journal, "a", 9, 1_606)), numbers([6, 7, 8, 9]));
}

fn another_worker_drains_when_the_first_has_gone(journal: &dyn Journal) {
    two_workers(journal);
    assert_eq!((busy_claim(journal, "a", 1_601), busy_claim(journal, "b", 1_601)), (vec![], numbers([4])));
    // It has given back all that it had, and does not come again.
    let last = entry(journal, 2);
    journal.release(at(1_602), id(2), fence(&last)).unwrap();
    assert_eq!((busy_claim(journal, "b", 1_603), busy_claim(journal, "b", 1_603)), (numbers([2]), vec![]));
    // A third one may have it at once.
    assert_eq!(ids(&claim(journal, "c", 9, 1_604)), numbers([1]));
    assert_eq!(busy_claim(journal, "b", 1_605), numbers([5]));
}

fn each_run_that_executes_alone_has_a_worker_that_drains(journal: &dyn Journal) {
    submit_some(journal, [1]);
    crash_twice(journal, 1, 2);
    submit(journal, [spec_with(10, 0, None)]);
    // The second one crashes while nobody asks for the first.
    submit(journal, [spec_with(11, 9, None)]);
    crash_twice(journal, 11, 1_600);
    submit(journal, [spec_with(2, 10, None), spec_with(3, 10, None), spec_with(4, 10, None)]);
    for (worker, run) in [("a", 2), ("b", 3), ("c", 4)] {
        assert_eq!(ids(&claim(journal, worker, 1, 3_000)), numbers([run]));
    }
    assert_eq!((busy_claim(journal, "a", 3_001), busy_claim(journal, "b", 3_001)), (vec![], vec![]));
    assert_eq!(busy_claim(journal, "c", 3_001), numbers([10]));
    add(journal, 3, 3_002, [STARTED, completed()]).unwrap();
    // In order: which worker drains for which run.
    assert_eq!(ids(&claim(journal, "b", 9, 3_003)), numbers([11]));
    add(journal, 2, 3_004, [STARTED, completed()]).unwrap();
    assert_eq!(ids(&claim(journal, "a", 9, 3_005)), numbers([1]));
}

fn a_worker_stops_claiming_where_it_meets_one(journal: &dyn Journal) {
    submit_some(journal, [1]);
    crash_twice(journal, 1, 2);
    submit(journal, [spec_with(2, 1, None), spec_with(3, 0, None)]);
    assert_eq!(ids(&claim(journal, "w", 9, 1_600)), numbers([2]));
    assert_eq!(busy_claim(journal, "w", 1_600), []);
    // What comes before it is still claimed.
    submit(journal, [spec_with(4, 1, None)]);
    assert_eq!(busy_claim(journal, "w", 1_601), numbers([4]));
    journal.cancel(at(1_602), id(1)).unwrap();
    assert_eq!(busy_claim(journal, "w", 1_603), numbers([3]));
}

fn one_that_is_kept_back_stops_nobody(journal: &dyn Journal) {
    let scope = LimitScope::Queue(queue("q"));
    submit(journal, [RunSpec { queue: queue("q"), ..spec_with(1, 0, None) }]);
    crash_twice(journal, 1, 2);
    submit_some(journal, [2, 3, 4]);
    assert_eq!(busy_claim(journal, "w", 1_600), []);
    journal.pause(&scope, Pause { until: None, reason: "".into() }).unwrap();
    assert_eq!(journal.next_due(&busy(1, 1_601)).unwrap(), Some(at(1_601)));
    assert_eq!(busy_claim(journal, "w", 1_601), numbers([2]));
    assert_eq!(busy_claim(journal, "w", 1_602), numbers([3]));
    journal.resume(&scope).unwrap();
    assert_eq!(busy_claim(journal, "w", 1_603), []);
}

fn the_next_due_time_knows_for_what_a_worker_drains(journal: &dyn Journal) {
    two_workers(journal);
    submit(journal, [spec_with(20, 1, Some(1_900))]);
    let next = |worker: &str| {
        let request = ClaimRequest { is_idle: false, ..request(worker, 1, 1_700) };
        journal.next_due(&request).unwrap()
    };
    assert_eq!(busy_claim(journal, "a", 1_601), []);
    assert_eq!((next("a"), next("b")), (Some(at(1_900)), Some(at(1_700))));
}
