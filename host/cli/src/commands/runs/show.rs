//! `hostel runs show`

use std::sync::Arc;

use clap::Args;
use hostel::journal::{InputSpec, Journal, JournalEntry, SqliteJournal, StoredValue};
use hostel::{Failure, Origin, Outcome, Receipt, RunId, State, Timestamp, Value};
use hostel_wire::{RunObject, StoredRun, StoredRunObject, instant, printable};

use super::{entry, open};
use crate::commands::cache::{Form, FormOptions};
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::output::table::Layout;
use crate::output::to_json;
use crate::problem::{Problem, Stop};
use crate::receipt;
use crate::time::now;
use crate::ui::Ui;
use crate::ui::text::one_line;

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
}

impl Show {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let journal = open(&self.host)?;
        let entry = entry(&journal, self.run)?;
        match self.form.output {
            Form::Json => ui.result_line(&json(&journal, &entry)?)?,
            Form::Table => {
                let rows = rows(&journal, &entry)?;
                let layout = Layout::of(&vec![String::new(); 2], rows.iter());
                rows.iter().try_for_each(|row| ui.result_line(&layout.line(row)))?;
            }
        }
        ui.flush()?;
        Ok(Exit::Completed)
    }
}

/// A run with everything that is known of it, as a line of JSON.
pub(super) fn json(journal: &SqliteJournal, entry: &JournalEntry) -> Result<String, Problem> {
    // A blob that cannot be read is reported as missing.
    let stored = StoredRun::read(entry.record(), |blob| journal.blob(blob).ok().flatten());
    let stored = stored.map_err(|error| Problem::of(hostel::ErrorKind::Internal, &error))?;
    let object = StoredRunObject::new(RunObject::stored(&stored), entry);
    Ok(to_json(&object.with_inputs(&stored)))
}

fn rows(journal: &SqliteJournal, entry: &JournalEntry) -> Result<Vec<Vec<String>>, Problem> {
    let (head, spec) = (entry.head(), entry.record().spec());
    let mut rows: Vec<(&str, String)> = vec![
        ("run", head.run.to_string()),
        ("name", printable(&head.name).into_owned()),
        ("task", head.task.to_string()),
        ("state", head.state.to_string()),
    ];
    rows.extend(waiting_for(journal, entry, now())?.map(|reason| ("waits for", reason)));
    rows.extend(head.error.map(|error| ("error", printable(&error).into_owned())));
    match Origin::of(spec) {
        Origin::Worker => {
            rows.push(("queue", head.queue.to_string()));
            rows.push(("priority", head.priority.to_string()));
        }
        Origin::Program => {
            rows.push(("executed", "by the command that asked for it, not by a worker".to_owned()))
        }
        Origin::Map => rows.push(("executed", "as a map, of which this is the summary".to_owned())),
    }
    let parent = if Origin::of(spec) == Origin::Program { "map" } else { "parent" };
    rows.extend(spec.parent.map(|run| (parent, run.to_string())));
    rows.extend(spec.unique.as_ref().map(|unique| ("unique", printable(&unique.key).into_owned())));
    if let Some(slot) = &spec.schedule {
        rows.push(("schedule", format!("{}, for {}", printable(&slot.schedule), instant(slot.slot))));
    }
    let tags: Vec<_> = head.tags.iter().map(|tag| printable(tag).into_owned()).collect();
    rows.extend((!tags.is_empty()).then(|| ("tags", tags.join(", "))));
    for input in &spec.inputs {
        rows.push(("input", text(journal, input)?));
    }
    for transition in entry.record().history() {
        rows.push(("history", format!("{} {}", instant(transition.at), transition.state)));
    }
    if head.crashes > 0 {
        rows.push(("crashes", head.crashes.to_string()));
    }
    if let Some(Outcome::Completed(value) | Outcome::Failed(Failure::Error(value))) = entry.record().outcome()
    {
        rows.push(("value", value_text(journal, value)?));
    }
    let mut used = Receipt::default();
    let mut receipts =
        entry.record().attempts().iter().filter_map(|attempt| attempt.receipt.as_deref()).peekable();
    let has_receipt = receipts.peek().is_some() && Origin::of(spec) != Origin::Map;
    receipts.for_each(|receipt| used.add(receipt));
    rows.extend(receipt::rows(&used).into_iter().filter(|_| has_receipt));
    Ok(rows.into_iter().map(|(name, text)| vec![name.to_owned(), text]).collect())
}

/// Why a run has not started or ended, in words; `None` for one that has ended.
fn waiting_for(
    journal: &dyn Journal,
    entry: &JournalEntry,
    now: Timestamp,
) -> Result<Option<String>, Problem> {
    let state = entry.state();
    if state.is_terminal() {
        return Ok(None);
    }
    if let Some(claim) = entry.claim() {
        let worker = &claim.worker;
        return Ok(Some(if state == State::Cancelling {
            format!("worker {worker}, which stops it")
        } else if state.is_executing() {
            format!("its end, in worker {worker}")
        } else {
            format!("its start, in worker {worker}")
        }));
    }
    if entry.waits_for_time() && entry.due() > now {
        return Ok(Some(format!("its time, {}", instant(entry.due()))));
    }
    for used in journal.limits()? {
        if let Some(reason) = kept_back(&used, entry, now) {
            return Ok(Some(reason));
        }
    }
    let queue = &entry.record().spec().queue;
    Ok(Some(format!("a worker that serves the queue {queue}: start one with hostel worker")))
}

/// Why a limit keeps a run back, if it does.
fn kept_back(used: &hostel::journal::LimitUse, entry: &JournalEntry, now: Timestamp) -> Option<String> {
    if !used.scope.has(entry.record().spec()) {
        return None;
    }
    if let Some(pause) = used.pause.as_ref().filter(|pause| pause.until.is_none_or(|until| until > now)) {
        let until = pause.until.map_or_else(|| "it is resumed".to_owned(), instant);
        return Some(format!("{}, which is paused until {until}", used.scope));
    }
    let max = used.limit.max_running?;
    (used.held >= u64::from(max))
        .then(|| format!("a slot of {}: {} of {max} are taken", used.scope, used.held))
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
        Some(Ok((_, value))) => one_line(&value.to_string()),
        Some(Err(_)) | None => "cannot be read".to_owned(),
    })
}
