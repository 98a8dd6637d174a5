//! Wake-ups that a worker collects, so that a program that waits for many short runs is woken once for several of them.
//!
//! Waking a thread takes longer than a small run. While a worker polls one short run of a task after the other, it therefore keeps
//! the wakers of those that have ended, for at most [`LONGEST`] and the poll after that. It wakes them before it polls anything
//! that may take longer or block the thread, and before it goes idle, so a run that nothing follows wakes its waiters at once.

use std::cell::{Cell, RefCell};
use std::mem;
use std::task::Waker;
use std::time::Duration;

/// The longest time for which wakers are kept.
const LONGEST: Duration = Duration::from_micros(100);

/// Polls of at most this length are short: the next run of the same task is expected to take as long.
const SHORT: Duration = Duration::from_micros(50);

/// The most wakers that are kept.
const MOST: usize = 256;

thread_local! {
    /// Whether this thread is a worker that collects wakers.
    static COLLECTS: Cell<bool> = const { Cell::new(false) };
    static COLLECTED: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
}

/// Wakes the waiters of a run that has ended: soon on a worker that collects wakers, otherwise at once.
pub(crate) fn wake(wakers: impl Iterator<Item = Waker>) {
    if COLLECTS.get() {
        COLLECTED.with_borrow_mut(|collected| collected.extend(wakers));
    } else {
        wakers.for_each(Waker::wake);
    }
}

/// The wakers that this thread has collected. Dropping it wakes them, and ends the collection.
pub(super) struct Wakes {
    /// When the oldest of them was seen first, by the scheduler's clock.
    since: Option<Duration>,
}

impl Wakes {
    /// Begins to collect the wakers of runs that end on this thread.
    pub(super) fn collect() -> Self {
        COLLECTS.set(true);
        Self { since: None }
    }

    /// Whether there are any.
    pub(super) fn any(&self) -> bool {
        COLLECTED.with_borrow(|collected| !collected.is_empty())
    }

    /// Wakes them, unless they may wait until the next poll has ended. `alike` is how long the last poll took, if the next one is
    /// of the same task; `may_block` says whether the next one may block, however short the last one was. Takes no lock, and must be called without one, because wakers may run code of the program.
    pub(super) fn before_poll(
        &mut self,
        now: Duration,
        alike: Option<Duration>,
        may_block: impl Fn() -> bool,
    ) {
        let count = COLLECTED.with_borrow(Vec::len);
        if count == 0 {
            return;
        }
        let since = *self.since.get_or_insert(now);
        let is_short = alike.is_some_and(|took| took <= SHORT) && !may_block();
        if !is_short || count >= MOST || now.saturating_sub(since) >= LONGEST {
            self.wake();
        }
    }

    /// Wakes all of them now.
    pub(super) fn wake(&mut self) {
        self.since = None;
        // Taken out first: a waker may end another run on this thread.
        let mut collected = COLLECTED.take();
        collected.drain(..).for_each(Waker::wake);
        COLLECTED.with_borrow_mut(|new| {
            if new.is_empty() {
                mem::swap(new, &mut collected);
            }
        });
    }
}

impl Drop for Wakes {
    fn drop(&mut self) {
        COLLECTS.set(false);
        self.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Woken {
        /// A run that this one waits for has ended.
        fn end(self: &Arc<Self>) {
            wake([Waker::from(Arc::clone(self))].into_iter());
        }

        fn times(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn at(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    #[test]
    fn short_runs_of_one_task_wake_together() {
        let (woken, mut wakes) = (Arc::new(Woken::default()), Wakes::collect());
        for now in 0..10 {
            woken.end();
            wakes.before_poll(at(now), Some(at(1)), || false);
        }
        assert_eq!((woken.times(), wakes.any()), (0, true));
        wakes.before_poll(at(99), Some(SHORT), || false);
        assert_eq!(woken.times(), 0);
        wakes.before_poll(at(100), Some(SHORT), || false);
        assert_eq!((woken.times(), wakes.any()), (10, false));
        // The time starts anew.
        woken.end();
        wakes.before_poll(at(150), Some(SHORT), || false);
        assert_eq!(woken.times(), 10);
    }

    #[test]
    fn nothing_waits_for_a_poll_that_may_be_long() {
        let (woken, mut wakes) = (Arc::new(Woken::default()), Wakes::collect());
        for alike in [None, Some(SHORT + at(1))] {
            woken.end();
            wakes.before_poll(at(0), alike, || false);
            assert!(!wakes.any(), "{alike:?}");
        }
        assert_eq!(woken.times(), 2);
    }

    #[test]
    fn nothing_waits_for_a_poll_that_may_block() {
        let (woken, mut wakes) = (Arc::new(Woken::default()), Wakes::collect());
        wakes.before_poll(at(0), Some(at(1)), || panic!("none waits"));
        woken.end();
        wakes.before_poll(at(0), Some(at(1)), || false);
        assert_eq!(woken.times(), 0);
        wakes.before_poll(at(1), Some(at(1)), || true);
        assert_eq!((woken.times(), wakes.any()), (1, false));
    }

    #[test]
    fn there_are_never_many() {
        let (woken, mut wakes) = (Arc::new(Woken::default()), Wakes::collect());
        (0..MOST).for_each(|_| woken.end());
        wakes.before_poll(at(0), Some(at(1)), || false);
        assert_eq!(woken.times(), MOST);
    }

    #[test]
    fn only_a_worker_collects() {
        let woken = Arc::new(Woken::default());
        woken.end();
        assert_eq!(woken.times(), 1);
        let wakes = Wakes::collect();
        woken.end();
        assert_eq!(woken.times(), 1);
        drop(wakes);
        assert_eq!(woken.times(), 2);
        woken.end();
        assert_eq!(woken.times(), 3);
    }
}
