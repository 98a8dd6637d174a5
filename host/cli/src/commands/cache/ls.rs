//! `hostel cache ls`

use std::sync::Arc;

use clap::Args;
use hostel::{EntrySummary, ResultCacheError, bytes_text, duration_text};
use hostel_wire::{EntryLine, printable};

use super::{Form, FormOptions, Place, age, results_text, short_task, tell_of_none};
use crate::exit::Exit;
use crate::output::table::Layout;
use crate::output::to_json;
use crate::problem::Stop;
use crate::ui::Ui;
use crate::ui::text::elapsed;

/// The number of digits shown of a key: enough to be unique among a million.
const KEY_DIGITS: usize = 12;

/// The widest cells, except the task's. They are fixed, because lines are written one by one.
const WIDEST: [&str; 7] = ["ffffffffffff", "999.9 MiB", "59 min 59 s", "59 min", "59 min", "remote", ""];

/// List cached results, oldest first
#[derive(Args, Debug)]
#[command(after_help = "\
VALUE is the size of the value, TOOK the time it took to compute, AGE the time since then, USED the
time since its last use on disk, to within an hour, and FROM whether it was computed here or came
from a remote cache. With --output json: one object on each line, with whole keys.

Examples:
  hostel cache ls
  hostel cache ls --output json | jq -r 'select(.took_ms > 1000) | .key'")]
pub(crate) struct Ls {
    /// List only results that came from a remote cache
    #[arg(long)]
    from_remote: bool,

    #[command(flatten)]
    form: FormOptions,

    #[command(flatten)]
    place: Place,
}

impl Ls {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let results = self.place.open()?;
        let heading = ["KEY", "VALUE", "TOOK", "AGE", "USED", "FROM", "TASK"].map(str::to_owned).to_vec();
        let layout = Layout::of(&heading, [WIDEST.map(str::to_owned).to_vec()].iter());
        let (mut entries, mut bytes) = (0, 0);
        for entry in results.entries() {
            let entry = match entry {
                Err(error @ ResultCacheError::Damaged { .. }) => {
                    ui.warning(&error.to_string());
                    continue;
                }
                entry => entry?,
            };
            if self.from_remote && entry.origin.is_none() {
                continue;
            }
            if entries == 0 && self.form.output == Form::Table {
                ui.result_line(&layout.heading(&heading, ui.paint))?;
            }
            entries += 1;
            bytes += entry.stored_bytes;
            ui.result_line(&match self.form.output {
                Form::Table => layout.line(&cells(&entry)),
                Form::Json => to_json(&EntryLine::from(&entry)),
            })?;
        }
        ui.flush()?;
        if entries == 0 && self.from_remote {
            ui.note("no results came from a remote cache");
        } else if entries == 0 {
            tell_of_none(ui, &results);
        } else if self.form.output == Form::Table {
            ui.note(&results_text(entries, bytes));
        }
        Ok(Exit::Completed)
    }
}

fn cells(entry: &EntrySummary) -> Vec<String> {
    let key = entry.key.to_string();
    vec![
        key.get(..KEY_DIGITS).unwrap_or(&key).to_owned(),
        bytes_text(entry.value_bytes),
        duration_text(entry.took),
        elapsed(age(entry.created)),
        elapsed(age(entry.used)),
        if entry.origin.is_some() { "remote" } else { "here" }.to_owned(),
        printable(&short_task(&entry.task)).into_owned(),
    ]
}
