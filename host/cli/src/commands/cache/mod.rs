//! `hostel cache`: one file for each of its subcommands.

pub(crate) mod clear;
pub(crate) mod gc;
pub(crate) mod ls;
pub(crate) mod rm;
pub(crate) mod show;
pub(crate) mod stats;
pub(crate) mod verify;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clap::{Args, Subcommand, ValueEnum};
use hostel::{ErrorKind, ResultCache, ResultCacheError, Timestamp, bytes_text};
use hostel_wire::printable;

use crate::exit::Exit;
use crate::options::data_dir;
use crate::options::server::Unfit;
use crate::options::server::note_local;
use crate::problem::{Problem, Stop};
use crate::ui::Ui;
use crate::ui::text::counted;

/// A suggested key must share at least this many digits with the unknown one.
const LIKE_DIGITS: usize = 4;

#[derive(Args, Debug)]
#[command(after_help = "\
These commands may run while tasks run: a task uses the results that exist, and computes removed
ones again.

Examples:
  hostel cache ls
  hostel cache show 3f9a
  hostel cache gc --max-bytes 1GiB --older-than 30d")]
pub(crate) struct Cache {
    #[command(subcommand)]
    command: CacheCommand,
}

/// One subcommand, one file.
#[derive(Debug, Subcommand)]
enum CacheCommand {
    Ls(ls::Ls),
    Show(show::Show),
    Rm(rm::Rm),
    Clear(clear::Clear),
    Gc(gc::Gc),
    Stats(stats::Stats),
    Verify(verify::Verify),
}

/// The location of the results.
#[derive(Args, Clone, Debug)]
pub(crate) struct Place {
    /// The data directory [default: hostel in the user's data directory] [env: HOSTEL_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// The form of the output.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct FormOptions {
    /// For people: table; for programs: json
    #[arg(long, short, value_name = "FORM", value_enum, default_value_t = Form::Table, hide_possible_values = true)]
    pub(crate) output: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    Table,
    Json,
}

impl Cache {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        if let CacheCommand::Clear(_) | CacheCommand::Gc(_) | CacheCommand::Verify(_) = &self.command {
            note_local(ui);
        }
        match &self.command {
            CacheCommand::Ls(command) => command.execute(ui),
            CacheCommand::Show(command) => command.execute(ui),
            CacheCommand::Rm(command) => command.execute(ui),
            CacheCommand::Clear(command) => command.execute(ui),
            CacheCommand::Gc(command) => command.execute(ui),
            CacheCommand::Stats(command) => command.execute(ui),
            CacheCommand::Verify(command) => command.execute(ui),
        }
    }
}

impl Place {
    /// With a server.
    pub(crate) const fn unfit(&self) -> Unfit {
        let because = "components and results are those of the server";
        Unfit { option: "--data-dir", is_given: self.data_dir.is_some(), because }
    }

    pub(crate) fn data_dir(&self) -> Result<PathBuf, Problem> {
        data_dir::data_dir(self.data_dir.clone()).ok_or_else(|| {
            Problem::invalid("there is no data directory: name one with --data-dir or HOSTEL_DATA_DIR")
        })
    }

    fn open(&self) -> Result<ResultCache, Problem> {
        Ok(ResultCache::open(self.data_dir()?)?)
    }
}

/// The number of results, and their size.
fn results_text(entries: u64, bytes: u64) -> String {
    format!("{}, {}", counted(entries, "result"), bytes_text(bytes))
}

/// Reports that there are no results, and where.
fn tell_of_none(ui: &Ui, results: &ResultCache) {
    let dir = results.dir().display().to_string();
    ui.note(&format!("there are no results in {}", printable(&dir)));
}

/// An unknown or ambiguous key, with a suggestion.
fn unknown(results: &ResultCache, error: ResultCacheError) -> Problem {
    let any = "hostel cache ls shows all keys; a unique prefix is enough";
    let hint = if let ResultCacheError::NotFound { prefix } = &error {
        Some(like(results, prefix).map_or_else(|| any.to_owned(), |key| format!("did you mean {key}?")))
    } else if let ResultCacheError::Ambiguous { .. } = &error {
        Some("give more digits of the key".to_owned())
    } else if let ResultCacheError::NotAKey { .. } = &error {
        Some(any.to_owned())
    } else {
        None
    };
    Problem::from(error).hints_of(hint)
}

/// The key with the longest common prefix.
fn like(results: &ResultCache, prefix: &str) -> Option<String> {
    let shorter = (LIKE_DIGITS..prefix.len()).rev().filter_map(|digits| prefix.get(..digits));
    let found = shorter
        .map(|prefix| results.find(prefix))
        .find(|found| !found.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound))?;
    match found {
        Ok(key) => Some(key.to_string()),
        Err(ResultCacheError::Ambiguous { candidates, .. }) => candidates.first().map(ToString::to_string),
        Err(_) => None,
    }
}

/// How long ago it was.
fn age(at: Timestamp) -> Duration {
    Timestamp::from(SystemTime::now()).since(at)
}

/// A task's key, with only as many digits of the digest as distinguish it from others.
fn short_task(task: &str) -> String {
    const DIGITS: usize = 8;
    match task.strip_prefix("sha256:").and_then(|rest| rest.split_once('#')) {
        Some((digest, export)) => format!("{}#{export}", digest.get(..DIGITS).unwrap_or(digest)),
        None => task.to_owned(),
    }
}
