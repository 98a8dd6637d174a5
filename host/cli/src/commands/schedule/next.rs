//! `hostel schedule next`

use std::sync::Arc;

use clap::Args;
use hostel::schedules::{ScheduleName, Timetable};
use hostel_wire::ScheduleObject;

use super::{find, timetable};
use crate::commands::runs::open;
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::options::server::ServerOptions;
use crate::problem::{Problem, Stop};
use crate::remote::{Remote, Request};
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

    #[command(flatten)]
    server: ServerOptions,
}

impl Next {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let (timetable, is_paused) = match Remote::of(ui, &self.server, self.host.unfit())? {
            Some(remote) => {
                let found: ScheduleObject =
                    remote.call(&Request::get(&["schedules", &self.name.to_string()]))?;
                let when = found.when().and_then(|when| Timetable::new(&when).ok());
                let unknown =
                    || Problem::invalid(format!("this version cannot read when {} is due", self.name));
                (when.ok_or_else(unknown)?, found.paused)
            }
            None => {
                let stored = find(&open(&self.host)?, &self.name)?;
                (timetable(&stored)?, stored.schedule.paused)
            }
        };
        for slot in timetable.upcoming(now(), self.count.into()) {
            ui.result_line(&timetable.local_text(slot))?;
        }
        ui.flush()?;
        if is_paused {
            ui.note("it is paused");
        }
        Ok(Exit::Completed)
    }
}
