//! `hostel schedule resume`

use std::sync::Arc;

use clap::Args;
use hostel::schedules::ScheduleName;

use super::set_paused;
use crate::commands::runs::open;
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::problem::Stop;
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
}

impl Resume {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        set_paused(&open(&self.host)?, &self.name, false, now())?;
        ui.result_line(&format!("resumed {}", self.name))?;
        ui.flush()?;
        Ok(Exit::Completed)
    }
}
