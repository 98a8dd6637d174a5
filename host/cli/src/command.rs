//! The whole command line: subcommands, and the text of `hostel --help`.

use clap::{Parser, Subcommand};

use crate::commands::{
    cache, compile, completions, components, delay, inspect, limits, map, new, push, python, replay, run,
    runs, runtime, schedule, serve, trust, worker,
};
use crate::deferred::Deferred;
use crate::exit::Exit;
use crate::problem::Stop;
use crate::ui::Ui;
use crate::ui::color::When;

/// Run functions of WebAssembly components as tasks, each in its own sandbox
#[derive(Debug, Parser)]
#[command(name = "hostel", version, max_term_width = 100, after_help = after_help())]
pub(crate) struct CommandLine {
    /// When to use colours: auto, always or never
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        value_enum,
        default_value_t,
        hide_possible_values = true,
        display_order = 100
    )]
    pub(crate) color: When,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// One subcommand, one file. Only the options of the one that is called are ever built.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a new project: one task, its test and a hostel.toml
    New(Deferred<new::New>),
    /// Show the tasks of a component, and the permissions that it may ask for
    Inspect(Deferred<inspect::Inspect>),
    /// Run a task once: its result goes to stdout, its log and state to stderr
    Run(Deferred<run::Run>),
    /// Run a task many times, over lists of arguments; each run has one line of output
    Map(Deferred<map::Map>),
    /// Store a run of a task for the background: a worker executes it, now or later
    Delay(Deferred<delay::Delay>),
    /// Execute the runs of hostel delay and of schedules, until it is stopped
    Worker(Deferred<worker::Worker>),
    /// Serve the HTTP API, and execute runs, until it is stopped
    Serve(Deferred<serve::Serve>),
    /// List, inspect and control the runs in the journal
    Runs(Deferred<runs::Runs>),
    /// Execute a recorded run again, and compare the results
    Replay(Deferred<replay::Replay>),
    /// Submit runs of a task again and again, at times of the clock or at intervals
    Schedule(Deferred<schedule::Schedule>),
    /// Limit, pause and resume the runs of a queue or with a tag
    Limits(Deferred<limits::Limits>),
    /// Store a component or a script in the registry, under a name and a version
    Push(Deferred<push::Push>),
    /// List, compare, accept and remove registered components
    Components(Deferred<components::Components>),
    /// Install and list the runtimes of languages
    Runtime(Deferred<runtime::Runtime>),
    /// Build Python runtimes with packages
    Python(Deferred<python::Python>),
    /// Compile a component for speed, so that later commands find its code
    Compile(Deferred<compile::Compile>),
    /// Trust the grants in a hostel.toml, as long as its content stays the same
    Trust(Deferred<trust::Trust>),
    /// List, verify and remove cached results
    Cache(Deferred<cache::Cache>),
    /// Print a script that completes hostel commands in a shell
    Completions(Deferred<completions::Completions>),
}

impl Command {
    pub(crate) fn execute(&self, ui: &std::sync::Arc<Ui>) -> Result<Exit, Stop> {
        match self {
            Self::New(command) => command.execute(ui),
            Self::Inspect(command) => command.execute(ui),
            Self::Run(command) => command.execute(ui),
            Self::Map(command) => command.execute(ui),
            Self::Delay(command) => command.execute(ui),
            Self::Worker(command) => command.execute(ui),
            Self::Serve(command) => command.execute(ui),
            Self::Schedule(command) => command.execute(ui),
            Self::Limits(command) => command.execute(ui),
            Self::Runs(command) => command.execute(ui),
            Self::Replay(command) => command.execute(ui),
            Self::Push(command) => command.execute(ui),
            Self::Components(command) => command.execute(ui),
            Self::Runtime(command) => command.execute(ui),
            Self::Python(command) => command.execute(ui),
            Self::Compile(command) => command.execute(ui),
            Self::Trust(command) => command.execute(ui),
            Self::Cache(command) => command.execute(ui),
            Self::Completions(command) => command.execute(ui),
        }
    }
}

fn after_help() -> String {
    let examples = "\
Examples:
  hostel inspect math.wasm                           list its tasks
  hostel run math.wasm#add 40 2                      one run
  hostel run text.wasm#word-count text=@README.md    a file's content as an argument
  hostel map math.wasm#add-one --over x=0..1000      a thousand runs
";
    let config = "\
Options of run and map may be in hostel.toml, here or in a directory above; a file that grants
something must be trusted first (hostel trust):
  [defaults]                       for every task
  retry-delay = [\"1s\", \"10s\"]
  [tasks.\"math.wasm#add\"]          for one task; FILE alone is for all in it
  retries = 3
  tags = [\"db\"]
  net = [\"db.example.org:5432\"]    a grant, as with --net; paths start at the directory of the file
  [limits]                         for runs that share a tag
  tags.db = 2
  rates.db = \"10/1s\"
  [remote-cache]                   results shared between machines
  url = \"s3://results/hostel\"
";
    format!("{examples}\n{config}\n{}", Exit::table())
}
