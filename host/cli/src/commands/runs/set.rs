//! `hostel runs set`

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hostel::journal::{Amendment, Journal, JournalConflict, JournalError, Tags};
use hostel::{QueueName, RunId, Tag, Timestamp, check_tags};

use super::open;
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::problem::{Problem, Stop};
use crate::time::{at, later, now};
use crate::ui::Ui;

/// Change the priority, the time, the queue or the tags of runs that wait for their first attempt
#[derive(Args, Debug)]
#[command(after_help = "\
The task and its arguments never change: cancel the run and submit another one for that. The runs
are changed one after another; the first one that cannot be changed ends the command.

Examples:
  hostel runs set 019a8c5e-3f40-7cc1-8f6e-2f8c6f2a9b11 --priority 5
  hostel runs set 019a8c5e-3f40-7cc1-8f6e-2f8c6f2a9b11 --in 0s --queue quick")]
pub(crate) struct Set {
    /// The ids of the runs
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<RunId>,

    /// Runs of a higher priority start first
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    priority: Option<i32>,

    /// Begin at this time and not before: 2026-12-24T18:00:00Z, or with another offset such as +01:00
    #[arg(long, value_name = "TIME", value_parser = at, conflicts_with = "after")]
    at: Option<Timestamp>,

    /// Begin this much later than now and not before: 30s, 10m, 2d; 0s for now
    #[arg(long = "in", id = "after", value_name = "TIME", value_parser = later, allow_hyphen_values = true)]
    after: Option<Duration>,

    /// Wait in this queue
    #[arg(long, value_name = "NAME")]
    queue: Option<QueueName>,

    /// Replace the run's own tags with this one; the task's tags stay; can be given several times
    #[arg(long, value_name = "TAG")]
    tag: Vec<Tag>,

    #[command(flatten)]
    host: HostOptions,
}

impl Set {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let amendment = self.amendment()?;
        let journal = open(&self.host)?;
        let mut seen = HashSet::new();
        for run in self.runs.iter().filter(|run| seen.insert(**run)) {
            journal.amend(now(), *run, &amendment).map_err(refused)?;
            ui.result_line(&format!("changed {run}"))?;
        }
        ui.flush()?;
        Ok(Exit::Completed)
    }

    fn amendment(&self) -> Result<Amendment, Problem> {
        let tags = self.tag.iter().cloned().collect::<Tags>();
        check_tags(&tags).map_err(|error| Problem::invalid(error.to_string()))?;
        let tags = (!tags.is_empty()).then_some(tags);
        let amendment = Amendment {
            priority: self.priority,
            due: self.at.or(self.after.map(|after| now().after(after))),
            queue: self.queue.clone(),
            tags,
        };
        if amendment.is_empty() {
            return Err(Problem::invalid(
                "there is nothing to change: expected --priority, --at, --in, --queue or --tag",
            ));
        }
        Ok(amendment)
    }
}

fn refused(error: JournalError) -> Problem {
    let mut hint = None;
    if let JournalError::Conflict(JournalConflict::Started { run, state, .. }) = &error
        && !state.is_terminal()
    {
        let text = "ends it; submit another run with the options that you want";
        hint = Some(format!("hostel runs cancel {run} {text}"));
    }
    Problem::from(error).hints_of(hint)
}
