//! Queues, and when something in them is due.

use hostel_core::journal::{ClaimRequest, Journal};
use hostel_core::{RunFilter, RunSpec, Timestamp};

use crate::cases;
use crate::world::{
    LEASE, STARTED, add, at, claim, completed, found, ids, numbers, queue, request, retry_at, spec,
    spec_with, start, submit, submit_some, task,
};

cases![
    a_claim_takes_from_its_queues,
    a_claim_of_several_queues_has_one_order,
    a_claim_without_queues_takes_from_all,
    a_claim_takes_runs_of_its_tasks,
    runs_are_found_by_queue,
    what_is_due_now_is_due_at_the_time_of_the_claim,
    the_next_due_time_is_that_of_the_first_timed_run,
    the_next_due_time_is_that_of_the_queues,
    a_retry_is_next_when_it_is_due,
    claimed_and_ended_runs_are_not_next,
];

fn in_queue(number: u64, name: &str) -> RunSpec {
    RunSpec { queue: queue(name), ..spec(number) }
}

fn of(queues: &[&str], limit: usize, now: u64) -> ClaimRequest {
    ClaimRequest { queues: queues.iter().map(|name| queue(name)).collect(), ..request("w", limit, now) }
}

fn claimed(journal: &dyn Journal, queues: &[&str], limit: usize) -> Vec<hostel_core::RunId> {
    ids(&journal.claim(&of(queues, limit, 5)).unwrap())
}

fn next(journal: &dyn Journal, queues: &[&str], now: u64) -> Option<u64> {
    journal.next_due(&of(queues, 1, now)).unwrap().map(Timestamp::unix_nanos)
}

fn a_claim_takes_from_its_queues(journal: &dyn Journal) {
    submit(journal, [in_queue(1, "a"), in_queue(2, "b"), in_queue(3, "a"), spec(4)]);
    assert_eq!(claimed(journal, &["c"], 9), []);
    assert_eq!(claimed(journal, &["a"], 9), numbers([1, 3]));
    assert_eq!(claimed(journal, &["default", "c"], 9), numbers([4]));
    assert_eq!(claimed(journal, &["b"], 9), numbers([2]));
}

fn a_claim_of_several_queues_has_one_order(journal: &dyn Journal) {
    let of = |number, name, priority, due| RunSpec { queue: queue(name), ..spec_with(number, priority, due) };
    submit(journal, [of(1, "a", 0, None), of(2, "b", 1, None), of(3, "a", 1, Some(4)), of(4, "b", 0, None)]);
    assert_eq!(claimed(journal, &["b", "a"], 3), numbers([2, 3, 1]));
    assert_eq!(claimed(journal, &["a", "b", "a"], 3), numbers([4]));
}

fn a_claim_without_queues_takes_from_all(journal: &dyn Journal) {
    submit(journal, [in_queue(1, "a"), in_queue(2, "b"), spec(3)]);
    assert_eq!(claimed(journal, &[], 9), numbers([1, 2, 3]));
}

fn a_claim_takes_runs_of_its_tasks(journal: &dyn Journal) {
    let of_task = |number, export| RunSpec { task: task(export), ..in_queue(number, "a") };
    submit(journal, [of_task(1, "add"), of_task(2, "sub"), of_task(3, "add")]);
    let of = |tasks: &[&str]| {
        let tasks = tasks.iter().map(|export| task(export)).collect();
        ClaimRequest { tasks, ..of(&["a"], 9, 5) }
    };
    assert_eq!(journal.next_due(&of(&["mul"])).unwrap(), None);
    assert_eq!(ids(&journal.claim(&of(&["mul"])).unwrap()), []);
    assert_eq!(journal.next_due(&of(&["mul", "sub"])).unwrap(), Some(at(5)));
    assert_eq!(ids(&journal.claim(&of(&["sub"])).unwrap()), numbers([2]));
    assert_eq!(ids(&journal.claim(&of(&["mul", "add"])).unwrap()), numbers([1, 3]));
}

fn runs_are_found_by_queue(journal: &dyn Journal) {
    submit(journal, [in_queue(1, "a"), in_queue(2, "b"), in_queue(3, "a")]);
    assert_eq!(found(journal, &RunFilter::new().queue(queue("a"))), numbers([3, 1]));
    assert_eq!(found(journal, &RunFilter::new().queue(queue("c"))), []);
    let heads = journal.find(&RunFilter::new(), hostel_core::journal::Page::first(1)).unwrap().runs;
    assert_eq!(heads[0].queue, queue("a"));
}

fn what_is_due_now_is_due_at_the_time_of_the_claim(journal: &dyn Journal) {
    assert_eq!(next(journal, &[], 5), None);
    submit_some(journal, [1]);
    assert_eq!(next(journal, &[], 0), Some(0));
    submit(journal, [spec_with(2, 0, Some(50))]);
    assert_eq!(next(journal, &[], 60), Some(60));
}

fn the_next_due_time_is_that_of_the_first_timed_run(journal: &dyn Journal) {
    submit(
        journal,
        [(1, 9, 70), (2, 0, 40), (3, -9, 60)].map(|(run, high, due)| spec_with(run, high, Some(due))),
    );
    assert_eq!(next(journal, &[], 5), Some(40));
    assert_eq!(ids(&claim(journal, "w", 1, 40)), numbers([2]));
    assert_eq!(next(journal, &[], 41), Some(60));
}

fn the_next_due_time_is_that_of_the_queues(journal: &dyn Journal) {
    let of = |number, name, due| RunSpec { queue: queue(name), ..spec_with(number, 0, Some(due)) };
    submit(journal, [of(1, "a", 70), of(2, "b", 40), of(3, "c", 60)]);
    assert_eq!(next(journal, &["a"], 5), Some(70));
    assert_eq!(next(journal, &["c", "a"], 5), Some(60));
    assert_eq!(next(journal, &["d"], 5), None);
    submit(journal, [in_queue(4, "b")]);
    assert_eq!((next(journal, &["b"], 5), next(journal, &["a"], 5)), (Some(5), Some(70)));
}

fn a_retry_is_next_when_it_is_due(journal: &dyn Journal) {
    submit_some(journal, [1]);
    add(journal, 1, 2, [STARTED, retry_at(30)]).unwrap();
    assert_eq!((next(journal, &[], 3), next(journal, &[], 30)), (Some(30), Some(30)));
}

fn claimed_and_ended_runs_are_not_next(journal: &dyn Journal) {
    submit_some(journal, [1]);
    start(journal, 1, 2);
    assert_eq!(next(journal, &[], 3), None);
    add(journal, 1, 4, [completed()]).unwrap();
    assert_eq!(next(journal, &[], at(4).after(LEASE).unix_nanos()), None);
}
