//! The leases of claimed runs: stops the runs whose leases could not be renewed, on a thread that uses neither journal nor disk.
//!
//! The thread of the worker may hang in a write to a disk that does not answer. Its runs must not execute any longer than their
//! leases then, because other workers may have them afterwards.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hostel_core::RunId;
use hostel_core::journal::{Fence, WorkerId};

use super::prepared::Prepared;
use crate::run::TaskFuture;

/// A run is stopped this long before its lease ends, as a fraction of the lease.
pub(super) const MARGIN: u32 = 6;

/// Leases are looked at so often in the length of one: at least once within the margin.
const LOOKS: u32 = 3 * MARGIN;

/// The leases of a worker. Bounded by the runs that it has claimed.
pub(super) struct Leases {
    worker: WorkerId,
    length: Duration,
    /// Nothing panics while it holds the lock, so a poisoned lock is as good as any.
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    held: HashMap<RunId, Held>,
    /// The runs that were stopped since the worker last asked.
    late: Vec<RunId>,
    ended: bool,
}

/// One lease.
struct Held {
    fence: Fence,
    ends: Instant,
    /// The run, once the host has it.
    future: Option<TaskFuture>,
    is_late: bool,
}

impl Leases {
    /// Leases of this length, with the thread that watches them. It ends after [`Leases::end`].
    pub(super) fn start(worker: WorkerId, length: Duration) -> io::Result<(Arc<Self>, JoinHandle<()>)> {
        let (state, changed) = (Mutex::default(), Condvar::new());
        let leases = Arc::new(Self { worker, length, state, changed });
        let watched = Arc::clone(&leases);
        let thread =
            thread::Builder::new().name("hostel-leases".to_owned()).spawn(move || watched.watch())?;
        Ok((leases, thread))
    }

    /// The length of a lease.
    pub(super) fn length(&self) -> Duration {
        self.length
    }

    /// A run was claimed, by a request that began at `since`.
    pub(super) fn add(&self, run: RunId, fence: Fence, since: Instant) {
        let held = Held { fence, ends: since + self.length, future: None, is_late: false };
        let mut state = self.state();
        let was_empty = state.held.is_empty();
        state.held.insert(run, held);
        drop(state);
        if was_empty {
            self.changed.notify_all();
        }
    }

    /// The leases of these runs were renewed, by a request that began at `since`. One that was too late stays so.
    pub(super) fn renewed(&self, runs: impl IntoIterator<Item = (RunId, Fence)>, since: Instant) {
        let ends = since + self.length;
        let mut state = self.state();
        for (run, fence) in runs {
            let held = state.held.get_mut(&run).filter(|held| held.fence == fence && !held.is_late);
            held.into_iter().for_each(|held| held.ends = held.ends.max(ends));
        }
    }

    /// The host has accepted the run. If the worker does not have it any longer, or its lease was not renewed in time, it is stopped.
    pub(super) fn accepted(&self, run: RunId, fence: Fence, prepared: &Prepared) {
        let Prepared::Accepted { future, .. } = prepared else { return };
        let mut state = self.state();
        let held = state.held.get_mut(&run).filter(|held| held.fence == fence && !held.is_late);
        let is_held = held.map(|held| held.future = Some(future.clone())).is_some();
        drop(state);
        if !is_held {
            prepared.abandon();
        }
    }

    /// The worker no longer has the run.
    pub(super) fn remove(&self, run: RunId) {
        let held = self.state().held.remove(&run);
        // Without the lock: it may be the last handle to the run.
        drop(held);
    }

    /// The runs that were stopped since the last call.
    pub(super) fn take_late(&self) -> Vec<RunId> {
        std::mem::take(&mut self.state().late)
    }

    /// Ends the thread. The leases that are left are not watched any longer: their runs are stopped.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        let held = std::mem::take(&mut state.held);
        drop(state);
        self.changed.notify_all();
        held.into_values().filter_map(|held| held.future).for_each(|future| _ = future.cancel());
    }

    fn watch(&self) {
        let mut state = self.state();
        while !state.ended {
            if state.held.is_empty() {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let stopped = self.stop_late(&mut state, Instant::now());
            drop(state);
            for (run, future) in stopped {
                tracing::warn!(
                    "worker {}: run {run} is stopped: its lease could not be renewed",
                    self.worker
                );
                future.iter().for_each(|future| _ = future.cancel());
            }
            state = self.state();
            if !state.ended {
                let waited = self.changed.wait_timeout(state, self.length / LOOKS);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }

    /// Marks the runs whose leases end soon, and returns them.
    fn stop_late(&self, state: &mut State, now: Instant) -> Vec<(RunId, Option<TaskFuture>)> {
        let soon = now + self.length / MARGIN;
        let late = state.held.iter_mut().filter(|(_, held)| !held.is_late && held.ends <= soon);
        let stop = |(run, held): (&RunId, &mut Held)| {
            held.is_late = true;
            (*run, held.future.take())
        };
        let stopped: Vec<_> = late.map(stop).collect();
        state.late.extend(stopped.iter().map(|(run, _)| *run));
        stopped
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
