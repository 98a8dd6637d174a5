//! The whole command line: subcommands, and the text of `hostel --help`.

use clap::{Parser, Subcommand};

use crate::commands::{
    cache, compile, completions, components, delay, inspect, limits, map, new, push, python, replay, run,
    runs, runtime, schedule, serve, trust, worker,
};
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

/// One subcommand, one file.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    New(new::New),
    Inspect(inspect::Inspect),
    Run(run::Run),
    Map(map::Map),
    Delay(delay::Delay),
    Worker(worker::Worker),
    Serve(serve::Serve),
    Runs(runs::Runs),
    Replay(replay::Replay),
    Schedule(schedule::Schedule),
    Limits(limits::Limits),
    Push(push::Push),
    Components(components::Components),
    Runtime(runtime::Runtime),
    Python(python::Python),
    Compile(compile::Compile),
    Trust(trust::Trust),
    Cache(cache::Cache),
    Completions(completions::Completions),
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
