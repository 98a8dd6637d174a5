//! `hostel components rm`

use std::sync::Arc;

use clap::Args;
use hostel::registry::{ComponentRef, Removed};

use super::super::cache::Place;
use super::{failed, open, reference};
use crate::exit::Exit;
use crate::options::server::ServerOptions;
use crate::problem::{Problem, Stop};
use crate::remote::{Remote, Request};
use crate::ui::Ui;

/// Remove a version, or a component without a name
#[derive(Args, Debug)]
#[command(after_help = "\
The bytes of a component are removed with its last version. A component that runs still need is not
removed.

Examples:
  hostel components rm acme.math@1.0.0
  hostel components rm sha256:8396d93e96a74cbce2a7ec24b42c5757bc84938e3a43b717b0d4cd5d31a9133e")]
pub(crate) struct Rm {
    /// The version, NAME@VERSION, or the component, sha256:DIGEST
    #[arg(value_name = "COMPONENT", value_parser = reference)]
    component: ComponentRef,

    #[command(flatten)]
    place: Place,

    #[command(flatten)]
    server: ServerOptions,
}

impl Rm {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        if let ComponentRef::Named { name, version: None } = &self.component {
            let problem = format!("{name} stands for many versions: expected one, {name}@VERSION");
            return Err(Problem::invalid(problem).hint(format!("hostel components show {name}")).into());
        }
        if let Some(remote) = Remote::of(ui, &self.server, [self.place.unfit()])? {
            remote.send(&match &self.component {
                ComponentRef::Named { name, version: Some(version) } => {
                    Request::delete(&["names", &name.to_string(), "versions", &version.to_string()])
                }
                component @ (ComponentRef::Digest(_) | ComponentRef::Named { version: None, .. }) => {
                    Request::delete(&["components", &component.to_string()])
                }
            })?;
            ui.result_line(&format!("removed {}", self.component))?;
            ui.flush()?;
            return Ok(Exit::Completed);
        }
        let Removed { component, .. } = open(&self.place)?.remove(&self.component).map_err(failed)?;
        ui.result_line(&format!("removed {}", self.component))?;
        ui.flush()?;
        if let Some(digest) = component.filter(|digest| self.component != ComponentRef::Digest(*digest)) {
            ui.note(&format!("{digest} was removed too: it was its last version"));
        }
        Ok(Exit::Completed)
    }
}
