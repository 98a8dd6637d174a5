//! `hostel runs stats`

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hostel::journal::{Journal, Retention};
use hostel::{State, bytes_text};
use serde_json::{Map, Value, json};

use super::open;
use crate::commands::cache::{Form, FormOptions};
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::output::table::Layout;
use crate::output::to_json;
use crate::problem::Stop;
use crate::storage;
use crate::ui::Ui;
use crate::ui::text::elapsed;

/// Count the runs by state, and show how much of the disk they and other things take, and how long
/// they stay
#[derive(Args, Debug)]
pub(crate) struct Stats {
    #[command(flatten)]
    form: FormOptions,

    #[command(flatten)]
    host: HostOptions,
}

impl Stats {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let counts = open(&self.host)?.counts()?;
        let sizes = storage::sizes(&self.host.stored()?);
        let kept = Retention::default();
        match self.form.output {
            Form::Json => {
                let states =
                    State::ALL.into_iter().map(|state| (state.name().to_owned(), counts.of(state).into()));
                let mut object: Map<String, Value> = Map::new();
                object.insert("states".to_owned(), Value::Object(states.collect()));
                object.insert("removed".to_owned(), counts.removed.into());
                let sizes = sizes.into_iter().map(|(kind, bytes)| (kind.to_owned(), bytes.into()));
                object.insert("stored_bytes".to_owned(), Value::Object(sizes.collect()));
                let seconds = |age: Option<Duration>| age.map(|age| age.as_secs());
                let kept = json!({
                    "completed_seconds": seconds(kept.completed),
                    "failed_seconds": seconds(kept.failed),
                    "logs_seconds": seconds(kept.logs_age),
                    "logs_bytes": kept.logs_bytes,
                });
                object.insert("retention".to_owned(), kept);
                ui.result_line(&to_json(&object))?;
            }
            Form::Table => {
                let heading = ["STATE", "RUNS"];
                let states = State::ALL.into_iter().filter(|state| counts.of(*state) > 0);
                let mut rows: Vec<_> =
                    states.map(|state| vec![state.name().to_owned(), counts.of(state).to_string()]).collect();
                rows.push(vec!["removed".to_owned(), counts.removed.to_string()]);
                table(ui, heading, &rows)?;
                ui.result_line("")?;
                let sizes = sizes.into_iter().filter(|(_, bytes)| *bytes > 0);
                let rows: Vec<_> =
                    sizes.map(|(kind, bytes)| vec![kind.to_owned(), bytes_text(bytes)]).collect();
                table(ui, ["STORED", "SIZE"], &rows)?;
                ui.result_line("")?;
                table(ui, ["KEPT", "FOR"], &kept_rows(&kept))?;
            }
        }
        ui.flush()?;
        Ok(Exit::Completed)
    }
}

fn kept_rows(kept: &Retention) -> Vec<Vec<String>> {
    let age = |age: Option<Duration>| age.map_or_else(|| "ever".to_owned(), elapsed);
    let most = kept.logs_bytes.map(|bytes| format!(", at most {}", bytes_text(bytes))).unwrap_or_default();
    let rows = [
        ("unfinished", "ever".to_owned()),
        ("completed", age(kept.completed)),
        ("failed", age(kept.failed)),
        ("logs", age(kept.logs_age) + &most),
    ];
    rows.map(|(what, time)| vec![what.to_owned(), time]).into()
}

fn table(ui: &Ui, heading: [&str; 2], rows: &[Vec<String>]) -> Result<(), Stop> {
    let heading = heading.map(str::to_owned).to_vec();
    let layout = Layout::of(&heading, rows.iter());
    ui.result_line(&layout.heading(&heading, ui.paint))?;
    rows.iter().try_for_each(|row| ui.result_line(&layout.line(row)))
}
