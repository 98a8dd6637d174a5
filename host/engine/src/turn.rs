//! When a computing guest gives way to others: after a whole tick; and as soon as someone waits, if it has had that once.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use wasmtime::UpdateDeadline;

/// How many ticks a guest sees before it first gives way. It begins between two ticks: with one, a guest that began just
/// before it would give way at once; with two, each computes for at least one tick.
const FIRST_TICKS: u64 = 2;

/// How many ticks there were, and whether someone waits. The epoch is only what makes guests look here: it advances with
/// each tick, and when someone begins to wait.
#[derive(Default)]
pub(crate) struct Rhythm {
    ticks: AtomicU64,
    is_waited_for: AtomicBool,
}

/// How long a guest has computed, in ticks.
pub(crate) struct Turn {
    began: u64,
    /// It has computed for a whole tick and given way.
    has_had_first: bool,
    /// It gave way, and has not looked since.
    gave_way: bool,
}

impl Rhythm {
    /// Another tick has passed.
    pub(crate) fn tick(&self) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether someone waits for what guests hold that have had their first turn.
    pub(crate) fn wait(&self, is_waited_for: bool) {
        self.is_waited_for.store(is_waited_for, Ordering::Release);
    }

    /// The first turn of a guest that begins now.
    pub(crate) fn turn(&self) -> Turn {
        Turn { began: self.ticks.load(Ordering::Relaxed), has_had_first: false, gave_way: false }
    }
}

impl Turn {
    /// What a guest does that sees a new epoch, or has just come back from giving way.
    pub(crate) fn look(&mut self, rhythm: &Rhythm) -> UpdateDeadline {
        let ticks = rhythm.ticks.load(Ordering::Relaxed);
        let is_waited_for = self.has_had_first && rhythm.is_waited_for.load(Ordering::Acquire);
        if std::mem::take(&mut self.gave_way) {
            self.began = ticks;
        }
        let whole = if self.has_had_first { 1 } else { FIRST_TICKS };
        if !is_waited_for && ticks.saturating_sub(self.began) < whole {
            return UpdateDeadline::Continue(1);
        }
        self.has_had_first = true;
        self.gave_way = true;
        // It looks again as soon as it comes back: who came meanwhile advanced an epoch that it did not see.
        UpdateDeadline::Yield(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gives_way(turn: &mut Turn, rhythm: &Rhythm) -> bool {
        matches!(turn.look(rhythm), UpdateDeadline::Yield(0))
    }

    #[test]
    fn the_first_turn_is_whole_whoever_waits() {
        let rhythm = Rhythm::default();
        let mut turn = rhythm.turn();
        rhythm.wait(true);
        assert!(!gives_way(&mut turn, &rhythm));
        rhythm.tick();
        assert!(!gives_way(&mut turn, &rhythm));
        rhythm.tick();
        assert!(gives_way(&mut turn, &rhythm));
    }

    #[test]
    fn later_turns_last_a_tick_or_until_someone_waits() {
        let rhythm = Rhythm::default();
        let mut turn = rhythm.turn();
        (0..FIRST_TICKS).for_each(|_| rhythm.tick());
        assert!(gives_way(&mut turn, &rhythm));
        assert!(!gives_way(&mut turn, &rhythm), "it has just come back");
        rhythm.tick();
        assert!(gives_way(&mut turn, &rhythm));
        assert!(!gives_way(&mut turn, &rhythm));
        rhythm.wait(true);
        assert!(gives_way(&mut turn, &rhythm));
        assert!(gives_way(&mut turn, &rhythm), "someone came while it was away");
        rhythm.wait(false);
        assert!(!gives_way(&mut turn, &rhythm), "whoever waited was served");
    }
}
