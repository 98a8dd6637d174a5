//! `hostel runs export`

use std::ops::ControlFlow;
use std::sync::Arc;

use clap::Args;
use hostel::journal::{Journal, Page, each_page};

use super::show;
use super::{filter, open};
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::problem::Stop;
use crate::ui::Ui;

/// Write runs with all that is known of them as JSON, one on each line, newest first
#[derive(Args, Debug)]
#[command(after_help = "\
hostel runs --help explains FILTER.

Example:
  hostel runs export since:1d > runs.jsonl")]
pub(crate) struct Export {
    /// Which runs [default: all]
    #[arg(value_name = "FILTER")]
    filter: Vec<String>,

    #[command(flatten)]
    host: HostOptions,
}

impl Export {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let filter = filter(&self.filter)?;
        let journal = open(&self.host)?;
        each_page::<Stop>(&journal, &filter, Page::first(Page::MAX_LIMIT), |found| {
            for head in &found.runs {
                // A run may be removed between the two reads.
                if let Some(entry) = journal.get(head.run)? {
                    show::write_run(ui, &journal, &entry)?;
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        ui.flush()?;
        Ok(Exit::Completed)
    }
}
