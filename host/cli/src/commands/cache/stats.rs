//! `hostel cache stats`

use std::sync::Arc;

use clap::Args;
use hostel::{ResultStats, bytes_text, count_text, duration_text};
use hostel_wire::{StatsObject, printable};

use super::{Form, FormOptions, Place, age, short_task, tell_of_none};
use crate::exit::Exit;
use crate::output::table::{Layout, Row};
use crate::output::to_json;
use crate::problem::{Problem, Stop};
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
}

impl Stats {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let results = self.place.open()?;
        let stats = results.stats().map_err(Problem::from)?;
        match self.form.output {
            Form::Json => ui.result_line(&to_json(&StatsObject::from(&stats)))?,
            Form::Table if stats.entries == 0 && stats.damaged == 0 => tell_of_none(ui, &results),
            Form::Table => ui.result_line(&text(&stats, ui.paint))?,
        }
        ui.flush()?;
        Ok(Exit::Completed)
    }
}

fn text(stats: &ResultStats, paint: Paint) -> String {
    let mut lines = vec![
        ("results", format!("{}, {}", count_text(stats.entries), bytes_text(stats.bytes))),
        ("values with files", format!("{}, {}", count_text(stats.blobs), bytes_text(stats.blob_bytes))),
        ("on disk", bytes_text(stats.disk_bytes)),
    ];
    if let (Some(oldest), Some(newest)) = (stats.oldest, stats.newest) {
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
            vec![count_text(task.entries), bytes_text(task.bytes), duration_text(task.took), name]
        })
        .collect();
    let layout = Layout::of(&heading, rows.iter());
    text.push('\n');
    text.push_str(&layout.heading(&heading, paint));
    rows.iter().for_each(|row| text.extend(["\n", &layout.line(row)]));
    text
}
