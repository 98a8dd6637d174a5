//! The `hostel` command as a function: [`run`] takes the arguments and does it all.
//!
//! - `command`: the command line, `parse`: how it is read; `commands`: one file for each subcommand, whose doc comments are its help; `options`:
//!   what they share; `config`: the same written down in `hostel.toml`.
//! - `task_ref`, `load`, `arguments`, `stdin`: from what was typed to a task and its inputs; `over`, `rows`: to the inputs of many runs.
//! - `flight`, `mapping`: many runs at once, their results one after the other; `failure_limit`: when they are given up.
//! - `output`, `lines`, `printing`, `states`: what programs read; `report`, `attempts`, `tally`, `cache_tally`: what people read; `ui`: how it gets
//!   to them.
//! - `descriptors`, `interrupt`: what the process may have open, and Ctrl-C.
//! - `problem`, `exit`: what is wrong, what to do about it, and the exit code.

mod command;
mod commands;
mod config;
mod options;
mod parse;
mod task_ref;

mod load;

mod arguments;
mod files;
mod stdin;

mod over;
mod rows;

mod failure_limit;
mod flight;
mod mapping;

mod descriptors;
mod interrupt;

mod output;

mod lines;
mod printing;
mod states;

mod attempts;
mod cache_tally;
mod receipt;
mod report;
mod tally;

mod ui;
mod warnings;

mod problem;

mod exit;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use crate::exit::Exit;
use crate::problem::Stop;
use crate::ui::Ui;
use crate::warnings::Warnings;

/// Does what the arguments say, the first of which is the program's name, and returns the exit code.
///
/// Writes to stdout and stderr, reads stdin where an argument says so, and takes over Ctrl-C.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<_> = args.into_iter().collect();
    let line = match parse::parse(&args) {
        Ok(line) => line,
        Err(error) => {
            // There is no one left to tell that the help cannot be printed.
            let _ = error.print();
            let exit = if error.use_stderr() { Exit::Invalid } else { Exit::Completed };
            return exit.code().into();
        }
    };
    descriptors::allow_all();
    let ui = Arc::new(Ui::new(line.color));
    let warnings = Warnings::listen(&ui);
    let exit = finish(&ui, line.command.execute(&ui));
    drop(warnings);
    exit.code().into()
}

fn finish(ui: &Ui, done: Result<Exit, Stop>) -> Exit {
    ui.end_progress();
    let flushed = ui.flush();
    match done.and_then(|exit| flushed.map(|()| exit)) {
        Ok(exit) => exit,
        Err(Stop::StdoutClosed) => Exit::Completed,
        Err(Stop::Problem(problem)) => {
            ui.error(&problem);
            problem.exit()
        }
    }
}
