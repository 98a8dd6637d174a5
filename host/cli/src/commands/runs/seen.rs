//! `hostel runs seen`

use std::sync::Arc;

use clap::Args;
use hostel::journal::{BatchAction, Journal};
use hostel_wire::RunAnswerObject;

use super::{entry, open};
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::options::server::ServerOptions;
use crate::problem::Stop;
use crate::remote::{Remote, Request};
use crate::targets::{Acted, Targets};
use crate::ui::Ui;

/// Mark runs that ended badly as seen, so that they need no more attention
#[derive(Args, Debug)]
#[command(after_help = "\
The filter state:attention finds the runs that failed, timed out or crashed and that nobody has
marked as seen. A run that is retried, or a later success of the same schedule, needs none either.

Examples:
  hostel runs seen 019a8c5e-3f40-7cc1-8f6e-2f8c6f2a9b11
  hostel runs seen --where 'tag:nightly until:1d'")]
pub(crate) struct Seen {
    #[command(flatten)]
    targets: Targets,

    #[command(flatten)]
    host: HostOptions,

    #[command(flatten)]
    server: ServerOptions,
}

impl Seen {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        if let Some(remote) = Remote::of(ui, &self.server, self.host.unfit())? {
            return self.targets.each_on(ui, &remote, BatchAction::MarkSeen, |run| {
                let found: RunAnswerObject<'static> = remote.call(&Request::get(&["runs", run]))?;
                if !found.run.needs_attention {
                    return Ok(Acted::Skipped("needs no attention"));
                }
                Targets::act_on(&remote, &Request::post(&["runs", run, "seen"]).repeatable())
            });
        }
        let journal = open(&self.host)?;
        self.targets.each(ui, (&journal, None), BatchAction::MarkSeen, |run| {
            if !entry(&journal, run)?.needs_attention() {
                return Ok(Acted::Skipped("needs no attention"));
            }
            journal.mark_seen(run)?;
            Ok(Acted::Done)
        })
    }
}
