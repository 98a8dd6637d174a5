//! `hostel limits ls`

use std::sync::Arc;

use clap::Args;
use hostel::duration_text;
use hostel::journal::{Journal, LimitUse};
use hostel_wire::{LimitUseObject, instant, printable};

use crate::commands::cache::{Form, FormOptions};
use crate::commands::runs::open;
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::output::table::Layout;
use crate::output::to_json;
use crate::problem::Stop;
use crate::ui::Ui;

/// List limits and pauses, and who uses them
#[derive(Args, Debug)]
pub(crate) struct Ls {
    #[command(flatten)]
    form: FormOptions,

    #[command(flatten)]
    host: HostOptions,
}

impl Ls {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let limits = open(&self.host)?.limits()?;
        match self.form.output {
            Form::Json => {
                for used in &limits {
                    ui.result_line(&to_json(&LimitUseObject::from(used)))?;
                }
            }
            Form::Table if limits.is_empty() => ui.note("there are no limits"),
            Form::Table => {
                let heading = ["SCOPE", "RUNNING", "MAX", "RATE", "WAITING", "PAUSED"];
                let heading = heading.map(str::to_owned).to_vec();
                let rows: Vec<_> = limits.iter().map(cells).collect();
                let layout = Layout::of(&heading, rows.iter());
                ui.result_line(&layout.heading(&heading, ui.paint))?;
                rows.iter().try_for_each(|row| ui.result_line(&layout.line(row)))?;
            }
        }
        ui.flush()?;
        Ok(Exit::Completed)
    }
}

fn cells(used: &LimitUse) -> Vec<String> {
    let paused = used.pause.as_ref().map(|pause| {
        let until = pause.until.map_or_else(|| "yes".to_owned(), |until| format!("until {}", instant(until)));
        let reason = printable(&pause.reason);
        if reason.is_empty() { until } else { format!("{until}: {reason}") }
    });
    vec![
        used.scope.to_string(),
        used.held.to_string(),
        used.limit.max_running.map(|max| max.to_string()).unwrap_or_default(),
        used.limit
            .rate
            .map(|rate| format!("{}/{}", rate.starts, duration_text(rate.per)))
            .unwrap_or_default(),
        used.waiting.to_string(),
        paused.unwrap_or_default(),
    ]
}
