//! `hostel delay`

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hostel::journal::JournalError;
use hostel::registry::Push as Pushing;
use hostel::{
    Component, DelayError, DelayOptions, ErrorKind, Host, QueueName, RunId, Timestamp, Unique, Value,
};

use crate::arguments::{self, Call};
use crate::config::{Config, ConfigOptions};
use crate::exit::Exit;
use crate::files::Files;
use crate::load;
use crate::options::data_dir::HostOptions;
use crate::options::task::TaskOptions;
use crate::parse;
use crate::problem::{Problem, Stop};
use crate::registered;
use crate::stdin;
use crate::task_ref::{self, FileTask};
use crate::time::{at, later, now};
use crate::ui::Ui;

/// Store a run of a task for the background: a worker executes it, now or later
#[derive(Args, Debug)]
#[command(after_help = "\
The run is on disk when the command returns, and its id is on stdout. A component from a file is
stored with it, as hostel push does. hostel run --help explains how to write arguments.

Examples:
  hostel delay math.wasm#add 40 2
  hostel delay acme.math#add 40 2 --in 10m --queue slow --priority 5
  hostel delay report.wasm#build --at 2026-12-24T18:00:00Z --unique nightly
  hostel runs wait $(hostel delay math.wasm#add 40 2)")]
pub(crate) struct Delay {
    /// The task: FILE#EXPORT, or a name, a version or a digest of a registered component instead of FILE
    #[arg(value_name = "TASK", value_parser = task_ref::typed())]
    task: FileTask,

    /// The arguments; for a program (wasi:cli/run) its argv, after `--` if it has options
    #[arg(value_name = "ARGS", allow_negative_numbers = true, value_parser = parse::argument)]
    args: Vec<String>,

    /// Take all arguments from a JSON object or array: TEXT, @FILE, or - for stdin
    #[arg(long, value_name = "TEXT", conflicts_with = "args")]
    json: Option<String>,

    /// For a program: the file for its stdin
    #[arg(long, value_name = "FILE")]
    stdin: Option<String>,

    /// Begin at this time and not before: 2026-12-24T18:00:00Z, or with another offset such as +01:00
    #[arg(long, value_name = "TIME", value_parser = at, conflicts_with = "after", help_heading = "Queue")]
    at: Option<Timestamp>,

    /// Begin this much later and not before: 30s, 10m, 2d
    #[arg(long = "in", id = "after", value_name = "TIME", value_parser = later, allow_hyphen_values = true, help_heading = "Queue")]
    after: Option<Duration>,

    /// The queue; workers may serve only some queues
    #[arg(long, value_name = "NAME", default_value_t, help_heading = "Queue")]
    queue: QueueName,

    /// Runs of a higher priority start first [default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Queue")]
    priority: Option<i32>,

    /// Allow one unfinished run with this key in the queue. If there is one: print its id (existing, the default); fail
    /// (reject); replace it if it has not started (replace), or also wait until no other comes (debounce:WAIT..MOST)
    #[arg(long, value_name = "KEY[:MODE]", help_heading = "Queue")]
    unique: Option<Unique>,

    /// The id of the run: repeating the command with the same id and arguments changes nothing
    #[arg(long, value_name = "UUID", help_heading = "Queue")]
    id: Option<RunId>,

    #[command(flatten)]
    options: TaskOptions,

    #[command(flatten)]
    host: HostOptions,

    #[command(flatten)]
    config: ConfigOptions,
}

impl Delay {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        self.options.check()?;
        let config = self.config.read(&self.host)?;
        let dir = self.host.stored()?;
        let host = self.host.host(ui)?.max_workers(1).max_instances(1).optimise(false);
        let host = host.build()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime =
            runtime.map_err(|error| Problem::new(ErrorKind::Internal, format!("no runtime: {error}")))?;
        runtime.block_on(self.delay(ui, &host, &config, &dir))
    }

    async fn delay(&self, ui: &Arc<Ui>, host: &Host, config: &Config, dir: &Path) -> Result<Exit, Stop> {
        let located = registered::locate(ui, &self.task.path, &self.host, false)?;
        let (component, bytes) = load::with_bytes(ui, host, &located.file).await?;
        let component = located.checked(component)?;
        let call = Call::find(&component, &self.task, &self.args)?;
        let options = self.options.clone().or(config.of_task(&self.task.path, &component, &call.task)?);
        self.options.check_retries(&options)?;
        let limits = options.spec()?.limits;
        if limits.fuel.is_some() {
            let problem =
                Problem::invalid("a delayed run cannot have a limit on fuel: workers do not count it");
            return Err(problem.hint("--timeout bounds its time").into());
        }
        let inputs = self.inputs(&call, &Files::new(limits.input_bytes))?;
        config.check_grants(&options, &self.host)?;
        let task = options.apply(call.task)?;
        let task = match self.priority {
            Some(priority) => task.priority(priority),
            None => task,
        };
        let mut delay = DelayOptions::default();
        delay.id = self.id;
        delay.at = self.at.or(self.after.map(|after| now().after(after)));
        delay.queue = self.queue.clone();
        delay.unique = self.unique.clone();
        // Everything is checked before anything is stored, and the component is there before the run.
        task.delayed_spec(inputs.clone().into(), delay.clone()).map_err(refused)?;
        push(dir, &component, &bytes)?;
        let run = task.delay_with(inputs.into(), delay).map_err(refused)?;
        ui.result_line(&run.id().to_string())?;
        ui.flush()?;
        Ok(Exit::Completed)
    }

    fn inputs(&self, call: &Call<'_>, files: &Files) -> Result<Vec<Value>, Problem> {
        let is_program = call.task.is_program();
        if self.stdin.is_some() && !is_program {
            let problem =
                Problem::invalid("--stdin is only for programs (wasi:cli/run), and this is a function");
            return Err(problem.hint("@- gives stdin to a string or list<u8> parameter"));
        }
        let mut inputs = match &self.json {
            Some(json) => arguments::json(call.task.signature(), json, files)?,
            None if is_program => arguments::program(&call.texts),
            None => arguments::typed(call.task.signature(), &call.texts, files)?,
        };
        if self.stdin.is_some() && stdin::give(&mut inputs, self.stdin.as_deref(), files)?.is_some() {
            let problem = "the stdin of a delayed program cannot be a pipe: expected a file";
            return Err(Problem::invalid(problem));
        }
        Ok(inputs)
    }
}

/// Stores the component for the workers, unless it is there.
pub(super) fn push(dir: &Path, component: &Component, bytes: &[u8]) -> Result<(), Problem> {
    let registry = registered::open(dir)?;
    let (manifest, by) = (component.manifest(), registered::person());
    let push = Pushing { bytes, manifest, naming: None, by: &by, at: now() };
    registry.push(&push).map_err(|error| registered::failed(&error))?;
    Ok(())
}

pub(super) fn refused(error: DelayError) -> Problem {
    match error {
        DelayError::Submit(error) => Problem::from(error),
        DelayError::Journal(error @ JournalError::Full { .. }) => {
            Problem::from(error).hint("hostel runs prune does not help: start a worker, or cancel runs")
        }
        DelayError::Journal(error) => Problem::from(error),
        error @ (DelayError::Unwritable { .. } | DelayError::Future | DelayError::Open(_) | _) => {
            Problem::of(error.kind(), &error)
        }
    }
}
