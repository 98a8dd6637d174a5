//! `hostel runs logs`

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hostel::journal::{Journal, LogFilter, MAX_LOG_LINES, RunLogs, SqliteJournal};
use hostel::{RunId, grammar};
use hostel_wire::{LogLineObject, printable};

use super::{entry, open};
use crate::commands::cache::{Form, FormOptions};
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::options::server::ServerOptions;
use crate::output::to_json;
use crate::problem::{Problem, Stop};
use crate::remote::{LogQuery, Remote, follow_log};
use crate::ui::Ui;

/// How often the log is looked at while its run executes: lines are written a quarter of a second after they were printed.
const LOOK: Duration = Duration::from_millis(100);

/// Show what a run has printed and logged, in all its attempts
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hostel runs logs 019a8c5e-3f40-7cc1-8f6e-2f8c6f2a9b11 --follow
  hostel runs logs 019a8c5e-3f40-7cc1-8f6e-2f8c6f2a9b11 --attempt 2 --text error --output json")]
pub(crate) struct Logs {
    /// The id of the run
    #[arg(value_name = "RUN")]
    run: RunId,

    /// Go on until the run has ended
    #[arg(long, short)]
    follow: bool,

    /// Show the lines of this attempt only, counted from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    attempt: Option<u32>,

    /// Show only lines that contain this text
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,

    /// Begin with this line, counted from 0
    #[arg(long, value_name = "N", default_value_t, value_parser = grammar::number)]
    from: u64,

    #[command(flatten)]
    form: FormOptions,

    #[command(flatten)]
    host: HostOptions,

    #[command(flatten)]
    server: ServerOptions,
}

impl Logs {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        if let Some(remote) = Remote::of(ui, &self.server, self.host.unfit())? {
            let query = LogQuery { from: self.from, attempt: self.attempt, text: self.text.as_deref() };
            let show = |line: &LogLineObject| ui.result_line(&self.line(line));
            let shown = follow_log(&remote.client, self.run, query, self.follow, show, || ui.flush());
            remote.block_on(shown)?;
            return Ok(Exit::Completed);
        }
        let journal = open(&self.host)?;
        let dir = self.host.stored()?;
        entry(&journal, self.run)?;
        let logs = RunLogs::open(&dir).map_err(|error| Problem::of(error.kind(), &error))?;
        let mut from = self.from;
        loop {
            // In this order: all lines are there before the end is.
            let has_ended = !self.follow || self.has_ended(&journal)?;
            from = self.print(ui, &logs, from)?;
            ui.flush()?;
            if has_ended {
                return Ok(Exit::Completed);
            }
            let seen = journal.changes()?;
            journal.wait_for_change(seen, LOOK)?;
        }
    }

    fn has_ended(&self, journal: &SqliteJournal) -> Result<bool, Problem> {
        // A run that is removed meanwhile has ended.
        Ok(journal.get(self.run)?.is_none_or(|entry| entry.state().is_terminal()))
    }

    /// Prints all lines that there are, and returns the number of the next one.
    fn print(&self, ui: &Ui, logs: &RunLogs, mut from: u64) -> Result<u64, Stop> {
        let text = self.text.as_deref().map(Arc::from);
        let filter = LogFilter { attempt: self.attempt, text, ..LogFilter::default() };
        loop {
            let page = logs.read(self.run, from, MAX_LOG_LINES, &filter)?;
            for line in &page.lines {
                ui.result_line(&self.line(&LogLineObject::from(line)))?;
            }
            from = page.next;
            if !page.more {
                return Ok(from);
            }
        }
    }

    fn line(&self, line: &LogLineObject) -> String {
        match self.form.output {
            Form::Json => to_json(line),
            Form::Table => {
                let fields = line.line().fields.into_iter();
                let fields: String = fields
                    .map(|(name, value)| format!(" {}", crate::ui::text::field(&name, &value)))
                    .collect();
                format!("{}  {}{fields}", printable(&line.at), printable(&line.text))
            }
        }
    }
}
