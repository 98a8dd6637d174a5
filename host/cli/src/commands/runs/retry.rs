//! `hostel runs retry`

use std::sync::Arc;

use clap::Args;
use hostel::journal::{Journal, JournalConflict, JournalError};

use super::open;
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::problem::Stop;
use crate::targets::{Acted, Targets};
use crate::time::now;
use crate::ui::Ui;

/// Give runs that failed, crashed or were cancelled new attempts
#[derive(Args, Debug)]
#[command(after_help = "\
The run stays the same: its id, its arguments, and its attempts so far. Its retries start afresh.

Examples:
  hostel runs retry 019a8c5e-3f40-7cc1-8f6e-2f8c6f2a9b11
  hostel runs retry --where 'state:failed since:1d' --dry-run")]
pub(crate) struct Retry {
    #[command(flatten)]
    targets: Targets,

    #[command(flatten)]
    host: HostOptions,
}

impl Retry {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let journal = open(&self.host)?;
        let is_one = !self.targets.is_bulk();
        self.targets.each(ui, &journal, "retried", |run| match journal.retry(now(), run) {
            Ok(_) => Ok(Acted::Done),
            Err(JournalError::Conflict(JournalConflict::Fact { .. } | JournalConflict::KeyTaken { .. }))
                if !is_one =>
            {
                Ok(Acted::Skipped)
            }
            Err(error) => Err(error),
        })?;
        Ok(Exit::Completed)
    }
}
