//! The runs that a command is for: ids, or all that match a filter.

use std::collections::HashSet;

use clap::Args;
use hostel::RunId;
use hostel::journal::{Journal, Page};
use hostel_wire::{RunHeadObject, run_filter};

use crate::exit::Exit;
use crate::problem::{Problem, Stop};
use crate::remote::{self, Remote, Request, Trouble};
use crate::time::now;
use crate::ui::Ui;
use crate::ui::text::counted;

/// The runs that a command is for.
#[derive(Args, Debug)]
pub(crate) struct Targets {
    /// The ids of the runs
    #[arg(value_name = "RUN", required_unless_present = "where_")]
    runs: Vec<RunId>,

    /// All runs that match this filter: see hostel runs --help
    #[arg(long = "where", id = "where_", value_name = "FILTER", conflicts_with = "runs")]
    filter: Option<String>,

    /// With --where: only count the runs, and change nothing
    #[arg(long, requires = "where_")]
    dry_run: bool,
}

/// What an action did with a run.
pub(crate) enum Acted {
    /// It was done.
    Done,
    /// The run had ended before.
    Skipped,
    /// It does not fit the run, for this reason.
    Refused(Problem),
}

impl Targets {
    /// Acts on each run. With a filter: on those that matched when the command began, newest first; runs that the action does
    /// not fit are skipped, and a command that was stopped can be repeated. `done` is the action's past participle.
    pub(crate) fn each(
        &self,
        ui: &Ui,
        journal: &dyn Journal,
        done: &str,
        act: impl Fn(RunId) -> Result<Acted, Problem>,
    ) -> Result<(), Stop> {
        let Some(text) = &self.filter else { return self.named(ui, done, act) };
        let filter = run_filter(text, now()).map_err(|error| Problem::of(error.kind(), &error))?;
        let (mut acted, mut skipped) = (0, 0);
        let mut page = Page::first(Page::MAX_LIMIT);
        loop {
            let found = journal.find(&filter, page)?;
            for head in &found.runs {
                match if self.dry_run { Ok(Acted::Done) } else { act(head.run) } {
                    Ok(Acted::Done) => acted += 1,
                    Ok(Acted::Skipped | Acted::Refused(_)) => skipped += 1,
                    // Removed since the page was read.
                    Err(_) if matches!(journal.get(head.run), Ok(None)) => skipped += 1,
                    Err(problem) => return Err(problem.into()),
                }
            }
            let Some(next) = found.next else { break };
            page.after = Some(next);
        }
        self.tell(ui, done, acted, skipped)
    }

    /// The same for runs of a server.
    pub(crate) fn each_on(
        &self,
        ui: &Ui,
        remote: &Remote,
        done: &str,
        act: impl Fn(&str) -> Result<Acted, Problem>,
    ) -> Result<(), Stop> {
        let Some(filter) = &self.filter else {
            return self.named(ui, done, |run| act(&run.to_string()));
        };
        let (mut acted, mut skipped) = (0, 0);
        let request = Request::get(&["runs"]).query("q", filter).query("limit", remote::PAGE_ITEMS);
        let mut next = None;
        loop {
            let request = match next {
                Some(next) => request.clone().query("before", next),
                None => request.clone(),
            };
            let page: remote::Page<RunHeadObject> = remote.get(&request)?;
            for head in &page.items {
                match if self.dry_run { Ok(Acted::Done) } else { act(&head.run) } {
                    Ok(Acted::Done) => acted += 1,
                    Ok(Acted::Skipped | Acted::Refused(_)) => skipped += 1,
                    // Removed since the page was read.
                    Err(problem) if problem.exit() == Exit::NotFound => skipped += 1,
                    Err(problem) => return Err(problem.into()),
                }
            }
            next = page.cursor("before");
            if next.is_none() {
                return self.tell(ui, done, acted, skipped);
            }
        }
    }

    /// Sends a request that does something with a run. What does not fit the run is refused.
    pub(crate) fn act_on(remote: &Remote, request: &Request) -> Result<Acted, Problem> {
        match remote.block_on(remote.client.try_send(request)) {
            Ok(_) => Ok(Acted::Done),
            Err(Trouble::Refused(refusal)) if refusal.status == 409 => Ok(Acted::Refused(refusal.problem)),
            Err(Trouble::Refused(refusal)) => Err(remote.block_on(remote.client.refusal(request, refusal))),
            Err(trouble) => Err(trouble.into()),
        }
    }

    fn tell(&self, ui: &Ui, done: &str, acted: u64, skipped: u64) -> Result<(), Stop> {
        let runs = counted(acted, "run");
        let text = if self.dry_run { format!("{runs} would be {done}") } else { format!("{done} {runs}") };
        let rest = if skipped > 0 { format!(", skipped {}", counted(skipped, "run")) } else { String::new() };
        ui.result_line(&format!("{text}{rest}"))?;
        ui.flush()
    }

    fn named(&self, ui: &Ui, done: &str, act: impl Fn(RunId) -> Result<Acted, Problem>) -> Result<(), Stop> {
        let mut seen = HashSet::new();
        for run in self.runs.iter().filter(|run| seen.insert(**run)) {
            match act(*run)? {
                Acted::Done => ui.result_line(&format!("{done} {run}"))?,
                Acted::Skipped => ui.result_line(&format!("{run} had ended before"))?,
                Acted::Refused(problem) => return Err(problem.into()),
            }
        }
        ui.flush()
    }
}
