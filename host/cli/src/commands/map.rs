//! `hostel map`

use std::sync::Arc;

use clap::Args;
use hostel::{Capability, Component, Host, Task, Value};

use crate::arguments;
use crate::commands::compile;
use crate::config::{Config, ConfigOptions};
use crate::exit::Exit;
use crate::failure_limit::FailureOptions;
use crate::files::Files;
use crate::flight::{Flight, Submit};
use crate::history::{RecordOptions, Recorder};
use crate::lines::{Lines, Style};
use crate::loaded;
use crate::map_history::MapHistory;
use crate::mapping::Mapping;
use crate::options::data_dir::HostOptions;
use crate::options::remote_cache::RemoteCacheOptions;
use crate::options::server::{ServerOptions, Unfit};
use crate::options::tag_limits::TagLimitOptions;
use crate::options::task::TaskOptions;
use crate::options::{Form, MemoryOptions, OutputOptions, WorkerOptions};
use crate::problem::{Problem, Stop};
use crate::remote::{self, Remote, RemoteMap, Words};
use crate::rows::Columns;
use crate::runtime;
use crate::task_ref::{self, FileTask};
use crate::ui::Ui;

#[derive(Args, Debug)]
#[command(after_help = "\
How to write lists:
  x=0..1000            numbers from 0 to 999; 0..=1000 includes 1000
  'x=[3, 1, 2]'        a list in WAVE or JSON
  x=@values.jsonl      a file of JSON Lines: one JSON value on each line
  x=-                  JSON Lines from stdin, of any number; each one runs as soon as it arrives
  Several --over are combined element by element, and must have the same length.

Output:
  A line for each item, in the order of the lists: its value as JSON. The line of an
  failed item is {\"$error\": {\"kind\": …, \"message\": …}}, which is never a value.
  So line N is item N, and the lines can be the input of another map. With --states:
    {\"index\":0,\"run\":\"0198…\",\"state\":\"Completed\",\"value\":42,\"attempt_count\":1}
    {\"index\":1,\"run\":\"0198…\",\"state\":\"Failed\",\"error\":{\"kind\":\"trap\",\"message\":…},…}
  If there were several attempts, each is in \"attempts\"; with --name there is a \"name\".
  A kind is error (returned by the guest, in \"value\"), trap, exit, limit, timeout,
  crash or cancelled. If the guest wrote to stderr, the last lines are in \"stderr\".

Examples:
  hostel map math.wasm#add-one --over x=0..1000
  jq -c '.[]' items.json | hostel map batch.wasm#process-data --over item=- > results.jsonl
  hostel map text.wasm#word-count --over text=@pages.jsonl --explain-cache
  hostel map fetch.wasm --over id=@ids.jsonl --retries 3 --retry-delay exp:1s --fail-fast
  hostel map fetch.wasm --over id=@ids.jsonl --tag api --rate-limit api=10/1s
  hostel map fetch.wasm --over id=@ids.jsonl --server https://hostel.example")]
pub(crate) struct Map {
    /// The task: FILE#EXPORT, or FILE if it exports one function; for FILE also NAME[@VERSION] or sha256:DIGEST of a
    /// registered component
    #[arg(value_name = "TASK", value_parser = task_ref::typed())]
    task: FileTask,

    /// Run once for each element of LIST, as the argument NAME; can be given several times
    #[arg(long, value_name = "NAME=LIST", value_parser = pair, required = true)]
    over: Vec<(String, String)>,

    /// Give VALUE to every run, as the argument NAME; written as for `hostel run`
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    with: Vec<(String, String)>,

    /// Write each result when its run ends, not in the order of the lists; implies --states
    #[arg(long)]
    as_completed: bool,

    /// Write each result with its index, run, state and attempts
    #[arg(long)]
    states: bool,

    #[command(flatten)]
    output: OutputOptions,

    /// Write no log, progress or summary, only problems
    #[arg(long, short)]
    quiet: bool,

    /// Show the resource use of all runs together, and their calls to the host; with --states, each line has its own
    #[arg(long)]
    receipt: bool,

    /// Show the decisions of the cache, with reasons
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
    record: RecordOptions,

    #[command(flatten)]
    host: HostOptions,

    #[command(flatten)]
    config: ConfigOptions,

    #[command(flatten)]
    server: ServerOptions,
}

impl Map {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        self.options.check()?;
        let config = self.config.read(&self.host)?;
        if let Some(remote) = Remote::of(ui, &self.server, self.unfit())? {
            let (task, options) = (&self.task, &self.options);
            let words = Words { task, args: &[], json: None, options, config: &config };
            return remote::map(
                &remote,
                ui,
                &RemoteMap {
                    words,
                    over: &self.over,
                    with: &self.with,
                    style: self.style(options.has("name")),
                    as_completed: self.as_completed,
                    quiet: self.quiet,
                    receipt: self.receipt,
                    failures: self.failures.limit(),
                },
            );
        }
        let host = self.workers.apply(self.memory.apply(self.host.host(ui)?));
        let host = self.remote_cache.apply(host, config.remote_cache.as_ref())?;
        let counts_fuel = self.options.has("max-fuel") || config.limits_fuel();
        let host = self.tag_limits.apply(config.limits.apply(host)).count_fuel(counts_fuel).build()?;
        let runtime = runtime::on_this_thread()?;
        runtime.block_on(self.map(ui, &host, &config))
    }

    fn style(&self, names: bool) -> Style {
        Style {
            form: self.output.output.unwrap_or(Form::Json),
            states: self.states || self.as_completed,
            names,
            receipts: self.receipt,
        }
    }

    /// Options that cannot be used with a server.
    fn unfit(&self) -> Vec<Unfit> {
        let explain = "the server does not report cache decisions";
        let mut unfit = vec![
            Unfit { option: "--explain-cache", is_given: self.explain_cache, because: explain },
            self.workers.unfit(),
            self.memory.unfit(),
            self.record.unfit(),
        ];
        unfit.extend(self.host.unfit());
        unfit.extend(self.remote_cache.unfit());
        unfit.extend(self.tag_limits.unfit());
        unfit
    }

    async fn map(&self, ui: &Arc<Ui>, host: &Host, config: &Config) -> Result<Exit, Stop> {
        let loaded = loaded::load(ui, host, &self.task.path, &self.host, self.quiet).await?;
        let task = arguments::find(&loaded, &self.task)?;
        let options = self.options.clone().or(config.of_task(&self.task.path, &loaded, &task)?);
        self.options.check_retries(&options)?;
        let spec = options.spec()?;
        self.tag_limits.check_use(&spec.tags)?;
        config.check_grants(&options, &self.host)?;
        loaded.check_grants(&spec.grants)?;
        let task = options.apply(task)?;
        let files = Files::new(spec.limits.input_bytes);
        let columns = Columns::read(task.signature(), &self.over, &self.with, &files)?;
        let total = columns.length;
        let style = self.style(options.has("name"));
        let lines = Lines::new(ui, task.signature().clone(), style);
        let failures = self.failures.limit();
        let task = failures.watch(task);
        let recorder = Recorder::new(ui, self.record, &self.host);
        let history = MapHistory::begin(recorder, &task, &self.over, &self.with);
        let submit = submit(task, self.echo(&options, &loaded.component, ui));
        let flight = Flight::new(columns.rows(), self.as_completed, submit, failures.clone());
        let mapping = Mapping::new(ui, host, total, self.quiet);
        let mapping = mapping.explaining_cache(self.explain_cache).telling_receipt(self.receipt);
        let mapping = mapping.recording(history);
        let ended = mapping.drive(flight, lines, failures).await;
        // A compile in this process ends with it.
        compile::later(&loaded.component, &loaded.file, &self.host);
        ended
    }

    /// The destination of log lines, if there can be any and they are wanted.
    fn echo(&self, options: &TaskOptions, component: &Component, ui: &Arc<Ui>) -> Option<Arc<Ui>> {
        let logs = |capability| {
            // Denied requests are logged too.
            matches!(capability, Capability::Output | Capability::RunContext | Capability::OutgoingHttp)
        };
        let logs = component.imports().iter().any(|import| logs(import.capability));
        (logs && !self.quiet && options.log_prints()).then(|| Arc::clone(ui))
    }
}

/// Submits each run, and puts its index before each line of its log.
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
        _ => Err("expected NAME=…, where NAME is a parameter".to_owned()),
    }
}
