//! `hostel runs batches`

use std::sync::Arc;

use clap::Args;
use hostel::journal::{Batch, BatchAction, BatchId, Journal, JournalError, RunLogs, SqliteJournal};
use hostel_wire::instant;

use super::open;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::options::data_dir::HostOptions;
use crate::output::table::Layout;
use crate::problem::{Problem, Stop};
use crate::targets::{command, go_on};
use crate::time::now;
use crate::ui::Ui;

/// List the batches of cancel, retry, seen and rm with --where, and go on with one that was interrupted
#[derive(Args, Debug)]
#[command(after_help = "\
A batch acts on the runs that matched and had been submitted when it was made, newest first, a few
hundred at a time. It stays as it is if its command is interrupted or killed, and any process can
go on with it.

Examples:
  hostel runs batches
  hostel runs batches --resume 3
  hostel runs batches --stop 3")]
pub(crate) struct Batches {
    /// Go on with this batch until it has acted on all its runs
    #[arg(long, value_name = "BATCH", value_parser = id, conflicts_with = "stop")]
    resume: Option<BatchId>,

    /// Stop this batch for ever; what it has done stays
    #[arg(long, value_name = "BATCH", value_parser = id)]
    stop: Option<BatchId>,

    #[command(flatten)]
    host: HostOptions,
}

fn id(text: &str) -> Result<BatchId, String> {
    let number = text.parse().map_err(|_| "expected the number of a batch, such as 3".to_owned())?;
    Ok(BatchId::new(number))
}

impl Batches {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let journal = open(&self.host)?;
        if let Some(batch) = self.resume {
            return self.resume(ui, &journal, batch);
        }
        if let Some(batch) = self.stop {
            let was_finished = journal.batch(batch).map_err(unknown)?.is_finished();
            journal.stop_batch(now(), batch).map_err(unknown)?;
            let stopped = if was_finished { "was finished before" } else { "is stopped" };
            ui.result_line(&format!("batch {batch} {stopped}"))?;
        } else {
            list(ui, &journal.batches()?)?;
        }
        ui.flush()?;
        Ok(Exit::Completed)
    }

    fn resume(&self, ui: &Ui, journal: &SqliteJournal, batch: BatchId) -> Result<Exit, Stop> {
        let interrupt = Interrupt::listen();
        let batch = journal.batch(batch).map_err(unknown)?;
        let logs = (batch.action == BatchAction::Remove)
            .then(|| RunLogs::open(&self.host.stored()?).map_err(|error| Problem::of(error.kind(), &error)));
        go_on(ui, (journal, logs.transpose()?.as_ref()), batch, &interrupt)
    }
}

fn unknown(error: JournalError) -> Problem {
    Problem::of(error.kind(), &error).hint("hostel runs batches lists them")
}

fn list(ui: &Ui, batches: &[Batch]) -> Result<(), Stop> {
    if batches.is_empty() {
        ui.note("there are no batches");
        return Ok(());
    }
    let heading = ["BATCH", "ACTION", "MADE", "STATE", "DONE", "REFUSED"].map(str::to_owned).to_vec();
    let rows: Vec<_> = batches.iter().map(cells).collect();
    let layout = Layout::of(&heading, rows.iter());
    ui.result_line(&layout.heading(&heading, ui.paint))?;
    rows.iter().try_for_each(|row| ui.result_line(&layout.line(row)))
}

fn cells(batch: &Batch) -> Vec<String> {
    let state = match batch.finished {
        None => "unfinished",
        Some(_) if batch.is_stopped => "stopped",
        Some(_) => "finished",
    };
    vec![
        batch.id.to_string(),
        command(batch.action).to_owned(),
        instant(batch.created),
        state.to_owned(),
        batch.done.to_string(),
        batch.failed.to_string(),
    ]
}
