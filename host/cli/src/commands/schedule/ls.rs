//! `hostel schedule ls`

use std::sync::Arc;

use clap::Args;
use hostel::schedules::{MAX_SCHEDULES, StoredSchedule, Timetable, held_back};
use hostel_wire::{ScheduleObject, parse_instant, printable};

use crate::commands::cache::{Form, FormOptions};
use crate::commands::runs::open;
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::options::server::ServerOptions;
use crate::output::table::Layout;
use crate::output::to_json;
use crate::problem::{Problem, Stop};
use crate::registered;
use crate::remote::{PAGE_ITEMS, Page, Remote, Request};
use crate::ui::Ui;

/// List schedules
#[derive(Args, Debug)]
pub(crate) struct Ls {
    #[command(flatten)]
    form: FormOptions,

    #[command(flatten)]
    host: HostOptions,

    #[command(flatten)]
    server: ServerOptions,
}

impl Ls {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let all = match Remote::of(ui, &self.server, self.host.unfit())? {
            Some(remote) => {
                let request = Request::get(&["schedules"]).query("limit", PAGE_ITEMS);
                let mut all = Vec::new();
                remote.block_on(remote.client.pages(&request, |page: Page<ScheduleObject>| {
                    all.extend(page.items);
                    Ok::<_, Problem>(true)
                }))?;
                all
            }
            None => self.here()?,
        };
        match self.form.output {
            Form::Json => {
                for schedule in &all {
                    ui.result_line(&to_json(schedule))?;
                }
            }
            Form::Table if all.is_empty() => ui.note("there are no schedules"),
            Form::Table => {
                let heading = ["NAME", "WHEN", "NEXT", "TASK"].map(str::to_owned).to_vec();
                let rows: Vec<_> = all.iter().map(cells).collect();
                let layout = Layout::of(&heading, rows.iter());
                ui.result_line(&layout.heading(&heading, ui.paint))?;
                rows.iter().try_for_each(|row| ui.result_line(&layout.line(row)))?;
                for schedule in &all {
                    if let Some(why) = &schedule.held_back {
                        ui.note(&format!("{}: {}", printable(&schedule.name), printable(why)));
                    }
                }
            }
        }
        ui.flush()?;
        Ok(Exit::Completed)
    }

    fn here(&self) -> Result<Vec<ScheduleObject>, Problem> {
        let journal = open(&self.host)?;
        let mut all: Vec<StoredSchedule> = Vec::new();
        loop {
            let after = all.last().map(|last| last.schedule.name.clone());
            let some = journal.schedules(after.as_ref(), MAX_SCHEDULES)?;
            if some.is_empty() {
                return self.objects(&all);
            }
            all.extend(some);
        }
    }

    /// With why they do not use the newest version.
    fn objects(&self, all: &[StoredSchedule]) -> Result<Vec<ScheduleObject>, Problem> {
        let registry = registered::open(&self.host.stored()?)?;
        let object = |stored: &StoredSchedule| {
            let mut object = ScheduleObject::from(stored);
            object.held_back =
                held_back(&registry, &stored.schedule).map_err(|error| registered::failed(&error))?;
            Ok(object)
        };
        all.iter().map(object).collect()
    }
}

fn cells(schedule: &ScheduleObject) -> Vec<String> {
    let timetable = schedule.when().and_then(|when| Timetable::new(&when).ok());
    let next = schedule.next_at.as_deref().and_then(parse_instant);
    let next = next.zip(timetable.as_ref()).map(|(next, timetable)| timetable.local_text(next));
    let next = if schedule.paused { Some("paused".to_owned()) } else { next };
    vec![
        printable(&schedule.name).into_owned(),
        timetable.map_or_else(|| "unknown to this version".to_owned(), |timetable| timetable.describe()),
        next.unwrap_or_default(),
        printable(&schedule.task).into_owned(),
    ]
}
