//! `hostel components ls`

use std::sync::Arc;
use std::time::SystemTime;

use clap::Args;
use hostel::registry::{MAX_LISTED, RegisteredVersion, Registry};
use hostel::{Digest, Timestamp};
use hostel_wire::VersionObject;

use super::super::cache::{Form, FormOptions, Place};
use super::{failed, open};
use crate::exit::Exit;
use crate::output::table::{Layout, Row};
use crate::output::to_json;
use crate::problem::{Problem, Stop};
use crate::ui::Ui;
use crate::ui::text::{counted, elapsed};

/// The number of digits shown of a digest.
const DIGITS: usize = 12;

/// List the versions of all names, and the components without a name
#[derive(Args, Debug)]
#[command(after_help = "\
With --output json: one object on each line. Components without a name have only a digest.

Examples:
  hostel components ls
  hostel components ls --output json | jq -r 'select(.accepted == false) | .name + \"@\" + .version'")]
pub(crate) struct Ls {
    #[command(flatten)]
    form: FormOptions,

    #[command(flatten)]
    place: Place,
}

impl Ls {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let registry = open(&self.place)?;
        let versions = versions(&registry)?;
        let unnamed = unnamed(&registry)?;
        match self.form.output {
            Form::Table => table(ui, &versions, &unnamed)?,
            Form::Json => {
                for version in &versions {
                    ui.result_line(&to_json(&VersionObject::from(version)))?;
                }
                for digest in &unnamed {
                    ui.result_line(&to_json(&serde_json::json!({ "digest": digest.to_string() })))?;
                }
            }
        }
        ui.flush()?;
        if versions.is_empty() && unnamed.is_empty() {
            ui.note("there are no components; hostel push FILE --name NAME adds one");
        }
        Ok(Exit::Completed)
    }
}

/// All versions, by name, the last ones first.
fn versions(registry: &Registry) -> Result<Vec<RegisteredVersion>, Problem> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let names = registry.names(after.as_ref(), MAX_LISTED).map_err(failed)?;
        for name in &names {
            all.extend(registry.versions(name).map_err(failed)?);
        }
        match names.into_iter().last() {
            Some(last) => after = Some(last),
            None => return Ok(all),
        }
    }
}

fn unnamed(registry: &Registry) -> Result<Vec<Digest>, Problem> {
    let mut all: Vec<Digest> = Vec::new();
    loop {
        let more = registry.unnamed(all.last().copied(), MAX_LISTED).map_err(failed)?;
        if more.is_empty() {
            return Ok(all);
        }
        all.extend(more);
    }
}

fn table(ui: &Ui, versions: &[RegisteredVersion], unnamed: &[Digest]) -> Result<(), Stop> {
    let rows: Vec<Row> =
        versions.iter().map(cells).chain(unnamed.iter().map(|digest| unnamed_cells(*digest))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let heading = ["NAME", "VERSION", "DIGEST", "AGE", "BY", "STATE"].map(str::to_owned).to_vec();
    let layout = Layout::of(&heading, rows.iter());
    ui.result_line(&layout.heading(&heading, ui.paint))?;
    rows.iter().try_for_each(|row| ui.result_line(&layout.line(row)))?;
    ui.flush()?;
    ui.note(&counted(rows.len() as u64, "component"));
    Ok(())
}

fn cells(version: &RegisteredVersion) -> Row {
    let state = if version.accepted.is_some() { "accepted" } else { "asks for more" };
    vec![
        version.name.to_string(),
        version.version.to_string(),
        short(version.digest),
        elapsed(Timestamp::from(SystemTime::now()).since(version.at)),
        version.by.clone(),
        state.to_owned(),
    ]
}

fn unnamed_cells(digest: Digest) -> Row {
    vec!["–".to_owned(), "–".to_owned(), digest.hex(), "–".to_owned(), "–".to_owned(), "no name".to_owned()]
}

fn short(digest: Digest) -> String {
    let hex = digest.hex();
    hex.get(..DIGITS).unwrap_or(&hex).to_owned()
}
