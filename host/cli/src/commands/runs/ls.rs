//! `hostel runs ls`

use std::sync::Arc;

use clap::Args;
use hostel::RunFilter;
use hostel::duration_text;
use hostel::journal::{Cursor, Found, Journal, Page, RunHead, RunHistory, SqliteJournal};
use hostel_wire::{RunHeadObject, instant, parse_instant, printable};

use super::{age, filter, open};
use crate::commands::cache::{Form, FormOptions};
use crate::exit::Exit;
use crate::follow::follow;
use crate::options::data_dir::HostOptions;
use crate::options::server::{ServerOptions, Unfit};
use crate::output::table::Layout;
use crate::output::to_json;
use crate::problem::{Problem, Stop};
use crate::remote::{self, Remote, Request};
use crate::ui::Ui;
use crate::ui::text::elapsed;

/// List runs, newest first
#[derive(Args, Debug)]
#[command(after_help = "\
AGE is the time since the run was submitted, TOOK the time from its last start to its end.
hostel runs --help explains FILTER.

Examples:
  hostel runs ls state:unfinished queue:mail
  hostel runs ls --follow tag:nightly
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

    /// Show the runs that there are, oldest first, and then each one whenever something has happened to it, until Ctrl-C
    #[arg(long, short, conflicts_with = "after")]
    follow: bool,

    #[command(flatten)]
    form: FormOptions,

    #[command(flatten)]
    host: HostOptions,

    #[command(flatten)]
    server: ServerOptions,
}

/// Runs, the cursor of the next page, and how far the server looked if it did not look at all.
type RemoteHeads = (Vec<RunHeadObject>, Option<String>, Option<String>);

impl Ls {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        if let Some(remote) = Remote::of(ui, &self.server, self.unfit())? {
            let (heads, next, scanned_to) = self.page_of(&remote)?;
            return self.list(ui, &heads, next, scanned_to);
        }
        let filter = filter(&self.filter)?;
        let journal = open(&self.host)?;
        if self.follow {
            return self.follow(ui, &journal, &filter);
        }
        let found = self.page(&journal, &filter)?;
        let next = found.next.map(|next| next.to_string());
        self.list(ui, &objects(&found.runs), next, found.scanned_to.map(instant))
    }

    /// Options that cannot be used with a server.
    fn unfit(&self) -> Vec<Unfit> {
        let because = "hostel runs wait and hostel runs logs --follow follow one run of it";
        let follow = Unfit { option: "--follow", is_given: self.follow, because };
        self.host.unfit().into_iter().chain([follow]).collect()
    }

    fn list(
        &self,
        ui: &Ui,
        heads: &[RunHeadObject],
        next: Option<String>,
        scanned_to: Option<String>,
    ) -> Result<Exit, Stop> {
        match self.form.output {
            Form::Json => self.show(ui, heads)?,
            Form::Table => table(ui, heads)?,
        }
        ui.flush()?;
        if heads.is_empty() && next.is_none() {
            ui.note("no run matches");
        }
        match (next, scanned_to) {
            (Some(next), Some(to)) => {
                ui.note(&format!("looked at the runs back to {to}; go on with --after {next}"));
            }
            (Some(next), None) => ui.note(&format!("there are more: --after {next}")),
            (None, _) => {}
        }
        Ok(Exit::Completed)
    }

    /// The runs of the page at a server, the cursor of the next one, and how far the server looked.
    fn page_of(&self, remote: &Remote) -> Result<RemoteHeads, Problem> {
        let (mut heads, mut next) = (Vec::new(), self.after.map(|after| after.to_string()));
        let most = self.limit as usize;
        loop {
            let limit = (most - heads.len()).min(remote::PAGE_ITEMS);
            let request = Request::get(&["runs"]).query("q", self.filter.join(" ")).query("limit", limit);
            let request = match &next {
                Some(next) => request.query("before", next),
                None => request,
            };
            let page: remote::Page<RunHeadObject> = remote.call(&request)?;
            next = page.cursor("before");
            let is_empty = page.items.is_empty();
            heads.extend(page.items);
            heads.truncate(most);
            if is_empty || heads.len() == most || next.is_none() || page.scanned_to.is_some() {
                return Ok((heads, next, page.scanned_to));
            }
        }
    }

    /// The runs of the page, newest first.
    fn page(&self, journal: &SqliteJournal, filter: &RunFilter) -> Result<Found, Stop> {
        let mut left = self.limit as usize;
        let mut after = self.after;
        let mut heads = Vec::new();
        loop {
            let page = Page { after, limit: left.min(Page::MAX_LIMIT) };
            let found = journal.find(filter, page)?;
            left -= found.runs.len();
            heads.extend(found.runs);
            after = found.next;
            if left == 0 || after.is_none() || found.scanned_to.is_some() {
                return Ok(Found { runs: heads, next: after, span: None, scanned_to: found.scanned_to });
            }
        }
    }

    fn follow(&self, ui: &Ui, journal: &SqliteJournal, filter: &RunFilter) -> Result<Exit, Stop> {
        let history = RunHistory::of(&self.host.stored()?);
        // Before the list: a run that changes between the two is shown twice.
        let after = journal.last_event()?;
        let mut heads = self.page(journal, filter)?.runs;
        heads.reverse();
        if self.form.output == Form::Table {
            ui.result_line(&following().heading(&heading(), ui.paint))?;
        }
        self.show(ui, &objects(&heads))?;
        follow(journal, &history, filter, after, |heads| self.show(ui, &objects(heads)))?;
        Ok(Exit::Completed)
    }

    /// Shows each run on a line of its own, at once.
    fn show(&self, ui: &Ui, heads: &[RunHeadObject]) -> Result<(), Stop> {
        let layout = following();
        for head in heads {
            ui.result_line(&match self.form.output {
                Form::Json => to_json(head),
                Form::Table => layout.line(&cells(head)),
            })?;
        }
        ui.flush()
    }
}

fn objects(heads: &[RunHead]) -> Vec<RunHeadObject> {
    heads.iter().map(RunHeadObject::from).collect()
}

fn heading() -> Vec<String> {
    ["RUN", "STATE", "AGE", "TOOK", "TRIES", "QUEUE", "NAME"].map(str::to_owned).to_vec()
}

/// Columns that are wide enough for usual runs, of which the next ones are not known.
fn following() -> Layout {
    let usual = [&"0".repeat(36), "AwaitingRetry", "59 min", "100.25 ms", "TRIES", "hostel.run", "NAME"];
    Layout::of(&heading(), [usual.map(str::to_owned).to_vec()].iter())
}

fn table(ui: &Ui, heads: &[RunHeadObject]) -> Result<(), Stop> {
    if heads.is_empty() {
        return Ok(());
    }
    let heading = heading();
    let rows: Vec<_> = heads.iter().map(cells).collect();
    let layout = Layout::of(&heading, rows.iter());
    ui.result_line(&layout.heading(&heading, ui.paint))?;
    rows.iter().try_for_each(|row| ui.result_line(&layout.line(row)))
}

fn cells(head: &RunHeadObject) -> Vec<String> {
    let at = |text: &Option<String>| parse_instant(text.as_deref()?);
    let took = at(&head.started).zip(at(&head.ended));
    let took = took.map(|(started, ended)| duration_text(ended.since(started)));
    vec![
        head.run.clone(),
        head.state.to_string(),
        parse_instant(&head.created).map(age).map(elapsed).unwrap_or_default(),
        took.unwrap_or_default(),
        head.attempt_count.to_string(),
        head.queue.clone(),
        printable(&head.name).into_owned(),
    ]
}
