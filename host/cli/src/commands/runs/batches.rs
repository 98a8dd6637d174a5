//! `hostel runs batches`

use std::sync::Arc;

use clap::Args;
use hostel::journal::{BatchAction, BatchId, Journal, JournalError, RunLogs, SqliteJournal};
use hostel_wire::{BatchObject, batch_action_name, printable};

use super::open;
use crate::commands::cache::{Form, FormOptions};
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::options::data_dir::HostOptions;
use crate::options::server::{ServerOptions, Unfit};
use crate::output::table::Layout;
use crate::output::to_json;
use crate::problem::{Problem, Stop};
use crate::remote::{Page, Remote, RemoteBatch, Request, is_finished};
use crate::targets::{command, go_on};
use crate::time::now;
use crate::ui::Ui;

/// What to do about a batch that does not exist.
const LISTED: &str = "hostel runs batches lists them";

/// List the batches of cancel, retry, seen and rm with --where, and resume an interrupted one
#[derive(Args, Debug)]
#[command(after_help = "\
A batch acts on the runs that matched and had been submitted when it was made, newest first, a few
hundred at a time. It stays as it is if its command is interrupted or killed, and any process can
go on with it. A server works through its batches on its own, also after a restart.

Examples:
  hostel runs batches
  hostel runs batches --resume 3
  hostel runs batches --stop 3
  hostel runs batches --output json | jq -r 'select(.state == \"running\").batch'")]
pub(crate) struct Batches {
    /// Go on with this batch until it has acted on all its runs
    #[arg(long, value_name = "BATCH", value_parser = id, conflicts_with = "stop")]
    resume: Option<BatchId>,

    /// Stop this batch permanently; what it has done stays
    #[arg(long, value_name = "BATCH", value_parser = id)]
    stop: Option<BatchId>,

    #[command(flatten)]
    form: FormOptions,

    #[command(flatten)]
    host: HostOptions,

    #[command(flatten)]
    server: ServerOptions,
}

fn id(text: &str) -> Result<BatchId, String> {
    let number = text.parse().map_err(|_| "expected the number of a batch, such as 3".to_owned())?;
    Ok(BatchId::new(number))
}

impl Batches {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        if let Some(remote) = Remote::of(ui, &self.server, self.unfit())? {
            return self.on(ui, &remote);
        }
        let journal = open(&self.host)?;
        if let Some(batch) = self.resume {
            return self.resume(ui, &journal, batch);
        }
        if let Some(batch) = self.stop {
            let was_finished = journal.batch(batch).map_err(unknown)?.is_finished();
            journal.stop_batch(now(), batch).map_err(unknown)?;
            tell_stopped(ui, batch, was_finished)?;
        } else {
            self.list(ui, &journal.batches()?.iter().map(BatchObject::from).collect::<Vec<_>>())?;
        }
        ui.flush()?;
        Ok(Exit::Completed)
    }

    /// Options that cannot be used with a server.
    fn unfit(&self) -> Vec<Unfit> {
        let because = "the server resumes its batches itself";
        let resume = Unfit { option: "--resume", is_given: self.resume.is_some(), because };
        self.host.unfit().into_iter().chain([resume]).collect()
    }

    /// At a server.
    fn on(&self, ui: &Ui, remote: &Remote) -> Result<Exit, Stop> {
        if let Some(batch) = self.stop {
            let id = batch.to_string();
            let unknown = |problem: Problem| {
                if problem.exit() == Exit::NotFound { problem.hint(LISTED) } else { problem }
            };
            let found: RemoteBatch = remote.call(&Request::get(&["batches", &id])).map_err(unknown)?;
            // It stops one that is running, and does nothing else.
            remote.call::<RemoteBatch>(&Request::delete(&["batches", &id]).repeatable())?;
            tell_stopped(ui, batch, is_finished(&found.object))?;
        } else {
            let found: Page<RemoteBatch> = remote.call(&Request::get(&["batches"]))?;
            self.list(ui, &found.items.into_iter().map(|batch| batch.object).collect::<Vec<_>>())?;
        }
        ui.flush()?;
        Ok(Exit::Completed)
    }

    fn list(&self, ui: &Ui, batches: &[BatchObject]) -> Result<(), Stop> {
        match self.form.output {
            Form::Json => batches.iter().try_for_each(|batch| ui.result_line(&to_json(batch)))?,
            Form::Table if batches.is_empty() => {}
            Form::Table => table(ui, batches)?,
        }
        if batches.is_empty() {
            ui.note("there are no batches");
        }
        Ok(())
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
    Problem::of(error.kind(), &error).hint(LISTED)
}

fn tell_stopped(ui: &Ui, batch: BatchId, was_finished: bool) -> Result<(), Stop> {
    let stopped = if was_finished { "was finished before" } else { "is stopped" };
    ui.result_line(&format!("batch {batch} {stopped}"))
}

fn table(ui: &Ui, batches: &[BatchObject]) -> Result<(), Stop> {
    let heading = ["BATCH", "ACTION", "MADE", "STATE", "DONE", "REFUSED"].map(str::to_owned).to_vec();
    let rows: Vec<_> = batches.iter().map(cells).collect();
    let layout = Layout::of(&heading, rows.iter());
    ui.result_line(&layout.heading(&heading, ui.paint))?;
    rows.iter().try_for_each(|row| ui.result_line(&layout.line(row)))
}

fn cells(batch: &BatchObject) -> Vec<String> {
    let action = BatchAction::ALL.into_iter().find(|action| batch_action_name(*action) == batch.action);
    let action = action.map_or_else(|| printable(&batch.action), |action| command(action).into());
    vec![
        batch.batch.to_string(),
        action.into_owned(),
        printable(&batch.created).into_owned(),
        printable(&batch.state).into_owned(),
        batch.done.to_string(),
        batch.failed.to_string(),
    ]
}
