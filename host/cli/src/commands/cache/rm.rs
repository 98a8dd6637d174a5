//! `hostel cache rm`

use std::sync::Arc;

use clap::Args;

use super::{Place, results_text, unknown};
use crate::exit::Exit;
use crate::problem::{Problem, Stop};
use crate::ui::Ui;

/// Remove cached results, so that they are computed anew
#[derive(Args, Debug)]
#[command(after_help = "\
If one of the keys is not there, none is removed.

Examples:
  hostel cache rm 3f9a c01d")]
pub(crate) struct Rm {
    /// The keys, or so many of their digits that no other key begins with them
    #[arg(value_name = "KEY", required = true)]
    keys: Vec<String>,

    #[command(flatten)]
    place: Place,
}

impl Rm {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let results = self.place.open()?;
        let keys = self.keys.iter().map(|key| results.find(key));
        let mut keys = keys.collect::<Result<Vec<_>, _>>().map_err(|error| unknown(&results, error))?;
        keys.sort();
        keys.dedup();
        let (mut entries, mut bytes) = (0, 0);
        for key in keys {
            let removed = results.remove(&key.to_string()).map_err(Problem::from)?;
            entries += removed.entries;
            bytes += removed.bytes;
        }
        ui.result_line(&format!("removed {}", results_text(entries, bytes)))?;
        ui.flush()?;
        Ok(Exit::Completed)
    }
}
