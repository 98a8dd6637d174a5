//! `hostel cache stats`

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hostel::{bytes_text, count_text, duration_text};
use hostel_wire::{StatsObject, parse_instant, printable};

use super::{Form, FormOptions, Place, age, short_task, tell_of_none};
use crate::exit::Exit;
use crate::options::server::ServerOptions;
use crate::output::table::{Layout, Row};
use crate::output::to_json;
use crate::problem::{Problem, Stop};
use crate::remote::{Remote, Request};
use crate::ui::Ui;
use crate::ui::color::Paint;
use crate::ui::text::{counted, elapsed};

/// Show the number and size of cached results, by task
#[derive(Args, Debug)]
#[command(after_help = "\
TOOK is how long it took to compute the results of a task: what it would cost to lose them.

Examples:
  hostel cache stats
  hostel cache stats --output json | jq '.tasks[0]'")]
pub(crate) struct Stats {
    #[command(flatten)]
    form: FormOptions,

    #[command(flatten)]
    place: Place,

    #[command(flatten)]
    server: ServerOptions,
}

impl Stats {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        if let Some(remote) = Remote::of(ui, &self.server, [self.place.unfit()])? {
            let stats: StatsObject<'static> = remote.call(&Request::get(&["cache", "stats"]))?;
            self.show(ui, &stats, || ui.note("there are no results on the server"))?;
            return Ok(Exit::Completed);
        }
        let results = self.place.open()?;
        let stats = results.stats().map_err(Problem::from)?;
        self.show(ui, &StatsObject::from(&stats), || tell_of_none(ui, &results))?;
        Ok(Exit::Completed)
    }

    fn show(&self, ui: &Ui, stats: &StatsObject<'_>, tell_of_none: impl FnOnce()) -> Result<(), Stop> {
        match self.form.output {
            Form::Json => ui.result_line(&to_json(stats))?,
            Form::Table if stats.entries == 0 && stats.damaged == 0 => tell_of_none(),
            Form::Table => ui.result_line(&text(stats, ui.paint))?,
        }
        ui.flush()
    }
}

fn text(stats: &StatsObject<'_>, paint: Paint) -> String {
    let mut lines = vec![
        ("results", format!("{}, {}", count_text(stats.entries), bytes_text(stats.bytes))),
        ("values with files", format!("{}, {}", count_text(stats.blobs), bytes_text(stats.blob_bytes))),
        ("on disk", bytes_text(stats.disk_bytes)),
    ];
    let at = |text: &Option<String>| parse_instant(text.as_deref()?);
    if let (Some(oldest), Some(newest)) = (at(&stats.oldest), at(&stats.newest)) {
        lines.push(("computed", format!("{} to {} ago", elapsed(age(oldest)), elapsed(age(newest)))));
    }
    if stats.damaged > 0 {
        let damaged = counted(stats.damaged, "result");
        lines.push(("damaged", format!("{damaged}, computed again when needed")));
    }
    let mut text: String = lines
        .iter()
        .map(|(name, value)| format!("{}  {value}\n", paint.dim(format!("{name:<17}"))))
        .collect();
    let heading: Row = ["RESULTS", "SIZE", "TOOK", "TASK"].map(str::to_owned).to_vec();
    let rows: Vec<Row> = stats
        .tasks
        .iter()
        .map(|task| {
            let name = printable(&short_task(&task.task)).into_owned();
            vec![
                count_text(task.entries),
                bytes_text(task.bytes),
                duration_text(Duration::from_millis(task.took_ms)),
                name,
            ]
        })
        .collect();
    let layout = Layout::of(&heading, rows.iter());
    text.push('\n');
    text.push_str(&layout.heading(&heading, paint));
    rows.iter().for_each(|row| text.extend(["\n", &layout.line(row)]));
    text
}
