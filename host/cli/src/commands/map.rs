//! `hostel map`

use std::sync::Arc;

use clap::Args;
use hostel::{Capability, Component, Host, Task, TaskRef, Value};

use crate::arguments;
use crate::commands::compile;
use crate::config::{Config, ConfigOptions};
use crate::exit::Exit;
use crate::failure_limit::FailureOptions;
use crate::files::Files;
use crate::flight::{Flight, Submit};
use crate::lines::{Lines, Style};
use crate::load;
use crate::mapping::Mapping;
use crate::options::data_dir::HostOptions;
use crate::options::remote_cache::RemoteCacheOptions;
use crate::options::tag_limits::TagLimitOptions;
use crate::options::{Form, MemoryOptions, OutputOptions, TaskOptions, WorkerOptions};
use crate::problem::{Problem, Stop};
use crate::rows::Columns;
use crate::task_ref;
use crate::ui::Ui;

/// Run a task many times, over lists of arguments: one line of result each
#[derive(Args, Debug)]
#[command(after_help = "\
How to write lists:
  x=0..1000            numbers from 0 to 999; 0..=1000 has the 1000 too
  'x=[3, 1, 2]'        a list in WAVE or JSON
  x=@values.jsonl      JSON Lines in a file: one value in JSON on each line
  x=-                  JSON Lines from stdin, run as they come, however many
  Several --over go in lockstep, and must have the same length.

What comes out:
  A line for each item, in the order of the lists: its value as JSON. The line of an
  item that failed is {\"$error\": {\"kind\": …, \"message\": …}}, which no value can be.
  So line N is item N, and the lines can go into the next map. With --states:
    {\"index\":0,\"run\":\"0198…\",\"state\":\"Completed\",\"value\":42,\"attempt_count\":1}
    {\"index\":1,\"run\":\"0198…\",\"state\":\"Failed\",\"error\":{\"kind\":\"trap\",\"message\":…},…}
  If there was more than one attempt, each is in \"attempts\"; with --name there is a \"name\".
  A kind is error (the guest's own, which is its \"value\"), trap, exit, limit, timeout,
  crash or cancelled. Where the guest wrote to stderr, its last lines are in \"stderr\".

Examples:
  hostel map math.wasm#add-one --over x=0..1000
  jq -c '.[]' items.json | hostel map batch.wasm#process-data --over item=- > results.jsonl
  hostel map text.wasm#word-count --over text=@pages.jsonl --explain-cache
  hostel map fetch.wasm --over id=@ids.jsonl --retries 3 --retry-delay exp:1s --fail-fast
  hostel map fetch.wasm --over id=@ids.jsonl --tag api --rate-limit api=10/1s")]
pub(crate) struct Map {
    /// The task: FILE#EXPORT, or FILE if it exports one function
    #[arg(value_name = "TASK", value_parser = task_ref::typed())]
    task: TaskRef,

    /// Run once for each element of LIST, as the argument NAME; can be given several times
    #[arg(long, value_name = "NAME=LIST", value_parser = pair, required = true)]
    over: Vec<(String, String)>,

    /// Give VALUE to every run, as the argument NAME; written as for `hostel run`
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    with: Vec<(String, String)>,

    /// Write results as runs end, not in the order of the lists; implies --states
    #[arg(long)]
    as_completed: bool,

    /// Write each result with its index, run, state and attempts
    #[arg(long)]
    states: bool,

    #[command(flatten)]
    output: OutputOptions,

    /// Write neither log, progress nor summary, only what goes wrong
    #[arg(long, short)]
    quiet: bool,

    /// Tell what the runs used up together and asked of the host; with --states, each line has its own
    #[arg(long)]
    receipt: bool,

    /// Tell what the cache did, and why
    #[arg(long, help_heading = "Cache")]
    explain_cache: bool,

    #[command(flatten)]
    failures: FailureOptions,

    #[command(flatten)]
    options: TaskOptions,

    #[command(flatten)]
    remote_cache: RemoteCacheOptions,

    #[command(flatten)]
    tag_limits: TagLimitOptions,

    #[command(flatten)]
    workers: WorkerOptions,

    #[command(flatten)]
    memory: MemoryOptions,

    #[command(flatten)]
    host: HostOptions,

    #[command(flatten)]
    config: ConfigOptions,
}

impl Map {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        self.options.check()?;
        let config = self.config.read(&self.host)?;
        let host = self.workers.apply(self.memory.apply(self.host.host(ui)?));
        let host = self.remote_cache.apply(host, config.remote_cache.as_ref())?;
        let counts_fuel = self.options.limits.max_fuel.is_some() || config.limits_fuel();
        let host = self.tag_limits.apply(config.limits.apply(host)).count_fuel(counts_fuel).build()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime =
            runtime.map_err(|error| Problem::new(Exit::HostFailed, format!("no runtime: {error}")))?;
        runtime.block_on(self.map(ui, &host, &config))
    }

    async fn map(&self, ui: &Arc<Ui>, host: &Host, config: &Config) -> Result<Exit, Stop> {
        let component = load::component(ui, host, &self.task.path, self.quiet).await?;
        let task = arguments::find(&component, &self.task)?;
        let options = self.options.clone().or(config.of_task(&self.task.path, &component, &task)?);
        self.options.retries.check_use(&options.retries)?;
        self.tag_limits.check_use(&options.labels.tags)?;
        config.check_grants(&options, &self.host)?;
        let task = options.apply(task)?;
        let columns = self.columns(&task, &options)?;
        let total = columns.length;
        let style = Style {
            form: self.output.output.unwrap_or(Form::Json),
            states: self.states || self.as_completed,
            names: options.labels.name.is_some(),
            receipts: self.receipt,
        };
        let lines = Lines::new(ui, task.signature().clone(), style);
        let failures = self.failures.limit();
        let task = failures.watch(task);
        let submit = submit(task, self.echo(&options, &component, ui));
        let flight = Flight::new(columns.rows(), self.as_completed, submit, failures.clone());
        let mapping = Mapping::new(ui, host, total, self.quiet);
        let mapping = mapping.explaining_cache(self.explain_cache).telling_receipt(self.receipt);
        let ended = mapping.drive(flight, lines, failures).await;
        // What is still compiled here ends with this process.
        compile::later(&component, &self.task.path, &self.host);
        ended
    }

    fn columns(&self, task: &Task, options: &TaskOptions) -> Result<Columns, Problem> {
        let files = Files::new(options.limits()?.input_bytes);
        Columns::read(task.signature(), &self.over, &self.with, &files)
    }

    /// Where each line of a log goes, if there can be one at all and it is wanted.
    fn echo(&self, options: &TaskOptions, component: &Component, ui: &Arc<Ui>) -> Option<Arc<Ui>> {
        let logs = |capability| {
            // What is denied is logged too.
            matches!(capability, Capability::Output | Capability::RunContext | Capability::OutgoingHttp)
        };
        let logs = component.imports().iter().any(|import| logs(import.capability));
        (logs && !self.quiet && options.log_prints()).then(|| Arc::clone(ui))
    }
}

/// How each run is submitted: with its index before each line of its log.
fn submit(task: Task, echo: Option<Arc<Ui>>) -> Submit {
    Box::new(move |index: usize, inputs: Vec<Value>| {
        let submitted = match &echo {
            None => task.submit(inputs.into()),
            Some(ui) => {
                let ui = Arc::clone(ui);
                let echo = move |line: &hostel::LogLine| ui.log(Some(index), line);
                task.clone().log_prints(echo).submit(inputs.into())
            }
        };
        submitted.map_err(|error| Problem::from(error).within(format_args!("item {index}")))
    })
}

/// Splits `name=text`.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, text)) if !name.is_empty() => Ok((name.to_owned(), text.to_owned())),
        _ => Err("expected NAME=…, the name of a parameter first".to_owned()),
    }
}
