//! From the words of the command line to a request for runs.

use std::path::Path;
use std::sync::Arc;

use hostel::{Param, Signature, TaskSpec, Value};
use serde_json::{Map, Value as Json};

use super::client::Client;
use super::task::{RemoteCall, RemoteTask, find};
use crate::arguments;
use crate::config::Config;
use crate::files::Files;
use crate::options::task::TaskOptions;
use crate::problem::Problem;
use crate::task_ref::FileTask;
use crate::ui::Ui;

/// A task, its arguments, and its options, as words.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    pub(crate) task: &'a FileTask,
    pub(crate) args: &'a [String],
    /// All arguments as JSON, in place of `args`.
    pub(crate) json: Option<&'a str>,
    pub(crate) options: &'a TaskOptions,
    pub(crate) config: &'a Config,
}

/// A request for runs of a task, whose arguments fit.
pub(crate) struct Submission {
    pub(super) task: RemoteTask,
    /// The arguments, in the order of the parameters.
    args: Json,
    options: Map<String, Json>,
    /// The options as data.
    pub(super) spec: TaskSpec,
    /// Whether the log is shown.
    pub(super) log_prints: bool,
}

impl Words<'_> {
    /// Finds the task at the server, and reads options and arguments. A file is uploaded.
    pub(crate) async fn read(&self, client: &Client, ui: &Arc<Ui>) -> Result<Submission, Problem> {
        self.check_options()?;
        let RemoteCall { task, texts } = find(client, ui, self.task, self.args).await?;
        let mut submission = self.of_task(task)?;
        let signature = &submission.task.signature;
        let files = Files::new(submission.spec.limits.input_bytes);
        let inputs = match self.json {
            Some(json) => arguments::json(signature, json, &files)?,
            None if submission.task.is_program => arguments::program(&texts),
            None => arguments::typed(signature, &texts, &files)?,
        };
        submission.args = args(signature, &inputs);
        Ok(submission)
    }

    /// The same without arguments, for a task that is used with many.
    pub(super) async fn read_task(&self, client: &Client, ui: &Arc<Ui>) -> Result<Submission, Problem> {
        self.check_options()?;
        let RemoteCall { task, .. } = find(client, ui, self.task, &[]).await?;
        self.of_task(task)
    }

    /// Checks the options of the command line before anything is sent. Those of `hostel.toml` depend on the task.
    fn check_options(&self) -> Result<(), Problem> {
        self.options.spec_without_dirs()?;
        self.options.for_server().map(drop)
    }

    fn of_task(&self, task: RemoteTask) -> Result<Submission, Problem> {
        let path: &Path = &self.task.path;
        let of_config = self.config.of_export(path, |export| Ok(task.is_meant_by(export)))?;
        let options = self.options.clone().or(of_config);
        self.options.check_retries(&options)?;
        let log_prints = options.log_prints();
        let spec = options.spec_without_dirs()?;
        options.check_name(&task.signature)?;
        let options = options.for_server()?;
        Ok(Submission { task, args: Json::Null, options, spec, log_prints })
    }
}

/// Arguments as JSON, in the order of the parameters.
fn args(signature: &Signature, inputs: &[Value]) -> Json {
    let pairs = signature.params.iter().zip(inputs);
    // Not as results are written: the output of a program is one of these, and an argument never.
    pairs.map(|(Param { ty, .. }, value)| value.to_json(ty)).collect()
}

impl Submission {
    /// The same with these inputs.
    pub(super) fn body_with(&self, inputs: &[Value]) -> Map<String, Json> {
        let mut body = self.body();
        body.insert("args".to_owned(), args(&self.task.signature, inputs));
        body
    }

    /// The request. The task is named by its digest, so that a repetition is for the same code.
    pub(crate) fn body(&self) -> Map<String, Json> {
        self.body_for(&self.task.key)
    }

    /// The request, whose task is named as on the command line: later runs are of what the name stands for then.
    pub(crate) fn named_body(&self) -> Map<String, Json> {
        self.body_for(&format!("{}#{}", self.task.source, self.task.export))
    }

    fn body_for(&self, task: &str) -> Map<String, Json> {
        let mut body = Map::new();
        body.insert("task".to_owned(), task.into());
        body.insert("args".to_owned(), self.args.clone());
        body.insert("options".to_owned(), self.options.clone().into());
        body
    }

    /// The most attempts of a run.
    pub(super) fn most_attempts(&self) -> u32 {
        self.spec.retry.retries.saturating_add(1)
    }
}
