//! `hostel schedule ls`

use std::sync::Arc;

use clap::Args;
use hostel::schedules::{MAX_SCHEDULES, StoredSchedule, Timetable};
use hostel_wire::{ScheduleObject, printable};

use crate::commands::cache::{Form, FormOptions};
use crate::commands::runs::open;
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::output::table::Layout;
use crate::output::to_json;
use crate::problem::Stop;
use crate::ui::Ui;

/// List schedules
#[derive(Args, Debug)]
pub(crate) struct Ls {
    #[command(flatten)]
    form: FormOptions,

    #[command(flatten)]
    host: HostOptions,
}

impl Ls {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let journal = open(&self.host)?;
        let mut all: Vec<StoredSchedule> = Vec::new();
        loop {
            let after = all.last().map(|last| last.schedule.name.clone());
            let some = journal.schedules(after.as_ref(), MAX_SCHEDULES)?;
            if some.is_empty() {
                break;
            }
            all.extend(some);
        }
        match self.form.output {
            Form::Json => {
                for stored in &all {
                    ui.result_line(&to_json(&ScheduleObject::from(stored)))?;
                }
            }
            Form::Table if all.is_empty() => ui.note("there are no schedules"),
            Form::Table => {
                let heading = ["NAME", "WHEN", "NEXT", "TASK"].map(str::to_owned).to_vec();
                let rows: Vec<_> = all.iter().map(cells).collect();
                let layout = Layout::of(&heading, rows.iter());
                ui.result_line(&layout.heading(&heading, ui.paint))?;
                rows.iter().try_for_each(|row| ui.result_line(&layout.line(row)))?;
            }
        }
        ui.flush()?;
        Ok(Exit::Completed)
    }
}

fn cells(stored: &StoredSchedule) -> Vec<String> {
    let schedule = &stored.schedule;
    let timetable = Timetable::new(&schedule.when).ok();
    let next = stored.next.zip(timetable.as_ref()).map(|(next, timetable)| timetable.local_text(next));
    let next = if schedule.paused { Some("paused".to_owned()) } else { next };
    vec![
        schedule.name.to_string(),
        timetable.map_or_else(|| "unknown to this version".to_owned(), |timetable| timetable.describe()),
        next.unwrap_or_default(),
        printable(&schedule.task).into_owned(),
    ]
}
