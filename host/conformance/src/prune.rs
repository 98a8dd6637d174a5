//! Pruning.

use hostel_core::journal::{Journal, MAX_PRUNED, Prune, Pruned, Submitted};
use hostel_core::{Event, RunFilter, State};

use crate::cases;
use crate::world::{STARTED, add, at, end, event, found, id, numbers, spec, submit_some};

cases![
    old_runs_are_pruned,
    the_last_to_end_are_kept,
    one_condition_is_enough,
    no_condition_prunes_nothing,
    unfinished_runs_are_never_pruned,
    pruned_runs_are_counted,
    a_rollback_does_not_make_a_run_younger,
    many_runs_are_pruned_in_slices,
    a_pruned_run_is_unknown,
];

fn prune(journal: &dyn Journal, ended_before: Option<u64>, keep: Option<u64>) -> u64 {
    let pruned = journal.prune(Prune { ended_before: ended_before.map(at), keep }).unwrap();
    assert!(!pruned.more);
    pruned.runs
}

/// Ends runs 1 to 4 at the times 40, 10, 30 and 20.
fn four(journal: &dyn Journal) {
    [(1, 40), (2, 10), (3, 30), (4, 20)].into_iter().for_each(|(number, now)| end(journal, number, now));
}

fn old_runs_are_pruned(journal: &dyn Journal) {
    four(journal);
    assert_eq!(prune(journal, Some(10), None), 0);
    assert_eq!(prune(journal, Some(30), None), 2);
    assert_eq!(found(journal, &RunFilter::new()), numbers([3, 1]));
}

fn the_last_to_end_are_kept(journal: &dyn Journal) {
    four(journal);
    assert_eq!(prune(journal, None, Some(4)), 0);
    assert_eq!(prune(journal, None, Some(2)), 2);
    assert_eq!(found(journal, &RunFilter::new()), numbers([3, 1]));
}

fn one_condition_is_enough(journal: &dyn Journal) {
    four(journal);
    assert_eq!(prune(journal, Some(15), Some(3)), 1);
    assert_eq!(prune(journal, Some(35), Some(3)), 2);
    assert_eq!(prune(journal, Some(0), Some(0)), 1);
}

fn no_condition_prunes_nothing(journal: &dyn Journal) {
    four(journal);
    assert_eq!(prune(journal, None, None), 0);
    assert_eq!(journal.counts().unwrap().total(), 4);
}

fn unfinished_runs_are_never_pruned(journal: &dyn Journal) {
    submit_some(journal, [1, 2, 3]);
    add(journal, 2, 2, [STARTED, event(Event::RetryPlanned { due: at(3) })]).unwrap();
    journal.cancel(at(2), id(1)).unwrap();
    add(journal, 2, 3, [STARTED]).unwrap();
    assert_eq!(prune(journal, Some(u64::MAX), Some(0)), 1);
    assert_eq!(found(journal, &RunFilter::new()), numbers([3, 2]));
}

fn pruned_runs_are_counted(journal: &dyn Journal) {
    four(journal);
    prune(journal, Some(30), None);
    let counts = journal.counts().unwrap();
    assert_eq!((counts.removed, counts.total(), counts.of(State::Completed)), (2, 2, 2));
    prune(journal, None, Some(0));
    let counts = journal.counts().unwrap();
    assert_eq!((counts.removed, counts.total()), (4, 0));
}

fn a_rollback_does_not_make_a_run_younger(journal: &dyn Journal) {
    four(journal);
    add(journal, 2, 99, [event(Event::RolledBack)]).unwrap();
    assert_eq!(prune(journal, None, Some(3)), 1);
    assert_eq!(found(journal, &RunFilter::new()), numbers([4, 3, 1]));
}

fn many_runs_are_pruned_in_slices(journal: &dyn Journal) {
    let count = MAX_PRUNED as u64 + 3;
    submit_some(journal, 0..count);
    (0..count).for_each(|number| _ = journal.cancel(at(5), id(number)).unwrap());
    let all = Prune { ended_before: None, keep: Some(1) };
    assert_eq!(journal.prune(all).unwrap(), Pruned { runs: MAX_PRUNED as u64, more: true });
    assert_eq!(journal.prune(all).unwrap(), Pruned { runs: 2, more: false });
    // Of those that ended at one time, the last to arrive is kept.
    assert_eq!(found(journal, &RunFilter::new()), numbers([count - 1]));
}

fn a_pruned_run_is_unknown(journal: &dyn Journal) {
    end(journal, 1, 2);
    prune(journal, None, Some(0));
    assert_eq!(journal.get(id(1)).unwrap(), None);
    assert_eq!(journal.submit(at(3), &[spec(1)]).unwrap(), [Submitted::New]);
}
