//! From the words of the command line to a task whose runs are stored: for `hostel delay` and `hostel schedule add`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use hostel::journal::{JournalError, RunSpec};
use hostel::registry::{ComponentRef, Push};
use hostel::{Component, DelayError, DelayOptions, ErrorKind, Host, Language, RunId, Task, TaskSpec, Value};

use crate::arguments::{self, Call};
use crate::config::ConfigOptions;
use crate::files::Files;
use crate::load;
use crate::loaded;
use crate::options::data_dir::HostOptions;
use crate::options::server::{ServerOptions, Unfit};
use crate::options::task::TaskOptions;
use crate::problem::{Problem, Stop};
use crate::registered;
use crate::remote::{Remote, Submission, Words};
use crate::runtime;
use crate::stdin;
use crate::task_ref::{self, FileTask};
use crate::time::now;
use crate::ui::Ui;

/// The task and its arguments.
#[derive(Args, Debug)]
pub(crate) struct DelayedWords {
    /// The task: FILE#EXPORT, or a name, a version or a digest of a registered component instead of FILE
    #[arg(value_name = "TASK", value_parser = task_ref::typed())]
    task: FileTask,

    /// The arguments; for a program (wasi:cli/run) its argv, after `--` if it has options
    #[arg(value_name = "ARGS", allow_negative_numbers = true, value_parser = arguments::unmarked)]
    args: Vec<String>,

    /// Take all arguments from a JSON object or array: TEXT, @FILE, or - for stdin
    #[arg(long, value_name = "TEXT", conflicts_with = "args")]
    json: Option<String>,

    /// For a program: the file for its stdin
    #[arg(long, value_name = "FILE")]
    stdin: Option<String>,
}

/// The options of the task, and where its runs are stored.
#[derive(Args, Debug)]
pub(crate) struct DelayedOptions {
    #[command(flatten)]
    task: TaskOptions,

    #[command(flatten)]
    pub(crate) host: HostOptions,

    #[command(flatten)]
    config: ConfigOptions,

    #[command(flatten)]
    server: ServerOptions,
}

/// How the workers get the component.
enum Stored {
    /// It is stored with the first run, from these bytes.
    Now(Vec<u8>),
    /// It is the runtime of a script, which is registered. Its file is large, and is not read.
    Before,
}

/// What brings the file of a runtime back.
const INSTALL_AGAIN: &str = "hostel runtime install LANGUAGE FILE stores the runtime again";

/// A task whose runs can be stored, with the inputs of one.
pub(crate) struct Delayed {
    pub(crate) task: Task,
    inputs: Vec<Value>,
    component: Component,
    stored: Stored,
    /// The task as a schedule refers to it: a registered name stands for whatever it will stand for, and a file for its content.
    pub(crate) reference: String,
    /// Whether the reference is that of a registered script, whose source is not part of the arguments.
    pub(crate) is_of_stored_script: bool,
    dir: PathBuf,
    /// The task is of this host.
    _host: Host,
}

impl DelayedWords {
    /// Reads the task with its options, and its inputs. Nothing is stored.
    pub(crate) fn read(&self, ui: &Arc<Ui>, options: &DelayedOptions) -> Result<Delayed, Stop> {
        options.task.check()?;
        let host = options.host.host(ui)?.max_workers(1).max_instances(128).optimise(false).build()?;
        let runtime = runtime::on_this_thread()?;
        runtime.block_on(self.read_with(ui, options, host))
    }

    /// The same on a server, if one is named: the task with its options and arguments, as a request. A file is uploaded.
    pub(crate) fn read_remote(
        &self,
        ui: &Arc<Ui>,
        options: &DelayedOptions,
    ) -> Result<Option<(Remote, Submission)>, Stop> {
        let because = "the stdin of this command does not reach the server";
        let stdin = Unfit { option: "--stdin", is_given: self.stdin.is_some(), because };
        let unfit = options.host.unfit().into_iter().chain([stdin]);
        let Some(remote) = Remote::of(ui, &options.server, unfit)? else { return Ok(None) };
        options.task.check()?;
        let config = options.config.read(&options.host)?;
        let (task, args, json) = (&self.task, &self.args, self.json.as_deref());
        let words = Words { task, args, json, options: &options.task, config: &config };
        let submission = remote.block_on(words.read(&remote.client, ui))?;
        Ok(Some((remote, submission)))
    }

    async fn read_with(&self, ui: &Arc<Ui>, words: &DelayedOptions, host: Host) -> Result<Delayed, Stop> {
        let config = words.config.read(&words.host)?;
        let dir = words.host.stored()?;
        let located = loaded::locate(ui, &self.task.path, &words.host, false)?;
        let is_script_file = Language::of(&self.task.path).is_some();
        let is_file = !located.is_registered() || is_script_file;
        let is_of_stored_script = located.script.is_some();
        let (component, stored) = if is_script_file || is_of_stored_script {
            (load::runtime(ui, &host, &located, false).await?, Stored::Before)
        } else {
            let (component, bytes) = load::with_bytes(ui, &host, &located.file).await?;
            (located.checked(component)?, Stored::Now(bytes))
        };
        let loaded = loaded::of(component.clone(), located, &self.task.path).await?;
        let call = Call::find(&loaded, &self.task, &self.args)?;
        let options = words.task.clone().or(config.of_task(&self.task.path, &loaded, &call.task)?);
        words.task.check_retries(&options)?;
        let TaskSpec { limits, grants, .. } = options.spec()?;
        loaded.check_grants(&grants)?;
        if limits.fuel.is_some() {
            let problem = "a stored run cannot have a limit on fuel: workers do not count it";
            return Err(Problem::invalid(problem).hint("--timeout bounds its time").into());
        }
        let inputs = self.inputs(&call, &Files::new(limits.input_bytes))?;
        config.check_grants(&options, &words.host)?;
        let task = options.apply(call.task)?;
        let path = self.task.path.display();
        let reference = match (is_file, is_of_stored_script) {
            (true, _) => format!("{}#{}", component.digest(), task.key().export),
            (false, true) => format!("{path}#{}", task.function_name()),
            (false, false) => format!("{path}#{}", task.key().export),
        };
        Ok(Delayed { task, inputs, component, stored, reference, is_of_stored_script, dir, _host: host })
    }

    fn inputs(&self, call: &Call<'_>, files: &Files) -> Result<Vec<Value>, Problem> {
        let is_program = call.task.is_program();
        stdin::check(self.stdin.as_deref(), is_program)?;
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

impl Delayed {
    /// A run of it, checked, whose component is stored. The run is not.
    pub(crate) fn spec(&self, delay: DelayOptions) -> Result<RunSpec, Problem> {
        let spec = self.task.delayed_spec(self.inputs.clone().into(), delay).map_err(refused)?;
        self.push()?;
        Ok(spec)
    }

    /// Stores a run of it, and returns the id.
    pub(crate) fn store(self, delay: DelayOptions) -> Result<RunId, Problem> {
        // Everything is checked before anything is stored, and the component is there before the run.
        self.spec(delay.clone())?;
        let run = self.task.delay_with(self.inputs.into(), delay).map_err(refused)?;
        Ok(run.id())
    }

    /// Stores the component for the workers, unless it is there.
    fn push(&self) -> Result<(), Problem> {
        let registry = registered::open(&self.dir)?;
        let failed = |error| registered::failed(&error);
        let digest = self.component.digest();
        match &self.stored {
            Stored::Now(bytes) => {
                let (manifest, by) = (self.component.manifest(), registered::person());
                let push = Push { bytes, manifest, naming: None, by: &by, at: now() };
                registry.push(&push).map_err(failed)?;
            }
            // Another command may have removed it since it was found.
            Stored::Before => {
                registry.component(&ComponentRef::Digest(digest)).map_err(failed)?;
                let file = registry.file(digest).map_err(failed)?;
                if !file.exists() {
                    let problem = format!("{digest} is damaged: {} is missing", file.display());
                    return Err(Problem::new(ErrorKind::Internal, problem).hint(INSTALL_AGAIN));
                }
            }
        }
        Ok(())
    }
}

fn refused(error: DelayError) -> Problem {
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
