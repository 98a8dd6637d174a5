//! `hostel runs`: one file for each of its subcommands.

pub(crate) mod batches;
pub(crate) mod cancel;

pub(crate) mod export;
pub(crate) mod logs;
pub(crate) mod ls;
pub(crate) mod prune;
pub(crate) mod retry;
pub(crate) mod rm;
pub(crate) mod seen;
pub(crate) mod set;
pub(crate) mod show;

pub(crate) mod stats;
pub(crate) mod wait;

use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use hostel::journal::{Journal, JournalEntry, JournalError, RunHistory, SqliteJournal};
use hostel::{ErrorKind, MAX_ERROR_CHARS, RunFilter, RunId, Timestamp, excerpt_within};
use hostel_wire::{RunObject, run_filter};

use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::options::server::note_local;
use crate::problem::{Problem, Stop};
use crate::time::now;
use crate::ui::Ui;

#[derive(Args, Debug)]
#[command(after_help = "\
Runs are those of hostel delay and of schedules, which hostel worker executes, and the history of
hostel run (in the queue hostel.run) and hostel map (in hostel.map, with its first failed items in
hostel.run).

How to write a FILTER, whose words must all match:
  state:failed,crashed    a state or a type of states; Failed! is the state alone; unfinished; or
                          attention, for runs that ended badly and that nobody has looked at
  task:sha256:HEX#EXPORT  a task; task:EXPORT for this export of any component
  tag:nightly queue:mail schedule:backup
  name:TEXT error:TEXT    a part of the name, or of the line that says what went wrong
  in:city=Berlin          an input, by the parameter's name if the component is registered or stored
                          with a run, or by its place: in:0=40; in:config.rate=3 for a part of it
  since:1h until:2026-11-29T08:00:00Z
                          when it was submitted: a time ago, a date in UTC, or an instant

Examples:
  hostel runs ls state:failed since:1d
  hostel runs show 019a8c5e-3f40-7cc1-8f6e-2f8c6f2a9b11
  hostel runs retry --where 'state:failed error:\"connection refused\"' --dry-run")]
pub(crate) struct Runs {
    #[command(subcommand)]
    command: RunsCommand,
}

/// One subcommand, one file.
#[derive(Debug, Subcommand)]
enum RunsCommand {
    Ls(ls::Ls),
    Show(show::Show),
    Export(export::Export),
    Logs(logs::Logs),
    Wait(wait::Wait),
    Set(set::Set),
    Cancel(cancel::Cancel),
    Retry(retry::Retry),
    Seen(seen::Seen),
    Rm(rm::Rm),
    Batches(batches::Batches),
    Prune(prune::PruneRuns),
    Stats(stats::Stats),
}

impl Runs {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        if let RunsCommand::Export(_) | RunsCommand::Set(_) | RunsCommand::Prune(_) | RunsCommand::Stats(_) =
            &self.command
        {
            note_local(ui);
        }
        match &self.command {
            RunsCommand::Logs(command) => command.execute(ui),
            RunsCommand::Show(command) => command.execute(ui),
            RunsCommand::Export(command) => command.execute(ui),
            RunsCommand::Ls(command) => command.execute(ui),
            RunsCommand::Wait(command) => command.execute(ui),
            RunsCommand::Cancel(command) => command.execute(ui),
            RunsCommand::Retry(command) => command.execute(ui),
            RunsCommand::Rm(command) => command.execute(ui),
            RunsCommand::Set(command) => command.execute(ui),
            RunsCommand::Seen(command) => command.execute(ui),
            RunsCommand::Batches(command) => command.execute(ui),
            RunsCommand::Prune(command) => command.execute(ui),
            RunsCommand::Stats(command) => command.execute(ui),
        }
    }
}

/// Opens the journal of a data directory, and stores what waits in its history.
pub(crate) fn open(host: &HostOptions) -> Result<SqliteJournal, Problem> {
    let dir = host.dir().ok_or_else(|| {
        Problem::invalid("there is no data directory: name one with --data-dir or HOSTEL_DATA_DIR")
    })?;
    let journal = SqliteJournal::open(&dir).map_err(|error| Problem::of(error.kind(), &error))?;
    if let Err(error) = RunHistory::of(&dir).gather(&journal) {
        tracing::debug!("the history is not gathered: {error}");
    }
    Ok(journal)
}

/// The run with this id.
pub(super) fn entry(journal: &dyn Journal, run: RunId) -> Result<JournalEntry, Problem> {
    Ok(journal.get(run)?.ok_or(JournalError::NotFound { run })?)
}

/// The filter that these words make.
fn filter(words: &[String]) -> Result<RunFilter, Problem> {
    run_filter(&words.join(" "), now()).map_err(|error| Problem::of(error.kind(), &error))
}

/// What went wrong with a run of a server, in one line, if it ended badly.
fn error_line(run: &RunObject<'_>) -> Option<String> {
    let error = run.error.as_ref().filter(|error| error.kind != "cancelled")?;
    Some(excerpt_within(&error.message, MAX_ERROR_CHARS))
}

/// How long ago it was.
fn age(at: Timestamp) -> Duration {
    now().since(at)
}

impl From<JournalError> for Problem {
    fn from(error: JournalError) -> Self {
        let is_unknown = error.kind() == ErrorKind::NotFound;
        let hint = is_unknown.then(|| "hostel runs ls shows the runs of this data directory".to_owned());
        Self::of(error.kind(), &error).hints_of(hint)
    }
}
