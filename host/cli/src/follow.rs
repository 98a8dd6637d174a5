//! `hostel runs ls --follow`: runs as they appear and change.

use std::time::Duration;

use hostel::journal::{Journal, MAX_EVENTS, RunHead, RunHistory, SqliteJournal};
use hostel::{RunFilter, RunId};

use crate::problem::Stop;

/// The longest wait for a change of the journal. Runs of other commands come from the history, which no change announces.
const WAIT: Duration = Duration::from_secs(1);

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
    use super::*;

    fn run(number: u8) -> RunId {
        RunId::from_bytes([number; 16])
    }

    #[test]
    fn a_run_comes_once_for_all_that_happened_to_it() {
        let runs = [1, 2, 1, 3, 2].map(run);
        assert_eq!(in_order(runs.into_iter()), [1, 3, 2].map(run));
    }
}
