//! `hostel runtime`: one file for each of its subcommands.

mod install;
mod ls;

use std::sync::Arc;

use clap::{Args, Subcommand};

use crate::exit::Exit;
use crate::options::server::note_local;
use crate::problem::Stop;
use crate::ui::Ui;

#[derive(Args, Debug)]
#[command(after_help = "\
A runtime is a component that executes functions of source text: with the one for Python,
hostel run tasks.py#add 40 2 works. It is stored in the registry, and its digest is part of the key
of each cached result, so results of one runtime are never taken for those of another.

Examples:
  hostel runtime install python python.wasm
  hostel runtime ls")]
pub(crate) struct Runtime {
    #[command(subcommand)]
    command: RuntimeCommand,
}

/// One subcommand, one file.
#[derive(Debug, Subcommand)]
enum RuntimeCommand {
    Install(install::Install),
    Ls(ls::Ls),
}

impl Runtime {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        note_local(ui);
        match &self.command {
            RuntimeCommand::Install(command) => command.execute(ui),
            RuntimeCommand::Ls(command) => command.execute(ui),
        }
    }
}
