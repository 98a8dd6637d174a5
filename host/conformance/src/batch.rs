//! Actions on all runs that match a filter.

use hostel_core::journal::{
    Batch, BatchAction, BatchId, Journal, JournalError, MAX_BATCH_STEP, MAX_BATCHES, MAX_REFUSED,
};
use hostel_core::{Grants, RunFilter, RunSpec, State, TaskSpec, Unique};

use crate::cases;
use crate::world::{
    STARTED, add, at, completed, end, entry, failed, found, id, numbers, start, state, submit, submit_some,
};

cases![
    a_batch_acts_on_all_that_match,
    each_action_has_its_states,
    runs_that_arrive_later_are_not_of_the_batch,
    a_batch_has_steps,
    a_run_that_has_changed_is_left_alone,
    refusals_are_counted,
    runs_with_grants_refuse_those_who_may_not_grant,
    the_first_refusals_are_listed,
    runs_of_a_history_are_not_retried_together,
    a_batch_is_stopped,
    an_unknown_batch_is_none,
    a_batch_is_found_by_its_number,
    batches_are_listed_and_the_oldest_make_room,
    matching_runs_are_counted,
];

fn batch(journal: &dyn Journal, action: BatchAction, filter: &RunFilter) -> Batch {
    journal.start_batch(at(50), action, filter).unwrap()
}

/// Takes all steps.
fn finish(journal: &dyn Journal, batch: BatchId) -> Batch {
    loop {
        let now = journal.step_batch(at(60), batch).unwrap();
        if now.is_finished() {
            return now;
        }
    }
}

fn act(journal: &dyn Journal, action: BatchAction, filter: &RunFilter) -> u64 {
    let batch = batch(journal, action, filter);
    let done = finish(journal, batch.id);
    assert_eq!((done.failed, done.is_stopped, done.finished), (0, false, Some(at(60))));
    done.done
}

fn tagged(number: u64, tag: &str) -> RunSpec {
    RunSpec { tags: [tag].into_iter().collect(), ..crate::world::spec(number) }
}

fn a_batch_acts_on_all_that_match(journal: &dyn Journal) {
    submit(journal, [tagged(1, "a"), tagged(2, "b"), tagged(3, "a")]);
    let filter = RunFilter::new().tag("a");
    let batch = batch(journal, BatchAction::Cancel, &filter);
    assert_eq!(
        (batch.action, &batch.filter, batch.done, batch.finished),
        (BatchAction::Cancel, &filter, 0, None)
    );
    assert_eq!((batch.created, state(journal, 1)), (at(50), State::Pending));
    let done = finish(journal, batch.id);
    assert_eq!((done.done, done.failed, done.id), (2, 0, batch.id));
    assert_eq!(
        [1, 2, 3].map(|run| state(journal, run)),
        [State::Cancelled, State::Pending, State::Cancelled]
    );
    // Nothing more happens.
    assert_eq!(journal.step_batch(at(70), batch.id).unwrap(), done);
}

/// Run 1 waits, 2 executes, 3 completed, 4 failed and needs attention, 5 was cancelled.
fn one_of_each(journal: &dyn Journal) {
    submit_some(journal, [2]);
    start(journal, 2, 2);
    end(journal, 3, 3);
    submit_some(journal, [4, 5, 1]);
    add(journal, 4, 4, [STARTED, failed()]).unwrap();
    journal.cancel(at(5), id(5)).unwrap();
}

fn each_action_has_its_states(journal: &dyn Journal) {
    one_of_each(journal);
    let all = RunFilter::new();
    assert_eq!(act(journal, BatchAction::MarkSeen, &all), 1);
    assert!(!entry(journal, 4).needs_attention());
    assert_eq!(act(journal, BatchAction::MarkSeen, &all), 0);
    assert_eq!(act(journal, BatchAction::Retry, &all), 2);
    assert_eq!([4, 5].map(|run| state(journal, run)), [State::Pending; 2]);
    assert_eq!(
        act(journal, BatchAction::Cancel, &RunFilter::new().states([State::Running, State::Completed])),
        1
    );
    assert_eq!([2, 3].map(|run| state(journal, run)), [State::Cancelling, State::Completed]);
    assert_eq!((act(journal, BatchAction::Cancel, &all), act(journal, BatchAction::Cancel, &all)), (3, 0));
    assert_eq!(act(journal, BatchAction::Remove, &all), 4);
    assert_eq!(found(journal, &all), numbers([2]));
}

fn runs_that_arrive_later_are_not_of_the_batch(journal: &dyn Journal) {
    submit_some(journal, [1, 2]);
    let batch = batch(journal, BatchAction::Cancel, &RunFilter::new());
    submit_some(journal, [3]);
    assert_eq!(finish(journal, batch.id).done, 2);
    assert_eq!(state(journal, 3), State::Pending);
}

fn a_batch_has_steps(journal: &dyn Journal) {
    let count = 2 * MAX_BATCH_STEP as u64 + 3;
    submit_some(journal, 0..MAX_BATCH_STEP as u64);
    submit_some(journal, MAX_BATCH_STEP as u64..count);
    let batch = batch(journal, BatchAction::Cancel, &RunFilter::new());
    let first = journal.step_batch(at(60), batch.id).unwrap();
    assert_eq!((first.done, first.is_finished()), (MAX_BATCH_STEP as u64, false));
    assert_eq!(journal.counts().unwrap().of(State::Cancelled), MAX_BATCH_STEP as u64);
    // The newest first.
    assert_eq!((state(journal, count - 1), state(journal, 0)), (State::Cancelled, State::Pending));
    let done = finish(journal, batch.id);
    assert_eq!((done.done, journal.counts().unwrap().unfinished()), (count, 0));
}

fn a_run_that_has_changed_is_left_alone(journal: &dyn Journal) {
    submit_some(journal, [1, 2, 3]);
    let batch = batch(journal, BatchAction::Cancel, &RunFilter::new().states([State::Pending]));
    start(journal, 1, 2);
    end(journal, 2, 3);
    assert_eq!(finish(journal, batch.id).done, 1);
    assert_eq!(
        [1, 2, 3].map(|run| state(journal, run)),
        [State::Running, State::Completed, State::Cancelled]
    );
}

fn refusals_are_counted(journal: &dyn Journal) {
    let keyed = |number| RunSpec { unique: Some(Unique::new("k")), ..crate::world::spec(number) };
    for number in [1, 2] {
        submit(journal, [keyed(number)]);
        add(journal, number, 3, [STARTED, failed()]).unwrap();
    }
    submit_some(journal, [3]);
    add(journal, 3, 3, [STARTED, failed()]).unwrap();
    let batch = batch(journal, BatchAction::Retry, &RunFilter::new());
    let done = finish(journal, batch.id);
    // The newest has the key again, so that the other cannot.
    assert_eq!((done.done, done.failed), (2, 1));
    assert_eq!([1, 2, 3].map(|run| state(journal, run)), [State::Failed, State::Pending, State::Pending]);
}

fn runs_with_grants_refuse_those_who_may_not_grant(journal: &dyn Journal) {
    let grants = Grants { env: vec!["KEY=secret".parse().unwrap()], ..Grants::default() };
    let granted = TaskSpec { grants: grants.into(), ..TaskSpec::default() };
    submit(journal, [RunSpec { spec: granted.into(), ..crate::world::spec(1) }]);
    submit_some(journal, [2]);
    for number in [1, 2] {
        add(journal, number, 3, [STARTED, failed()]).unwrap();
    }
    let batch = batch(journal, BatchAction::RetryWithoutGrants, &RunFilter::new());
    let done = finish(journal, batch.id);
    assert_eq!((done.done, done.failed, done.refused), (1, 1, vec![id(1)]));
    assert_eq!([1, 2].map(|run| state(journal, run)), [State::Failed, State::Pending]);
    assert_eq!(act(journal, BatchAction::Retry, &RunFilter::new()), 1);
}

fn the_first_refusals_are_listed(journal: &dyn Journal) {
    let count = MAX_REFUSED as u64 + 3;
    let keyed = |number| RunSpec { unique: Some(Unique::new("k")), ..crate::world::spec(number) };
    for number in 1..=count {
        submit(journal, [keyed(number)]);
        add(journal, number, 3, [STARTED, failed()]).unwrap();
    }
    submit(journal, [keyed(0)]);
    let batch = batch(journal, BatchAction::Retry, &RunFilter::new());
    let done = finish(journal, batch.id);
    assert_eq!((done.done, done.failed), (0, count));
    assert_eq!(done.refused, numbers((4..=count).rev()));
    assert_eq!(journal.batches().unwrap(), [done]);
}

fn runs_of_a_history_are_not_retried_together(journal: &dyn Journal) {
    for (number, queue) in [(1, "hostel.run"), (2, "hostel.map"), (3, "hostel.other")] {
        submit(journal, [RunSpec { queue: queue.parse().unwrap(), ..crate::world::spec(number) }]);
        add(journal, number, 3, [STARTED, failed()]).unwrap();
    }
    assert_eq!(journal.count(BatchAction::Retry, &RunFilter::new(), 100).unwrap(), (1, false));
    assert_eq!(journal.count(BatchAction::Remove, &RunFilter::new(), 100).unwrap(), (3, false));
    assert_eq!(act(journal, BatchAction::Retry, &RunFilter::new()), 1);
    assert_eq!([1, 2, 3].map(|run| state(journal, run)), [State::Failed, State::Failed, State::Pending]);
    assert_eq!(act(journal, BatchAction::Remove, &RunFilter::new()), 2);
}

fn a_batch_is_stopped(journal: &dyn Journal) {
    let count = MAX_BATCH_STEP as u64 + 5;
    submit_some(journal, 0..count);
    let batch = batch(journal, BatchAction::Cancel, &RunFilter::new());
    journal.step_batch(at(60), batch.id).unwrap();
    let stopped = journal.stop_batch(at(61), batch.id).unwrap();
    assert_eq!((stopped.is_stopped, stopped.finished), (true, Some(at(61))));
    assert_eq!(journal.step_batch(at(62), batch.id).unwrap(), stopped);
    assert_eq!(journal.stop_batch(at(63), batch.id).unwrap(), stopped);
    assert_eq!(journal.counts().unwrap().unfinished(), 5);
}

fn an_unknown_batch_is_none(journal: &dyn Journal) {
    let unknown = BatchId::new(77);
    let errors =
        [journal.step_batch(at(1), unknown), journal.stop_batch(at(1), unknown), journal.batch(unknown)];
    for error in errors.map(Result::unwrap_err) {
        assert!(matches!(error, JournalError::NoBatch { batch } if batch == unknown), "{error}");
        assert_eq!(error.to_string(), "the journal has no batch 77");
    }
    assert_eq!(journal.batches().unwrap(), []);
}

fn a_batch_is_found_by_its_number(journal: &dyn Journal) {
    submit_some(journal, 0..3);
    let started =
        [BatchAction::Cancel, BatchAction::MarkSeen].map(|action| batch(journal, action, &RunFilter::new()));
    assert_eq!(journal.batch(started[1].id).unwrap(), started[1]);
    assert_eq!(journal.batch(started[0].id).unwrap(), started[0]);
    let done = finish(journal, started[0].id);
    assert_eq!((done.done, journal.batch(done.id).unwrap()), (3, done));
}

fn batches_are_listed_and_the_oldest_make_room(journal: &dyn Journal) {
    let start = || batch(journal, BatchAction::Remove, &RunFilter::new()).id;
    let all: Vec<_> = (0..MAX_BATCHES).map(|_| start()).collect();
    let error = journal.start_batch(at(2), BatchAction::Retry, &RunFilter::new()).unwrap_err();
    assert!(matches!(error, JournalError::TooMany { most: MAX_BATCHES, .. }), "{error}");
    let second = finish(journal, all[1]);
    let new = start();
    let listed: Vec<_> = journal.batches().unwrap().iter().map(|batch| batch.id).collect();
    assert_eq!((listed.len(), listed[0], listed[MAX_BATCHES - 1]), (MAX_BATCHES, new, all[0]));
    assert!(!listed.contains(&second.id));
}

fn matching_runs_are_counted(journal: &dyn Journal) {
    one_of_each(journal);
    // No state that is wanted fits.
    let unfinished = RunFilter::new().states([State::Pending, State::Cancelling]);
    assert_eq!(journal.count(BatchAction::MarkSeen, &unfinished, 100).unwrap(), (0, false));
    assert_eq!(act(journal, BatchAction::MarkSeen, &unfinished), 0);
    let count = |action, most| journal.count(action, &RunFilter::new(), most).unwrap();
    assert_eq!(count(BatchAction::Retry, 100), (2, false));
    assert_eq!(count(BatchAction::MarkSeen, 100), (1, false));
    submit_some(journal, 1_000..2_000);
    assert_eq!(count(BatchAction::Cancel, 1_000), (1_000, true));
    add(journal, 1, 9, [STARTED, completed()]).unwrap();
    assert_eq!(count(BatchAction::Cancel, 5_000), (1_001, false));
}
