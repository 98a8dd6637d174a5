//! What this server knows about batches that the journal does not, and new batches that the driver has not started.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hostel::journal::{Batch, BatchId, MAX_BATCHES};
use tokio::sync::Notify;

/// What this server knows about batches that the journal does not.
#[derive(Debug, Default)]
pub(crate) struct Batches {
    state: Mutex<Known>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Known {
    /// Those that the driver has not started.
    new: Vec<Batch>,
    /// How many runs matched when each was made, and whether there were more. At most as many as a journal stores: the oldest make
    /// room.
    matched: BTreeMap<BatchId, (u64, bool)>,
}

impl Batches {
    /// Takes up a batch.
    pub(crate) fn add(&self, batch: Batch, matched: (u64, bool)) {
        let mut state = self.state();
        while state.matched.len() >= MAX_BATCHES {
            state.matched.pop_first();
        }
        state.matched.insert(batch.id, matched);
        state.new.push(batch);
        drop(state);
        self.wake.notify_one();
    }

    /// How many runs matched when a batch was made, and whether there were more; `None` if this server has not made it.
    pub(crate) fn matched(&self, batch: BatchId) -> Option<(u64, bool)> {
        self.state().matched.get(&batch).copied()
    }

    /// The batches that were added since the last call.
    pub(crate) fn take_new(&self) -> Vec<Batch> {
        std::mem::take(&mut self.state().new)
    }

    /// Waits until a batch is added.
    pub(crate) async fn added(&self) {
        self.wake.notified().await;
    }

    fn state(&self) -> MutexGuard<'_, Known> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
