//! `hostel runs wait`

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use hostel::journal::{Journal, JournalEntry};
use hostel::{ErrorKind, RunId, State, StateType, grammar};
use hostel_wire::printable;

use super::{entry, error_line, open};
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::options::server::ServerOptions;
use crate::problem::{Problem, Stop};
use crate::remote::{self, Remote};
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

    #[command(flatten)]
    server: ServerOptions,
}

impl Wait {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        if let Some(remote) = Remote::of(ui, &self.server, self.host.unfit())? {
            return self.on(ui, &remote);
        }
        let journal = open(&self.host)?;
        let until = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut exit = Exit::Completed;
        for run in &self.runs {
            let entry = ended(&journal, *run, until)?;
            let (state, head) = (entry.state(), entry.head());
            let has_completed = state.state_type() == StateType::Completed && state != State::RolledBack;
            exit =
                tell(ui, (&run.to_string(), state.name(), &head.name), head.error.as_deref(), has_completed)?
                    .unwrap_or(exit);
        }
        Ok(exit)
    }

    /// At a server, whose lost connections are made again.
    fn on(&self, ui: &Ui, remote: &Remote) -> Result<Exit, Stop> {
        let now = tokio::time::Instant::now();
        let until = self.timeout.and_then(|timeout| now.checked_add(timeout));
        let mut exit = Exit::Completed;
        for run in &self.runs {
            let answer = remote.block_on(remote::until_end(&remote.client, *run, until))?;
            let object = &answer.run.run;
            if !remote::is_terminal(&answer) {
                return Err(unfinished(*run, &object.state).into());
            }
            let name = object.name.as_deref().unwrap_or_default();
            let error = error_line(object);
            let has_completed = remote::has_completed(&answer);
            exit = tell(ui, (&object.run, &object.state, name), error.as_deref(), has_completed)?
                .unwrap_or(exit);
        }
        Ok(exit)
    }
}

/// Shows how a run has ended, by its id, state and name. The exit code of the command, if it follows from the run.
fn tell(
    ui: &Ui,
    (run, state, name): (&str, &str, &str),
    error: Option<&str>,
    has_completed: bool,
) -> Result<Option<Exit>, Stop> {
    let error = error.map(|error| format!(": {}", printable(error))).unwrap_or_default();
    ui.result_line(&format!("{run} {state} {}{error}", printable(name)))?;
    ui.flush()?;
    Ok((!has_completed).then_some(Exit::RunFailed))
}

fn unfinished(run: RunId, state: &str) -> Problem {
    let problem = format!("run {run} has not ended within --timeout: it is {state}");
    Problem::new(ErrorKind::Unavailable, problem).exits(Exit::RunFailed)
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
            return Err(unfinished(run, entry.state().name()));
        }
        journal.wait_for_change(seen, left)?;
    }
}
