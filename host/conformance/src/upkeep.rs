//! Histograms, and how long runs stay.

use std::time::Duration;

use hostel_core::journal::{HistogramRequest, Journal, JournalError, MAX_PRUNED, Pruned, Retention};
use hostel_core::{RunFilter, RunSpec, State};

use crate::cases;
use crate::world::{STARTED, add, at, completed, end, failed, found, id, numbers, spec, submit, submit_some};

cases![
    runs_are_counted_by_the_minute_of_their_creation,
    a_histogram_that_is_too_fine_is_refused,
    failed_runs_stay_longer,
    runs_that_have_not_ended_stay_in_any_case,
    nothing_is_removed_without_an_age,
    what_is_over_is_removed_in_slices,
    upkeep_is_taken_once_a_day,
];

/// Nanoseconds.
const MINUTE: u64 = 60_000_000_000;

fn created(number: u64, minute: u64) -> RunSpec {
    RunSpec { created: at(minute * MINUTE + 5), ..spec(number) }
}

/// The first minutes of the intervals with their counts of runs that are pending, failed and in any state.
fn histogram(journal: &dyn Journal, from: u64, until: u64, minutes: u64) -> Vec<(u64, [u64; 3])> {
    let interval = Duration::from_secs(60 * minutes);
    let request = HistogramRequest { from: at(from * MINUTE), until: at(until * MINUTE), interval };
    let buckets = journal.histogram(&request).unwrap();
    let of = |counts: &hostel_core::RunCounts| {
        [counts.of(State::Pending), counts.of(State::Failed), counts.total()]
    };
    buckets.iter().map(|bucket| (bucket.from.unix_nanos() / MINUTE, of(&bucket.counts))).collect()
}

fn runs_are_counted_by_the_minute_of_their_creation(journal: &dyn Journal) {
    assert_eq!(histogram(journal, 0, 100, 1), []);
    submit(journal, [created(1, 3), created(2, 3), created(3, 4), created(4, 61)]);
    assert_eq!(histogram(journal, 0, 100, 1), [(3, [2, 0, 2]), (4, [1, 0, 1]), (61, [1, 0, 1])]);
    add(journal, 1, 9 * MINUTE, [STARTED, failed()]).unwrap();
    add(journal, 3, 9 * MINUTE, [STARTED, completed()]).unwrap();
    assert_eq!(histogram(journal, 0, 100, 1), [(3, [1, 1, 2]), (4, [0, 0, 1]), (61, [1, 0, 1])]);
    assert_eq!(histogram(journal, 4, 61, 1), [(4, [0, 0, 1])]);
    assert_eq!(histogram(journal, 1, 59, 60), [(0, [1, 1, 3])]);
    assert_eq!(histogram(journal, 1, 61, 60), [(0, [1, 1, 3]), (60, [1, 0, 1])]);
    journal.retry(at(10 * MINUTE), id(1)).unwrap();
    journal.remove(id(3)).unwrap();
    assert_eq!(histogram(journal, 0, 100, 1), [(3, [2, 0, 2]), (61, [1, 0, 1])]);
    journal.cancel(at(11 * MINUTE), id(4)).unwrap();
    journal.retain(&Retention { completed: Some(Duration::ZERO), ..never() }, at(u64::MAX)).unwrap();
    assert_eq!(histogram(journal, 0, 100, 1), [(3, [2, 0, 2])]);
}

fn a_histogram_that_is_too_fine_is_refused(journal: &dyn Journal) {
    for (interval, until) in [(30, 1), (0, 1), (60, 2_001)] {
        let interval = Duration::from_secs(interval);
        let request = HistogramRequest { from: at(0), until: at(until * MINUTE), interval };
        let error = journal.histogram(&request).unwrap_err();
        assert!(matches!(error, JournalError::Histogram(_)), "{error}");
    }
}

fn never() -> Retention {
    Retention { completed: None, failed: None, logs_age: None, logs_bytes: None }
}

fn nanos(completed: u64, failed: u64) -> Retention {
    let [completed, failed] = [completed, failed].map(|nanos| Some(Duration::from_nanos(nanos)));
    Retention { completed, failed, ..never() }
}

fn retain(journal: &dyn Journal, retention: &Retention, now: u64) -> u64 {
    let pruned = journal.retain(retention, at(now)).unwrap();
    assert!(!pruned.more);
    pruned.runs
}

fn failed_runs_stay_longer(journal: &dyn Journal) {
    [(1, 10), (2, 20)].into_iter().for_each(|(number, now)| end(journal, number, now));
    submit_some(journal, [3, 4, 5]);
    add(journal, 3, 10, [STARTED, failed()]).unwrap();
    journal.cancel(at(12), id(4)).unwrap();
    assert_eq!(retain(journal, &nanos(30, 80), 40), 0);
    assert_eq!(retain(journal, &nanos(30, 80), 45), 2);
    assert_eq!(found(journal, &RunFilter::new()), numbers([5, 3, 2]));
    assert_eq!((retain(journal, &nanos(30, 80), 90), retain(journal, &nanos(30, 80), 91)), (1, 1));
    assert_eq!(found(journal, &RunFilter::new()), numbers([5]));
    assert_eq!(journal.counts().unwrap().removed, 4);
}

fn runs_that_have_not_ended_stay_in_any_case(journal: &dyn Journal) {
    submit_some(journal, [1, 2]);
    add(journal, 2, 3, [STARTED]).unwrap();
    assert_eq!(retain(journal, &nanos(0, 0), u64::MAX), 0);
    assert_eq!(journal.counts().unwrap().total(), 2);
}

fn nothing_is_removed_without_an_age(journal: &dyn Journal) {
    end(journal, 1, 10);
    submit_some(journal, [2]);
    add(journal, 2, 3, [STARTED, failed()]).unwrap();
    assert_eq!(retain(journal, &never(), u64::MAX), 0);
    assert_eq!(retain(journal, &Retention { completed: None, ..nanos(0, 0) }, u64::MAX), 1);
    assert_eq!(found(journal, &RunFilter::new()), numbers([1]));
    // The usual ages are days.
    assert_eq!(retain(journal, &Retention::default(), 6 * 24 * 60 * MINUTE), 0);
    assert_eq!(retain(journal, &Retention::default(), 8 * 24 * 60 * MINUTE), 1);
}

fn what_is_over_is_removed_in_slices(journal: &dyn Journal) {
    let count = MAX_PRUNED as u64 + 3;
    submit_some(journal, 0..count);
    (0..count).for_each(|number| _ = journal.cancel(at(5 + number), id(number)).unwrap());
    let first = journal.retain(&nanos(0, 0), at(u64::MAX)).unwrap();
    assert_eq!(first, Pruned { runs: MAX_PRUNED as u64, more: true });
    assert_eq!(found(journal, &RunFilter::new()).len(), 3);
    assert_eq!(retain(journal, &nanos(0, 0), u64::MAX), 3);
}

fn upkeep_is_taken_once_a_day(journal: &dyn Journal) {
    let hour = 60 * MINUTE;
    let taken = [5, 6, hour, 24 * hour + 4, 24 * hour + 5, 25 * hour, hour, 2 * hour, 25 * hour];
    let taken = taken.map(|now| journal.take_upkeep(at(now)).unwrap());
    // The last but two after the clock was set back.
    assert_eq!(taken, [true, false, false, false, true, false, true, false, true]);
}
