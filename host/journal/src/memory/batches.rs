//! The batches of the journal in memory.

use std::collections::BTreeMap;

use hostel_core::journal::{Batch, BatchAction, BatchId, JournalError, MAX_BATCHES};
use hostel_core::{RunFilter, Timestamp};

/// All batches by their numbers.
#[derive(Default)]
pub(super) struct Batches {
    batches: BTreeMap<BatchId, Batch>,
    last: u64,
}

impl Batches {
    /// `before` is the number that the next run gets.
    pub(super) fn start(
        &mut self,
        at: Timestamp,
        action: BatchAction,
        filter: &RunFilter,
        before: u64,
    ) -> Result<Batch, JournalError> {
        while self.batches.len() >= MAX_BATCHES {
            let first = self.batches.values().find(|batch| batch.is_finished()).map(|batch| batch.id);
            let Some(first) = first else {
                let (what, count, most) = ("unfinished batches", MAX_BATCHES + 1, MAX_BATCHES);
                return Err(JournalError::TooMany { what, count, most });
            };
            self.batches.remove(&first);
        }
        self.last += 1;
        let batch = Batch {
            id: BatchId::new(self.last),
            action,
            filter: filter.clone(),
            done: 0,
            failed: 0,
            refused: Vec::new(),
            created: at,
            finished: None,
            is_stopped: false,
            before,
        };
        self.batches.insert(batch.id, batch.clone());
        Ok(batch)
    }

    pub(super) fn get(&self, batch: BatchId) -> Result<&Batch, JournalError> {
        self.batches.get(&batch).ok_or(JournalError::NoBatch { batch })
    }

    pub(super) fn get_mut(&mut self, batch: BatchId) -> Result<&mut Batch, JournalError> {
        self.batches.get_mut(&batch).ok_or(JournalError::NoBatch { batch })
    }

    /// The newest first.
    pub(super) fn all(&self) -> Vec<Batch> {
        self.batches.values().rev().cloned().collect()
    }
}
