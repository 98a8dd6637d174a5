//! `hostel runs ls --follow`: runs as they appear and change.

use std::time::Duration;

use hostel::journal::{Journal, JournalError, MAX_EVENTS, RunHead, RunHistory, SqliteJournal};
use hostel::{RunFilter, RunId};

use crate::problem::Stop;

/// The longest wait for a change of the journal. Runs of other commands come from the history, which no change announces.
const WAIT: Duration = Duration::from_secs(1);

/// The number of the last event; 0 without events. The numbers may have gaps, so it is searched for.
pub(crate) fn last_event(journal: &dyn Journal) -> Result<u64, JournalError> {
    let (mut there, mut none) = (0, u64::MAX >> 1);
    while none - there > 1 {
        let middle = there + (none - there) / 2;
        match journal.events(middle - 1, 1)?.first() {
            // It may be a later one.
            Some(event) => there = event.seq,
            None => none = middle,
        }
    }
    Ok(there)
}

/// Shows each run that matches, whenever something has happened to it after an event. Ends with the process, or with an error.
pub(crate) fn follow(
    journal: &SqliteJournal,
    history: &RunHistory,
    filter: &RunFilter,
    mut after: u64,
    mut show: impl FnMut(&[RunHead]) -> Result<(), Stop>,
) -> Result<(), Stop> {
    loop {
        let seen = journal.changes()?;
        let events = journal.events(after, MAX_EVENTS)?;
        let Some(last) = events.last() else {
            journal.wait_for_change(seen, WAIT)?;
            // What cannot be gathered now waits.
            _ = history.gather(journal);
            continue;
        };
        after = last.seq;
        let mut heads = Vec::new();
        for run in in_order(events.iter().map(|event| event.run)) {
            // It may have been removed since.
            let entry = journal.get(run)?;
            heads.extend(entry.filter(|entry| entry.matches(filter)).map(|entry| entry.head()));
        }
        show(&heads)?;
    }
}

/// Each run once, in the order of their last events.
fn in_order(runs: impl DoubleEndedIterator<Item = RunId>) -> Vec<RunId> {
    let mut seen = std::collections::HashSet::new();
    let mut runs: Vec<_> = runs.rev().filter(|run| seen.insert(*run)).collect();
    runs.reverse();
    runs
}

#[cfg(test)]
mod tests {
    use hostel::journal::{MemoryJournal, RunSpec};
    use hostel::{Digest, ExportPath, TaskKey, Timestamp};

    use super::*;

    fn run(number: u8) -> RunId {
        RunId::from_bytes([number; 16])
    }

    #[test]
    fn a_run_comes_once_for_all_that_happened_to_it() {
        let runs = [1, 2, 1, 3, 2].map(run);
        assert_eq!(in_order(runs.into_iter()), [1, 3, 2].map(run));
    }

    #[test]
    fn the_last_event_is_found_behind_gaps() {
        let journal = MemoryJournal::default();
        assert_eq!(last_event(&journal).unwrap(), 0);
        let at = Timestamp::from_unix_nanos(1);
        for number in 1..=5 {
            let task = TaskKey { component: Digest::of(b""), export: ExportPath::top_level("add") };
            journal.submit(at, &[RunSpec::new(run(number), task, Default::default(), at)]).unwrap();
            journal.cancel(at, run(number)).unwrap();
            if number < 5 {
                journal.remove(run(number)).unwrap();
            }
            let last = journal.events(0, MAX_EVENTS).unwrap().last().map_or(0, |event| event.seq);
            assert!(number < 5 || last == 10);
            assert_eq!(last_event(&journal).unwrap(), last);
        }
    }
}
