//! `hostel trust`

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use hostel::{CONFIG_FILE_NAME, ErrorKind, ResultCache};
use hostel_wire::printable;

use crate::config::{Config, Found, TrustBook, find};
use crate::exit::Exit;
use crate::options::data_dir::data_dir;
use crate::problem::{Problem, Stop};
use crate::ui::Ui;

#[derive(Args, Debug)]
#[command(after_help = "\
A hostel.toml in the current directory, or in one above, is found automatically. If it grants
something (dir, env, http, net, lookup), names a remote cache or changes results (cache, clock,
random, deterministic), run and map refuse to start until it is trusted. This command shows these
settings, and trusts the file. After a change, the file must be trusted again.

Examples:
  hostel trust                  the nearest hostel.toml
  hostel trust --list
  hostel trust --revoke ~/work/hostel.toml")]
pub(crate) struct Trust {
    /// The file [default: hostel.toml here, or in the nearest directory above]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// List the trusted files, and whether each is unchanged
    #[arg(long, conflicts_with_all = ["file", "revoke"])]
    list: bool,

    /// Stop trusting the file
    #[arg(long)]
    revoke: bool,

    /// The data directory, which records trusted files [default: hostel in the user's data directory] [env: HOSTEL_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl Trust {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let dir = data_dir(self.data_dir.clone()).ok_or_else(no_data_dir)?;
        // Refuses a directory that other users can write.
        ResultCache::open(&dir)?;
        let book = TrustBook::in_data_dir(dir);
        if self.list {
            list(ui, &book)?;
        } else if self.revoke {
            revoke(ui, &book, &self.file()?)?;
        } else {
            trust(ui, &book, &self.file()?)?;
        }
        ui.flush()?;
        Ok(Exit::Completed)
    }

    /// The named file, or the nearest one.
    fn file(&self) -> Result<PathBuf, Problem> {
        let nothing = || {
            let problem = format!("there is no {CONFIG_FILE_NAME} here, nor in a directory above");
            Problem::new(ErrorKind::NotFound, problem)
        };
        let file = self.file.clone().or_else(find).ok_or_else(nothing)?;
        if file.file_name().is_some_and(|name| name == CONFIG_FILE_NAME) {
            return Ok(file);
        }
        let problem = format!("{}: only a file named {CONFIG_FILE_NAME} needs trust", file.display());
        Err(Problem::invalid(problem)
            .hint("any other file is used only if --config names it, and needs no trust"))
    }
}

/// Shows the grants of a file, and trusts it.
fn trust(ui: &Ui, book: &TrustBook, file: &Path) -> Result<(), Stop> {
    let Found { config, content } = Found::read(file)?;
    let name = printable(&config.name).into_owned();
    if !config.needs_trust()? {
        return ui
            .result_line(&format!("{name} grants nothing and changes no results, so it needs no trust"));
    }
    show(ui, &config)?;
    book.add(file, &content)?;
    ui.result_line(&format!("{name} is trusted until it changes"))
}

fn show(ui: &Ui, config: &Config) -> Result<(), Stop> {
    ui.result_line(&ui.paint.bold(format!("{} sets", printable(&config.name))))?;
    for (task, grants) in config.granted()? {
        ui.result_line(&format!("  {}", ui.paint.hint(printable(task))))?;
        grants.iter().try_for_each(|grant| ui.result_line(&format!("    {}", printable(grant))))?;
    }
    let cache =
        config.remote_cache.iter().map(|cache| format!("  a remote cache: {}", printable(&cache.shown())));
    cache.into_iter().try_for_each(|line| ui.result_line(&line))
}

fn list(ui: &Ui, book: &TrustBook) -> Result<(), Stop> {
    let records = book.records()?;
    records.iter().try_for_each(|record| {
        ui.result_line(&format!("{:<7}  {}", record.standing(), printable(&record.path)))
    })
}

fn revoke(ui: &Ui, book: &TrustBook, file: &Path) -> Result<(), Stop> {
    let name = file.display().to_string();
    if book.remove(file)? {
        return ui.result_line(&format!("{} is no longer trusted", printable(&name)));
    }
    let problem = Problem::new(ErrorKind::NotFound, format!("{name} was not trusted"));
    Err(problem.hint("`hostel trust --list` shows the trusted files").into())
}

fn no_data_dir() -> Problem {
    Problem::invalid("trusted files are recorded in the data directory, and there is none")
        .hint("name one with --data-dir or HOSTEL_DATA_DIR, or name the file with --config for each command")
}
