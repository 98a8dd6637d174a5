//! Counts the decisions of the cache for the runs of a map, for `--explain-cache`.

use std::collections::BTreeMap;
use std::time::Duration;

use hostel::{CacheReport, Kept, LookUp, count_text, duration_text, layer_text};
use hostel_wire::printable;

use crate::ui::Ui;
use crate::ui::text::{counted, one_line};

/// The number of different reasons that are reported.
const REASONS: usize = 20;

/// Counts of the cache's decisions.
#[derive(Default)]
pub(crate) struct CacheTally {
    /// By layer: the number of hits, and the time that they saved.
    hits: BTreeMap<&'static str, (u64, Duration)>,
    /// By reason: the number of runs, and the index of the first.
    others: BTreeMap<String, (u64, usize)>,
    /// The number of runs with further reasons, beyond the maximum.
    unsaid: u64,
    /// Whether results were not stored only because of clocks or randomness.
    wants_determinism: bool,
}

impl CacheTally {
    pub(crate) fn add(&mut self, index: usize, report: &CacheReport) {
        if let LookUp::Hit(hit) = &report.look_up {
            let (hits, saved) = self.hits.entry(hit.layer).or_default();
            *hits += 1;
            *saved += hit.saved;
            return;
        }
        self.wants_determinism |= wants_determinism(report);
        let said = report.to_string();
        if self.others.len() >= REASONS && !self.others.contains_key(&said) {
            self.unsaid += 1;
            return;
        }
        self.others.entry(said).or_insert((0, index)).0 += 1;
    }

    pub(crate) fn tell(&self, ui: &Ui) {
        for (layer, (hits, saved)) in &self.hits {
            let (hits, place) = (counted(*hits, "hit"), layer_text(layer));
            ui.note(&format!("cache: {hits} {place}, which saved {}", duration_text(*saved)));
        }
        for (said, (runs, first)) in &self.others {
            let (runs, said) = (counted(*runs, "run"), printable(said));
            ui.note(&format!("cache: {runs}, the first is item {first}: {said}"));
        }
        if self.unsaid > 0 {
            ui.note(&format!("cache: {} more, for other reasons", count_text(self.unsaid)));
        }
        if self.wants_determinism {
            ui.hint(DETERMINISTIC);
        }
    }
}

/// A hint for results that depend only on clocks or randomness.
const DETERMINISTIC: &str =
    "with --deterministic, clocks and random numbers follow from the inputs, and such results are cached";

/// Whether a result was not stored only because of clocks or randomness.
fn wants_determinism(report: &CacheReport) -> bool {
    matches!(&report.kept, Kept::Touched(observation) if observation.is_of_clocks_and_randomness())
}

/// Reports the cache's decision for one run.
pub(crate) fn explain(ui: &Ui, report: &CacheReport) {
    ui.note(&format!("cache: {}", printable(&report.to_string())));
    let key = report.key.map_or_else(|| "no key".to_owned(), |key| format!("key {key}"));
    if report.kept != Kept::Off {
        let policy = one_line(&report.policy.to_string());
        ui.note(&format!("cache: policy {policy}, {key}"));
    }
    if wants_determinism(report) {
        ui.hint(DETERMINISTIC);
    }
}
