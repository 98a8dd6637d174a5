//! `hostel python`: one file for each of its subcommands.

mod build;

use std::sync::Arc;

use clap::{Args, Subcommand};

use crate::exit::Exit;
use crate::options::server::note_local;
use crate::problem::Stop;
use crate::ui::Ui;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hostel python build -r requirements.txt -o python.wasm
  hostel runtime install python python.wasm")]
pub(crate) struct Python {
    #[command(subcommand)]
    command: PythonCommand,
}

/// One subcommand, one file.
#[derive(Debug, Subcommand)]
enum PythonCommand {
    Build(build::Build),
}

impl Python {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        note_local(ui);
        match &self.command {
            PythonCommand::Build(command) => command.execute(ui),
        }
    }
}
