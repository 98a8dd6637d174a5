//! `hostel components`: one file for each of its subcommands.

mod accept;
mod diff;
mod ls;
mod rm;
mod show;

use std::sync::Arc;

use clap::{Args, Subcommand};
use hostel::registry::{ComponentRef, Registry, RegistryError};

use super::cache::Place;
use crate::exit::Exit;
use crate::problem::{Problem, Stop};
use crate::registered;
use crate::ui::Ui;

#[derive(Args, Debug)]
#[command(after_help = "\
A component is referred to by its name, which stands for the last version that was accepted; by a
version of its name; or by its digest. hostel push stores one.

Examples:
  hostel components ls
  hostel components diff acme.math@1.1.0 acme.math@1.2.0
  hostel components accept acme.math@1.2.0
  hostel components rm acme.math@1.0.0")]
pub(crate) struct Components {
    #[command(subcommand)]
    command: ComponentsCommand,
}

/// One subcommand, one file.
#[derive(Debug, Subcommand)]
enum ComponentsCommand {
    Ls(ls::Ls),
    Show(show::Show),
    Diff(diff::Diff),
    Accept(accept::Accept),
    Rm(rm::Rm),
}

impl Components {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        match &self.command {
            ComponentsCommand::Ls(command) => command.execute(ui),
            ComponentsCommand::Show(command) => command.execute(ui),
            ComponentsCommand::Diff(command) => command.execute(ui),
            ComponentsCommand::Accept(command) => command.execute(ui),
            ComponentsCommand::Rm(command) => command.execute(ui),
        }
    }
}

/// The registry in a data directory.
fn open(place: &Place) -> Result<Registry, Problem> {
    registered::open(&place.data_dir()?)
}

fn failed(error: RegistryError) -> Problem {
    registered::failed(&error)
}

/// Parses a reference to a component.
fn reference(text: &str) -> Result<ComponentRef, String> {
    text.parse().map_err(|error: hostel::registry::ComponentRefError| error.to_string())
}
