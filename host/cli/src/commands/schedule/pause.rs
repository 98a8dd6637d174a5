//! `hostel schedule pause`

use std::sync::Arc;

use clap::Args;
use hostel::schedules::ScheduleName;

use super::set_paused;
use crate::commands::runs::open;
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::options::server::ServerOptions;
use crate::problem::Stop;
use crate::remote::{Remote, Request};
use crate::time::now;
use crate::ui::Ui;

/// Submit no more runs of a schedule
#[derive(Args, Debug)]
pub(crate) struct Pause {
    /// The name of the schedule
    #[arg(value_name = "NAME")]
    name: ScheduleName,

    #[command(flatten)]
    host: HostOptions,

    #[command(flatten)]
    server: ServerOptions,
}

impl Pause {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        match Remote::of(ui, &self.server, self.host.unfit())? {
            Some(remote) => {
                let request = Request::post(&["schedules", &self.name.to_string(), "pause"]);
                remote.send(&request.repeatable())?;
            }
            None => set_paused(&open(&self.host)?, &self.name, true, now())?,
        }
        ui.result_line(&format!("paused {}", self.name))?;
        ui.flush()?;
        Ok(Exit::Completed)
    }
}
