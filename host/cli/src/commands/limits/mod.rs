//! `hostel limits`: how many runs of a queue or with a tag all workers of a data directory execute at once, and pauses.

mod ls;
mod pause;
mod resume;
mod rm;
mod set;

use std::sync::Arc;

use clap::{Args, Subcommand};
use hostel::journal::LimitScope;
use hostel::{QueueName, Tag, check_tag};

use crate::exit::Exit;
use crate::options::server::note_local;
use crate::problem::Stop;
use crate::ui::Ui;

#[derive(Args, Debug)]
#[command(after_help = "\
A limit is for all workers of a data directory together, and survives them. SCOPE is queue:NAME
or tag:NAME. Runs that execute already are not stopped.

Examples:
  hostel limits set tag:db --max-running 2
  hostel limits set queue:mail --rate 10/1s
  hostel limits pause queue:mail --for 10m --reason 'the mail server is down'
  hostel limits ls")]
pub(crate) struct Limits {
    #[command(subcommand)]
    command: LimitsCommand,
}

#[derive(Debug, Subcommand)]
enum LimitsCommand {
    Ls(ls::Ls),
    Set(set::Set),
    Rm(rm::Rm),
    Pause(pause::PauseRuns),
    Resume(resume::Resume),
}

impl Limits {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        note_local(ui);
        match &self.command {
            LimitsCommand::Ls(command) => command.execute(ui),
            LimitsCommand::Set(command) => command.execute(ui),
            LimitsCommand::Rm(command) => command.execute(ui),
            LimitsCommand::Pause(command) => command.execute(ui),
            LimitsCommand::Resume(command) => command.execute(ui),
        }
    }
}

/// Reads a scope.
fn scope(text: &str) -> Result<LimitScope, String> {
    match text.split_once(':') {
        Some(("queue", name)) => {
            name.parse::<QueueName>().map(LimitScope::Queue).map_err(|error| error.to_string())
        }
        Some(("tag", name)) => {
            let tag = Tag::from(name);
            check_tag(&tag).map_err(|error| error.to_string())?;
            Ok(LimitScope::Tag(tag))
        }
        _ => Err("expected queue:NAME or tag:NAME".to_owned()),
    }
}

/// Writes what was done.
fn told(ui: &Ui, text: &str) -> Result<Exit, Stop> {
    ui.result_line(text)?;
    ui.flush()?;
    Ok(Exit::Completed)
}
