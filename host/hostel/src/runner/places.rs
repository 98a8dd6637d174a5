//! Counts the runs that rest or have computed for long, so that a worker can claim more runs meanwhile.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering};
use std::time::Duration;

/// A run is long when its guest has computed for so much longer than it has rested. If many guests share the threads, waiting for its turn
/// counts as computing. Well above what a short run takes, and short enough that others do not wait long behind as many endless loops as
/// there are threads.
pub(super) const LONG: Duration = Duration::from_secs(1);

/// How many of some runs *rest*: their guests sleep or wait, or they wait without a guest for an equal run, a remote
/// cache, or room for their inputs. Runs that compute, wait for a thread, or wait for a slot of a limit do not rest.
///
/// And how many of them are *long*: their guests have computed for [`LONG`], and may do so for ever.
pub(crate) struct Places {
    /// Below zero for a moment if a guest is woken while it goes to rest.
    resting: AtomicIsize,
    /// Whether they rest or not.
    long: AtomicUsize,
    /// Whether to call when the next run goes to rest.
    is_asked: AtomicBool,
    call: Box<dyn Fn() + Send + Sync>,
}

impl Places {
    /// A count of zero. `call` is called when a run becomes long, and when it was asked for. It must not block, and take no lock of the
    /// host: it is called under some of them.
    pub(crate) fn new(call: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            resting: AtomicIsize::new(0),
            long: AtomicUsize::new(0),
            is_asked: AtomicBool::new(false),
            call: Box::new(call),
        }
    }

    /// How many runs rest.
    pub(crate) fn resting(&self) -> usize {
        usize::try_from(self.resting.load(Ordering::SeqCst)).unwrap_or(0)
    }

    /// Whether any run is long, also one that rests now.
    pub(crate) fn has_long(&self) -> bool {
        self.long.load(Ordering::SeqCst) > 0
    }

    /// Asks for one call when another run goes to rest. A run that does so later than this returns is not missed.
    pub(crate) fn call_next(&self) {
        self.is_asked.store(true, Ordering::SeqCst);
    }

    /// A run rests until the guard is dropped.
    pub(crate) fn rest(&self) -> Resting<'_> {
        self.moved(false, true);
        Resting(self)
    }

    /// A run goes to rest, or goes on.
    pub(super) fn moved(&self, rested: bool, rests: bool) {
        if rested == rests {
            return;
        }
        self.resting.fetch_add(if rests { 1 } else { -1 }, Ordering::SeqCst);
        if rests && self.is_asked.load(Ordering::SeqCst) && self.is_asked.swap(false, Ordering::SeqCst) {
            (self.call)();
        }
    }

    /// A run has become long. Calls, whether it was asked to or not: this is rare.
    pub(super) fn lengthened(&self) {
        self.long.fetch_add(1, Ordering::SeqCst);
        (self.call)();
    }

    /// A run is no longer long.
    pub(super) fn shortened(&self) {
        self.long.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A run rests while this exists.
pub(crate) struct Resting<'a>(&'a Places);

impl Drop for Resting<'_> {
    fn drop(&mut self) {
        self.0.moved(true, false);
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resting, long, .. } = self;
        f.debug_struct("Places").field("resting", resting).field("long", long).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn one_call_is_made_for_each_time_it_was_asked_for() {
        let calls = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&calls);
        let places = Places::new(move || _ = count.fetch_add(1, Ordering::SeqCst));
        places.moved(false, true);
        places.call_next();
        assert_eq!((places.resting(), calls.load(Ordering::SeqCst)), (1, 0), "it rested before");
        places.moved(true, true);
        places.moved(true, false);
        assert_eq!((places.resting(), calls.load(Ordering::SeqCst)), (0, 0), "none went to rest");
        places.moved(false, true);
        places.moved(false, true);
        assert_eq!((places.resting(), calls.load(Ordering::SeqCst)), (2, 1));
        assert!(!places.has_long());
        places.lengthened();
        places.lengthened();
        places.shortened();
        assert!(places.has_long());
        places.shortened();
        assert_eq!((places.has_long(), calls.load(Ordering::SeqCst)), (false, 3));
    }
}
