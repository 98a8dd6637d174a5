//! The book of a host's runs: those that have not ended, and the last ones that have, by their ids.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostel_core::RunId;

/// The runs are in so many parts, each under a lock of its own.
const SHARDS: usize = 16;

/// How many ended runs a book has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BookBounds {
    /// Their number; with 0 the book has no runs at all.
    pub(crate) ended: usize,
    /// The bytes of their values and logs.
    pub(crate) ended_bytes: u64,
}

impl Default for BookBounds {
    fn default() -> Self {
        Self { ended: 0, ended_bytes: 64 << 20 }
    }
}

/// The runs of a host. It owns them, and they own their host's state, so it must be closed when the host is dropped.
///
/// No run is dropped under a lock of the book: that may drop the last handle to values of the program.
pub(crate) struct Book<R> {
    bounds: BookBounds,
    shards: [Mutex<Shard<R>>; SHARDS],
    ended: Mutex<Ended>,
    dropped: AtomicU64,
}

struct Shard<R> {
    /// In the order of their ids, which is that of their creation.
    runs: BTreeMap<RunId, Arc<R>>,
    is_closed: bool,
}

/// The runs that have ended, in the order of their ends, each with its bytes.
#[derive(Default)]
struct Ended {
    runs: VecDeque<(RunId, u64)>,
    bytes: u64,
}

impl Ended {
    /// Takes out the run that ended first, if there are more than the bounds allow.
    fn take_above(&mut self, bounds: BookBounds) -> Option<RunId> {
        if self.runs.len() <= bounds.ended && self.bytes <= bounds.ended_bytes {
            return None;
        }
        let (run, bytes) = self.runs.pop_front()?;
        self.bytes -= bytes;
        Some(run)
    }
}

impl<R> Book<R> {
    pub(crate) fn new(bounds: BookBounds) -> Self {
        let shard = |_| Mutex::new(Shard { runs: BTreeMap::new(), is_closed: bounds.ended == 0 });
        Self {
            bounds,
            shards: std::array::from_fn(shard),
            ended: Mutex::default(),
            dropped: AtomicU64::new(0),
        }
    }

    /// Adds a run that was just created.
    pub(crate) fn add(&self, id: RunId, run: &Arc<R>) {
        if self.bounds.ended == 0 {
            return;
        }
        let mut shard = self.shard(id);
        if !shard.is_closed {
            shard.runs.insert(id, Arc::clone(run));
        }
    }

    /// A run has ended, and holds so many bytes. Those that ended first are dropped if there are too many. A run that is larger
    /// than all together may be is dropped alone.
    pub(crate) fn end(&self, id: RunId, bytes: impl FnOnce() -> u64) {
        if self.bounds.ended == 0 {
            return;
        }
        let bytes = bytes();
        if bytes > self.bounds.ended_bytes {
            return self.drop_run(id);
        }
        let mut ended = self.ended();
        ended.runs.push_back((id, bytes));
        ended.bytes += bytes;
        let mut first = ended.take_above(self.bounds);
        drop(ended);
        while let Some(run) = first {
            self.drop_run(run);
            first = self.ended().take_above(self.bounds);
        }
    }

    /// Removes a run that the host did not accept.
    pub(crate) fn forget(&self, id: RunId) {
        drop(self.take(id));
    }

    pub(crate) fn get(&self, id: RunId) -> Option<Arc<R>> {
        self.shard(id).runs.get(&id).map(Arc::clone)
    }

    /// Up to so many runs that match, newest first. Cost: a look at each run that is newer than the last one found.
    pub(crate) fn newest(&self, limit: usize, matches: impl Fn(&R) -> bool) -> Vec<Arc<R>> {
        let mut found = Vec::new();
        for shard in &self.shards {
            let shard = lock(shard);
            let newest = shard.runs.iter().rev().filter(|(_, run)| matches(run)).take(limit);
            found.extend(newest.map(|(id, run)| (*id, Arc::clone(run))));
        }
        found.sort_unstable_by_key(|(id, _)| std::cmp::Reverse(*id));
        found.truncate(limit);
        found.into_iter().map(|(_, run)| run).collect()
    }

    /// Looks at each run.
    pub(crate) fn each(&self, mut look: impl FnMut(&R)) {
        for shard in &self.shards {
            lock(shard).runs.values().for_each(|run| look(run));
        }
    }

    /// How many ended runs were dropped because there were too many.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Removes all runs, and accepts no more.
    pub(crate) fn close(&self) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            shard.is_closed = true;
            let runs = std::mem::take(&mut shard.runs);
            drop(shard);
            drop(runs);
        }
    }

    fn drop_run(&self, id: RunId) {
        let run = self.take(id);
        self.dropped.fetch_add(u64::from(run.is_some()), Ordering::Relaxed);
    }

    fn take(&self, id: RunId) -> Option<Arc<R>> {
        self.shard(id).runs.remove(&id)
    }

    /// The shard of a run. The last byte of an id is random.
    fn shard(&self, id: RunId) -> MutexGuard<'_, Shard<R>> {
        let [first, ..] = &self.shards;
        let [.., last] = *id.as_bytes();
        lock(self.shards.get(usize::from(last) % SHARDS).unwrap_or(first))
    }

    fn ended(&self) -> MutexGuard<'_, Ended> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing panics while it holds the lock, so a poisoned lock is as good as any.
fn lock<R>(shard: &Mutex<Shard<R>>) -> MutexGuard<'_, Shard<R>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> RunId {
        let mut bytes = [0; 16];
        bytes[0] = number;
        bytes[15] = number.wrapping_mul(7);
        RunId::from_bytes(bytes)
    }

    fn book(ended: usize, ended_bytes: u64, runs: std::ops::Range<u8>) -> Book<u8> {
        let book = Book::new(BookBounds { ended, ended_bytes });
        runs.for_each(|number| book.add(id(number), &Arc::new(number)));
        book
    }

    fn all(book: &Book<u8>) -> Vec<u8> {
        book.newest(usize::MAX, |_| true).iter().map(|run| **run).collect()
    }

    #[test]
    fn the_newest_are_found_first() {
        let book = book(9, 9, 0..40);
        assert_eq!(book.get(id(3)).as_deref(), Some(&3));
        assert_eq!(book.get(id(40)), None);
        assert_eq!(all(&book), (0..40).rev().collect::<Vec<_>>());
        let odd = book.newest(3, |number| number % 2 == 1);
        assert_eq!(odd.iter().map(|run| **run).collect::<Vec<_>>(), [39, 37, 35]);
        let mut sum = 0;
        book.each(|number| sum += u32::from(*number));
        assert_eq!(sum, 39 * 20);
    }

    #[test]
    fn those_that_ended_first_are_dropped_first() {
        let book = book(2, 100, 0..6);
        [4, 1, 3, 0].into_iter().for_each(|number| book.end(id(number), || 1));
        assert_eq!((all(&book), book.dropped()), (vec![5, 3, 2, 0], 2));
    }

    #[test]
    fn bytes_are_bounded() {
        let book = book(100, 10, 0..6);
        book.end(id(0), || 4);
        book.end(id(1), || 6);
        assert_eq!((all(&book).len(), book.dropped()), (6, 0));
        book.end(id(2), || 7);
        assert_eq!((all(&book), book.dropped()), (vec![5, 4, 3, 2], 2));
        // Larger than all may be: the others stay.
        book.end(id(3), || 11);
        assert_eq!((all(&book), book.dropped()), (vec![5, 4, 2], 3));
    }

    #[test]
    fn a_run_that_is_forgotten_is_not_counted() {
        let book = book(1, 10, 0..3);
        book.end(id(0), || 1);
        book.forget(id(0));
        book.end(id(1), || 1);
        assert_eq!((all(&book), book.dropped()), (vec![2, 1], 0));
    }

    #[test]
    fn a_closed_book_is_empty_and_stays_so() {
        let book = book(9, 9, 0..0);
        let run = Arc::new(1);
        book.add(id(1), &run);
        book.close();
        book.add(id(1), &run);
        book.end(id(1), || 1);
        assert_eq!((all(&book).len(), Arc::strong_count(&run)), (0, 1));
    }

    #[test]
    fn without_room_there_is_no_book() {
        let book = book(0, 10, 0..3);
        book.end(id(0), || unreachable!("nobody asks"));
        assert_eq!((all(&book).len(), book.dropped()), (0, 0));
    }
}
