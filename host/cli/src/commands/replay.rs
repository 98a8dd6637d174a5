//! `hostel replay`

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use hostel::journal::{RunRecord, SqliteJournal};
use hostel::{Component, Host, Outcome, Replay as Replayed, ReplayError, RunId};
use hostel_wire::{ReplayObject, cause, printable};

use crate::commands::cache::{Form, FormOptions};
use crate::commands::runs;
use crate::exit::Exit;
use crate::load;
use crate::options::MemoryOptions;
use crate::options::data_dir::HostOptions;
use crate::options::server::note_local;
use crate::output::table::Layout;
use crate::output::to_json;
use crate::problem::{Problem, Stop};
use crate::registered;
use crate::runtime;
use crate::ui::Ui;
use crate::ui::text::one_line;

/// Room for one run: a component may have this many memories.
const INSTANCES: u32 = 16;

#[derive(Args, Debug)]
#[command(after_help = "\
The run has the component, the inputs, the limits, and the fixed or virtual clock and seed that it
had before; a delayed run also has its variables. It has no network, can only read its directories, and changes neither
files nor the cache. The exit code is 0 if the results are the same, and 1 if they differ.

Its component is found by its digest if it is registered, or if the data directory has its compiled
code; otherwise give its file.

Examples:
  hostel replay 019a8c5e-3f40-7cc1-8f6e-2f8c6f2a9b11
  hostel replay 019a8c5e-3f40-7cc1-8f6e-2f8c6f2a9b11 --component math.wasm --output json")]
pub(crate) struct Replay {
    /// The id of the run: hostel runs ls shows it
    #[arg(value_name = "RUN")]
    run: RunId,

    /// The file of its component, or another reference to it
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,

    #[command(flatten)]
    form: FormOptions,

    #[command(flatten)]
    memory: MemoryOptions,

    #[command(flatten)]
    host: HostOptions,
}

impl Replay {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        note_local(ui);
        let journal = runs::open(&self.host)?;
        let entry = runs::entry(&journal, self.run)?;
        let counts_fuel = entry.record().spec().spec.limits.fuel.is_some();
        let host = self.memory.apply(self.host.host(ui)?).max_workers(1).max_instances(INSTANCES);
        let host = host.count_fuel(counts_fuel).optimise(false).build()?;
        let runtime = runtime::on_this_thread()?;
        runtime.block_on(self.replay(ui, &host, &journal, entry.record()))
    }

    async fn replay(
        &self,
        ui: &Ui,
        host: &Host,
        journal: &SqliteJournal,
        record: &RunRecord,
    ) -> Result<Exit, Stop> {
        let component = self.component(ui, host, record).await?;
        let replayed = host.replay(journal, record, component.as_ref()).await.map_err(refused)?;
        match self.form.output {
            Form::Json => ui.result_line(&to_json(&ReplayObject::new(self.run, &replayed)))?,
            Form::Table => tell(ui, &replayed)?,
        }
        ui.flush()?;
        Ok(if replayed.is_same { Exit::Completed } else { Exit::RunFailed })
    }

    /// The component that was given, or the registered one; `None` if only its compiled code can be here.
    async fn component(
        &self,
        ui: &Ui,
        host: &Host,
        record: &RunRecord,
    ) -> Result<Option<Component>, Problem> {
        let located = match &self.component {
            Some(path) => registered::locate(ui, path, &self.host, false)?,
            None => {
                let digest = record.spec().task.component.to_string();
                match registered::locate(ui, digest.as_ref(), &self.host, true) {
                    Ok(located) => located,
                    Err(_) => return Ok(None),
                }
            }
        };
        load::component(ui, host, &located, false).await.map(Some)
    }
}

fn tell(ui: &Ui, replayed: &Replayed) -> Result<(), Stop> {
    let mut rows: Vec<[String; 2]> = Vec::new();
    let mut row = |name: &str, text: String| rows.push([name.to_owned(), text]);
    if replayed.is_same {
        row("same", text(&replayed.replayed));
    } else {
        row("different", String::new());
        row("recorded", text(&replayed.recorded));
        row("replayed", text(&replayed.replayed));
        match replayed.may_differ.as_slice() {
            [] => row("because", "nothing is known that explains it".to_owned()),
            reasons => reasons.iter().for_each(|reason| row("because", reason.clone())),
        }
    }
    let rows: Vec<_> = rows.into_iter().map(Vec::from).collect();
    let layout = Layout::of(&vec![String::new(); 2], rows.iter());
    rows.iter().try_for_each(|row| ui.result_line(&layout.line(row)))
}

/// The value, or what went wrong.
fn text(outcome: &Outcome) -> String {
    if let Outcome::Completed(value) = outcome {
        return one_line(&value.to_string());
    }
    printable(&cause(outcome).unwrap_or_default()).into_owned()
}

fn refused(error: ReplayError) -> Problem {
    let hint = if let ReplayError::NotEnded { run, .. } = &error {
        Some(format!("hostel runs wait {run} waits for its end"))
    } else if let ReplayError::Map { run } = &error {
        Some(format!("hostel runs export lists its first failed items, with \"parent\": \"{run}\""))
    } else if let ReplayError::NoComponent { .. } = &error {
        Some("give its file: --component FILE".to_owned())
    } else {
        None
    };
    if let ReplayError::Submit(error) = error {
        return Problem::from(error);
    }
    Problem::of(error.kind(), &error).hints_of(hint)
}
