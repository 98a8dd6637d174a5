//! `hostel runs retry`

use std::sync::Arc;

use clap::Args;
use hostel::journal::{BatchAction, Journal, JournalConflict, JournalEntry, JournalError};
use hostel::{ErrorKind, Origin};
use hostel_wire::why_not_retried;

use super::{entry, open};
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::options::server::ServerOptions;
use crate::problem::{Problem, Stop};
use crate::remote::{Remote, Request};
use crate::targets::{Acted, Targets};
use crate::time::now;
use crate::ui::Ui;

/// Give runs that failed, crashed or were cancelled new attempts
#[derive(Args, Debug)]
#[command(after_help = "\
The run stays the same: its id, its arguments, and its attempts so far. Its retries start afresh.
Runs of hostel run and hostel map are not retried: hostel replay executes one again and compares.

Examples:
  hostel runs retry 019a8c5e-3f40-7cc1-8f6e-2f8c6f2a9b11
  hostel runs retry --where 'state:failed since:1d' --dry-run")]
pub(crate) struct Retry {
    #[command(flatten)]
    targets: Targets,

    #[command(flatten)]
    host: HostOptions,

    #[command(flatten)]
    server: ServerOptions,
}

impl Retry {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        if let Some(remote) = Remote::of(ui, &self.server, self.host.unfit())? {
            return self.targets.each_on(ui, &remote, BatchAction::Retry, |run| {
                Targets::act_on(&remote, &Request::post(&["runs", run, "retry"]))
            });
        }
        let journal = open(&self.host)?;
        self.targets.each(ui, (&journal, None), BatchAction::Retry, |run| {
            let found = entry(&journal, run)?;
            if let Some(problem) = unfit(&found) {
                return Ok(Acted::Refused(problem));
            }
            match journal.retry(now(), run) {
                Ok(_) => Ok(Acted::Done),
                // It has changed since.
                Err(JournalError::Conflict(JournalConflict::Fact { .. })) => {
                    let again = entry(&journal, run)?;
                    Ok(Acted::Refused(unfit(&again).unwrap_or_else(|| not_now(&again))))
                }
                Err(error @ JournalError::Conflict(JournalConflict::KeyTaken { .. })) => {
                    Ok(Acted::Refused(error.into()))
                }
                Err(error) => Err(error.into()),
            }
        })
    }
}

/// Why a run cannot be retried, if so.
fn unfit(entry: &JournalEntry) -> Option<Problem> {
    let (run, state) = (entry.run(), entry.state());
    let problem = Problem::new(ErrorKind::Conflict, why_not_retried(entry)?);
    Some(if Origin::of(entry.record().spec()) != Origin::Worker {
        problem.hint(
            "repeat the command; hostel replay executes a run again, without its effects, and compares the results",
        )
    } else if state.is_terminal() {
        problem.hint(format!("hostel replay {run} executes it again, and compares the results"))
    } else {
        problem.hint(format!("hostel runs wait {run} waits for its end"))
    })
}

fn not_now(entry: &JournalEntry) -> Problem {
    let problem = format!("run {} has not ended: it is {}", entry.run(), entry.state());
    Problem::new(ErrorKind::Conflict, problem)
}
