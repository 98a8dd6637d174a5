//! `hostel runs wait`

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use hostel::journal::{Journal, JournalEntry};
use hostel::{ErrorKind, RunId, State, StateType, grammar};
use hostel_wire::printable;

use super::{entry, open};
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::problem::{Problem, Stop};
use crate::ui::Ui;

/// The longest wait for one change of the journal.
const WATCH: Duration = Duration::from_secs(1);

/// Wait until runs have ended, and show how
#[derive(Args, Debug)]
#[command(after_help = "\
The exit code is 1 if one of them did not complete.

Example:
  hostel runs wait $(hostel delay math.wasm#add 40 2)")]
pub(crate) struct Wait {
    /// The ids of the runs
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<RunId>,

    /// Wait for at most this long for all of them
    #[arg(long, value_name = "TIME", value_parser = grammar::timeout)]
    timeout: Option<Duration>,

    #[command(flatten)]
    host: HostOptions,
}

impl Wait {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let journal = open(&self.host)?;
        let until = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut exit = Exit::Completed;
        for run in &self.runs {
            let entry = ended(&journal, *run, until)?;
            let (state, name) = (entry.state(), entry.head().name);
            let error =
                entry.head().error.map(|error| format!(": {}", printable(&error))).unwrap_or_default();
            ui.result_line(&format!("{run} {state} {}{error}", printable(&name)))?;
            ui.flush()?;
            if state.state_type() != StateType::Completed || state == State::RolledBack {
                exit = Exit::RunFailed;
            }
        }
        Ok(exit)
    }
}

/// Waits until a run has ended.
fn ended(journal: &dyn Journal, run: RunId, until: Option<Instant>) -> Result<JournalEntry, Problem> {
    loop {
        let seen = journal.changes()?;
        let entry = entry(journal, run)?;
        if entry.state().is_terminal() {
            return Ok(entry);
        }
        let left = until.map_or(WATCH, |until| until.saturating_duration_since(Instant::now()).min(WATCH));
        if left.is_zero() {
            let problem = format!("run {run} has not ended: it is {}", entry.state());
            return Err(Problem::new(ErrorKind::Unavailable, problem).exits(Exit::RunFailed));
        }
        journal.wait_for_change(seen, left)?;
    }
}
