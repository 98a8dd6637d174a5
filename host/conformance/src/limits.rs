//! Limits of queues and tags.

use std::time::Duration;

use hostel_core::journal::{Journal, JournalError, LimitScope, LimitUse, Pause, Rate, RunLimit};
use hostel_core::{ErrorKind, RunSpec, State, TaskSpec, Timestamp};

use crate::cases;
use crate::world::{
    STARTED, add, at, claim, claim_one, completed, entry, expire, fence, id, ids, numbers, queue, request,
    retry_at, spec, spec_with, start, state, submit, submit_some,
};

cases![
    no_more_runs_are_claimed_than_the_limit,
    a_run_that_ends_frees_its_slot,
    every_end_of_a_claim_frees_its_slot,
    a_limit_is_for_its_scope,
    a_tag_of_the_task_counts,
    a_run_takes_all_its_slots_or_none,
    runs_that_are_kept_back_keep_their_order,
    a_run_of_one_limit_does_not_wait_for_those_of_another,
    a_limit_counts_runs_that_are_claimed_already,
    a_limit_is_raised_lowered_and_removed,
    a_limit_of_none_claims_none,
    a_rate_is_kept,
    a_rate_that_cannot_be_is_refused,
    a_paused_queue_gives_out_nothing,
    a_pause_ends_at_its_time,
    a_paused_tag_goes_on_when_it_is_resumed,
    a_limit_shows_who_holds_it_and_how_many_wait,
    a_run_that_waits_for_a_slot_can_be_cancelled,
    a_run_that_crashed_waits_for_its_slot,
    a_change_of_limits_is_noticed,
    the_next_due_time_knows_limits,
    many_that_wait_do_not_hide_others,
];

fn tag(name: &str) -> LimitScope {
    LimitScope::Tag(name.into())
}

fn at_most(max_running: u32) -> RunLimit {
    RunLimit { max_running: Some(max_running), rate: None }
}

fn tagged(number: u64, tags: &[&str]) -> RunSpec {
    RunSpec { tags: tags.iter().copied().collect(), ..spec(number) }
}

fn limit(journal: &dyn Journal, scope: &LimitScope) -> LimitUse {
    journal.limits().unwrap().into_iter().find(|limit| limit.scope == *scope).expect("it is there")
}

/// Claims all that can be, with a worker that is not idle.
fn all(journal: &dyn Journal, now: u64) -> Vec<hostel_core::RunId> {
    ids(&claim(journal, "w", 99, now))
}

fn no_more_runs_are_claimed_than_the_limit(journal: &dyn Journal) {
    journal.set_limit(&tag("a"), at_most(2)).unwrap();
    submit(journal, (1..=4).map(|number| tagged(number, &["a"])));
    assert_eq!(ids(&claim(journal, "w", 1, 2)), numbers([1]));
    assert_eq!((all(journal, 2), all(journal, 2)), (numbers([2]), vec![]));
    assert_eq!(state(journal, 3), State::Pending);
}

fn a_run_that_ends_frees_its_slot(journal: &dyn Journal) {
    journal.set_limit(&tag("a"), at_most(1)).unwrap();
    submit(journal, (1..=3).map(|number| tagged(number, &["a"])));
    for number in 1..=3 {
        assert_eq!(all(journal, 2), numbers([number]));
        add(journal, number, 3, [STARTED, completed()]).unwrap();
    }
    assert_eq!(limit(journal, &tag("a")).held, 0);
}

fn every_end_of_a_claim_frees_its_slot(journal: &dyn Journal) {
    journal.set_limit(&tag("a"), at_most(1)).unwrap();
    submit(journal, (1..=5).map(|number| tagged(number, &["a"])));
    let held = |count| assert_eq!(limit(journal, &tag("a")).held, count);
    // A planned retry.
    start(journal, 1, 2);
    held(1);
    add(journal, 1, 3, [retry_at(5_000)]).unwrap();
    held(0);
    // A release, and then a cancel before the start.
    let fence = claim_one(journal, 2, 4);
    journal.release(at(5), id(2), fence).unwrap();
    held(0);
    claim_one(journal, 2, 6);
    journal.cancel(at(7), id(2)).unwrap();
    held(0);
    // The end of a lease.
    claim_one(journal, 3, 8);
    expire(journal, 500);
    held(0);
    // A renewal frees nothing, nor does a request to stop.
    journal.cancel(at(501), id(3)).unwrap();
    let fence = start(journal, 4, 502);
    journal.renew(&[(id(4), fence)], at(900)).unwrap();
    journal.cancel(at(503), id(4)).unwrap();
    held(1);
    assert_eq!(all(journal, 504), []);
    add(journal, 4, 505, [crate::world::cancelled()]).unwrap();
    held(0);
    assert_eq!(all(journal, 506), numbers([5]));
}

fn a_limit_is_for_its_scope(journal: &dyn Journal) {
    journal.set_limit(&LimitScope::Queue(queue("q")), at_most(1)).unwrap();
    journal.set_limit(&tag("a"), at_most(1)).unwrap();
    let in_queue = |number| RunSpec { queue: queue("q"), ..spec(number) };
    submit(journal, [in_queue(1), in_queue(2), tagged(3, &["a"]), tagged(4, &["a", "b"]), tagged(5, &["b"])]);
    assert_eq!(all(journal, 2), numbers([1, 3, 5]));
}

fn a_tag_of_the_task_counts(journal: &dyn Journal) {
    journal.set_limit(&tag("a"), at_most(1)).unwrap();
    let options = TaskSpec { tags: ["a"].into_iter().collect(), ..TaskSpec::default() };
    submit(journal, [RunSpec { spec: options.into(), ..spec(1) }, tagged(2, &["a"])]);
    assert_eq!(all(journal, 2), numbers([1]));
}

fn a_run_takes_all_its_slots_or_none(journal: &dyn Journal) {
    journal.set_limit(&tag("a"), at_most(1)).unwrap();
    journal.set_limit(&tag("b"), at_most(1)).unwrap();
    submit(journal, [tagged(1, &["a"]), tagged(2, &["a", "b"]), tagged(3, &["b"])]);
    assert_eq!(all(journal, 2), numbers([1, 3]));
    add(journal, 1, 3, [STARTED, completed()]).unwrap();
    assert_eq!(all(journal, 4), []);
    assert_eq!(limit(journal, &tag("a")).held, 0);
    add(journal, 3, 5, [STARTED, completed()]).unwrap();
    assert_eq!(all(journal, 6), numbers([2]));
    assert_eq!((limit(journal, &tag("a")).held, limit(journal, &tag("b")).held), (1, 1));
}

fn runs_that_are_kept_back_keep_their_order(journal: &dyn Journal) {
    journal.set_limit(&tag("a"), at_most(1)).unwrap();
    let with = |number, priority, due| RunSpec {
        tags: ["a"].into_iter().collect(),
        ..spec_with(number, priority, due)
    };
    submit(
        journal,
        [tagged(1, &["a"]), with(2, 0, None), with(3, 5, None), with(4, 0, Some(40)), with(5, 9, Some(60))],
    );
    assert_eq!(all(journal, 30), numbers([3]));
    submit(journal, [with(6, 1, None)]);
    for (now, done, next) in [(41, 3, 6), (42, 6, 1), (43, 1, 2), (61, 2, 5), (62, 5, 4)] {
        assert_eq!(all(journal, now), []);
        add(journal, done, now, [STARTED, completed()]).unwrap();
        assert_eq!(all(journal, now), numbers([next]), "{next}");
    }
}

fn a_run_of_one_limit_does_not_wait_for_those_of_another(journal: &dyn Journal) {
    journal.set_limit(&tag("a"), at_most(1)).unwrap();
    submit(journal, (1..=3).map(|number| tagged(number, &["a"])));
    submit(journal, [spec(4), tagged(5, &["b"])]);
    assert_eq!(ids(&claim(journal, "w", 2, 2)), numbers([1, 4]));
    assert_eq!(ids(&claim(journal, "w", 2, 2)), numbers([5]));
}

fn a_limit_counts_runs_that_are_claimed_already(journal: &dyn Journal) {
    submit(journal, (1..=3).map(|number| tagged(number, &["a"])));
    assert_eq!(ids(&claim(journal, "w", 2, 2)), numbers([1, 2]));
    journal.set_limit(&tag("a"), at_most(2)).unwrap();
    journal.set_limit(&LimitScope::Queue(queue("default")), at_most(3)).unwrap();
    assert_eq!((all(journal, 3), limit(journal, &tag("a")).held), (vec![], 2));
    assert_eq!(limit(journal, &LimitScope::Queue(queue("default"))).held, 2);
    add(journal, 1, 4, [STARTED, completed()]).unwrap();
    assert_eq!(all(journal, 5), numbers([3]));
}

fn a_limit_is_raised_lowered_and_removed(journal: &dyn Journal) {
    journal.set_limit(&tag("a"), at_most(1)).unwrap();
    submit(journal, (1..=6).map(|number| tagged(number, &["a"])));
    assert_eq!(all(journal, 2), numbers([1]));
    journal.set_limit(&tag("a"), at_most(3)).unwrap();
    assert_eq!(all(journal, 3), numbers([2, 3]));
    journal.set_limit(&tag("a"), at_most(2)).unwrap();
    add(journal, 1, 4, [STARTED, completed()]).unwrap();
    assert_eq!((all(journal, 5), limit(journal, &tag("a")).held), (vec![], 2));
    journal.set_limit(&tag("a"), RunLimit::default()).unwrap();
    assert_eq!(all(journal, 6), numbers([4, 5, 6]));
}

fn a_limit_of_none_claims_none(journal: &dyn Journal) {
    journal.set_limit(&tag("a"), at_most(0)).unwrap();
    submit(journal, [tagged(1, &["a"]), spec(2)]);
    assert_eq!(all(journal, 2), numbers([2]));
}

fn rate(starts: u32, per: u64) -> RunLimit {
    RunLimit { rate: Some(Rate { starts, per: Duration::from_nanos(per) }), max_running: None }
}

fn a_rate_is_kept(journal: &dyn Journal) {
    journal.set_limit(&tag("a"), rate(2, 100)).unwrap();
    submit(journal, (1..=6).map(|number| tagged(number, &["a"])));
    assert_eq!(all(journal, 1_000), numbers([1, 2]));
    // An end gives no claim back.
    add(journal, 1, 1_001, [STARTED, completed()]).unwrap();
    assert_eq!((all(journal, 1_049), all(journal, 1_050)), (vec![], numbers([3])));
    assert_eq!(journal.next_due(&request("w", 1, 1_060)).unwrap(), Some(at(1_100)));
    assert_eq!(all(journal, 1_500), numbers([4, 5]));
}

fn a_rate_that_cannot_be_is_refused(journal: &dyn Journal) {
    let error = journal.set_limit(&tag("a"), rate(0, 100)).unwrap_err();
    assert!(matches!(error, JournalError::Rate(_)) && error.kind() == ErrorKind::Invalid, "{error}");
    assert_eq!(journal.limits().unwrap(), []);
}

fn pause(until: Option<u64>) -> Pause {
    Pause { until: until.map(at), reason: "the database is being moved".into() }
}

fn a_paused_queue_gives_out_nothing(journal: &dyn Journal) {
    let scope = LimitScope::Queue(queue("q"));
    journal.pause(&scope, pause(None)).unwrap();
    let in_queue = |number| RunSpec { queue: queue("q"), ..spec(number) };
    submit(journal, [in_queue(1), spec(2), in_queue(3)]);
    assert_eq!((all(journal, 2), all(journal, 9_000)), (numbers([2]), vec![]));
    assert_eq!(limit(journal, &scope).pause, Some(pause(None)));
    journal.resume(&scope).unwrap();
    assert_eq!(limit(journal, &scope).pause, None);
    assert_eq!(all(journal, 9_001), numbers([1, 3]));
}

fn a_pause_ends_at_its_time(journal: &dyn Journal) {
    journal.pause(&tag("a"), pause(Some(50))).unwrap();
    journal.pause(&tag("a"), pause(Some(60))).unwrap();
    submit(journal, [tagged(1, &["a"])]);
    assert_eq!(all(journal, 59), []);
    assert_eq!(journal.next_due(&request("w", 1, 59)).unwrap(), Some(at(60)));
    assert_eq!(all(journal, 60), numbers([1]));
}

fn a_paused_tag_goes_on_when_it_is_resumed(journal: &dyn Journal) {
    journal.set_limit(&tag("a"), at_most(1)).unwrap();
    journal.pause(&tag("a"), pause(None)).unwrap();
    submit(journal, [tagged(1, &["a"]), tagged(2, &["a"])]);
    assert_eq!(all(journal, 2), []);
    for _ in 0..2 {
        journal.resume(&tag("a")).unwrap();
    }
    // The limit has stayed.
    assert_eq!((all(journal, 3), limit(journal, &tag("a")).limit), (numbers([1]), at_most(1)));
    // What was never limited can be resumed.
    journal.resume(&tag("b")).unwrap();
}

fn a_limit_shows_who_holds_it_and_how_many_wait(journal: &dyn Journal) {
    assert_eq!(journal.limits().unwrap(), []);
    journal.set_limit(&tag("a"), at_most(2)).unwrap();
    submit(journal, (1..=5).map(|number| tagged(number, &["a"])));
    let found = limit(journal, &tag("a"));
    assert_eq!((found.held, found.holders, found.waiting), (0, vec![], 0));
    all(journal, 2);
    let mut found = limit(journal, &tag("a"));
    found.holders.sort_unstable();
    assert_eq!((found.held, found.holders, found.waiting), (2, numbers([1, 2]), 3));
    assert_eq!((found.limit, found.pause), (at_most(2), None));
    journal.cancel(at(3), id(4)).unwrap();
    assert_eq!(limit(journal, &tag("a")).waiting, 2);
}

fn a_run_that_waits_for_a_slot_can_be_cancelled(journal: &dyn Journal) {
    journal.set_limit(&tag("a"), at_most(1)).unwrap();
    submit(journal, (1..=3).map(|number| tagged(number, &["a"])));
    all(journal, 2);
    journal.cancel(at(3), id(2)).unwrap();
    add(journal, 1, 4, [STARTED, completed()]).unwrap();
    assert_eq!(all(journal, 5), numbers([3]));
}

fn a_run_that_crashed_waits_for_its_slot(journal: &dyn Journal) {
    journal.set_limit(&tag("a"), at_most(1)).unwrap();
    submit(journal, [tagged(1, &["a"]), tagged(2, &["a"]), spec(3)]);
    assert_eq!(ids(&claim(journal, "w", 1, 2)), numbers([1]));
    expire(journal, 500);
    journal.set_limit(&tag("a"), at_most(0)).unwrap();
    assert_eq!(all(journal, 501), numbers([3]));
    journal.set_limit(&tag("a"), at_most(1)).unwrap();
    assert_eq!((all(journal, 502), all(journal, 503)), (numbers([1]), vec![]));
    add(journal, 1, 504, [STARTED, completed()]).unwrap();
    assert_eq!(all(journal, 505), numbers([2]));
}

fn a_change_of_limits_is_noticed(journal: &dyn Journal) {
    let mut last = journal.changes().unwrap();
    let mut changed = |what: &str| {
        let now = journal.changes().unwrap();
        assert_ne!(std::mem::replace(&mut last, now), now, "{what}");
    };
    journal.set_limit(&tag("a"), at_most(1)).unwrap();
    changed("set_limit");
    journal.pause(&tag("a"), pause(None)).unwrap();
    changed("pause");
    journal.resume(&tag("a")).unwrap();
    changed("resume");
}

fn the_next_due_time_knows_limits(journal: &dyn Journal) {
    let next = |now| journal.next_due(&request("w", 1, now)).unwrap().map(Timestamp::unix_nanos);
    journal.set_limit(&tag("a"), at_most(1)).unwrap();
    submit(journal, [tagged(1, &["a"]), tagged(2, &["a"]), tagged(3, &["a"])]);
    assert_eq!(next(2), Some(2));
    let claimed = claim(journal, "w", 9, 2);
    assert_eq!(next(3), None);
    submit(journal, [spec_with(4, 0, Some(70))]);
    assert_eq!(next(4), Some(70));
    journal.release(at(5), id(1), fence(&claimed[0])).unwrap();
    assert_eq!((next(6), entry(journal, 1).state()), (Some(6), State::Pending));
}

fn many_that_wait_do_not_hide_others(journal: &dyn Journal) {
    journal.set_limit(&tag("a"), at_most(1)).unwrap();
    submit(journal, (0..900).map(|number| tagged(number, &["a"])));
    submit_some(journal, [2_000]);
    submit(journal, [tagged(2_001, &["b"])]);
    let claimed: Vec<_> = (0..4).flat_map(|_| ids(&claim(journal, "w", 1, 2))).collect();
    assert_eq!(claimed, numbers([0, 2_000, 2_001]));
    assert_eq!(limit(journal, &tag("a")).waiting, 899);
    journal.set_limit(&tag("a"), RunLimit::default()).unwrap();
    assert_eq!(claim(journal, "w", 1_000, 3).len(), 899);
}
