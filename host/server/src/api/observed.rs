//! What the runs of a component have used of its capabilities.

use std::collections::BTreeMap;

use hostel::journal::{Journal, JournalError, Page, SqliteJournal};
use hostel::{Capability, Digest, GrantKind, HostCall, Receipt, RunFilter, State};
use serde::Serialize;
use utoipa::ToSchema;

/// How many runs are looked at.
const LOOKED_AT: usize = 200;

/// The capabilities of which calls are counted, by the kind of these.
const COUNTED: [(Capability, HostCall); 6] = [
    (Capability::Clocks, HostCall::Clock),
    (Capability::Randomness, HostCall::Randomness),
    (Capability::Files, HostCall::Files),
    (Capability::Network, HostCall::Sockets),
    (Capability::OutgoingHttp, HostCall::Http),
    (Capability::RunContext, HostCall::Context),
];

/// The states of runs that have executed.
const EXECUTED: [State; 5] =
    [State::Completed, State::Failed, State::TimedOut, State::Crashed, State::Cancelled];

/// What the newest runs of a component have used.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Observed {
    /// How many runs were looked at: the newest 200 at most, without those that executed nothing.
    runs: u64,
    /// Whether there are older ones.
    more: bool,
    /// How many of them used each capability. Of those that are not named, calls are not counted.
    used: BTreeMap<&'static str, u64>,
    /// How many of them were denied something, by the kind of grant that would allow it.
    denied: BTreeMap<&'static str, u64>,
}

/// Reads the newest runs of a component.
pub(super) fn read(journal: &SqliteJournal, component: Digest) -> Result<Observed, JournalError> {
    let filter = RunFilter::new().component(component).states(EXECUTED);
    let found = journal.find(&filter, Page::first(LOOKED_AT))?;
    let (used, denied) = (BTreeMap::new(), BTreeMap::new());
    let mut sum = Observed { runs: 0, more: found.next.is_some(), used, denied };
    for head in found.runs {
        let Some(entry) = journal.get(head.run)? else { continue };
        let attempts = entry.record().attempts();
        sum.add(&attempts.iter().filter_map(|attempt| attempt.receipt.as_deref()).collect::<Vec<_>>());
    }
    Ok(sum)
}

impl Observed {
    /// Counts a run with the receipts of its attempts.
    fn add(&mut self, receipts: &[&Receipt]) {
        if receipts.is_empty() {
            return;
        }
        self.runs += 1;
        for (capability, kind) in COUNTED {
            let has_used = receipts.iter().any(|receipt| receipt.host_calls.of(kind) > 0);
            *self.used.entry(capability.name()).or_default() += u64::from(has_used);
        }
        for kind in GrantKind::ALL {
            if receipts.iter().any(|receipt| receipt.denials.of(kind) > 0) {
                *self.denied.entry(kind.name()).or_default() += 1;
            }
        }
    }
}
