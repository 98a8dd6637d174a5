//! Claims that leave out tasks.

use hostel_core::journal::{
    ClaimRequest, Journal, JournalError, LimitScope, MAX_LEFT_OUT, MAX_PASSED, MAX_SUBMITTED, RunLimit,
};
use hostel_core::{RunId, RunSpec, Timestamp};

use crate::cases;
use crate::crash::crash_twice;
use crate::world::{
    add, at, claim, completed, ids, numbers, queue, request, retry_at, spec, spec_with, start, submit, task,
};

cases![
    a_claim_gets_no_run_of_a_task_that_it_leaves_out,
    what_is_left_out_is_not_due,
    a_run_that_is_left_out_keeps_its_place_in_the_order,
    a_task_that_is_asked_for_can_be_left_out,
    runs_behind_many_that_are_left_out_are_found,
    what_a_limit_keeps_back_is_passed_too,
    a_claim_that_leaves_out_tasks_passes_over_runs_that_execute_alone,
    too_many_tasks_left_out_are_refused,
];

/// A run of a task, which is due at some time or at once.
fn of(number: u64, export: &str, due: Option<u64>) -> RunSpec {
    RunSpec { task: task(export), ..spec_with(number, 0, due) }
}

fn without(exports: &[&str], limit: usize, now: u64) -> ClaimRequest {
    ClaimRequest { without: exports.iter().map(|export| task(export)).collect(), ..request("w", limit, now) }
}

fn claimed(journal: &dyn Journal, exports: &[&str], limit: usize, now: u64) -> Vec<RunId> {
    ids(&journal.claim(&without(exports, limit, now)).unwrap())
}

fn next(journal: &dyn Journal, exports: &[&str], now: u64) -> Option<u64> {
    journal.next_due(&without(exports, 1, now)).unwrap().map(Timestamp::unix_nanos)
}

fn a_claim_gets_no_run_of_a_task_that_it_leaves_out(journal: &dyn Journal) {
    let runs = [(1, "add"), (2, "sub"), (3, "add"), (4, "mul")];
    submit(journal, runs.map(|(number, export)| of(number, export, None)));
    assert_eq!(claimed(journal, &["add", "sub", "mul", "div"], 9, 5), []);
    assert_eq!(claimed(journal, &["add"], 1, 5), numbers([2]));
    assert_eq!(claimed(journal, &["add"], 9, 5), numbers([4]));
    assert_eq!(claimed(journal, &["div"], 9, 5), numbers([1, 3]));
}

fn what_is_left_out_is_not_due(journal: &dyn Journal) {
    submit(journal, [of(1, "add", None), of(2, "add", Some(20)), of(3, "sub", Some(30))]);
    assert_eq!(next(journal, &["div"], 5), Some(5));
    assert_eq!(next(journal, &["add"], 5), Some(30));
    assert_eq!(next(journal, &["add", "sub"], 5), None);
    assert_eq!(next(journal, &["add"], 40), Some(40));
    assert_eq!(claimed(journal, &["add"], 9, 29), []);
    assert_eq!(claimed(journal, &["add"], 9, 30), numbers([3]));
    // A retry comes due like other runs.
    submit(journal, [of(4, "mul", None)]);
    start(journal, 1, 40);
    add(journal, 1, 41, [retry_at(60)]).unwrap();
    assert_eq!(claimed(journal, &["add"], 9, 50), numbers([4]));
    assert_eq!(next(journal, &["add"], 50), None);
    assert_eq!(claimed(journal, &["add"], 9, 70), []);
    assert_eq!(claimed(journal, &["sub"], 9, 70), numbers([2, 1]));
}

fn a_run_that_is_left_out_keeps_its_place_in_the_order(journal: &dyn Journal) {
    let low = RunSpec { task: task("sub"), ..spec_with(2, -1, None) };
    submit(journal, [of(1, "add", None), low, of(3, "sub", None), spec_with(4, 1, None)]);
    assert_eq!(claimed(journal, &["add"], 1, 5), numbers([3]));
    assert_eq!(ids(&claim(journal, "w", 9, 5)), numbers([4, 1, 2]));
}

fn a_task_that_is_asked_for_can_be_left_out(journal: &dyn Journal) {
    submit(journal, [of(1, "add", None), of(2, "sub", None), of(3, "mul", None)]);
    let tasks = vec![task("add"), task("sub")];
    let both = ClaimRequest { tasks, queues: vec![queue("default")], ..without(&["add"], 9, 5) };
    assert_eq!(ids(&journal.claim(&both).unwrap()), numbers([2]));
    assert_eq!(journal.next_due(&both).unwrap(), None);
}

fn runs_behind_many_that_are_left_out_are_found(journal: &dyn Journal) {
    let most = MAX_PASSED as u64;
    for due in [None, Some(3)] {
        let first = if due.is_none() { 0 } else { 10_000 };
        let runs: Vec<_> = (first..first + most).map(|number| of(number, "add", due)).collect();
        runs.chunks(MAX_SUBMITTED).for_each(|runs| submit(journal, runs.iter().cloned()));
        let last = first + most;
        submit(journal, [of(last, "sub", due), of(last + 1, "sub", due), of(last + 2, "mul", due)]);
        assert_eq!(next(journal, &["add"], 5), Some(5));
        assert_eq!(claimed(journal, &["add"], 1, 5), numbers([last]));
        assert_eq!(claimed(journal, &["add", "mul"], 9, 5), numbers([last + 1]));
        assert_eq!(claimed(journal, &["add"], 9, 5), numbers([last + 2]));
        assert_eq!(next(journal, &["add"], 5), None);
    }
}

fn what_a_limit_keeps_back_is_passed_too(journal: &dyn Journal) {
    let tagged = |run: RunSpec| RunSpec { tags: ["slow"].into_iter().collect(), ..run };
    let runs = [(1, "add"), (2, "add"), (3, "sub"), (4, "sub")];
    submit(journal, runs.map(|(number, export)| tagged(of(number, export, None))));
    let limit = |max_running| RunLimit { max_running, rate: None };
    journal.set_limit(&LimitScope::Tag("slow".into()), limit(Some(0))).unwrap();
    submit(journal, [of(5, "sub", None)]);
    assert_eq!(claimed(journal, &["add"], 9, 5), numbers([5]));
    assert_eq!(claimed(journal, &[], 9, 5), []);
    // Those that were marked as kept back come when it opens, except what is left out.
    journal.set_limit(&LimitScope::Tag("slow".into()), limit(Some(1))).unwrap();
    assert_eq!(claimed(journal, &["add"], 9, 6), numbers([3]));
    start(journal, 6, {
        submit(journal, [spec(6)]);
        7
    });
    add(journal, 6, 8, [completed()]).unwrap();
    assert_eq!(claimed(journal, &["add"], 9, 9), []);
    journal.set_limit(&LimitScope::Tag("slow".into()), limit(None)).unwrap();
    assert_eq!(claimed(journal, &["add"], 9, 10), numbers([4]));
    assert_eq!(claimed(journal, &["sub"], 9, 10), numbers([1, 2]));
}

fn a_claim_that_leaves_out_tasks_passes_over_runs_that_execute_alone(journal: &dyn Journal) {
    submit(journal, [of(1, "add", None)]);
    crash_twice(journal, 1, 2);
    submit(journal, [of(2, "sub", None)]);
    let busy = ClaimRequest { is_idle: false, ..without(&["mul"], 9, 1_100) };
    assert_eq!(journal.next_due(&busy).unwrap(), Some(at(1_100)));
    assert_eq!(ids(&journal.claim(&busy).unwrap()), numbers([2]));
    // Nor does it get one if the worker executes nothing else.
    assert_eq!(claimed(journal, &["mul"], 9, 1_100), []);
    assert_eq!(next(journal, &["mul"], 1_100), None);
    assert_eq!(claimed(journal, &[], 9, 1_100), numbers([1]));
}

fn too_many_tasks_left_out_are_refused(journal: &dyn Journal) {
    submit(journal, [of(1, "add", None)]);
    let exports: Vec<String> = (0..=MAX_LEFT_OUT).map(|number| format!("f{number}")).collect();
    let exports: Vec<&str> = exports.iter().map(String::as_str).collect();
    let error = journal.claim(&without(&exports, 1, 5)).unwrap_err();
    assert!(matches!(error, JournalError::TooMany { count, most, .. } if count == most + 1), "{error}");
    assert_eq!(claimed(journal, &exports[1..], 1, 5), numbers([1]));
}
