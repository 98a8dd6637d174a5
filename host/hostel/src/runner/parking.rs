//! Runs outside the queues: they wait for other runs, for a slot, or for the time of their next attempt.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use hostel_core::RunId;

use super::gates::Ticket;

/// The parked runs. The code is pure: callers pass the current time.
pub(crate) struct Parking<J> {
    parked: HashMap<RunId, Parked<J>>,
    due: BTreeSet<(Duration, RunId)>,
}

/// One parked run.
pub(crate) struct Parked<J> {
    pub(crate) job: J,
    /// When it is due, regardless of other events.
    pub(crate) due: Option<Duration>,
    /// Its position at the gates, if it waits for a slot.
    pub(crate) ticket: Option<Ticket>,
}

impl<J> Parking<J> {
    pub(crate) fn new() -> Self {
        Self { parked: HashMap::new(), due: BTreeSet::new() }
    }

    pub(crate) fn insert(&mut self, run: RunId, parked: Parked<J>) {
        self.due.extend(parked.due.map(|due| (due, run)));
        self.parked.insert(run, parked);
    }

    pub(crate) fn remove(&mut self, run: RunId) -> Option<Parked<J>> {
        let parked = self.parked.remove(&run)?;
        if let Some(due) = parked.due {
            self.due.remove(&(due, run));
        }
        Some(parked)
    }

    /// When the next one is due.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.due.first().map(|&(due, _)| due)
    }

    /// Takes one that is due at `now`, earliest first.
    pub(crate) fn take_due(&mut self, now: Duration) -> Option<Parked<J>> {
        let &(due, run) = self.due.first()?;
        if due <= now { self.remove(run) } else { None }
    }

    /// Takes all of them.
    pub(crate) fn drain(&mut self) -> Vec<Parked<J>> {
        self.due.clear();
        self.parked.drain().map(|(_, parked)| parked).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn run(number: u8) -> RunId {
        RunId::from_bytes([number; 16])
    }

    fn parked(job: u8, due: Option<Duration>) -> Parked<u8> {
        Parked { job, due, ticket: None }
    }

    #[test]
    fn runs_become_due_in_the_order_of_their_times() {
        let mut parking = Parking::new();
        for (job, due) in [(1, Some(SECOND * 3)), (2, Some(SECOND)), (3, None), (4, Some(SECOND))] {
            parking.insert(run(job), parked(job, due));
        }
        assert_eq!(parking.next_due(), Some(SECOND));
        let mut due = |now| parking.take_due(now).map(|parked| parked.job);
        assert_eq!((due(SECOND / 2), due(SECOND), due(SECOND), due(SECOND)), (None, Some(2), Some(4), None));
        assert_eq!(due(SECOND * 9), Some(1));
        assert_eq!(parking.next_due(), None);
        assert_eq!(parking.drain().len(), 1);
    }

    #[test]
    fn one_that_is_removed_is_not_due() {
        let mut parking = Parking::new();
        parking.insert(run(1), parked(1, Some(SECOND)));
        assert!(parking.remove(run(1)).is_some() && parking.remove(run(1)).is_none());
        assert_eq!((parking.next_due(), parking.take_due(SECOND).map(|parked| parked.job)), (None, None));
    }
}
