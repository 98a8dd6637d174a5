//! `hostel schedule run-now`

use std::sync::Arc;

use clap::Args;
use hostel::schedules::{RunNowError, ScheduleName, run_now};
use serde::Deserialize;

use super::unknown;
use crate::commands::runs::open;
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::options::server::ServerOptions;
use crate::problem::{Problem, Stop};
use crate::registered;
use crate::remote::{Remote, Request};
use crate::time::now;
use crate::ui::Ui;
use hostel::schedules::resolve;

/// Submit a run of a schedule at once, beside its times
#[derive(Args, Debug)]
#[command(after_help = "\
Earlier runs do not keep it from starting, nor a pause of the schedule. Its id is on stdout.

Example:
  hostel runs wait $(hostel schedule run-now backup)")]
pub(crate) struct RunNow {
    /// The name of the schedule
    #[arg(value_name = "NAME")]
    name: ScheduleName,

    #[command(flatten)]
    host: HostOptions,

    #[command(flatten)]
    server: ServerOptions,
}

/// The run that a server has stored.
#[derive(Deserialize)]
struct Submitted {
    run: String,
}

impl RunNow {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        if let Some(remote) = Remote::of(ui, &self.server, self.host.unfit())? {
            let request = Request::post(&["schedules", &self.name.to_string(), "run"]);
            ui.result_line(&remote.call::<Submitted>(&request)?.run)?;
            ui.flush()?;
            return Ok(Exit::Completed);
        }
        let journal = open(&self.host)?;
        let registry = registered::open(&self.host.stored()?)?;
        let run = run_now(&journal, &self.name, now(), |schedule| resolve(&registry, schedule));
        let problem = |error: RunNowError| match &error {
            RunNowError::NotFound { name } => unknown(name),
            RunNowError::Task { .. } | RunNowError::Journal(_) | _ => Problem::of(error.kind(), &error),
        };
        let run = run.map_err(problem)?;
        ui.result_line(&run.to_string())?;
        ui.flush()?;
        Ok(Exit::Completed)
    }
}
