//! How many runs a worker claims ahead.

use std::time::Duration;

/// Runs that ended, or went to rest, sooner than this after their claim make the window grow: claiming each alone would cost more
/// than the run.
const SHORT: Duration = Duration::from_millis(100);

/// How many runs a worker may have claimed.
///
/// A worker that claims as many runs as it has threads leaves the others to other workers, but writes one transaction for
/// each short run. So the number doubles while runs are short, and falls back to the least one when a run is long. Runs that rest
/// need no thread, and do not count.
pub(super) struct Window {
    least: usize,
    most: usize,
    /// The most runs that are claimed, with those that rest.
    most_claimed: usize,
    size: usize,
    short: usize,
}

impl Window {
    /// The most runs that a worker claims ahead.
    pub(super) const MOST: usize = 512;

    /// A window that begins with `least`, for at most `most_claimed` runs.
    pub(super) fn new(least: usize, most: usize, most_claimed: usize) -> Self {
        let most_claimed = most_claimed.max(1);
        let most = most.clamp(1, most_claimed);
        let least = least.clamp(1, most);
        Self { least, most, most_claimed, size: least, short: 0 }
    }

    /// How many more runs the worker may claim, if it has claimed this many, of which some rest.
    pub(super) fn room(&self, claimed: usize, resting: usize) -> usize {
        let busy = claimed.saturating_sub(resting);
        self.size.saturating_sub(busy).min(self.most_claimed.saturating_sub(claimed))
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
                    window.room(0, 0)
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(sizes(&mut window, 6, Duration::ZERO), [2, 4, 4, 4, 4, 8]);
        assert_eq!(sizes(&mut window, 30, SHORT).last(), Some(&16));
        assert_eq!(sizes(&mut window, 1, SHORT + Duration::from_nanos(1)), [2]);
        assert_eq!(Window::new(100, 16, 100).room(0, 0), 16);
        assert_eq!(Window::new(100, 160, 5).room(0, 0), 5);
        assert_eq!(Window::new(0, 0, 0).room(0, 0), 1);
    }

    #[test]
    fn runs_that_rest_do_not_count_up_to_a_bound() {
        let window = Window::new(2, 16, 10);
        let room = |claimed, resting| window.room(claimed, resting);
        assert_eq!([room(2, 0), room(2, 1), room(2, 2), room(2, 3)], [0, 1, 2, 2]);
        assert_eq!([room(8, 8), room(9, 9), room(10, 10), room(11, 11)], [2, 1, 0, 0]);
        assert_eq!([room(9, 6), room(9, 7), room(9, 8)], [0, 0, 1]);
    }
}
