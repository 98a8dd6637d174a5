//! `hostel cache rm`

use std::sync::Arc;

use clap::Args;
use hostel::{Removed, ResultCache};

use super::{Place, results_text, unknown};
use crate::exit::Exit;
use crate::problem::{Problem, Stop};
use crate::ui::Ui;

/// Remove cached results, so that they are computed again
#[derive(Args, Debug)]
#[command(after_help = "\
If one of the keys does not exist, none is removed.

Examples:
  hostel cache rm 3f9a c01d
  hostel cache rm --from-remote")]
pub(crate) struct Rm {
    /// The keys, or unique prefixes of them
    #[arg(value_name = "KEY", required_unless_present = "from_remote")]
    keys: Vec<String>,

    /// Remove all results that came from a remote cache
    #[arg(long, conflicts_with = "keys")]
    from_remote: bool,

    #[command(flatten)]
    place: Place,
}

impl Rm {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let results = self.place.open()?;
        let Removed { entries, bytes, .. } =
            if self.from_remote { results.remove_from_remote()? } else { self.remove_keys(&results)? };
        ui.result_line(&format!("removed {}", results_text(entries, bytes)))?;
        ui.flush()?;
        Ok(Exit::Completed)
    }

    fn remove_keys(&self, results: &ResultCache) -> Result<Removed, Problem> {
        let keys = self.keys.iter().map(|key| results.find(key));
        let mut keys = keys.collect::<Result<Vec<_>, _>>().map_err(|error| unknown(results, error))?;
        keys.sort();
        keys.dedup();
        let mut all = Removed::default();
        for key in keys {
            let removed = results.remove(&key.to_string())?;
            all.entries += removed.entries;
            all.bytes += removed.bytes;
        }
        Ok(all)
    }
}
