//! The limits of the journal in memory, with the runs that hold their slots and those that they keep back.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hostel_core::journal::{Gate, LimitScope, LimitUse, MAX_HOLDERS, Opening, Pause, RunLimit};
use hostel_core::{RunId, RunSpec, Timestamp};

/// All gates that were ever set.
#[derive(Default)]
pub(super) struct Gates {
    gates: BTreeMap<LimitScope, (Gate, BTreeSet<RunId>)>,
    kept_back: HashMap<RunId, LimitScope>,
}

impl Gates {
    pub(super) fn is_empty(&self) -> bool {
        self.gates.is_empty()
    }

    /// Changes a gate. A new one begins with those of some runs that it is for.
    fn change<'a>(
        &mut self,
        scope: &LimitScope,
        claimed: impl Iterator<Item = &'a RunSpec>,
        change: impl FnOnce(&mut Gate),
    ) {
        let begin = || (Gate::default(), claimed.filter(|run| scope.has(run)).map(|run| run.id).collect());
        let (gate, _) = self.gates.entry(scope.clone()).or_insert_with(begin);
        change(gate);
    }

    pub(super) fn set<'a>(
        &mut self,
        scope: &LimitScope,
        limit: RunLimit,
        claimed: impl Iterator<Item = &'a RunSpec>,
    ) {
        self.change(scope, claimed, |gate| gate.limit = limit);
    }

    pub(super) fn pause<'a>(
        &mut self,
        scope: &LimitScope,
        pause: Pause,
        claimed: impl Iterator<Item = &'a RunSpec>,
    ) {
        self.change(scope, claimed, |gate| gate.pause = Some(pause));
    }

    pub(super) fn resume(&mut self, scope: &LimitScope) {
        self.gates.get_mut(scope).into_iter().for_each(|(gate, _)| gate.pause = None);
    }

    /// The first gate of a run that is closed, and keeps it back.
    pub(super) fn keeps_back(&mut self, run: &RunSpec, now: Timestamp) -> bool {
        let closed = self.of(run).find(|(_, gate)| !gate.is_open(now)).map(|(scope, _)| scope.clone());
        let is_closed = closed.is_some();
        closed.into_iter().for_each(|scope| _ = self.kept_back.insert(run.id, scope));
        is_closed
    }

    /// When the gates of a run are open, if nothing else happens.
    pub(super) fn opening(&self, run: &RunSpec, now: Timestamp) -> Option<Timestamp> {
        self.of(run).try_fold(now, |latest, (_, gate)| match gate.opening(now) {
            Opening::Now => Some(latest),
            Opening::At(time) => Some(latest.max(time)),
            Opening::Later => None,
        })
    }

    /// A run takes its slots.
    pub(super) fn take(&mut self, run: &RunSpec, now: Timestamp) {
        for scope in LimitScope::all_of(run) {
            if let Some((gate, holders)) = self.gates.get_mut(&scope) {
                gate.take(now);
                holders.insert(run.id);
            }
        }
    }

    /// A run has changed: it is no longer kept back, and if it is not claimed it holds nothing.
    pub(super) fn changed(&mut self, run: RunId, is_claimed: bool) {
        self.kept_back.remove(&run);
        if !is_claimed {
            self.gates.values_mut().for_each(|(_, holders)| _ = holders.remove(&run));
        }
    }

    pub(super) fn uses(&self) -> Vec<LimitUse> {
        let uses = self.gates.iter().map(|(scope, (gate, holders))| LimitUse {
            scope: scope.clone(),
            limit: gate.limit,
            pause: gate.pause.clone(),
            held: holders.len() as u64,
            holders: holders.iter().take(MAX_HOLDERS).copied().collect(),
            waiting: self.kept_back.values().filter(|by| *by == scope).count() as u64,
        });
        uses.collect()
    }

    /// The gates of a run as they are.
    fn of<'a>(&'a self, run: &'a RunSpec) -> impl Iterator<Item = (&'a LimitScope, Gate)> {
        let gates = self.gates.iter().filter(|(scope, _)| scope.has(run));
        gates.map(|(scope, (gate, holders))| (scope, Gate { held: holders.len() as u64, ..gate.clone() }))
    }
}
