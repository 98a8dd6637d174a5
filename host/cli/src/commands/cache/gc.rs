//! `hostel cache gc`

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hostel::{GcOptions, GcReport, bytes_text, grammar};
use hostel_wire::GcObject;

use super::{Form, FormOptions, Place, results_text};
use crate::exit::Exit;
use crate::output::to_json;
use crate::problem::{Problem, Stop};
use crate::ui::Ui;
use crate::ui::text::counted;

/// Remove cached results by size or age
#[derive(Args, Debug)]
#[command(after_help = "\
The least recently used results are removed first. With or without options, files without
references, such as those of killed commands, are removed too, and free space is returned to the
system.

Examples:
  hostel cache gc --max-bytes 1GiB
  hostel cache gc --older-than 30d --max-bytes 10GiB")]
pub(crate) struct Gc {
    /// Remove results until no more than this is left: 500MiB, 1GB
    #[arg(long, value_name = "SIZE", value_parser = grammar::bytes, allow_hyphen_values = true)]
    max_bytes: Option<u64>,

    /// Remove results that were not used for this long: 12h, 30d, 4w
    #[arg(long, value_name = "AGE", value_parser = grammar::age, allow_hyphen_values = true)]
    older_than: Option<Duration>,

    #[command(flatten)]
    form: FormOptions,

    #[command(flatten)]
    place: Place,
}

impl Gc {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let results = self.place.open()?;
        let mut options = GcOptions::default();
        if let Some(bytes) = self.max_bytes {
            options = options.max_bytes(bytes);
        }
        if let Some(age) = self.older_than {
            options = options.older_than(age);
        }
        let report = results.gc(options).map_err(Problem::from)?;
        ui.result_line(&match self.form.output {
            Form::Table => text(&report),
            Form::Json => to_json(&GcObject::from(&report)),
        })?;
        ui.flush()?;
        Ok(Exit::Completed)
    }
}

fn text(report: &GcReport) -> String {
    let removed = results_text(report.removed.entries, report.removed.bytes);
    let left = results_text(report.left_entries, report.left_bytes);
    let orphans = match report.orphans {
        0 => String::new(),
        files => format!(
            "\nremoved {} without references, {}",
            counted(files, "file"),
            bytes_text(report.orphan_bytes)
        ),
    };
    format!("removed {removed}\nleft    {left}{orphans}")
}
