//! `hostel cache show`

use std::sync::Arc;

use clap::Args;
use hostel::{CacheEntry, KeptResult, Trace, TraceRead, Type, Value, bytes_text, count_text, duration_text};
use serde::Serialize;
use serde_json::Value as Json;

use super::{EntryObject, Form, FormOptions, Place, age, unknown};
use crate::exit::Exit;
use crate::output::{self, printed::legible};
use crate::problem::{Problem, Stop};
use crate::states::{millis, to_json};
use crate::ui::Ui;
use crate::ui::color::Paint;
use crate::ui::text::{elapsed, instant, printable};

/// Show a cached result, with its value
#[derive(Args, Debug)]
#[command(after_help = "\
A result that depends on files is stored once for each state of the files. All of these are shown;
with --output json, as one object on each line.

Examples:
  hostel cache show 3f9a
  hostel cache show 3f9a --output json | jq .value")]
pub(crate) struct Show {
    /// The key, or a unique prefix of it
    #[arg(value_name = "KEY")]
    key: String,

    #[command(flatten)]
    form: FormOptions,

    #[command(flatten)]
    place: Place,
}

/// The number of dependencies that are shown in the table form.
const TOLD_READS: usize = 10;

#[derive(Serialize)]
struct Object {
    #[serde(flatten)]
    entry: EntryObject,
    /// Inputs, policy, grants and other options; null if they were too long to be stored.
    recipe: Option<Json>,
    /// The questions that the guest asked, in order.
    reads: Vec<Read>,
    #[serde(rename = "type")]
    ty: String,
    value: Json,
}

/// A question about a file or directory.
#[derive(Serialize)]
struct Read {
    path: String,
    what: &'static str,
}

impl Show {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let results = self.place.open()?;
        let kept = results.show(&self.key).map_err(|error| unknown(&results, error))?;
        for (index, entry) in kept.variants.iter().enumerate() {
            let (ty, value) = Value::from_canonical(&entry.value).map_err(|error| {
                Problem::new(Exit::HostFailed, format!("the value of {}: {error}", kept.key))
            })?;
            let text = match self.form.output {
                Form::Table if index > 0 => format!("\n{}", text(&kept, entry, &value, ui.paint)),
                Form::Table => text(&kept, entry, &value, ui.paint),
                Form::Json => to_json(&Object::new(&kept, entry, &value, &ty)),
            };
            ui.result_line(&text)?;
        }
        ui.flush()?;
        Ok(Exit::Completed)
    }
}

fn text(kept: &KeptResult, entry: &CacheEntry, value: &Value, paint: Paint) -> String {
    let mut lines = vec![
        ("key", kept.key.to_string()),
        ("task", printable(&entry.task).into_owned()),
        ("run", entry.producer.to_string()),
        ("created", format!("{} ({} ago)", instant(entry.created), elapsed(age(entry.created)))),
        ("from", entry.origin.as_deref().map_or_else(|| "this machine".to_owned(), from_remote)),
        ("used", format!("{} ago, to within an hour", elapsed(age(kept.used)))),
        ("took", duration_text(entry.took)),
    ];
    if let Some(recipe) = recipe(entry) {
        lines
            .extend([("policy", "policy"), ("inputs", "inputs")].map(|(name, of)| (name, part(&recipe, of))));
    }
    lines.extend(reads_text(&reads(entry)));
    lines.push(("size", bytes_text(entry.value.len() as u64)));
    let value = if *value == Value::UNIT { "none".to_owned() } else { legible(value).to_wave() };
    lines.push(("value", value));
    let lines = lines.iter().map(|(name, text)| format!("{}  {text}", paint.dim(format!("{name:<10}"))));
    lines.collect::<Vec<_>>().join("\n")
}

fn from_remote(name: &str) -> String {
    format!("the remote cache {}", printable(name))
}

/// The recipe of the result, if it was stored.
fn recipe(entry: &CacheEntry) -> Option<Json> {
    serde_json::from_str(entry.recipe.as_deref()?).ok()
}

/// A part of a recipe, as text.
fn part(recipe: &Json, name: &str) -> String {
    let part = recipe.get(name).unwrap_or(&Json::Null);
    printable(part.as_str().map_or_else(|| part.to_string(), str::to_owned).as_str()).into_owned()
}

/// The dependencies of the result.
fn reads(entry: &CacheEntry) -> Vec<Read> {
    let trace = entry.depends_on.as_ref().and_then(|dependencies| Trace::decode(&dependencies.bytes).ok());
    let reads = trace.map(|trace| trace.reads()).unwrap_or_default();
    reads.into_iter().map(|TraceRead { path, what }| Read { path, what }).collect()
}

/// The first dependencies, a line each, and the number of the others.
fn reads_text(reads: &[Read]) -> impl Iterator<Item = (&'static str, String)> {
    let told = reads.iter().take(TOLD_READS);
    let told = told.map(|Read { path, what }| format!("{} ({what})", printable(path)));
    let more = reads.len().saturating_sub(TOLD_READS);
    let more = (more > 0).then(|| format!("and {} more", count_text(more as u64)));
    let names = std::iter::once("depends on").chain(std::iter::repeat(""));
    names.zip(told.chain(more))
}

impl Object {
    fn new(kept: &KeptResult, entry: &CacheEntry, value: &Value, ty: &Type) -> Self {
        let object = EntryObject {
            key: kept.key.to_string(),
            task: entry.task.to_string(),
            run: entry.producer.to_string(),
            created_at: instant(entry.created),
            used_at: instant(kept.used),
            took_ms: millis(entry.took),
            value_bytes: entry.value.len() as u64,
            dependency_bytes: entry.depends_on.as_ref().map_or(0, |depends| depends.bytes.len() as u64),
            origin: entry.origin.as_deref().map(str::to_owned),
        };
        Self {
            entry: object,
            recipe: recipe(entry),
            reads: reads(entry),
            ty: ty.to_string(),
            value: output::json(value, ty),
        }
    }
}
