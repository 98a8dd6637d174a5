//! `hostel runs ls`

use std::sync::Arc;

use clap::Args;
use hostel::duration_text;
use hostel::journal::{Cursor, Journal, Page, RunHead};
use hostel_wire::{RunHeadObject, printable};

use super::{age, filter, open};
use crate::commands::cache::{Form, FormOptions};
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::output::table::Layout;
use crate::output::to_json;
use crate::problem::Stop;
use crate::ui::Ui;
use crate::ui::text::elapsed;

/// List runs, newest first
#[derive(Args, Debug)]
#[command(after_help = "\
AGE is the time since the run was submitted, TOOK the time from its last start to its end.
hostel runs --help explains FILTER.

Examples:
  hostel runs ls state:unfinished queue:mail
  hostel runs ls state:failed since:1d --output json | jq -r .run")]
pub(crate) struct Ls {
    /// Which runs: words such as state:failed, tag:nightly, since:1h [default: all]
    #[arg(value_name = "FILTER")]
    filter: Vec<String>,

    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,

    /// Begin after this cursor, which the page before ended with
    #[arg(long, value_name = "CURSOR")]
    after: Option<Cursor>,

    #[command(flatten)]
    form: FormOptions,

    #[command(flatten)]
    host: HostOptions,
}

impl Ls {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let filter = filter(&self.filter)?;
        let journal = open(&self.host)?;
        let mut left = self.limit as usize;
        let mut after = self.after;
        let mut heads = Vec::new();
        let next = loop {
            let page = Page { after, limit: left.min(Page::MAX_LIMIT) };
            let found = journal.find(&filter, page)?;
            left -= found.runs.len();
            heads.extend(found.runs);
            after = found.next;
            if left == 0 || after.is_none() {
                break after;
            }
        };
        match self.form.output {
            Form::Json => {
                for head in &heads {
                    ui.result_line(&to_json(&RunHeadObject::from(head)))?;
                }
            }
            Form::Table => table(ui, &heads)?,
        }
        ui.flush()?;
        if heads.is_empty() {
            ui.note("no run matches");
        }
        if let Some(next) = next {
            ui.note(&format!("there are more: --after {next}"));
        }
        Ok(Exit::Completed)
    }
}

fn table(ui: &Ui, heads: &[RunHead]) -> Result<(), Stop> {
    if heads.is_empty() {
        return Ok(());
    }
    let heading = ["RUN", "STATE", "AGE", "TOOK", "TRIES", "QUEUE", "NAME"].map(str::to_owned).to_vec();
    let rows: Vec<_> = heads.iter().map(cells).collect();
    let layout = Layout::of(&heading, rows.iter());
    ui.result_line(&layout.heading(&heading, ui.paint))?;
    rows.iter().try_for_each(|row| ui.result_line(&layout.line(row)))
}

fn cells(head: &RunHead) -> Vec<String> {
    let took = head.started.zip(head.ended).map(|(started, ended)| duration_text(ended.since(started)));
    vec![
        head.run.to_string(),
        head.state.name().to_owned(),
        elapsed(age(head.created)),
        took.unwrap_or_default(),
        head.attempts.to_string(),
        head.queue.to_string(),
        printable(&head.name).into_owned(),
    ]
}
