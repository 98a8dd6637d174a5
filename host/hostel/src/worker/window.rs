//! How many runs a worker claims ahead.

use std::time::Duration;

/// Runs that ended sooner than this after their claim make the window grow: claiming each alone would cost more than the run.
const SHORT: Duration = Duration::from_millis(100);

/// The number of runs that a worker has claimed at most.
///
/// A worker that claims as many runs as it has threads leaves the others to other workers, but writes one transaction for
/// each short run. So the number doubles while runs are short, and falls back to the least one when a run is long.
pub(super) struct Window {
    least: usize,
    most: usize,
    size: usize,
    short: usize,
}

impl Window {
    /// The most runs that a worker claims ahead.
    pub(super) const MOST: usize = 512;

    /// A window that begins with `least`.
    pub(super) fn new(least: usize, most: usize) -> Self {
        let least = least.clamp(1, most.max(1));
        Self { least, most: most.max(1), size: least, short: 0 }
    }

    /// How many runs the worker may have claimed.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// A run has ended, this long after its claim.
    pub(super) fn ended(&mut self, after: Duration) {
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
        let mut window = Window::new(2, 16);
        let sizes = |window: &mut Window, runs: usize, after: Duration| {
            (0..runs)
                .map(|_| {
                    window.ended(after);
                    window.size()
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(sizes(&mut window, 6, Duration::ZERO), [2, 4, 4, 4, 4, 8]);
        assert_eq!(sizes(&mut window, 30, SHORT).last(), Some(&16));
        assert_eq!(sizes(&mut window, 1, SHORT + Duration::from_nanos(1)), [2]);
        assert_eq!(Window::new(100, 16).size(), 16);
        assert_eq!(Window::new(0, 0).size(), 1);
    }
}
