//! `hostel cache clear`

use std::sync::Arc;

use clap::Args;
use hostel_wire::printable;

use super::{Place, results_text, tell_of_none};
use crate::exit::Exit;
use crate::problem::{Problem, Stop};
use crate::ui::Ui;

/// Remove all cached results, without asking
#[derive(Args, Debug)]
#[command(after_help = "\
This includes the records of transactions with a key, so it is no longer known that these were
committed. Compiled code is not removed.

Examples:
  hostel cache clear
  hostel cache clear --data-dir .hostel")]
pub(crate) struct Clear {
    #[command(flatten)]
    place: Place,
}

impl Clear {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let results = self.place.open()?;
        let removed = results.clear().map_err(Problem::from)?;
        if removed.entries == 0 {
            tell_of_none(ui, &results);
            return Ok(Exit::Completed);
        }
        let removed = results_text(removed.entries, removed.bytes);
        let dir = results.dir().display().to_string();
        ui.result_line(&format!("removed {removed}, from {}", printable(&dir)))?;
        ui.flush()?;
        Ok(Exit::Completed)
    }
}
