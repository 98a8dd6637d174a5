//! `hostel runs show`

use std::sync::Arc;

use clap::Args;
use hostel::journal::{InputSpec, Journal, JournalEntry, SqliteJournal, StoredValue};
use hostel::{Failure, Origin, Outcome, Receipt, RunId, State, Value, excerpt_within};
use hostel_wire::{
    AttemptObject, InputJson, ReceiptObject, RunAnswerObject, RunObject, StoredRun, StoredRunObject,
    WaitingObject, instant, printable, waiting_for,
};
use serde::Deserialize;
use serde_json::Value as Json;

use super::{entry, error_line, open};
use crate::commands::cache::{Form, FormOptions};
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::options::server::ServerOptions;
use crate::output::table::Layout;
use crate::output::write_json;
use crate::problem::{Problem, Stop};
use crate::receipt;
use crate::remote::{self, Remote, Request};
use crate::time::now;
use crate::ui::Ui;
use crate::ui::text::one_line;

/// The most characters of a value in the table.
const SHOWN_CHARS: usize = 4_096;

/// Show everything that is known of a run
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  hostel runs show 019a8c5e-3f40-7cc1-8f6e-2f8c6f2a9b11 --output json | jq .value")]
pub(crate) struct Show {
    /// The id of the run
    #[arg(value_name = "RUN")]
    run: RunId,

    #[command(flatten)]
    form: FormOptions,

    #[command(flatten)]
    host: HostOptions,

    #[command(flatten)]
    server: ServerOptions,
}

/// What the table shows of a run, whether it is in a journal or at a server.
struct Shown {
    run: String,
    name: String,
    task: String,
    /// Of a script.
    function: Option<String>,
    state: String,
    waits_for: Option<String>,
    error: Option<String>,
    queue: String,
    priority: i32,
    parent: Option<String>,
    unique: Option<String>,
    /// A schedule, and its time.
    slot: Option<(String, String)>,
    traceparent: Option<String>,
    tags: Vec<String>,
    inputs: Vec<String>,
    /// Times and states.
    history: Vec<(String, String)>,
    crashes: u32,
    value: Option<String>,
    receipt: Option<ReceiptObject>,
}

/// The inputs of a run, as a server answers them.
#[derive(Deserialize)]
struct Inputs {
    items: Vec<Input>,
}

/// An input, in two forms.
#[derive(Deserialize)]
struct Input {
    value: Json,
    wave: String,
}

impl Show {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        if let Some(remote) = Remote::of(ui, &self.server, self.host.unfit())? {
            return self.on(ui, &remote);
        }
        let journal = open(&self.host)?;
        let entry = entry(&journal, self.run)?;
        match self.form.output {
            Form::Json => write_run(ui, &journal, &entry)?,
            Form::Table => table(ui, Shown::stored(&journal, &entry)?)?,
        }
        ui.flush()?;
        Ok(Exit::Completed)
    }

    /// A run of a server.
    fn on(&self, ui: &Ui, remote: &Remote) -> Result<Exit, Stop> {
        let run = self.run.to_string();
        let mut answer: RunAnswerObject<'static> = remote.call(&Request::get(&["runs", &run]))?;
        let inputs = remote.call::<Inputs>(&Request::get(&["runs", &run, "inputs"]));
        // A token may be allowed to see runs, and not what they were given.
        let inputs = match inputs {
            Err(problem) if problem.exit() == Exit::Denied => {
                ui.note(&format!("inputs and value are not shown: {problem}"));
                Vec::new()
            }
            inputs => inputs?.items,
        };
        match self.form.output {
            Form::Json => {
                let values = inputs.into_iter().map(|input| InputJson::received(input.value));
                answer.run.inputs = Some(values.collect());
                ui.result_of(|to| write_json(to, &answer.run))?;
            }
            Form::Table => table(ui, Shown::answered(remote, &answer, inputs)?)?,
        }
        ui.flush()?;
        Ok(Exit::Completed)
    }
}

/// Writes a run with everything that is known of it as a line of JSON.
pub(super) fn write_run(ui: &Ui, journal: &SqliteJournal, entry: &JournalEntry) -> Result<(), Stop> {
    // A blob that cannot be read is reported as missing.
    let stored = StoredRun::read(entry.record(), |blob| journal.blob(blob).ok().flatten());
    let stored = stored.map_err(|error| Problem::of(hostel::ErrorKind::Internal, &error))?;
    let object = StoredRunObject::new(RunObject::stored(&stored), entry).with_inputs(&stored);
    ui.result_of(|to| write_json(to, &object))
}

fn table(ui: &Ui, shown: Shown) -> Result<(), Stop> {
    let rows = shown.rows();
    let layout = Layout::of(&vec![String::new(); 2], rows.iter());
    rows.iter().try_for_each(|row| ui.result_line(&layout.line(row)))
}

impl Shown {
    /// A run of a journal. A value that cannot be read does not hide the rest.
    fn stored(journal: &SqliteJournal, entry: &JournalEntry) -> Result<Self, Problem> {
        let (head, record) = (entry.head(), entry.record());
        let spec = record.spec();
        let limits = if head.state.is_terminal() { Vec::new() } else { journal.limits()? };
        let inputs = spec.inputs.iter().map(|input| text(journal, input)).collect::<Result<_, _>>()?;
        let history = record.history().iter();
        let mut shown_value = None;
        if let Some(Outcome::Completed(value) | Outcome::Failed(Failure::Error(value))) = record.outcome() {
            shown_value = Some(value_text(journal, value)?);
        }
        let mut used = Receipt::default();
        let mut receipts =
            record.attempts().iter().filter_map(|attempt| attempt.receipt.as_deref()).peekable();
        let has_receipt = receipts.peek().is_some();
        receipts.for_each(|receipt| used.add(receipt));
        Ok(Self {
            run: head.run.to_string(),
            name: head.name.to_string(),
            task: head.task.to_string(),
            function: head.function.map(|function| function.to_string()),
            state: head.state.to_string(),
            waits_for: waits_for(&waiting_for(entry, &limits, now()), head.state),
            error: head.error.map(|error| error.to_string()),
            queue: head.queue.to_string(),
            priority: head.priority,
            parent: spec.parent.as_ref().map(ToString::to_string),
            unique: spec.unique.as_ref().map(|unique| unique.key.to_string()),
            slot: spec.schedule.as_ref().map(|slot| (slot.schedule.to_string(), instant(slot.slot))),
            traceparent: spec.trace.as_ref().map(ToString::to_string),
            tags: head.tags.iter().map(ToString::to_string).collect(),
            inputs,
            history: history.map(|one| (instant(one.at), one.state.to_string())).collect(),
            crashes: head.crashes,
            value: shown_value,
            receipt: has_receipt.then(|| ReceiptObject::from(&used)),
        })
    }

    /// A run of a server.
    fn answered(
        remote: &Remote,
        answer: &RunAnswerObject<'static>,
        inputs: Vec<Input>,
    ) -> Result<Self, Problem> {
        let StoredRunObject { run, function, queue, priority, unique_key, schedule, slot, parent, .. } =
            &answer.run;
        let traceparent = answer.run.traceparent.clone();
        let state = remote::state(&run.state);
        let has_value = run.value.as_ref().is_some_and(Option::is_some);
        let value = match run.error.as_ref().and_then(|error| error.value.as_ref()) {
            Some(value) => Some(one_line(&excerpt_within(value, SHOWN_CHARS))),
            None if has_value => {
                let text = remote.text(&Request::get(&["runs", &run.run, "result"]).query("form", "wave"))?;
                Some(one_line(&excerpt_within(text, SHOWN_CHARS)))
            }
            None => None,
        };
        let has_ended = |attempt: &AttemptObject| attempt.duration_ms.is_some();
        let has_receipt = run.attempts.iter().flatten().any(has_ended);
        Ok(Self {
            run: run.run.clone(),
            name: run.name.clone().unwrap_or_default(),
            task: run.task.clone().unwrap_or_default(),
            function: function.clone(),
            state: run.state.to_string(),
            waits_for: waits_for(&answer.waiting_for, state.unwrap_or(State::Pending)),
            error: error_line(run),
            queue: queue.clone(),
            priority: *priority,
            parent: parent.clone(),
            unique: unique_key.clone(),
            slot: schedule.clone().map(|schedule| (schedule, slot.clone().unwrap_or_default())),
            traceparent,
            tags: run.tags.clone().unwrap_or_default(),
            inputs: inputs
                .into_iter()
                .map(|input| one_line(&excerpt_within(input.wave, SHOWN_CHARS)))
                .collect(),
            history: answer.run.history.iter().map(|one| (one.at.clone(), one.state.to_string())).collect(),
            crashes: answer.run.crashes,
            value,
            receipt: run.receipt.clone().filter(|_| has_receipt),
        })
    }

    fn rows(self) -> Vec<Vec<String>> {
        let safe = |text: &str| printable(text).into_owned();
        let origin = Origin::of_queue(&self.queue);
        let mut rows: Vec<(&str, String)> =
            vec![("run", self.run), ("name", safe(&self.name)), ("task", safe(&self.task))];
        rows.extend(self.function.map(|function| ("function", safe(&function))));
        rows.push(("state", self.state));
        rows.extend(self.waits_for.map(|reason| ("waits for", safe(&reason))));
        rows.extend(self.error.map(|error| ("error", safe(&error))));
        match origin {
            Origin::Worker => {
                rows.push(("queue", safe(&self.queue)));
                rows.push(("priority", self.priority.to_string()));
            }
            Origin::Program => {
                rows.push(("executed", "by the command that asked for it, not by a worker".to_owned()));
            }
            Origin::Map => rows.push(("executed", "as a map, of which this is the summary".to_owned())),
        }
        let parent = if origin == Origin::Program { "map" } else { "parent" };
        rows.extend(self.parent.map(|run| (parent, run)));
        rows.extend(self.unique.map(|key| ("unique", safe(&key))));
        rows.extend(self.slot.map(|(schedule, at)| ("schedule", format!("{}, for {at}", safe(&schedule)))));
        rows.extend(self.traceparent.map(|trace| ("traceparent", safe(&trace))));
        let tags: Vec<_> = self.tags.iter().map(|tag| safe(tag)).collect();
        rows.extend((!tags.is_empty()).then(|| ("tags", tags.join(", "))));
        rows.extend(self.inputs.into_iter().map(|input| ("input", input)));
        rows.extend(self.history.into_iter().map(|(at, state)| ("history", format!("{at} {state}"))));
        rows.extend((self.crashes > 0).then(|| ("crashes", self.crashes.to_string())));
        rows.extend(self.value.map(|value| ("value", value)));
        if let Some(used) = self.receipt.filter(|_| origin != Origin::Map) {
            rows.extend(receipt::rows(&used));
        }
        rows.into_iter().map(|(name, text)| vec![name.to_owned(), text]).collect()
    }
}

/// Why a run has not started or ended, in words; `None` for one that has ended.
fn waits_for(reasons: &[WaitingObject], state: State) -> Option<String> {
    Some(match reasons.first()? {
        WaitingObject::Due { at } | WaitingObject::Retry { at, .. } => format!("its time, {at}"),
        WaitingObject::Paused { scope, until, .. } => {
            let until = until.as_deref().unwrap_or("it is resumed");
            format!("{scope}, which is paused until {until}")
        }
        WaitingObject::Slot { scope, max_running, .. } => {
            format!("a slot of {scope}: {max_running} of {max_running} are taken")
        }
        WaitingObject::Rate { scope } => format!("the next start that the rate of {scope} allows"),
        WaitingObject::NoWorker { queue } => {
            format!("a worker that serves the queue {queue} and has room for it; hostel worker starts one")
        }
        WaitingObject::Worker { worker, stops: true } => format!("worker {worker}, which stops it"),
        WaitingObject::Worker { worker, .. } if state.is_executing() => {
            format!("its end, in worker {worker}")
        }
        WaitingObject::Worker { worker, .. } => format!("its start, in worker {worker}"),
        _ => return None,
    })
}

fn text(journal: &dyn Journal, input: &InputSpec) -> Result<String, Problem> {
    if let InputSpec::Value(value) = input {
        value_text(journal, value)
    } else {
        Ok("made of the results of other runs".to_owned())
    }
}

fn value_text(journal: &dyn Journal, value: &StoredValue) -> Result<String, Problem> {
    let bytes = match value {
        StoredValue::Bytes(bytes) => Some(Arc::clone(bytes)),
        StoredValue::Blob(blob) => journal.blob(blob)?,
    };
    Ok(match bytes.map(|bytes| Value::from_canonical(&bytes)) {
        Some(Ok((_, value))) => one_line(&excerpt_within(value, SHOWN_CHARS)),
        Some(Err(_)) | None => "cannot be read".to_owned(),
    })
}
