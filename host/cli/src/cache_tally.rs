//! What the cache did for the runs of a map, counted; for `--explain-cache`.

use std::collections::BTreeMap;
use std::time::Duration;

use hostel::{CacheReport, Kept, LookUp, count_text, duration_text, layer_text};

use crate::ui::Ui;
use crate::ui::text::{counted, printable};

/// How many different reasons are told.
const REASONS: usize = 20;

/// What the cache did, counted.
#[derive(Default)]
pub(crate) struct CacheTally {
    /// By layer: how many hits, and what they saved.
    hits: BTreeMap<&'static str, (u64, Duration)>,
    /// By what is to be said of them: how many runs, and the index of the first.
    others: BTreeMap<String, (u64, usize)>,
    /// Those of which nothing is said, because there are too many different things to say.
    unsaid: u64,
    /// Whether results were not kept for clocks or randomness alone.
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

/// What keeps results that depend on clocks or randomness alone.
const DETERMINISTIC: &str =
    "with --deterministic, clocks and random numbers follow from the inputs, and such results are kept";

/// Whether a result was not kept for clocks or randomness alone.
fn wants_determinism(report: &CacheReport) -> bool {
    matches!(&report.kept, Kept::Touched(observation) if observation.is_of_clocks_and_randomness())
}

/// Says what the cache did for one run.
pub(crate) fn explain(ui: &Ui, report: &CacheReport) {
    ui.note(&format!("cache: {}", printable(&report.to_string())));
    let key = report.key.map_or_else(|| "no key".to_owned(), |key| format!("key {key}"));
    if report.kept != Kept::Off {
        ui.note(&format!("cache: policy {}, {key}", report.policy));
    }
    if wants_determinism(report) {
        ui.hint(DETERMINISTIC);
    }
}
