//! `hostel schedule`: one file for each of its subcommands.

mod add;
mod ls;
mod next;
mod pause;
mod resume;
mod rm;
mod run_now;

use std::sync::Arc;

use clap::{Args, Subcommand};
use hostel::schedules::{ScheduleName, SqliteJournal, StoredSchedule, Timetable};
use hostel::{ErrorKind, Timestamp};

use crate::exit::Exit;
use crate::problem::{Problem, Stop};
use crate::ui::Ui;

#[derive(Args, Debug)]
#[command(after_help = "\
A schedule is in the data directory. A running hostel worker submits its runs and executes them;
times that pass while no worker runs are missed, and --missed says what happens to them. Each time
leads to one run at most, however many workers there are.

Examples:
  hostel schedule add backup backup.wasm#run --cron '30 2 * * *' --zone Europe/Berlin
  hostel schedule add poll acme.feed#poll --every 5m --overlap skip
  hostel schedule ls
  hostel schedule next backup
  hostel schedule run-now backup
  hostel runs ls schedule:backup")]
pub(crate) struct Schedule {
    #[command(subcommand)]
    command: ScheduleCommand,
}

/// One subcommand, one file.
#[derive(Debug, Subcommand)]
enum ScheduleCommand {
    Add(Box<add::Add>),
    Ls(ls::Ls),
    Next(next::Next),
    Pause(pause::Pause),
    Resume(resume::Resume),
    Rm(rm::Rm),
    RunNow(run_now::RunNow),
}

impl Schedule {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        match &self.command {
            ScheduleCommand::Add(command) => command.execute(ui),
            ScheduleCommand::Ls(command) => command.execute(ui),
            ScheduleCommand::Next(command) => command.execute(ui),
            ScheduleCommand::Pause(command) => command.execute(ui),
            ScheduleCommand::Resume(command) => command.execute(ui),
            ScheduleCommand::Rm(command) => command.execute(ui),
            ScheduleCommand::RunNow(command) => command.execute(ui),
        }
    }
}

/// The schedule of this name.
fn find(journal: &SqliteJournal, name: &ScheduleName) -> Result<StoredSchedule, Problem> {
    journal.schedule(name)?.ok_or_else(|| unknown(name))
}

fn unknown(name: &ScheduleName) -> Problem {
    Problem::new(ErrorKind::NotFound, format!("there is no schedule {name}"))
        .hint("hostel schedule ls shows all")
}

/// When a schedule is due.
fn timetable(stored: &StoredSchedule) -> Result<Timetable, Problem> {
    Timetable::new(&stored.schedule.when).map_err(|error| Problem::of(error.kind(), &error))
}

/// Pauses a schedule, or resumes it: missed times of the pause are not made up for.
fn set_paused(
    journal: &SqliteJournal,
    name: &ScheduleName,
    paused: bool,
    now: Timestamp,
) -> Result<(), Problem> {
    let stored = find(journal, name)?;
    let next = timetable(&stored)?.next_after(now);
    let schedule = hostel::schedules::Schedule { paused, ..stored.schedule };
    if journal.change_schedule(&schedule, next)? { Ok(()) } else { Err(unknown(name)) }
}
