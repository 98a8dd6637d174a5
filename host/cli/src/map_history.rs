//! The record of a map: one run with a summary, and a run for each of the first items that did not complete.

use hostel::journal::{RunRecord, StoredValue};
use hostel::{
    Event, LogLine, MapEnd, MapRecord, Outcome, Receipt, RunId, State, Task, TaskFuture, Timestamp, Type,
    Value, count_text,
};

use crate::flight::Item;
use crate::history::Recorder;
use crate::tally::Tally;
use crate::ui::text::counted;

/// The most items that are recorded as runs of their own.
const MAX_ITEMS: usize = 100;

/// The most bytes of their records together.
const MAX_ITEM_BYTES: usize = 8 << 20;

/// The most items of the timeline.
const MAX_SAMPLES: usize = 256;

/// The characters of a list of `--over` or a value of `--with` that are recorded.
const SHOWN_CHARS: usize = 200;

/// The record of a map, while it executes.
pub(crate) struct MapHistory<'a> {
    recorder: Recorder<'a>,
    map: MapRecord,
    task: Task,
    /// What the items were.
    inputs: Value,
    items: Vec<RunRecord>,
    item_bytes: usize,
    /// Of the items, within the same bound.
    logs: Vec<(RunId, Vec<LogLine>)>,
    log_bytes: usize,
    timeline: Timeline,
}

/// Items at even distances.
struct Timeline {
    began: Timestamp,
    /// Every so many items there is a sample.
    stride: u64,
    seen: u64,
    samples: Vec<Value>,
}

impl<'a> MapHistory<'a> {
    /// A map that begins now; `None` if it is not recorded. The lists are as on the command line.
    pub(crate) fn begin(
        recorder: Recorder<'a>,
        task: &Task,
        over: &[(String, String)],
        with: &[(String, String)],
    ) -> Option<Self> {
        if !recorder.is_on() {
            return None;
        }
        let map = MapRecord::begin(task);
        let timeline = Timeline { began: map.began(), stride: 1, seen: 0, samples: Vec::new() };
        let inputs = Value::Record(vec![("over".into(), texts(over)), ("with".into(), texts(with))]);
        let (items, logs) = (Vec::new(), Vec::new());
        let task = task.clone();
        Some(Self { recorder, map, task, inputs, items, item_bytes: 0, logs, log_bytes: 0, timeline })
    }

    /// An item has ended.
    pub(crate) fn add(&mut self, item: &mut Item, outcome: &Outcome) {
        self.timeline.add(item);
        if outcome.is_completed() || self.items.len() >= MAX_ITEMS {
            return;
        }
        let inputs = std::mem::take(&mut item.inputs);
        let inputs = self.task.stored_inputs(inputs.into()).unwrap_or_default();
        let Some(record) = item.run.record(inputs, Some(self.map.id())) else { return };
        let bytes = record.encode().len();
        if self.item_bytes + bytes <= MAX_ITEM_BYTES {
            self.item_bytes += bytes;
            self.items.push(record);
            self.add_log(&item.run);
        }
    }

    fn add_log(&mut self, run: &TaskFuture) {
        let lines = run.log();
        let bytes: usize = lines.iter().map(|line| line.text.len()).sum();
        if self.log_bytes + bytes <= MAX_ITEM_BYTES {
            self.log_bytes += bytes;
            self.logs.push((run.id(), lines));
        }
    }

    /// The map has ended. `was_stopped` says that items may be missing.
    pub(crate) fn end(self, tally: &Tally, receipt: Option<&Receipt>, was_stopped: bool) {
        let end = match (was_stopped, tally.unsuccessful()) {
            (true, _) => MapEnd::Cancelled,
            (false, 0) => MapEnd::Completed,
            (false, _) => MapEnd::Failed,
        };
        if !self.recorder.wants(end == MapEnd::Completed) {
            return;
        }
        let failed = match tally.unsuccessful() {
            0 => String::new(),
            count => format!(", {} not completed", count_text(count)),
        };
        let name = format!("map of {}: {}{failed}", self.task.function_name(), counted(tally.ended(), "run"));
        let (summary, summary_type) = self.summary(tally);
        let list = || Type::list(Type::String);
        let inputs_type = Type::record([("over", list()), ("with", list())]);
        let stored = StoredValue::new(&self.inputs, &inputs_type)
            .and_then(|inputs| Ok((inputs, StoredValue::new(&summary, &summary_type)?)));
        // Both have the type that is written here.
        let Ok((inputs, summary)) = stored else { return };
        let receipt = receipt.cloned().unwrap_or_default();
        let Some(record) = self.map.end(&end, &name, inputs, summary, receipt) else { return };
        let records: Vec<_> = [record].into_iter().chain(self.items).collect();
        self.recorder.leave(&records, &self.logs);
    }

    fn summary(&self, tally: &Tally) -> (Value, Type) {
        let counts = tally.counts().into_iter().chain([("recorded", self.items.len() as u64)]);
        let (mut values, mut types): (Vec<_>, Vec<_>) =
            counts.map(|(name, count)| ((name.into(), Value::U64(count)), (name, Type::U64))).unzip();
        values.push(("timeline".into(), Value::List(self.timeline.samples.clone())));
        types.push(("timeline", Type::list(sample_type())));
        (Value::Record(values), Type::record(types))
    }
}

fn sample_type() -> Type {
    Type::record([("item", Type::U64), ("state", Type::String), ("at-ms", Type::F64), ("took-ms", Type::F64)])
}

impl Timeline {
    fn add(&mut self, item: &Item) {
        let is_sample = self.seen.is_multiple_of(self.stride);
        self.seen += 1;
        if !is_sample {
            return;
        }
        if self.samples.len() == MAX_SAMPLES {
            let mut is_kept = false;
            self.samples.retain(|_| {
                is_kept = !is_kept;
                is_kept
            });
            self.stride *= 2;
            if !(self.seen - 1).is_multiple_of(self.stride) {
                return;
            }
        }
        self.samples.extend(self.sample(item));
    }

    fn sample(&self, item: &Item) -> Option<Value> {
        let history = item.run.history();
        let started = history.iter().find(|transition| transition.cause == Some(Event::Started));
        let began = started.or(history.first())?.at;
        let ms = |time: std::time::Duration| Value::F64(time.as_secs_f64() * 1e3);
        let state: State = item.run.state();
        Some(Value::Record(vec![
            ("item".into(), Value::U64(item.index as u64)),
            ("state".into(), Value::String(state.name().to_owned())),
            ("at-ms".into(), ms(began.since(self.began))),
            ("took-ms".into(), ms(history.last()?.at.since(began))),
        ]))
    }
}

/// `NAME=TEXT` of each, shortened.
fn texts(pairs: &[(String, String)]) -> Value {
    let shortened = |(name, text): &(String, String)| {
        let is_long = text.chars().nth(SHOWN_CHARS).is_some();
        let shown: String = text.chars().take(SHOWN_CHARS).collect();
        Value::String(format!("{name}={shown}{}", if is_long { "…" } else { "" }))
    };
    Value::List(pairs.iter().map(shortened).collect())
}
