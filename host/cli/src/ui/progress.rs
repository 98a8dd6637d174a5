//! The progress bar of a map: progress, rate and remaining time.

use std::time::{Duration, Instant};

use hostel::count_text;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::color::Paint;

/// Work shorter than this shows no bar.
const SHOWN_AFTER: Duration = Duration::from_millis(500);

/// The interval of redraws.
pub(crate) const REDRAWN_EVERY: Duration = Duration::from_millis(50);

/// The progress of a map.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    began: Instant,
    /// `None` while the total is unknown.
    pub(crate) total: Option<u64>,
    pub(crate) done: u64,
    pub(crate) cached: u64,
    pub(crate) failed: u64,
    /// The number of runs that have failed and will be retried.
    pub(crate) awaiting_retry: u64,
}

impl Progress {
    pub(crate) fn new(total: Option<u64>) -> Self {
        Self { began: Instant::now(), total, done: 0, cached: 0, failed: 0, awaiting_retry: 0 }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Whether the work has taken long enough for a bar.
    pub(crate) fn is_due(&self) -> bool {
        self.elapsed() >= SHOWN_AFTER
    }

    /// The average number of ended runs per second.
    pub(crate) fn rate(&self) -> f64 {
        self.done as f64 / self.elapsed().as_secs_f64().max(f64::EPSILON)
    }

    pub(super) fn bar(&self, paint: Paint) -> ProgressBar {
        let target = ProgressDrawTarget::stderr_with_hz(60);
        let color = if paint.on { ".cyan/dim" } else { "" };
        let template = match self.total {
            Some(_) => format!("{{bar:24{color}}} {{msg}}"),
            None => "{spinner} {msg}".to_owned(),
        };
        let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::with_draw_target(self.total, target).with_style(style.progress_chars("━━─"))
    }

    pub(super) fn show_on(&self, bar: &ProgressBar) {
        bar.set_message(self.text());
        bar.set_position(self.done);
        bar.tick();
    }

    fn text(&self) -> String {
        let done = match self.total {
            Some(total) => format!("{} of {}", count_text(self.done), count_text(total)),
            None => format!("{} done", count_text(self.done)),
        };
        let cached = (self.cached > 0).then(|| format!("{} cached", count_text(self.cached)));
        let failed = (self.failed > 0).then(|| format!("{} failed", count_text(self.failed)));
        let waiting =
            (self.awaiting_retry > 0).then(|| format!("{} to retry", count_text(self.awaiting_retry)));
        let rate = (self.done > 0).then(|| rate_text(self.rate()));
        let left = self.time_left().map(|left| format!("{} s left", count_text(left.as_secs() + 1)));
        let parts = [Some(done), cached, failed, waiting, rate, left];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    fn time_left(&self) -> Option<Duration> {
        let left = self.total?.saturating_sub(self.done);
        (self.done > 0).then(|| Duration::from_secs_f64((left as f64 / self.rate()).min(1e9)))
    }
}

/// A rate as text: `833/s`, `0.4/s`.
pub(crate) fn rate_text(rate: f64) -> String {
    if rate < 10.0 { format!("{rate:.1}/s") } else { format!("{}/s", count_text(rate as u64)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_there_is_is_told() {
        let mut progress = Progress::new(Some(1_000));
        assert_eq!(progress.text(), "0 of 1,000");
        progress.awaiting_retry = 3;
        assert_eq!(progress.text(), "0 of 1,000, 3 to retry");
        progress.total = None;
        progress.failed = 2;
        assert_eq!(progress.text(), "0 done, 2 failed, 3 to retry");
    }

    #[test]
    fn rates_read_well() {
        assert_eq!([0.42, 9.9, 833.4, 120_000.0].map(rate_text), ["0.4/s", "9.9/s", "833/s", "120,000/s"]);
    }
}
