//! Memory of the host that the values of claimed runs take together.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// A bounded amount of memory. A request for more than all of it gets all.
pub(super) struct Room {
    most: u64,
    left: Mutex<u64>,
    /// For those who wait without a thread.
    given_back: Notify,
    /// For those who wait on theirs.
    has_grown: Condvar,
}

/// A part of the room, which is given back when this is dropped.
pub(super) struct Held {
    room: Arc<Room>,
    bytes: u64,
}

impl Room {
    pub(super) fn new(bytes: u64) -> Self {
        let most = bytes.max(1);
        Self { most, left: Mutex::new(most), given_back: Notify::new(), has_grown: Condvar::new() }
    }

    /// Takes so many bytes, if they are there.
    pub(super) fn take(self: &Arc<Self>, bytes: u64) -> Option<Held> {
        let bytes = bytes.min(self.most);
        let mut left = self.left();
        *left = left.checked_sub(bytes)?;
        drop(left);
        Some(Held { room: Arc::clone(self), bytes })
    }

    /// Takes so many bytes when they are there. A smaller request may be served first.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future takes nothing.
    pub(super) async fn taken(self: &Arc<Self>, bytes: u64) -> Held {
        loop {
            let mut given_back = std::pin::pin!(self.given_back.notified());
            given_back.as_mut().enable();
            if let Some(held) = self.take(bytes) {
                return held;
            }
            given_back.await;
        }
    }

    /// The same, on a thread that may block.
    pub(super) fn take_blocking(self: &Arc<Self>, bytes: u64) -> Held {
        let bytes = bytes.min(self.most);
        let left = self.left();
        let mut left =
            self.has_grown.wait_while(left, |left| *left < bytes).unwrap_or_else(PoisonError::into_inner);
        *left -= bytes;
        drop(left);
        Held { room: Arc::clone(self), bytes }
    }

    fn left(&self) -> MutexGuard<'_, u64> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        *self.room.left() += self.bytes;
        self.room.given_back.notify_waiters();
        self.room.has_grown.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn who_needs_less_does_not_wait_for_who_needs_more() {
        let room = Arc::new(Room::new(100));
        let first = room.take(60);
        let mut large = Box::pin(room.taken(1000));
        assert!(large.as_mut().now_or_never().is_none());
        let small = room.take(40).unwrap();
        assert!(room.take(1).is_none());
        drop(first);
        assert!(large.as_mut().now_or_never().is_none(), "it gets all or nothing");
        drop(small);
        let all = large.now_or_never().unwrap();
        assert!(room.take(1).is_none());
        drop(all);
        drop(room.take_blocking(100));
        assert!(room.take(100).is_some());
    }

    #[test]
    fn a_thread_waits_until_there_is_room() {
        let room = Arc::new(Room::new(10));
        let held = room.take(8).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| drop(room.take_blocking(5)));
            drop(held);
            waiting.join().unwrap();
        });
        assert!(room.take(10).is_some());
    }
}
