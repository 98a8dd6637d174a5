//! `hostel schedule resume`

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

/// Submit runs of a schedule again; times of the pause are not made up for
#[derive(Args, Debug)]
pub(crate) struct Resume {
    /// The name of the schedule
    #[arg(value_name = "NAME")]
    name: ScheduleName,

    #[command(flatten)]
    host: HostOptions,

    #[command(flatten)]
    server: ServerOptions,
}

impl Resume {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        match Remote::of(ui, &self.server, self.host.unfit())? {
            Some(remote) => {
                let request = Request::post(&["schedules", &self.name.to_string(), "resume"]);
                remote.send(&request.repeatable())?;
            }
            None => set_paused(&open(&self.host)?, &self.name, false, now())?,
        }
        ui.result_line(&format!("resumed {}", self.name))?;
        ui.flush()?;
        Ok(Exit::Completed)
    }
}
