//! `hostel runs prune`

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clap::Args;
use hostel::journal::{Journal, Prune, Retention, RunLogs, remove_old};
use hostel::{Timestamp, bytes_text, grammar};

use super::open;
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::problem::{Problem, Stop};
use crate::time::now;
use crate::ui::Ui;
use crate::ui::text::counted;

/// Remove runs that ended long ago from the history, and old logs
#[derive(Args, Debug)]
#[command(
    name = "prune",
    after_help = "\
Unfinished runs stay, however old they are. Without --older-than and --keep, the command removes
what workers remove once a day: runs that completed or were cancelled more than 7 days ago, runs
that failed or crashed more than 30 days ago, and logs older than 7 days or beyond 1 GiB.

Examples:
  hostel runs prune
  hostel runs prune --older-than 30d
  hostel runs prune --keep 100000"
)]
pub(crate) struct PruneRuns {
    /// Remove runs that ended this long ago: 12h, 30d, 4w
    #[arg(long, value_name = "AGE", value_parser = grammar::age, allow_hyphen_values = true)]
    older_than: Option<Duration>,

    /// Remove all but this many of the runs that ended last
    #[arg(long, value_name = "N")]
    keep: Option<u64>,

    #[command(flatten)]
    host: HostOptions,
}

impl PruneRuns {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let journal = open(&self.host)?;
        let logs = RunLogs::open(&self.host.stored()?).map_err(|error| Problem::of(error.kind(), &error))?;
        if self.older_than.is_none() && self.keep.is_none() {
            let removed = remove_old(&journal, Some(&logs), &Retention::default(), now(), || true)?;
            let (runs, values) = (counted(removed.runs, "run"), counted(removed.values, "value"));
            let logs = bytes_text(removed.logs_bytes);
            ui.result_line(&format!("removed {runs}, {logs} of logs, {values} that no run has"))?;
            ui.flush()?;
            return Ok(Exit::Completed);
        }
        let before = self.older_than.map(|age| {
            let age = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
            Timestamp::from_unix_nanos(now().unix_nanos().saturating_sub(age))
        });
        let prune = Prune { ended_before: before, keep: self.keep };
        let mut removed = 0;
        loop {
            let pruned = journal.prune(prune)?;
            removed += pruned.runs;
            if !pruned.more {
                break;
            }
        }
        while before.is_some_and(|before| logs.prune(before).is_ok_and(|chunks| chunks > 0)) {}
        journal.sweep(SystemTime::now())?;
        ui.result_line(&format!("removed {}", counted(removed, "run")))?;
        ui.flush()?;
        Ok(Exit::Completed)
    }
}
