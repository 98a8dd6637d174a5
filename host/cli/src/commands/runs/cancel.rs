//! `hostel runs cancel`

use std::sync::Arc;

use clap::Args;
use hostel::journal::{BatchAction, Cancellation, Journal};
use serde::Deserialize;

use super::open;
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::options::server::ServerOptions;
use crate::problem::Stop;
use crate::remote::{Remote, Request};
use crate::targets::{Acted, Targets};
use crate::time::now;
use crate::ui::Ui;

/// Cancel runs, wherever they execute
#[derive(Args, Debug)]
#[command(after_help = "\
A run that executes is stopped by its worker within a fraction of a second, and is Cancelled then.

Examples:
  hostel runs cancel 019a8c5e-3f40-7cc1-8f6e-2f8c6f2a9b11
  hostel runs cancel --where 'state:unfinished tag:nightly'")]
pub(crate) struct Cancel {
    #[command(flatten)]
    targets: Targets,

    #[command(flatten)]
    host: HostOptions,

    #[command(flatten)]
    server: ServerOptions,
}

/// How it went at a server.
#[derive(Deserialize)]
struct Cancelled {
    cancellation: String,
}

impl Cancel {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        if let Some(remote) = Remote::of(ui, &self.server, self.host.unfit())? {
            return self.targets.each_on(ui, &remote, BatchAction::Cancel, |run| {
                let request = Request::post(&["runs", run, "cancel"]).repeatable();
                Ok(match remote.call::<Cancelled>(&request)?.cancellation.as_str() {
                    "too-late" => Acted::Skipped("had ended before"),
                    _ => Acted::Done,
                })
            });
        }
        let journal = open(&self.host)?;
        self.targets.each(ui, (&journal, None), BatchAction::Cancel, |run| {
            Ok(match journal.cancel(now(), run)? {
                Cancellation::Now | Cancellation::Requested => Acted::Done,
                Cancellation::TooLate => Acted::Skipped("had ended before"),
            })
        })
    }
}
