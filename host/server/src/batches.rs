//! What this server knows of batches beside the journal, and those that its driver has not taken up.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hostel::journal::{Batch, BatchId, MAX_BATCHES};
use tokio::sync::Notify;

/// What this server knows of batches beside the journal.
#[derive(Debug, Default)]
pub(crate) struct Batches {
    state: Mutex<Known>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Known {
    /// Those that the driver has not seen.
    new: Vec<Batch>,
    /// At most as many as a journal stores: the oldest make room.
    notes: BTreeMap<BatchId, Notes>,
}

/// What is known of a batch until the server ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    /// How many runs matched when it was made, and whether there were more.
    pub(crate) matched: Option<(u64, bool)>,
}

impl Batches {
    /// Takes up a batch.
    pub(crate) fn add(&self, batch: Batch, matched: (u64, bool)) {
        let mut state = self.state();
        state.note(batch.id).matched = Some(matched);
        state.new.push(batch);
        drop(state);
        self.wake.notify_one();
    }

    /// What is known of a batch.
    pub(crate) fn notes(&self, batch: BatchId) -> Notes {
        self.state().notes.get(&batch).cloned().unwrap_or_default()
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

impl Known {
    fn note(&mut self, batch: BatchId) -> &mut Notes {
        while self.notes.len() >= MAX_BATCHES && !self.notes.contains_key(&batch) {
            self.notes.pop_first();
        }
        self.notes.entry(batch).or_default()
    }
}
