//! `hostel delay`

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hostel::{DelayOptions, QueueName, RunId, Timestamp, Unique, UniqueMode, new_run_id};
use hostel_wire::{RunAnswerObject, instant};
use serde_json::Value as Json;

use crate::delayed::{DelayedOptions, DelayedWords};
use crate::exit::Exit;
use crate::problem::Stop;
use crate::remote::{Remote, Request, Submission};
use crate::time::{at, later, now};
use crate::ui::Ui;

#[derive(Args, Debug)]
#[command(after_help = "\
The run is on disk when the command returns, and its id is on stdout. A component from a file is
stored with it, as hostel push does. hostel run --help explains how to write arguments.

Examples:
  hostel delay math.wasm#add 40 2
  hostel delay acme.math#add 40 2 --in 10m --queue slow --priority 5
  hostel delay report.wasm#build --at 2026-12-24T18:00:00Z --unique nightly
  hostel runs wait $(hostel delay math.wasm#add 40 2)
  hostel delay acme.math#add 40 2 --server https://hostel.example")]
pub(crate) struct Delay {
    #[command(flatten)]
    words: DelayedWords,

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
    options: DelayedOptions,
}

impl Delay {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        if let Some((remote, submission)) = self.words.read_remote(ui, &self.options)? {
            return self.on(ui, &remote, &submission);
        }
        let mut delayed = self.words.read(ui, &self.options)?;
        if let Some(priority) = self.priority {
            delayed.task = delayed.task.clone().priority(priority);
        }
        let mut delay = DelayOptions::default();
        delay.id = self.id;
        delay.at = self.at.or(self.after.map(|after| now().after(after)));
        delay.queue = self.queue.clone();
        delay.unique = self.unique.clone();
        let run = delayed.store(delay)?;
        ui.result_line(&run.to_string())?;
        ui.flush()?;
        Ok(Exit::Completed)
    }

    /// On a server. Its clock counts for --in.
    fn on(&self, ui: &Ui, remote: &Remote, submission: &Submission) -> Result<Exit, Stop> {
        let mut body = submission.body();
        let mut add = |name: &str, value: Option<Json>| {
            value.into_iter().for_each(|value| _ = body.insert(name.to_owned(), value));
        };
        add("queue", Some(self.queue.to_string().into()));
        add("priority", self.priority.map(Json::from));
        add("at", self.at.map(|at| instant(at).into()));
        add("in", self.after.map(|after| format!("{}ms", after.as_millis()).into()));
        add("unique", self.unique.as_ref().map(|unique| text(unique).into()));
        let id = self.id.unwrap_or_else(new_run_id).to_string();
        let answer: RunAnswerObject<'static> = remote.call(&Request::put(&["runs", &id]).json(&body))?;
        ui.result_line(&answer.run.run.run)?;
        ui.flush()?;
        Ok(Exit::Completed)
    }
}

/// A unique key as text.
fn text(unique: &Unique) -> String {
    let key = &unique.key;
    match unique.mode {
        UniqueMode::Existing => format!("{key}:existing"),
        UniqueMode::Reject => format!("{key}:reject"),
        UniqueMode::Replace => format!("{key}:replace"),
        UniqueMode::Debounce { wait, most } => {
            format!("{key}:debounce:{}ms..{}ms", wait.as_millis(), most.as_millis())
        }
    }
}
