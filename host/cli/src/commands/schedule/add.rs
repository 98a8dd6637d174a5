//! `hostel schedule add`

use std::sync::Arc;
use std::time::Duration;

use clap::{ArgGroup, Args};
use hostel::schedules::{
    AddScheduleError, Missed, Overlap, Schedule, ScheduleName, Timetable, When, add_schedule, arguments_of,
    script_arguments_of,
};
use hostel::{DelayOptions, QueueName, Timestamp, grammar};
use hostel_wire::{ScheduleObject, parse_instant};

use crate::commands::runs::open;
use crate::delayed::{Delayed, DelayedOptions, DelayedWords};
use crate::exit::Exit;
use crate::problem::{Problem, Stop};
use crate::remote::{Remote, Request, Submission, Trouble};
use crate::time::now;
use crate::ui::Ui;

/// Add a schedule
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("when").required(true), after_help = "\
CRON has five fields (minute, hour, day, month, weekday), or six with seconds first. A time that
the clock skips when it is put forward counts at the end of the gap; one that comes twice counts
once.

A registered name stands for its accepted version at each time; a file for what it is now.

Examples:
  hostel schedule add backup backup.wasm#run --cron '30 2 * * *' --zone Europe/Berlin
  hostel schedule add poll acme.feed#poll --every 5m --overlap skip")]
pub(crate) struct Add {
    /// The name of the schedule: a-z, 0-9, `.`, `_` and `-`
    #[arg(id = "schedule", value_name = "NAME")]
    schedule: ScheduleName,

    #[command(flatten)]
    words: DelayedWords,

    /// At these times: '30 2 * * *' is 2:30 each day
    #[arg(long, value_name = "CRON", group = "when", help_heading = "Schedule")]
    cron: Option<String>,

    /// The time zone of --cron: Europe/Berlin
    #[arg(
        long,
        value_name = "ZONE",
        default_value = "UTC",
        conflicts_with = "every",
        help_heading = "Schedule"
    )]
    zone: String,

    /// At regular intervals from now on: 30s, 5m, 1d
    #[arg(long, value_name = "TIME", group = "when", value_parser = grammar::age, help_heading = "Schedule")]
    every: Option<Duration>,

    /// What to do about times that passed while no worker ran: last, all or none
    #[arg(long, value_name = "POLICY", default_value_t, help_heading = "Schedule")]
    missed: Missed,

    /// What to do if an earlier run has not ended: allow, skip, queue-one or cancel-running
    #[arg(long, value_name = "POLICY", default_value_t, help_heading = "Schedule")]
    overlap: Overlap,

    /// Delay each run by a time of its own, at most this long
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = grammar::duration, help_heading = "Schedule")]
    spread: Duration,

    /// The queue of the runs
    #[arg(long, value_name = "NAME", default_value_t, help_heading = "Schedule")]
    queue: QueueName,

    #[command(flatten)]
    options: DelayedOptions,
}

impl Add {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let when = self.when();
        let timetable = Timetable::new(&when).map_err(|error| Problem::of(error.kind(), &error))?;
        if self.overlap == Overlap::QueueOne && self.missed != Missed::Last {
            let problem = format!(
                "--overlap queue-one cannot be used with --missed {}: while a run executes, the newest time waits",
                self.missed
            );
            return Err(Problem::invalid(problem).hint("leave --missed out").into());
        }
        let next = match self.words.read_remote(ui, &self.options)? {
            Some((remote, submission)) => self.on(&remote, &submission)?,
            None => {
                let delayed = self.words.read(ui, &self.options)?;
                let schedule = self.schedule(&delayed, when)?;
                let next = add_schedule(&open(&self.options.host)?, &schedule, now());
                next.map_err(|error| Problem::of(error.kind(), &error))?
            }
        };
        let (what, next) = (timetable.describe(), timetable.local_text(next));
        ui.result_line(&format!("{}: {what}; next {next}", self.schedule))?;
        ui.flush()?;
        Ok(Exit::Completed)
    }

    /// Adds it on a server, and returns its first time.
    fn on(&self, remote: &Remote, submission: &Submission) -> Result<Timestamp, Problem> {
        let name = self.schedule.to_string();
        // The server would replace it.
        let known = remote.block_on(remote.client.try_send(&Request::get(&["schedules", &name])));
        match known {
            Ok(_) => {
                let error = AddScheduleError::Exists { name: self.schedule.clone() };
                return Err(Problem::of(error.kind(), &error));
            }
            Err(Trouble::Refused(refusal)) if refusal.code == "not-found" => {}
            Err(trouble) => return Err(trouble.into()),
        }
        let mut body = submission.named_body();
        let every = self.every.map(|every| format!("{}ms", every.as_millis()));
        let (cron, zone) = (self.cron.clone(), self.cron.is_some().then(|| self.zone.clone()));
        let words = [
            ("cron", cron),
            ("zone", zone),
            ("every", every),
            ("missed", Some(self.missed.to_string())),
            ("overlap", Some(self.overlap.to_string())),
            ("spread", Some(format!("{}ms", self.spread.as_millis()))),
            ("queue", Some(self.queue.to_string())),
        ];
        let words = words.into_iter().filter_map(|(name, word)| Some((name.to_owned(), word?.into())));
        body.extend(words);
        let added: ScheduleObject = remote.call(&Request::put(&["schedules", &name]).json(&body))?;
        let next = added.next_at.as_deref().and_then(parse_instant);
        Ok(next.unwrap_or_else(now))
    }

    fn schedule(&self, delayed: &Delayed, when: When) -> Result<Schedule, Problem> {
        let mut delay = DelayOptions::default();
        delay.queue = self.queue.clone();
        let run = delayed.spec(delay)?;
        let arguments = match delayed.is_of_stored_script {
            true => script_arguments_of(&delayed.task, &run),
            false => arguments_of(&delayed.task, &run),
        };
        Ok(Schedule {
            spec: Arc::clone(&run.spec),
            arguments,
            tags: run.tags,
            queue: run.queue,
            missed: self.missed,
            overlap: self.overlap,
            spread: self.spread,
            ..Schedule::new(self.schedule.clone(), delayed.reference.as_str(), when)
        })
    }

    fn when(&self) -> When {
        match (&self.cron, self.every) {
            (Some(cron), _) => {
                When::Cron { expression: cron.as_str().into(), zone: self.zone.as_str().into() }
            }
            (None, every) => When::Every { interval: every.unwrap_or_default(), anchor: now() },
        }
    }
}
