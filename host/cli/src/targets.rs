//! The runs that a command is for: ids, or all that match a filter.

use std::collections::HashSet;

use clap::Args;
use hostel::RunId;
use hostel::journal::{Journal, Page};
use hostel_wire::run_filter;

use crate::problem::{Problem, Stop};
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
