//! What waits to be written to disk: bounded, and to be seen by everyone in this process meanwhile.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hostel_core::{CacheEntry, CacheKey, Timestamp};

/// How much may wait: whoever puts more waits until the writer has caught up. As much again is being written.
const MOST_BYTES: u64 = 32 << 20;

/// How many keys may have entries that wait.
const MOST_KEYS: usize = 10_000;

/// How long the writer waits for more before it writes what there is: one transaction for many costs little more than
/// for one, and other processes see nothing of it for as long.
const GATHERING: Duration = Duration::from_millis(2);

/// What waits, and what is being written.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// There is something to do for the writer.
    work: Condvar,
    /// There is room again, or something has been written.
    progress: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Batch,
    writing: Option<Arc<Batch>>,
    /// How many batches the writer has taken, and how many it has done with.
    taken: u64,
    done: u64,
    /// Someone waits for all that waits.
    is_urgent: bool,
    is_closed: bool,
    /// Nothing is written any more.
    is_left: bool,
}

/// What is written together.
#[derive(Default)]
pub(super) struct Batch {
    /// What is new under each key, the newest first.
    pub(super) entries: HashMap<CacheKey, Arc<[CacheEntry]>>,
    /// When entries were of use that seemed to be no longer.
    pub(super) used: HashMap<CacheKey, Timestamp>,
    /// What is let go of when all of it is written.
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
        // A writer that gathers looks up by itself before long.
        if was_empty || state.waiting.is_full() {
            self.work.notify_one();
        }
    }

    /// Notes that the entries under a key were of use; forgets it if there is no room.
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

    /// Lets go of something once all that was added before is written, or was given up.
    pub(super) fn hold(&self, hold: Box<dyn Send + Sync>) {
        let mut state = self.state();
        if state.is_left {
            return;
        }
        let was_empty = state.waiting.is_empty();
        state.waiting.holds.push(hold);
        if was_empty {
            self.work.notify_one();
        }
    }

    /// What is not written yet under a key, the newest first.
    pub(super) fn get(&self, key: &CacheKey) -> Option<Arc<[CacheEntry]>> {
        let state = self.state();
        let waiting = state.waiting.entries.get(key);
        let writing = state.writing.as_ref().and_then(|batch| batch.entries.get(key));
        match (waiting, writing) {
            (Some(newer), Some(older)) => Some(together(newer, older)),
            (one, other) => one.or(other).cloned(),
        }
    }

    /// Waits until all that was added before this is written, or was given up.
    pub(super) fn flush(&self) {
        let mut state = self.state();
        let awaited = state.taken + u64::from(!state.waiting.is_empty());
        while state.done < awaited && !state.is_left {
            state.is_urgent = true;
            self.work.notify_one();
            state = wait(&self.progress, state);
        }
    }

    /// Lets the writer end once it has written what there is.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.work.notify_one();
    }

    /// What to write next, once there is something; `None` when the queue is closed and empty. For the writer only.
    pub(super) fn take(&self) -> Option<Arc<Batch>> {
        let mut state = self.state();
        while state.waiting.is_empty() {
            if state.is_closed {
                return None;
            }
            state = wait(&self.work, state);
        }
        let until = Instant::now() + GATHERING;
        while !state.is_urgent && !state.is_closed && !state.waiting.is_full() {
            let left = until.saturating_duration_since(Instant::now());
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

    /// The writer has done with what it took.
    pub(super) fn done(&self) {
        let mut state = self.state();
        let written = state.writing.take();
        state.done = state.taken;
        drop(state);
        self.progress.notify_all();
        drop(written);
    }

    /// Whether nobody waits for the writer, or will soon: it may do something else. For the writer only.
    pub(super) fn can_wait(&self) -> bool {
        let state = self.state();
        !state.is_closed && !state.is_urgent && !state.waiting.is_full()
    }

    /// Whether there is nothing to write. For the writer only.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.state();
        !state.is_closed && state.waiting.is_empty()
    }

    /// The writer is gone, and with it what was waiting.
    pub(super) fn leave(&self) {
        let mut state = self.state();
        state.is_left = true;
        state.waiting = Batch::default();
        state.writing = None;
        drop(state);
        self.progress.notify_all();
    }

    /// Nothing panics while it holds the lock, so a poisoned one is as good as any.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The entries under one key, those that were put later before the others.
pub(super) fn together(newer: &[CacheEntry], older: &[CacheEntry]) -> Arc<[CacheEntry]> {
    newer.iter().rev().fold(Arc::from(older), |kept, entry| entry.clone().with_others(&kept))
}

fn wait<'a>(condition: &Condvar, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    condition.wait(state).unwrap_or_else(PoisonError::into_inner)
}
