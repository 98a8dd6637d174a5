//! Counts the outcomes of a map's runs, and writes the summary.

use hostel::{count_text, duration_text};
use hostel_wire::printable;

use crate::exit::Exit;
use crate::map_item::{EndedItem, ItemEnd};
use crate::ui::Ui;
use crate::ui::progress::{Progress, rate_text};
use crate::ui::text::counted;

/// The number of failures that the summary lists.
const NAMED_FAILURES: usize = 5;

/// The counts.
pub(crate) struct Tally {
    pub(crate) progress: Progress,
    crashed: u64,
    cancelled: u64,
    retries: u64,
    /// The first failures, as text.
    failures: Vec<String>,
    /// Why the map ended early, as text.
    given_up: Option<String>,
}

impl Tally {
    pub(crate) fn new(total: Option<u64>) -> Self {
        Self {
            progress: Progress::new(total),
            crashed: 0,
            cancelled: 0,
            retries: 0,
            failures: Vec::new(),
            given_up: None,
        }
    }

    pub(crate) fn count(&mut self, item: &dyn EndedItem) {
        self.progress.done += 1;
        self.retries += item.attempts().saturating_sub(1) as u64;
        match item.end() {
            ItemEnd::Completed { cached } => {
                self.progress.cached += u64::from(cached);
                return;
            }
            ItemEnd::Failed => self.progress.failed += 1,
            ItemEnd::Crashed => self.crashed += 1,
            ItemEnd::Cancelled => {
                self.cancelled += 1;
                return;
            }
        }
        if self.failures.len() < NAMED_FAILURES {
            let (index, label, cause) = (item.index(), printable(item.label()), item.cause());
            self.failures.push(format!("item {index} ({label}): {cause}"));
        }
    }

    /// The map ends early, after this many failures; `left` is the number of items that were never submitted, if it is known.
    pub(crate) fn given_up(&mut self, after: u64, left: Option<u64>) {
        if self.cancelled == 0 && left == Some(0) {
            return;
        }
        let failures = if after == 1 { "the first failure".to_owned() } else { counted(after, "failure") };
        let left = left.map_or("the remaining items".to_owned(), |left| counted(left, "item"));
        let cancelled = counted(self.cancelled, "run");
        self.given_up =
            Some(format!("stopped after {failures}: {cancelled} cancelled, {left} never submitted"));
    }

    /// The exit code that follows from the runs.
    pub(crate) const fn exit(&self) -> Exit {
        if self.unsuccessful() == 0 { Exit::Completed } else { Exit::RunFailed }
    }

    /// Writes the summary, and the first failures.
    pub(crate) fn tell(&self, ui: &Ui, quiet: bool) {
        if quiet && self.unsuccessful() == 0 {
            return;
        }
        let paint = ui.note_paint();
        let summary = self.summary();
        ui.note(&if self.unsuccessful() == 0 { paint.good(summary) } else { paint.bad(summary) });
        self.failures.iter().for_each(|failure| ui.note(&format!("  {failure}")));
        let more = (self.progress.failed + self.crashed).saturating_sub(self.failures.len() as u64);
        if more > 0 {
            ui.note(&format!("  and {} more", count_text(more)));
        }
        self.given_up.iter().for_each(|why| ui.note(&format!("  {why}")));
    }

    /// How many runs have ended.
    pub(crate) const fn ended(&self) -> u64 {
        self.progress.done
    }

    /// The counts, by name.
    pub(crate) fn counts(&self) -> [(&'static str, u64); 7] {
        let Progress { done, cached, failed, .. } = self.progress;
        [
            ("runs", done),
            ("completed", done - self.unsuccessful()),
            ("cached", cached),
            ("failed", failed),
            ("crashed", self.crashed),
            ("cancelled", self.cancelled),
            ("retries", self.retries),
        ]
    }

    /// How many runs have ended without a value.
    pub(crate) const fn unsuccessful(&self) -> u64 {
        self.progress.failed + self.crashed + self.cancelled
    }

    fn summary(&self) -> String {
        let Progress { done, cached, failed, .. } = self.progress;
        let runs = counted(done, "run");
        if done == 0 {
            return runs;
        }
        let completed = count_text(done - self.unsuccessful());
        let completed = match cached {
            0 => format!("{completed} completed"),
            cached => format!("{completed} completed ({} cached)", count_text(cached)),
        };
        let others = [(failed, "failed"), (self.crashed, "crashed"), (self.cancelled, "cancelled")];
        let others = others.into_iter().filter(|(number, _)| *number > 0);
        let others = others.map(|(number, what)| format!("{} {what}", count_text(number)));
        let parts: Vec<_> = [completed].into_iter().chain(others).collect();
        let (took, rate) = (duration_text(self.progress.elapsed()), rate_text(self.progress.rate()));
        let retries = match self.retries {
            0 => String::new(),
            1 => ", with 1 retry".to_owned(),
            retries => format!(", with {} retries", count_text(retries)),
        };
        format!("{runs}: {} in {took} ({rate}){retries}", parts.join(", "))
    }
}
