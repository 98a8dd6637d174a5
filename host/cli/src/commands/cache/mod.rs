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
use serde::Serialize;

use crate::exit::Exit;
use crate::options::data_dir;
use crate::problem::{Problem, Stop};
use crate::ui::Ui;
use crate::ui::text::{counted, printable};

/// So many digits of a key must fit for it to be offered for another one.
const LIKE_DIGITS: usize = 4;

/// Look at cached results, and remove them
#[derive(Args, Debug)]
#[command(after_help = "\
All of it may be done while tasks run: they find what is there, and compute anew what is gone.

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

/// Where the results are.
#[derive(Args, Clone, Debug)]
pub(crate) struct Place {
    /// The data directory [default: hostel in the user's data directory] [env: HOSTEL_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// For whom it is written.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct FormOptions {
    /// For people: table; for programs: json
    #[arg(long, short, value_name = "FORM", value_enum, default_value_t = Form::Table, hide_possible_values = true)]
    output: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Table,
    Json,
}

impl Cache {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
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

/// An entry, as `ls` and `show` tell of it to programs.
#[derive(Serialize)]
struct EntryObject {
    key: String,
    task: String,
    run: String,
    created_at: String,
    used_at: String,
    took_ms: u64,
    value_bytes: u64,
    dependency_bytes: u64,
    /// The remote cache that it came from; null if it was computed on this machine.
    origin: Option<String>,
}

impl Place {
    fn data_dir(&self) -> Result<PathBuf, Problem> {
        data_dir::data_dir(self.data_dir.clone()).ok_or_else(|| {
            Problem::invalid("there is no data directory: name one with --data-dir or HOSTEL_DATA_DIR")
        })
    }

    fn open(&self) -> Result<ResultCache, Problem> {
        Ok(ResultCache::open(self.data_dir()?)?)
    }
}

/// How many results, and what they take.
fn results_text(entries: u64, bytes: u64) -> String {
    format!("{}, {}", counted(entries, "result"), bytes_text(bytes))
}

/// Says that there is nothing, and where.
fn tell_of_none(ui: &Ui, results: &ResultCache) {
    let dir = results.dir().display().to_string();
    ui.note(&format!("no results are kept in {}", printable(&dir)));
}

/// A key that is not there or not clear, and what may have been meant.
fn unknown(results: &ResultCache, error: ResultCacheError) -> Problem {
    let any = "hostel cache ls shows all keys; so many digits are enough that no other begins so";
    let hint = if let ResultCacheError::NotFound { prefix } = &error {
        Some(like(results, prefix).map_or_else(|| any.to_owned(), |key| format!("did you mean {key}?")))
    } else if let ResultCacheError::Ambiguous { .. } = &error {
        Some("give more digits of the one you mean".to_owned())
    } else if let ResultCacheError::NotAKey { .. } = &error {
        Some(any.to_owned())
    } else {
        None
    };
    Problem::from(error).hints_of(hint)
}

/// The key that begins most like this.
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

/// A task's key with no more of the digest than it takes to tell one from another.
fn short_task(task: &str) -> String {
    const DIGITS: usize = 8;
    match task.strip_prefix("sha256:").and_then(|rest| rest.split_once('#')) {
        Some((digest, export)) => format!("{}#{export}", digest.get(..DIGITS).unwrap_or(digest)),
        None => task.to_owned(),
    }
}
