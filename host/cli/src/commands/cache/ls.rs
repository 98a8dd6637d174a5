//! `hostel cache ls`

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hostel::{ResultCacheError, bytes_text, duration_text};
use hostel_wire::{EntryLine, parse_instant, printable};
use serde::Deserialize;

use super::{Form, FormOptions, Place, age, results_text, short_task, tell_of_none};
use crate::exit::Exit;
use crate::options::server::ServerOptions;
use crate::output::table::Layout;
use crate::output::to_json;
use crate::problem::Stop;
use crate::remote::{Remote, Request};
use crate::ui::Ui;
use crate::ui::text::elapsed;

/// The number of digits shown of a key: enough to be unique among a million.
const KEY_DIGITS: usize = 12;

/// The most results of a server.
const MOST_OF_SERVER: u64 = 500;

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

    #[command(flatten)]
    server: ServerOptions,
}

/// The first results of a server.
#[derive(Deserialize)]
struct Entries {
    items: Vec<EntryLine>,
    more: bool,
}

impl Ls {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        if let Some(remote) = Remote::of(ui, &self.server, [self.place.unfit()])? {
            return self.on(ui, &remote);
        }
        let results = self.place.open()?;
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
            self.show(ui, &EntryLine::from(&entry), entries == 0)?;
            entries += 1;
            bytes += entry.stored_bytes;
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

    /// On a server, which answers the first results.
    fn on(&self, ui: &Ui, remote: &Remote) -> Result<Exit, Stop> {
        let found: Entries = remote.call(&Request::get(&["cache"]).query("limit", MOST_OF_SERVER))?;
        let entries: Vec<_> =
            found.items.into_iter().filter(|line| !self.from_remote || line.entry.origin.is_some()).collect();
        for (index, entry) in entries.iter().enumerate() {
            self.show(ui, entry, index == 0)?;
        }
        ui.flush()?;
        let bytes = entries.iter().map(|entry| entry.stored_bytes).sum();
        if entries.is_empty() {
            ui.note("there are no such results on the server");
        } else if self.form.output == Form::Table {
            ui.note(&results_text(entries.len() as u64, bytes));
        }
        if found.more {
            ui.note(&format!("there are more: a server lists the first {MOST_OF_SERVER}"));
        }
        Ok(Exit::Completed)
    }

    fn show(&self, ui: &Ui, entry: &EntryLine, is_first: bool) -> Result<(), Stop> {
        let heading = ["KEY", "VALUE", "TOOK", "AGE", "USED", "FROM", "TASK"].map(str::to_owned).to_vec();
        let layout = Layout::of(&heading, [WIDEST.map(str::to_owned).to_vec()].iter());
        if is_first && self.form.output == Form::Table {
            ui.result_line(&layout.heading(&heading, ui.paint))?;
        }
        ui.result_line(&match self.form.output {
            Form::Table => layout.line(&cells(entry)),
            Form::Json => to_json(entry),
        })
    }
}

fn cells(line: &EntryLine) -> Vec<String> {
    let entry = &line.entry;
    let since = |at: &str| parse_instant(at).map(|at| elapsed(age(at))).unwrap_or_default();
    vec![
        entry.key.get(..KEY_DIGITS).unwrap_or(&entry.key).to_owned(),
        bytes_text(entry.value_bytes),
        duration_text(Duration::from_millis(entry.took_ms)),
        since(&entry.created_at),
        since(&entry.used_at),
        if entry.origin.is_some() { "remote" } else { "here" }.to_owned(),
        printable(&short_task(&entry.task)).into_owned(),
    ]
}
