//! Results waiting to be written to disk: a bounded queue, which everyone in this process can read meanwhile.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hostel_core::{CacheEntry, CacheKey, Timestamp};

/// The maximum size of the queue. If it is full, new entries wait for the writer. A batch of the same size may be in
/// progress.
const MOST_BYTES: u64 = 32 << 20;

/// The maximum number of keys with waiting entries. Among a million results, ten thousand random keys are on almost all
/// pages of the index, so five times as many write as many pages.
const MOST_KEYS: usize = 50_000;

/// The maximum number of values that are dropped when the waiting entries are written: locks of keys, which keep other
/// processes from executing equal runs meanwhile. The system searches all of them for each new lock, and of ten
/// thousand that took longer than everything else that stores a result.
const MOST_HOLDS: usize = 1_000;

/// How long the writer waits for more entries before it writes: one transaction for many costs little more than for
/// one. Other processes do not see the entries during this time.
const GATHERING: Duration = Duration::from_millis(2);

/// How long it waits while they come fast. Entries of random keys are on pages of their own until there are more entries than pages.
const GATHERING_MANY: Duration = Duration::from_millis(50);

/// The number of keys in the time of [`GATHERING`] from which on entries come fast.
const MANY: usize = 64;

/// The waiting batch, and the one being written.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<Batches>,
    /// Notifies the writer of work.
    work: Condvar,
    /// Notifies waiters of new room, or of a written batch.
    progress: Condvar,
}

#[derive(Default)]
struct Batches {
    waiting: Batch,
    writing: Option<Arc<Batch>>,
    /// The numbers of batches that the writer has taken and finished.
    taken: u64,
    done: u64,
    /// Whether a caller waits for the whole queue.
    is_urgent: bool,
    is_closed: bool,
    /// Nothing is written any more.
    is_left: bool,
}

/// A batch to write together.
#[derive(Default)]
pub(super) struct Batch {
    /// The new entries of each key, newest first.
    pub(super) entries: HashMap<CacheKey, Arc<[CacheEntry]>>,
    /// Times of use to record.
    pub(super) used: HashMap<CacheKey, Timestamp>,
    /// Values to drop when the whole batch is written.
    holds: Vec<Box<dyn Send + Sync>>,
    bytes: u64,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.used.is_empty() && self.holds.is_empty()
    }

    fn is_full(&self) -> bool {
        self.entries.len() >= MOST_KEYS || self.bytes >= MOST_BYTES
    }
}

impl Queue {
    /// Adds an entry. Waits while there is no room.
    pub(super) fn put(&self, key: &CacheKey, entry: CacheEntry) {
        let mut state = self.state();
        while state.waiting.is_full() && !state.is_left {
            state = wait(&self.progress, state);
        }
        if state.is_left {
            return;
        }
        let was_empty = state.waiting.is_empty();
        state.waiting.bytes += entry.size_bytes();
        let kept = state.waiting.entries.entry(*key).or_insert_with(|| Arc::from([]));
        *kept = entry.with_others(kept);
        // A gathering writer checks again soon by itself.
        if was_empty || state.waiting.is_full() {
            self.work.notify_one();
        }
    }

    /// Records the use of the entries of a key; discards it if there is no room.
    pub(super) fn used(&self, key: &CacheKey, at: Timestamp) {
        let mut state = self.state();
        if state.is_left || state.waiting.used.len() >= MOST_KEYS {
            return;
        }
        let was_empty = state.waiting.is_empty();
        state.waiting.used.insert(*key, at);
        if was_empty {
            self.work.notify_one();
        }
    }

    /// Drops a value after all entries added before are written, or were given up; at once if too many wait.
    pub(super) fn hold(&self, hold: Box<dyn Send + Sync>) {
        let mut state = self.state();
        if state.is_left || state.waiting.holds.len() >= MOST_HOLDS {
            return;
        }
        let was_empty = state.waiting.is_empty();
        state.waiting.holds.push(hold);
        if was_empty {
            self.work.notify_one();
        }
    }

    /// The unwritten entries of a key, newest first.
    pub(super) fn get(&self, key: &CacheKey) -> Option<Arc<[CacheEntry]>> {
        let state = self.state();
        let waiting = state.waiting.entries.get(key);
        let writing = state.writing.as_ref().and_then(|batch| batch.entries.get(key));
        match (waiting, writing) {
            (Some(newer), Some(older)) => Some(together(newer, older)),
            (one, other) => one.or(other).cloned(),
        }
    }

    /// Waits until all entries added before this are written, or were given up.
    pub(super) fn flush(&self) {
        let mut state = self.state();
        let awaited = state.taken + u64::from(!state.waiting.is_empty());
        while state.done < awaited && !state.is_left {
            state.is_urgent = true;
            self.work.notify_one();
            state = wait(&self.progress, state);
        }
    }

    /// Lets the writer end after it has written the queue.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.work.notify_one();
    }

    /// Takes the next batch, waiting for one; `None` when the queue is closed and empty. For the writer only.
    pub(super) fn take(&self) -> Option<Arc<Batch>> {
        let mut state = self.state();
        while state.waiting.is_empty() {
            if state.is_closed {
                return None;
            }
            state = wait(&self.work, state);
        }
        let began = Instant::now();
        while !state.is_urgent && !state.is_closed && !state.waiting.is_full() {
            let is_many = state.waiting.entries.len() >= MANY;
            let time = if is_many { GATHERING_MANY } else { GATHERING };
            let left = time.saturating_sub(began.elapsed());
            if left.is_zero() {
                break;
            }
            state = self.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let batch = Arc::new(mem::take(&mut state.waiting));
        state.writing = Some(Arc::clone(&batch));
        state.is_urgent = false;
        state.taken += 1;
        self.progress.notify_all();
        Some(batch)
    }

    /// The writer has finished its batch.
    pub(super) fn done(&self) {
        let mut state = self.state();
        let written = state.writing.take();
        state.done = state.taken;
        drop(state);
        self.progress.notify_all();
        drop(written);
    }

    /// Whether no one waits for the writer, or will soon, so that it may do other work. For the writer only.
    pub(super) fn can_wait(&self) -> bool {
        let state = self.state();
        !state.is_closed && !state.is_urgent && !state.waiting.is_full()
    }

    /// Whether there is nothing to write. For the writer only.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.state();
        !state.is_closed && state.waiting.is_empty()
    }

    /// The writer has ended, and the waiting entries are discarded.
    pub(super) fn leave(&self) {
        let mut state = self.state();
        state.is_left = true;
        state.waiting = Batch::default();
        state.writing = None;
        drop(state);
        self.progress.notify_all();
    }

    /// No code panics while it holds the lock, so a poisoned lock is still valid.
    fn state(&self) -> MutexGuard<'_, Batches> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The entries of one key, latest first.
pub(super) fn together(newer: &[CacheEntry], older: &[CacheEntry]) -> Arc<[CacheEntry]> {
    newer.iter().rev().fold(Arc::from(older), |kept, entry| entry.clone().with_others(&kept))
}

fn wait<'a>(condition: &Condvar, state: MutexGuard<'a, Batches>) -> MutexGuard<'a, Batches> {
    condition.wait(state).unwrap_or_else(PoisonError::into_inner)
}
