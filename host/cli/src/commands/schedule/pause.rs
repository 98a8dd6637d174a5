//! `hostel schedule pause`

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

/// Submit no more runs of a schedule
#[derive(Args, Debug)]
pub(crate) struct Pause {
    /// The name of the schedule
    #[arg(value_name = "NAME")]
    name: ScheduleName,

    #[command(flatten)]
    host: HostOptions,
}

impl Pause {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        set_paused(&open(&self.host)?, &self.name, true, now())?;
        ui.result_line(&format!("paused {}", self.name))?;
        ui.flush()?;
        Ok(Exit::Completed)
    }
}
