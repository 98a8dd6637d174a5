//! `hostel runs rm`

use std::sync::Arc;

use clap::Args;
use hostel::journal::{BatchAction, Journal, JournalConflict, JournalError, RunLogs};

use super::open;
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::options::server::ServerOptions;
use crate::problem::{Problem, Stop};
use crate::remote::{Remote, Request};
use crate::targets::{Acted, Targets};
use crate::ui::Ui;

/// Remove runs that have ended from the history
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hostel runs rm 019a8c5e-3f40-7cc1-8f6e-2f8c6f2a9b11
  hostel runs rm --where 'state:completed until:30d'")]
pub(crate) struct Rm {
    #[command(flatten)]
    targets: Targets,

    #[command(flatten)]
    host: HostOptions,

    #[command(flatten)]
    server: ServerOptions,
}

impl Rm {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        if let Some(remote) = Remote::of(ui, &self.server, self.host.unfit())? {
            return self.targets.each_on(ui, &remote, BatchAction::Remove, |run| {
                Targets::act_on(&remote, &Request::delete(&["runs", run]))
            });
        }
        let journal = open(&self.host)?;
        let logs = RunLogs::open(&self.host.stored()?).map_err(|error| Problem::of(error.kind(), &error))?;
        self.targets.each(ui, (&journal, Some(&logs)), BatchAction::Remove, |run| match journal.remove(run) {
            Ok(()) => {
                logs.remove(run)?;
                Ok(Acted::Done)
            }
            Err(error @ JournalError::Conflict(JournalConflict::Unfinished { .. })) => {
                Ok(Acted::Refused(Problem::from(error).hint(format!("hostel runs cancel {run} ends it"))))
            }
            Err(error) => Err(error.into()),
        })
    }
}
