//! `hostel schedule add`

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgGroup, Args};
use hostel::journal::{InputSpec, RunSpec, StoredValue};
use hostel::schedules::{Missed, Overlap, Schedule, ScheduleName, Timetable, When, add_schedule};
use hostel::{DelayOptions, Host, QueueName, Task, Value, grammar};

use crate::arguments::{self, Call};
use crate::commands::delay::{push, refused};
use crate::commands::runs::open;
use crate::config::{Config, ConfigOptions};
use crate::exit::Exit;
use crate::files::Files;
use crate::load;
use crate::options::data_dir::HostOptions;
use crate::options::task::TaskOptions;
use crate::parse;
use crate::problem::{Problem, Stop};
use crate::registered;
use crate::task_ref::{self, FileTask};
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

    /// The task: FILE#EXPORT, or a name, a version or a digest of a registered component instead of FILE
    #[arg(value_name = "TASK", value_parser = task_ref::typed())]
    task: FileTask,

    /// The arguments
    #[arg(value_name = "ARGS", allow_negative_numbers = true, value_parser = parse::argument)]
    args: Vec<String>,

    /// Take all arguments from a JSON object or array: TEXT, @FILE, or - for stdin
    #[arg(long, value_name = "TEXT", conflicts_with = "args")]
    json: Option<String>,

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

    /// What to do if an earlier run has not ended: allow, skip or cancel-running
    #[arg(long, value_name = "POLICY", default_value_t, value_parser = overlap, help_heading = "Schedule")]
    overlap: Overlap,

    /// Delay each run by a time of its own, at most this long
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = grammar::duration, help_heading = "Schedule")]
    spread: Duration,

    /// The queue of the runs
    #[arg(long, value_name = "NAME", default_value_t, help_heading = "Schedule")]
    queue: QueueName,

    #[command(flatten)]
    options: TaskOptions,

    #[command(flatten)]
    host: HostOptions,

    #[command(flatten)]
    config: ConfigOptions,
}

impl Add {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        self.options.check()?;
        let when = self.when();
        let timetable = Timetable::new(&when).map_err(|error| Problem::of(error.kind(), &error))?;
        let config = self.config.read(&self.host)?;
        let dir = self.host.stored()?;
        let host = self.host.host(ui)?.max_workers(1).max_instances(1).optimise(false).build()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime
            .map_err(|error| Problem::new(hostel::ErrorKind::Internal, format!("no runtime: {error}")))?;
        let schedule = runtime.block_on(self.read(ui, &host, &config, &dir, when))?;
        let next = add_schedule(&open(&self.host)?, &schedule, now());
        let next = next.map_err(|error| Problem::of(error.kind(), &error))?;
        let (what, next) = (timetable.describe(), timetable.local_text(next));
        ui.result_line(&format!("{}: {what}; next {next}", self.schedule))?;
        ui.flush()?;
        Ok(Exit::Completed)
    }

    fn when(&self) -> When {
        match (&self.cron, self.every) {
            (Some(cron), _) => {
                When::Cron { expression: cron.as_str().into(), zone: self.zone.as_str().into() }
            }
            (None, every) => When::Every { interval: every.unwrap_or_default(), anchor: now() },
        }
    }

    async fn read(
        &self,
        ui: &Arc<Ui>,
        host: &Host,
        config: &Config,
        dir: &Path,
        when: When,
    ) -> Result<Schedule, Stop> {
        let located = registered::locate(ui, &self.task.path, &self.host, false)?;
        let (component, bytes) = load::with_bytes(ui, host, &located.file).await?;
        let component = located.checked(component)?;
        let call = Call::find(&component, &self.task, &self.args)?;
        let options = self.options.clone().or(config.of_task(&self.task.path, &component, &call.task)?);
        self.options.check_retries(&options)?;
        let inputs = self.inputs(&call, &Files::new(options.spec()?.limits.input_bytes))?;
        config.check_grants(&options, &self.host)?;
        let task = options.apply(call.task)?;
        let mut delay = DelayOptions::default();
        delay.queue = self.queue.clone();
        let run = task.delayed_spec(inputs.into(), delay).map_err(refused)?;
        push(dir, &component, &bytes)?;
        // A name stands for whatever it will stand for, and a file for its content.
        let of_name = located.is_registered().then(|| self.task.path.display().to_string());
        let source = of_name.unwrap_or_else(|| component.digest().to_string());
        let reference = format!("{source}#{}", task.key().export);
        let schedule = Schedule {
            spec: Arc::clone(&run.spec),
            arguments: arguments_of(&task, &run),
            tags: run.tags,
            queue: run.queue,
            missed: self.missed,
            overlap: self.overlap,
            spread: self.spread,
            ..Schedule::new(self.schedule.clone(), reference, when)
        };
        Ok(schedule)
    }

    fn inputs(&self, call: &Call<'_>, files: &Files) -> Result<Vec<Value>, Problem> {
        match &self.json {
            Some(json) => arguments::json(call.task.signature(), json, files),
            None if call.task.is_program() => Ok(arguments::program(&call.texts)),
            None => arguments::typed(call.task.signature(), &call.texts, files),
        }
    }
}

/// The inputs by the names of their parameters: a later version may have them in another order.
fn arguments_of(task: &Task, run: &RunSpec) -> Vec<(hostel::Name, StoredValue)> {
    let params = task.signature().params.iter();
    let named = params.zip(&run.inputs).filter_map(|(param, input)| {
        if let InputSpec::Value(value) = input { Some((param.name.clone(), value.clone())) } else { None }
    });
    named.collect()
}

/// Reads a policy. Waiting for the earlier run is not offered: workers do not wait for other runs.
fn overlap(text: &str) -> Result<Overlap, String> {
    let overlap = text.parse::<Overlap>().map_err(|error| error.to_string())?;
    if overlap == Overlap::QueueOne {
        return Err("expected allow, skip or cancel-running".to_owned());
    }
    Ok(overlap)
}
