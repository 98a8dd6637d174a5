//! When a computing guest yields: after a whole tick, or, after its first whole tick, as soon as other work waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use wasmtime::UpdateDeadline;

/// The number of ticks before a guest first yields. A guest begins between two ticks: with a value of one, a guest that
/// began just before a tick would yield at once; with two, each guest computes for at least one whole tick.
const FIRST_TICKS: u64 = 2;

/// The number of ticks, and whether other work waits for a thread. A new epoch makes guests look here: the epoch
/// advances with each tick, and when other work begins to wait.
#[derive(Default)]
pub(crate) struct Rhythm {
    ticks: AtomicU64,
    is_waited_for: AtomicBool,
}

/// The computing time of a guest, in ticks.
pub(crate) struct Turn {
    rhythm: Arc<Rhythm>,
    began: u64,
    /// Whether it has computed for a whole tick and yielded.
    has_had_first: bool,
    /// Whether it has yielded and not looked since.
    gave_way: bool,
}

impl Rhythm {
    /// Counts a tick.
    pub(crate) fn tick(&self) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
    }

    /// Sets whether other work waits for a thread. Guests that had their first turn yield then.
    pub(crate) fn wait(&self, is_waited_for: bool) {
        self.is_waited_for.store(is_waited_for, Ordering::Release);
    }

    /// The first turn of a guest that begins now.
    pub(crate) fn turn(self: &Arc<Self>) -> Turn {
        let began = self.ticks.load(Ordering::Relaxed);
        Turn { rhythm: Arc::clone(self), began, has_had_first: false, gave_way: false }
    }
}

impl Turn {
    /// Decides whether a guest goes on that sees a new epoch, or has just resumed after yielding.
    pub(crate) fn look(&mut self) -> UpdateDeadline {
        let ticks = self.rhythm.ticks.load(Ordering::Relaxed);
        let is_waited_for = self.has_had_first && self.rhythm.is_waited_for.load(Ordering::Acquire);
        if std::mem::take(&mut self.gave_way) {
            self.began = ticks;
        }
        let whole = if self.has_had_first { 1 } else { FIRST_TICKS };
        if !is_waited_for && ticks.saturating_sub(self.began) < whole {
            return UpdateDeadline::Continue(1);
        }
        self.has_had_first = true;
        self.gave_way = true;
        // It looks again as soon as it resumes: other work may have begun to wait meanwhile, in an epoch that it did
        // not see.
        UpdateDeadline::Yield(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gives_way(turn: &mut Turn) -> bool {
        matches!(turn.look(), UpdateDeadline::Yield(0))
    }

    #[test]
    fn the_first_turn_is_whole_whoever_waits() {
        let rhythm = Arc::new(Rhythm::default());
        let mut turn = rhythm.turn();
        rhythm.wait(true);
        assert!(!gives_way(&mut turn));
        rhythm.tick();
        assert!(!gives_way(&mut turn));
        rhythm.tick();
        assert!(gives_way(&mut turn));
    }

    #[test]
    fn later_turns_last_a_tick_or_until_someone_waits() {
        let rhythm = Arc::new(Rhythm::default());
        let mut turn = rhythm.turn();
        (0..FIRST_TICKS).for_each(|_| rhythm.tick());
        assert!(gives_way(&mut turn));
        assert!(!gives_way(&mut turn), "it has just come back");
        rhythm.tick();
        assert!(gives_way(&mut turn));
        assert!(!gives_way(&mut turn));
        rhythm.wait(true);
        assert!(gives_way(&mut turn));
        assert!(gives_way(&mut turn), "someone came while it was away");
        rhythm.wait(false);
        assert!(!gives_way(&mut turn), "the waiting work was served");
    }
}
