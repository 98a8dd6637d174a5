//! `hostel runs stats`

use std::sync::Arc;

use clap::Args;
use hostel::State;
use hostel::journal::Journal;
use serde_json::{Map, Value};

use super::open;
use crate::commands::cache::{Form, FormOptions};
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::output::table::Layout;
use crate::output::to_json;
use crate::problem::Stop;
use crate::ui::Ui;

/// Count the runs by state
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
        match self.form.output {
            Form::Json => {
                let states =
                    State::ALL.into_iter().map(|state| (state.name().to_owned(), counts.of(state).into()));
                let mut object: Map<String, Value> = Map::new();
                object.insert("states".to_owned(), Value::Object(states.collect()));
                object.insert("removed".to_owned(), counts.removed.into());
                ui.result_line(&to_json(&object))?;
            }
            Form::Table => {
                let heading = ["STATE", "RUNS"].map(str::to_owned).to_vec();
                let states = State::ALL.into_iter().filter(|state| counts.of(*state) > 0);
                let mut rows: Vec<_> =
                    states.map(|state| vec![state.name().to_owned(), counts.of(state).to_string()]).collect();
                rows.push(vec!["removed".to_owned(), counts.removed.to_string()]);
                let layout = Layout::of(&heading, rows.iter());
                ui.result_line(&layout.heading(&heading, ui.paint))?;
                rows.iter().try_for_each(|row| ui.result_line(&layout.line(row)))?;
            }
        }
        ui.flush()?;
        Ok(Exit::Completed)
    }
}
