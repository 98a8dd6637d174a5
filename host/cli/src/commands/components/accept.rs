//! `hostel components accept`

use std::sync::Arc;
use std::time::SystemTime;

use clap::Args;
use hostel::Timestamp;
use hostel::registry::ComponentRef;
use hostel_wire::VersionObject;
use serde_json::json;

use super::super::cache::Place;
use super::{failed, open, reference};
use crate::exit::Exit;
use crate::options::server::ServerOptions;
use crate::problem::{Problem, Stop};
use crate::registered;
use crate::remote::{Remote, Request};
use crate::ui::Ui;

/// Accept a version that asks for more than the one before, so that its name stands for it
#[derive(Args, Debug)]
#[command(after_help = "\
Who accepted it, and when, is recorded. To see what it asks for:
  hostel components diff acme.math acme.math@1.2.0")]
pub(crate) struct Accept {
    /// The version: NAME@VERSION
    #[arg(value_name = "NAME@VERSION", value_parser = reference)]
    version: ComponentRef,

    #[command(flatten)]
    place: Place,

    #[command(flatten)]
    server: ServerOptions,
}

impl Accept {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let ComponentRef::Named { name, version: Some(version) } = &self.version else {
            let problem = format!("{}: expected a version of a name, NAME@VERSION", self.version);
            return Err(Problem::invalid(problem).into());
        };
        if let Some(remote) = Remote::of(ui, &self.server, [self.place.unfit()])? {
            let place = ["names", &name.to_string(), "versions", &version.to_string()];
            let found: VersionObject = remote.call(&Request::get(&place))?;
            let body = json!({ "digest": found.digest, "accept_capabilities": true });
            remote.send(&Request::put(&place).json(&body))?;
        } else {
            let at = Timestamp::from(SystemTime::now());
            let registry = open(&self.place)?;
            registry.accept(name, version, &registered::person(), at).map_err(failed)?;
        }
        ui.result_line(&format!("accepted {name}@{version}"))?;
        ui.flush()?;
        Ok(Exit::Completed)
    }
}
