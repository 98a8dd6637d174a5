//! `hostel cache show`

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hostel::{CacheEntry, ErrorKind, KeptResult, Type, Value, bytes_text, count_text, duration_text};
use hostel_wire::{EntryDetail, ReadObject, parse_instant, printable};
use serde_json::Value as Json;

use super::{Form, FormOptions, Place, age, unknown};
use crate::exit::Exit;
use crate::options::server::ServerOptions;
use crate::output::{legible, to_json};
use crate::problem::{Problem, Stop};
use crate::remote::{Page, Remote, Request};
use crate::ui::Ui;
use crate::ui::color::Paint;
use crate::ui::text::{elapsed, one_line};

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

    #[command(flatten)]
    server: ServerOptions,
}

/// The number of dependencies that are shown in the table form.
const TOLD_READS: usize = 10;

impl Show {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        if let Some(remote) = Remote::of(ui, &self.server, [self.place.unfit()])? {
            let entries: Page<EntryDetail> = remote.call(&Request::get(&["cache", &self.key]))?;
            let texts = entries.items.iter().map(|entry| match self.form.output {
                Form::Table => of_server(entry, ui.paint),
                Form::Json => to_json(entry),
            });
            let texts: Vec<_> = texts.collect();
            let gap = if self.form.output == Form::Table { "\n\n" } else { "\n" };
            ui.result_line(&texts.join(gap))?;
            ui.flush()?;
            return Ok(Exit::Completed);
        }
        let results = self.place.open()?;
        let kept = results.show(&self.key).map_err(|error| unknown(&results, error))?;
        for (index, entry) in kept.variants.iter().enumerate() {
            let (ty, value) = Value::from_canonical(&entry.value).map_err(|error| {
                Problem::new(ErrorKind::Internal, format!("the value of {}: {error}", kept.key))
            })?;
            let text = match self.form.output {
                Form::Table if index > 0 => format!("\n{}", text(&kept, entry, &value, &ty, ui.paint)),
                Form::Table => text(&kept, entry, &value, &ty, ui.paint),
                Form::Json => to_json(&EntryDetail::new(&kept, entry, &value, &ty)),
            };
            ui.result_line(&text)?;
        }
        ui.flush()?;
        Ok(Exit::Completed)
    }
}

fn text(kept: &KeptResult, entry: &CacheEntry, value: &Value, ty: &Type, paint: Paint) -> String {
    let shown = if *value == Value::UNIT { "none".to_owned() } else { legible(value).to_wave() };
    detail(&EntryDetail::new(kept, entry, value, ty), shown, "this machine", paint)
}

/// An entry of a server, whose value is in JSON.
fn of_server(entry: &EntryDetail, paint: Paint) -> String {
    let value = if entry.value.is_null() { "none".to_owned() } else { one_line(&entry.value.to_string()) };
    detail(entry, value, "the server", paint)
}

fn detail(detail: &EntryDetail, value: String, here: &str, paint: Paint) -> String {
    let entry = &detail.entry;
    let since = |at: &str| parse_instant(at).map(|at| elapsed(age(at))).unwrap_or_default();
    let mut lines = vec![
        ("key", entry.key.clone()),
        ("task", printable(&entry.task).into_owned()),
        ("run", entry.run.clone()),
        ("created", format!("{} ({} ago)", entry.created_at, since(&entry.created_at))),
        ("from", entry.origin.as_deref().map_or_else(|| here.to_owned(), from_remote)),
        ("used", format!("{} ago, to within an hour", since(&entry.used_at))),
        ("took", duration_text(Duration::from_millis(entry.took_ms))),
    ];
    if let Some(recipe) = &detail.recipe {
        lines.extend([("policy", "policy"), ("inputs", "inputs")].map(|(name, of)| (name, part(recipe, of))));
    }
    lines.extend(reads_text(&detail.reads));
    lines.push(("size", bytes_text(entry.value_bytes)));
    lines.push(("value", value));
    let lines = lines.iter().map(|(name, text)| format!("{}  {text}", paint.dim(format!("{name:<10}"))));
    lines.collect::<Vec<_>>().join("\n")
}

fn from_remote(name: &str) -> String {
    format!("the remote cache {}", printable(name))
}

/// A part of a recipe, as text.
fn part(recipe: &Json, name: &str) -> String {
    let part = recipe.get(name).unwrap_or(&Json::Null);
    printable(part.as_str().map_or_else(|| part.to_string(), str::to_owned).as_str()).into_owned()
}

/// The first dependencies, a line each, and the number of the others.
fn reads_text(reads: &[ReadObject]) -> impl Iterator<Item = (&'static str, String)> {
    let told = reads.iter().take(TOLD_READS);
    let told = told.map(|ReadObject { path, what, .. }| format!("{} ({what})", printable(path)));
    let more = reads.len().saturating_sub(TOLD_READS);
    let more = (more > 0).then(|| format!("and {} more", count_text(more as u64)));
    let names = std::iter::once("depends on").chain(std::iter::repeat(""));
    names.zip(told.chain(more))
}
