//! `hostel run`

use std::sync::Arc;

use clap::Args;
use hostel::{Events, Host, Outcome, Shutdown, Stdin, Task, TaskFuture, Type, Value};
use hostel_wire::{RunObject, as_json};
use tokio::time::{Duration, timeout};

use crate::arguments::{self, Call};
use crate::attempts::Attempts;
use crate::cache_tally;
use crate::commands::compile;
use crate::config::{Config, ConfigOptions};
use crate::exit::Exit;
use crate::files::Files;
use crate::history::{RecordOptions, Recorder};
use crate::interrupt::Interrupt;
use crate::loaded;
use crate::options::data_dir::HostOptions;
use crate::options::remote_cache::RemoteCacheOptions;
use crate::options::server::{ServerOptions, Unfit};
use crate::options::task::TaskOptions;
use crate::options::{Form, MemoryOptions, OutputOptions};
use crate::output;
use crate::printing::Printing;
use crate::problem::{Problem, Stop};
use crate::receipt;
use crate::remote::{self, Remote, Running, Words};
use crate::report::{self, Telling};
use crate::runtime;
use crate::stdin;
use crate::task_ref::{self, FileTask};
use crate::ui::Ui;

/// Room for one run: a component may have this many memories.
const INSTANCES: u32 = 16;

/// How long an interrupted run may take to stop.
const GRACE: Duration = Duration::from_secs(2);

#[derive(Args, Debug)]
#[command(after_help = "\
How to write arguments:
  40 2                 by position
  a=40 b=2             by name; if NAME is not a parameter, the whole is text with a `=`
  'add(40, 2)'         the whole call; then TASK may be just FILE
  --json '{\"a\": 40}'   all arguments as a JSON object or array; also @FILE, or - for stdin

How to write values (WAVE):
  42  -1.5  inf  true  'c'  \"text\"  [1, 2]  (1, \"pair\")  {name: \"a\", rate: 0.5}
  none  some(1)  ok(1)  err(\"why\")  case  case(1)  {flag-a, flag-b}
  Ada Lovelace         text needs no quotes if a string is expected
  @README.md           the content of a file, for a string or list<u8>; @- is stdin
  @@home               text that begins with one @

The stdin of a program (wasi:cli/run):
  a file               its content is in the cache key; a file over --max-input is read like a pipe
  a pipe or socket     is read while the program runs; if the program read it, the result is not cached
  a terminal           only with --stdin -

Examples:
  hostel run math.wasm#add 40 2
  hostel run math.wasm 'add(40, 2)'
  hostel run text.wasm#greet name=Ada --timeout 1s --retries 3 --retry-delay 1s,10s
  hostel run text.wasm#word-count text=@README.md --output json
  hostel run pages.wasm https://example.org/ --http example.org
  hostel run program.wasm --stdin input.txt -- --verbose
  tail -f log.txt | hostel run program.wasm
  hostel run math.wasm#add 40 2 --server http://127.0.0.1:4700")]
pub(crate) struct Run {
    /// The task: FILE#EXPORT, or FILE if it exports one function; for FILE also NAME[@VERSION] or sha256:DIGEST of a
    /// registered component
    #[arg(value_name = "TASK", value_parser = task_ref::typed())]
    task: FileTask,

    /// The arguments; for a program (wasi:cli/run) its argv, after `--` if it has options
    #[arg(value_name = "ARGS", allow_negative_numbers = true, value_parser = arguments::unmarked)]
    args: Vec<String>,

    /// The first option after an argument.
    #[arg(skip)]
    pub(crate) late_option: Option<String>,

    /// Take all arguments from a JSON object or array: TEXT, @FILE, or - for stdin
    #[arg(long, value_name = "TEXT", conflicts_with = "args")]
    json: Option<String>,

    /// For a program: the file or pipe for its stdin, or - for the command's own [default: -, unless it is a terminal or
    /// /dev/null]
    #[arg(long, value_name = "FILE")]
    stdin: Option<String>,

    /// Write the result as a JSON object with run, state, tags, attempts, grants and receipt, however the run ends
    #[arg(long)]
    states: bool,

    #[command(flatten)]
    output: OutputOptions,

    /// Write no log and no state, only problems
    #[arg(long, short)]
    quiet: bool,

    /// Show the resource use of the run, and its calls to the host; --states always includes it
    #[arg(long)]
    receipt: bool,

    /// Show the decision of the cache, with the reason
    #[arg(long, help_heading = "Cache")]
    explain_cache: bool,

    #[command(flatten)]
    options: TaskOptions,

    #[command(flatten)]
    remote_cache: RemoteCacheOptions,

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

impl Run {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        self.options.check()?;
        if self.states && !matches!(self.output.output, None | Some(Form::Json)) {
            return Err(Problem::invalid("--states writes JSON: omit --output, or use --output json").into());
        }
        let config = self.config.read(&self.host)?;
        if let Some(remote) = Remote::of(ui, &self.server, self.unfit())? {
            let (task, args, json, options) = (&self.task, &self.args, self.json.as_deref(), &self.options);
            let words = Words { task, args, json, options, config: &config };
            let form = self.output.output;
            let (quiet, states, receipt) = (self.quiet, self.states, self.receipt);
            let options_of_program = self.check_options_come_first();
            let running = Running { words, quiet, states, receipt, form, options_of_program };
            return remote::run(&remote, ui, running);
        }
        let host =
            self.remote_cache.apply(self.memory.apply(self.host.host(ui)?), config.remote_cache.as_ref())?;
        let counts_fuel = self.options.has("max-fuel") || config.limits_fuel();
        let host = host.max_workers(1).max_instances(INSTANCES).count_fuel(counts_fuel);
        // A single run gains nothing from it. Another process compiles for later runs, if there is a data directory.
        let host = host.optimise(false).build()?;
        let runtime = runtime::on_this_thread()?;
        runtime.block_on(self.run(ui, &host, &config))
    }

    /// Options that cannot be used with a server.
    fn unfit(&self) -> Vec<Unfit> {
        let stdin = "the stdin of this command does not reach the server";
        let explain = "the server does not report cache decisions";
        let mut unfit = vec![
            Unfit { option: "--stdin", is_given: self.stdin.is_some(), because: stdin },
            Unfit { option: "--explain-cache", is_given: self.explain_cache, because: explain },
            self.memory.unfit(),
            self.record.unfit(),
        ];
        unfit.extend(self.host.unfit());
        unfit.extend(self.remote_cache.unfit());
        unfit
    }

    async fn run(&self, ui: &Arc<Ui>, host: &Host, config: &Config) -> Result<Exit, Stop> {
        let loaded = loaded::load(ui, host, &self.task.path, &self.host, self.quiet).await?;
        compile::later(&loaded.component, &loaded.file, &self.host);
        let call = Call::find(&loaded, &self.task, &self.args)?;
        let options = self.options.clone().or(config.of_task(&self.task.path, &loaded, &call.task)?);
        self.options.check_retries(&options)?;
        let spec = options.spec()?;
        let (inputs, stdin) = self.inputs(&call, &Files::new(spec.limits.input_bytes))?;
        let most_attempts = spec.retry.retries.saturating_add(1);
        let shows_log = options.log_prints() && !self.quiet;
        config.check_grants(&options, &self.host)?;
        loaded.check_grants(&spec.grants)?;
        let task = options.apply(call.task)?;
        let is_piped = stdin.is_some();
        let task = if let Some(stdin) = stdin { task.stdin(stdin) } else { task };
        let task = if shows_log { echoing(task, ui) } else { task };
        let mut printing = Printing::new(ui, most_attempts);
        let prints = task.is_program() && !self.states && self.output.output != Some(Form::Json);
        let task = if prints { printing.listen(task) } else { task };

        let mut interrupt = Interrupt::listen();
        let events = (!self.quiet && most_attempts > 1).then(|| host.events());
        let recorder = Recorder::new(ui, self.record, &self.host);
        let copy = recorder.copy_of(&inputs);
        let run = task.submit(inputs.into())?;
        let is_interrupted = tokio::select! {
            () = ended(ui, &run, most_attempts, events) => false,
            () = interrupt.requested() => true,
            () = printing.failed() => true,
        };
        if is_interrupted {
            let _ = timeout(GRACE, host.shutdown(Shutdown::CancelAll)).await;
        }
        let outcome = run.try_outcome();
        let (name, run_timeout) = (spec.name.is_some(), spec.run_timeout);
        let telling = Telling { quiet: self.quiet, log_was_shown: shows_log, name, run_timeout };
        let printing = prints.then_some(printing);
        let shown = self.show(ui, &run, printing, telling, &mut interrupt).await;
        // After everything else: nobody waits for it.
        recorder.run(&run, copy.filter(|inputs| !is_piped || !has_read_stdin(&run, inputs)));
        let ended = outcome.filter(|_| !is_interrupted);
        let exit = ended.map_or(Exit::Interrupted, |outcome| Exit::of_outcome(&outcome));
        Ok(if shown? { Exit::Interrupted } else { exit })
    }

    /// Shows the result, and how the run ended. `true` if it was interrupted meanwhile. `printing` prints the output of a program.
    async fn show(
        &self,
        ui: &Ui,
        run: &TaskFuture,
        printing: Option<Printing>,
        telling: Telling,
        interrupt: &mut Interrupt,
    ) -> Result<bool, Stop> {
        let outcome = run.try_outcome();
        let mut is_interrupted = false;
        let mut is_told = false;
        if let Some(printing) = printing {
            // If nothing reads stdout, the state line comes before the end of the output.
            is_told = timeout(GRACE, printing.written()).await.is_err();
            if is_told {
                report::ended(ui, run, telling);
                is_interrupted = tokio::select! {
                    () = printing.written() => false,
                    () = interrupt.requested() => true,
                };
            }
            let finished = printing.finish(run, outcome.as_deref());
            // A failure of the program matters more than a missing reader.
            if !(is_told && matches!(finished, Err(Stop::StdoutClosed))) {
                finished?;
            }
            ui.flush()?;
        } else {
            self.print(ui, run, outcome.as_deref())?;
        }
        if !is_told {
            report::ended(ui, run, telling);
        }
        if self.receipt {
            receipt::tell_run(ui, run);
        }
        if self.explain_cache {
            cache_tally::explain(ui, &run.cache_report());
        }
        Ok(is_interrupted)
    }

    /// The inputs, and the program's stdin if it is not one of them.
    fn inputs(&self, call: &Call<'_>, files: &Files) -> Result<(Vec<Value>, Option<Stdin>), Problem> {
        let signature = call.task.signature();
        let is_program = call.task.is_program();
        stdin::check(self.stdin.as_deref(), is_program)?;
        let mut inputs = match &self.json {
            Some(json) => arguments::json(signature, json, files)?,
            None if is_program => {
                self.check_options_come_first()?;
                arguments::program(&call.texts)
            }
            None => arguments::typed(signature, &call.texts, files)?,
        };
        let stdin = if is_program { stdin::give(&mut inputs, self.stdin.as_deref(), files)? } else { None };
        Ok((inputs, stdin))
    }

    /// Refuses an option after a program's first word: it could be meant for the program or for the host.
    fn check_options_come_first(&self) -> Result<(), Problem> {
        let Some(option) = &self.late_option else { return Ok(()) };
        let problem = format!("{option} after the first word of the program is ambiguous");
        let hint = format!(
            "put {option} before the first word if it is for hostel, or after `--` if it is for the program"
        );
        Err(Problem::invalid(problem).hint(hint))
    }

    fn print(&self, ui: &Ui, run: &TaskFuture, outcome: Option<&Outcome>) -> Result<(), Stop> {
        if self.states {
            let object = RunObject::whole(run, outcome, run.task().signature());
            ui.result_of(|to| output::write_json(to, &object))?;
        } else if let Some(Outcome::Completed(value)) = outcome {
            self.print_value(ui, run.task(), value)?;
        }
        ui.flush()
    }

    fn print_value(&self, ui: &Ui, task: &Task, value: &Value) -> Result<(), Stop> {
        let form = self.output.output.unwrap_or(Form::Wave);
        // Data has no type from which a table could be made.
        if let (Form::Wave | Form::Table, Value::String(data), Type::Data) =
            (form, value, task.completed_type())
        {
            return ui.result_line(data);
        }
        if *value == Value::UNIT {
            return Ok(());
        }
        if form == Form::Json {
            return ui.result_of(|to| output::write_json(to, &as_json(value, task.completed_type())));
        }
        output::value(ui, form, value)
    }
}

/// Waits for the run to end, and reports failed attempts meanwhile if there is a stream of events.
async fn ended(ui: &Ui, run: &TaskFuture, most_attempts: u32, events: Option<Events>) {
    let Some(events) = events else {
        run.outcome().await;
        return;
    };
    let mut attempts = Attempts::new(ui, run, most_attempts);
    tokio::select! {
        biased;
        () = attempts.follow(events) => {}
        _ = run.outcome() => {}
    }
    attempts.tell();
}

/// Writes the log while the run executes.
fn echoing(task: Task, ui: &Arc<Ui>) -> Task {
    let ui = Arc::clone(ui);
    task.log_prints(move |line| ui.log(None, line))
}

/// Whether a program has read something from a pipe: then its inputs are not all that its result depends on.
fn has_read_stdin(run: &TaskFuture, inputs: &[Value]) -> bool {
    let given: usize = inputs.iter().map(Value::footprint).sum();
    run.receipt().input_bytes > given as u64
}
