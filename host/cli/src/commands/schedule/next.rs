//! `hostel schedule next`

use std::sync::Arc;

use clap::Args;
use hostel::schedules::ScheduleName;

use super::{find, timetable};
use crate::commands::runs::open;
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::problem::Stop;
use crate::time::now;
use crate::ui::Ui;

/// The most times that are shown.
const MOST: i64 = 1_000;

/// Show the next times of a schedule, in its time zone
#[derive(Args, Debug)]
pub(crate) struct Next {
    /// The name of the schedule
    #[arg(value_name = "NAME")]
    name: ScheduleName,

    /// How many
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=MOST))]
    count: u16,

    #[command(flatten)]
    host: HostOptions,
}

impl Next {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let stored = find(&open(&self.host)?, &self.name)?;
        let timetable = timetable(&stored)?;
        for slot in timetable.upcoming(now(), self.count.into()) {
            ui.result_line(&timetable.local_text(slot))?;
        }
        ui.flush()?;
        if stored.schedule.paused {
            ui.note("it is paused");
        }
        Ok(Exit::Completed)
    }
}
