//! How many runs a worker claims ahead.

use std::time::Duration;

use hostel_core::journal::MAX_LEFT_OUT;

/// Runs that ended, or went to rest, sooner than this after their claim make the window grow: claiming each alone would cost more
/// than the run.
const SHORT: Duration = Duration::from_millis(100);

/// How many runs a worker may have claimed.
///
/// A worker that claims as many runs as it has threads leaves the others to other workers, but writes one transaction for
/// each short run. So the number doubles while runs are short, and falls back to the least one when a run is long. Runs that rest
/// need no thread, and do not count.
///
/// Runs that compute for long may do so for ever, and share the threads with others. So that they do not keep other tasks out, they leave
/// their places; but further runs of their tasks stay where another worker can have them, as soon as there is one run for each thread.
pub(super) struct Window {
    least: usize,
    most: usize,
    /// The most runs that are claimed, with those that rest.
    most_claimed: usize,
    /// While fewer long runs than this count, they leave their places.
    most_long: usize,
    size: usize,
    short: usize,
}

/// What a worker has to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    /// The runs that it has claimed.
    pub(super) claimed: usize,
    /// How many of them rest.
    pub(super) resting: usize,
    /// How many of them have computed for long, and do not rest.
    pub(super) long: usize,
    /// How many tasks these are of.
    pub(super) long_tasks: usize,
    /// How many of them [count](Window::counted).
    pub(super) counted: usize,
}

/// How many more runs a worker may claim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Room {
    /// Of any task.
    pub(super) any: usize,
    /// Of tasks of which it executes no long run.
    pub(super) others: usize,
}

impl Room {
    /// Whether it may claim any run.
    pub(super) fn is_some(self) -> bool {
        self.any > 0 || self.others > 0
    }
}

impl Window {
    /// The most runs that a worker claims ahead.
    pub(super) const MOST: usize = 512;

    /// While fewer long runs than this count, they leave their places, or than twice the least number of runs if that is more.
    const MOST_LONG: usize = 64;

    /// A window that begins with `least`, for at most `most_claimed` runs.
    pub(super) fn new(least: usize, most: usize, most_claimed: usize) -> Self {
        let most_claimed = most_claimed.max(1);
        let most = most.clamp(1, most_claimed);
        let least = least.clamp(1, most);
        let most_long = least.saturating_mul(2).max(Self::MOST_LONG);
        Self { least, most, most_claimed, most_long, size: least, short: 0 }
    }

    /// How many more runs the worker may claim.
    pub(super) fn room(&self, load: Load) -> Room {
        let left = self.most_claimed.saturating_sub(load.claimed);
        let busy = load.claimed.saturating_sub(load.resting);
        if load.long == 0 {
            return Room { any: self.size.saturating_sub(busy).min(left), others: 0 };
        }
        let leave = load.counted < self.most_long && load.long_tasks <= MAX_LEFT_OUT;
        let others = if leave { self.size.saturating_sub(busy.saturating_sub(load.long)) } else { 0 };
        Room { any: self.least.saturating_sub(busy).min(left), others: others.min(left) }
    }

    /// How many long runs count, by their numbers for each task: of one task no more than there are threads, since no more are claimed
    /// that were not asleep.
    pub(super) fn counted(&self, long: impl Iterator<Item = usize>) -> usize {
        long.map(|runs| runs.min(self.least)).sum()
    }

    /// Whether there is a long run for each thread.
    pub(super) fn is_taken(&self, load: Load) -> bool {
        load.long >= self.least
    }

    /// Whether it has claimed as many as it ever may.
    pub(super) fn is_full(&self, claimed: usize) -> bool {
        claimed >= self.most_claimed
    }

    /// A run has ended, or went to rest for the first time, this long after its claim.
    pub(super) fn freed(&mut self, after: Duration) {
        if after > SHORT {
            self.size = self.least;
            self.short = 0;
            return;
        }
        self.short += 1;
        if self.short >= self.size {
            self.size = (self.size * 2).min(self.most);
            self.short = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_grows_with_short_runs_and_falls_back_after_a_long_one() {
        let mut window = Window::new(2, 16, 100);
        let sizes = |window: &mut Window, runs: usize, after: Duration| {
            (0..runs)
                .map(|_| {
                    window.freed(after);
                    window.room(Load::default()).any
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(sizes(&mut window, 6, Duration::ZERO), [2, 4, 4, 4, 4, 8]);
        assert_eq!(sizes(&mut window, 30, SHORT).last(), Some(&16));
        assert_eq!(sizes(&mut window, 1, SHORT + Duration::from_nanos(1)), [2]);
        assert_eq!(Window::new(100, 16, 100).room(Load::default()).any, 16);
        assert_eq!(Window::new(100, 160, 5).room(Load::default()).any, 5);
        assert_eq!(Window::new(0, 0, 0).room(Load::default()).any, 1);
    }

    #[test]
    fn runs_that_rest_do_not_count_up_to_a_bound() {
        let window = Window::new(2, 16, 10);
        let room = |claimed, resting| window.room(Load { claimed, resting, ..Load::default() }).any;
        assert_eq!([room(2, 0), room(2, 1), room(2, 2), room(2, 3)], [0, 1, 2, 2]);
        assert_eq!([room(8, 8), room(9, 9), room(10, 10), room(11, 11)], [2, 1, 0, 0]);
        assert_eq!([room(9, 6), room(9, 7), room(9, 8)], [0, 0, 1]);
    }

    #[test]
    fn long_runs_leave_their_places_to_other_tasks_up_to_a_bound() {
        let mut window = Window::new(2, 16, 1_000);
        let room = |window: &Window, claimed, resting, long, long_tasks| {
            let counted = window.counted((0..long_tasks).map(|_| long / long_tasks));
            let Room { any, others } = window.room(Load { claimed, resting, long, long_tasks, counted });
            (any, others)
        };
        assert_eq!(room(&window, 1, 0, 1, 1), (1, 2), "a thread is free for any task");
        assert_eq!(room(&window, 2, 0, 1, 1), (0, 1));
        assert_eq!(room(&window, 2, 0, 2, 1), (0, 2));
        assert_eq!(room(&window, 4, 0, 2, 1), (0, 0), "two others compute");
        assert_eq!(room(&window, 4, 2, 2, 1), (0, 2), "two rest");
        (0..6).for_each(|_| window.freed(Duration::ZERO));
        assert_eq!(room(&window, 0, 0, 0, 0), (8, 0));
        assert_eq!(
            room(&window, 1, 0, 1, 1),
            (1, 8),
            "short runs of another task say nothing about this one"
        );
        assert_eq!(room(&window, 63, 0, 63, 63), (0, 8));
        assert_eq!(room(&window, 64, 0, 64, 32), (0, 0));
        assert_eq!(room(&window, 70, 6, 64, 64), (0, 0));
        assert_eq!(room(&window, 500, 0, 500, 1), (0, 8), "they slept when others were claimed");
        // With many threads.
        let window = Window::new(100, 512, 10_000);
        assert_eq!(room(&window, 100, 0, 100, 1), (0, 100));
        assert_eq!(room(&window, 198, 0, 198, 2), (0, 100));
        assert_eq!(room(&window, 200, 0, 200, 2), (0, 0));
        assert_eq!(room(&window, 100, 0, 100, MAX_LEFT_OUT), (0, 100));
        assert_eq!(room(&window, 100, 0, 100, MAX_LEFT_OUT + 1), (0, 0));
        assert!(window.is_taken(Load { claimed: 100, long: 100, ..Load::default() }));
        assert!(!window.is_taken(Load { claimed: 199, long: 99, ..Load::default() }));
        // No more than it may ever claim.
        assert_eq!(room(&Window::new(3, 3, 3), 3, 0, 3, 1), (0, 0));
    }
}
