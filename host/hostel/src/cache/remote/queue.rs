//! The number and size of results waiting to be written, and how long a shutdown waits for them.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// The maximum number of results that wait or are being written.
pub(super) const QUEUE_ENTRIES: usize = 4096;

/// Their maximum total size in bytes, unless a single one is larger. Most of the bytes are shared with the cache in
/// memory.
pub(super) const QUEUE_BYTES: u64 = 64 << 20;

/// Counts waiting results.
#[derive(Debug, Default)]
pub(super) struct Queue {
    held: Mutex<Held>,
    emptied: Condvar,
    notify: Notify,
}

#[derive(Debug, Default)]
struct Held {
    entries: usize,
    bytes: u64,
    /// An entry was refused since the queue was last empty.
    overflows: bool,
}

/// A place in the queue, released when it is dropped.
#[derive(Debug)]
pub(super) struct QueuePlace {
    queue: Arc<Queue>,
    bytes: u64,
}

/// The queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full {
    /// This is the first refusal since the queue was last empty.
    pub(super) is_first: bool,
}

impl Queue {
    /// A place for an entry of this size.
    pub(super) fn enter(self: &Arc<Self>, bytes: u64) -> Result<QueuePlace, Full> {
        let mut held = self.held();
        let fits = held.entries == 0 || held.bytes.saturating_add(bytes) <= QUEUE_BYTES;
        if held.entries >= QUEUE_ENTRIES || !fits {
            let is_first = !held.overflows;
            held.overflows = true;
            return Err(Full { is_first });
        }
        held.entries += 1;
        held.bytes += bytes;
        Ok(QueuePlace { queue: Arc::clone(self), bytes })
    }

    /// The number of waiting entries.
    pub(super) fn len(&self) -> usize {
        self.held().entries
    }

    /// Waits until the queue is empty. Can be dropped at any time.
    pub(super) async fn emptied(&self) {
        loop {
            let notified = self.notify.notified();
            if self.len() == 0 {
                return;
            }
            notified.await;
        }
    }

    /// Blocks until the queue is empty, for at most this time.
    pub(super) fn wait_emptied(&self, timeout: Duration) {
        // The lock is poisoned only if a counter overflowed, which the bounds rule out.
        let _ = self.emptied.wait_timeout_while(self.held(), timeout, |held| held.entries > 0);
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for QueuePlace {
    fn drop(&mut self) {
        let mut held = self.queue.held();
        held.entries -= 1;
        held.bytes -= self.bytes;
        if held.entries == 0 {
            held.overflows = false;
            drop(held);
            self.queue.emptied.notify_all();
            self.queue.notify.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_in_entries_and_bytes() {
        let queue = Arc::<Queue>::default();
        let mut places: Vec<_> = (0..QUEUE_ENTRIES).map(|_| queue.enter(1).unwrap()).collect();
        assert_eq!(queue.enter(1).unwrap_err(), Full { is_first: true });
        assert_eq!(queue.enter(1).unwrap_err(), Full { is_first: false });
        places.pop();
        assert_eq!(queue.enter(QUEUE_BYTES).unwrap_err(), Full { is_first: false });
        places.clear();
        let large = queue.enter(QUEUE_BYTES * 2).unwrap();
        assert_eq!(queue.enter(1).unwrap_err(), Full { is_first: true });
        drop(large);
        assert_eq!((queue.len(), queue.held().bytes), (0, 0));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn whoever_waits_until_it_is_empty_is_told() {
        let queue = Arc::<Queue>::default();
        queue.emptied().await;
        let places = [queue.enter(1).unwrap(), queue.enter(2).unwrap()];
        let emptied = queue.emptied();
        let mut emptied = std::pin::pin!(emptied);
        assert!(futures_util::poll!(&mut emptied).is_pending());
        drop(places);
        emptied.await;
        queue.wait_emptied(Duration::MAX);
    }
}
