//! `hostel schedule rm`

use std::sync::Arc;

use clap::Args;
use hostel::schedules::ScheduleName;

use super::unknown;
use crate::commands::runs::open;
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::options::server::ServerOptions;
use crate::problem::Stop;
use crate::remote::{Remote, Request};
use crate::ui::Ui;

/// Remove a schedule; runs that it has submitted stay
#[derive(Args, Debug)]
pub(crate) struct Rm {
    /// The name of the schedule
    #[arg(value_name = "NAME")]
    name: ScheduleName,

    #[command(flatten)]
    host: HostOptions,

    #[command(flatten)]
    server: ServerOptions,
}

impl Rm {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        if let Some(remote) = Remote::of(ui, &self.server, self.host.unfit())? {
            remote.send(&Request::delete(&["schedules", &self.name.to_string()]))?;
        } else if !open(&self.host)?.remove_schedule(&self.name)? {
            return Err(unknown(&self.name).into());
        }
        ui.result_line(&format!("removed {}", self.name))?;
        ui.flush()?;
        Ok(Exit::Completed)
    }
}
