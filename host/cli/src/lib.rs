//! The `hostel` command as a function: [`run`] takes the arguments and returns the exit code.
//!
//! - `command`: the command line; `parse`: its parser; `commands`: one file for each subcommand, whose doc comments are its help;
//!   `options`: options that subcommands share; `config`: the same options in `hostel.toml`.
//! - `task_ref`, `registered`, `load`, `arguments`, `stdin`: from the words of the command line to a task and its inputs; `over`, `rows`: to
//!   the inputs of many runs; `delayed`: to runs that are stored.
//! - `apart`: this command again, as the process that compiles components.
//! - `flight`, `mapping`, `map_item`: many runs at once, with their results in order; `failure_limit`: when a map stops early.
//! - `remote`: the same on a server.
//! - `history`, `map_history`: the records of runs and maps, for `hostel runs`.
//! - `output`, `lines`, `printing`: output for programs, whose JSON is that of `hostel_wire`; `report`, `attempts`, `tally`, `cache_tally`: output for people;
//!   `ui`: writes both.
//! - `project`: new projects, for `hostel new`. `python`: Python runtimes with packages, for `hostel python`.
//! - `descriptors`, `interrupt`: the limit of open files, and Ctrl-C.
//! - `problem`, `exit`: errors with hints, and the exit code.

mod command;
mod commands;
mod config;
mod deferred;
mod follow;
mod options;
mod parse;
mod storage;
mod targets;
mod task_ref;
mod time;

mod remote;

mod apart;
mod load;
mod loaded;
mod registered;

mod arguments;
mod files;
mod script_sheet;
mod stdin;

mod over;
mod rows;

mod delayed;

mod failure_limit;
mod flight;
mod map_history;
mod map_item;
mod mapping;

mod history;

mod project;
mod python;

mod descriptors;
mod interrupt;
mod runtime;

mod output;

mod lines;
mod printing;

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

/// The allocator of the command, which its program names.
pub type Allocator = mimalloc::MiMalloc;

/// The allocator of the command. Runs are created by one thread and released by another, which takes glibc's allocator about as long
/// as a small run itself.
pub const ALLOCATOR: Allocator = mimalloc::MiMalloc;

/// Executes the command with these arguments, the first of which is the program's name, and returns the exit code.
///
/// Writes to stdout and stderr, reads stdin if an argument requires it, and handles Ctrl-C.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<_> = args.into_iter().collect();
    if apart::is_meant(&args) {
        return apart::serve();
    }
    let line = match parse::parse(&args) {
        Ok(line) => line,
        Err(error) => {
            // A failure to print the help cannot be reported anywhere.
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
