//! What the model and a journal have, side by side.

use std::cmp::Reverse;
use std::time::Duration;

use hostel_core::journal::{HistogramRequest, Journal, LimitScope, MAX_EVENTS, Page, RunChange};
use hostel_core::{RunFilter, RunId, State};

use super::Model;
use crate::world::{at, entry, id};

impl Model {
    /// Compares everything that can be read.
    pub(super) fn compare(&self, journal: &dyn Journal) {
        for run in &self.runs {
            let entry = entry(journal, run.number);
            let claim = entry.claim().map(|claim| (claim.fence, claim.until.unix_nanos()));
            let ended = entry.ended().map(|ended| ended.unix_nanos());
            assert_eq!(
                (entry.state(), entry.version(), claim, entry.crashes(), ended),
                (run.state, run.version, run.claim, run.crashes, run.ended),
                "run {}",
                run.number
            );
        }
        let mut newest: Vec<_> = self.runs.iter().collect();
        newest.sort_by_key(|run| Reverse(run.arrival));
        let of = |filter: &RunFilter| -> Vec<RunId> {
            journal.find(filter, Page::first(100)).unwrap().runs.iter().map(|head| head.run).collect()
        };
        assert_eq!(of(&RunFilter::new()), newest.iter().map(|run| id(run.number)).collect::<Vec<_>>());
        let counts = journal.counts().unwrap();
        for state in State::ALL {
            let expected: Vec<_> =
                newest.iter().filter(|run| run.state == state).map(|run| id(run.number)).collect();
            assert_eq!(of(&RunFilter::new().states([state])), expected, "{state}");
            assert_eq!(counts.of(state), expected.len() as u64, "{state}");
        }
        assert_eq!(counts.removed, self.removed);
        let interval = Duration::from_secs(60);
        let histogram = HistogramRequest { from: at(0), until: at(1), interval };
        let total = journal.histogram(&histogram).unwrap().first().map_or(0, |all| all.counts.total());
        assert_eq!(total, self.runs.len() as u64);
        let attention = newest.iter().filter(|run| run.needs_attention()).map(|run| id(run.number));
        assert_eq!(of(&RunFilter::new().needs_attention()), attention.collect::<Vec<_>>());
        let odd = LimitScope::Tag("odd".into());
        let limit = journal.limits().unwrap().into_iter().find(|limit| limit.scope == odd);
        assert!(limit.is_none_or(|limit| limit.held == self.held()));
        self.compare_events(journal);
    }

    fn compare_events(&self, journal: &dyn Journal) {
        let events = journal.events(0, MAX_EVENTS).unwrap();
        assert!(events.is_sorted_by(|before, after| before.seq < after.seq));
        assert!(events.last().is_none_or(|last| last.seq <= self.events));
        for run in &self.runs {
            let own: Vec<_> = events.iter().filter(|event| event.run == id(run.number)).collect();
            assert!(own.iter().zip(1..).all(|(event, version)| event.version == version));
            assert_eq!(own.len() as u64, run.version);
            assert_eq!((own[0].change, own[own.len() - 1].state), (RunChange::Born, run.state));
        }
        assert_eq!(events.len() as u64, self.runs.iter().map(|run| run.version).sum::<u64>());
    }
}
