//! `hostel components ls`

use std::sync::Arc;

use clap::Args;
use hostel::Digest;
use hostel::registry::{MAX_LISTED, RegisteredVersion, Registry};
use hostel_wire::{VersionObject, parse_instant, printable};

use super::super::cache::{Form, FormOptions, Place};
use super::{failed, open};
use crate::exit::Exit;
use crate::options::server::ServerOptions;
use crate::output::table::{Layout, Row};
use crate::output::to_json;
use crate::problem::{Problem, Stop};
use crate::remote::{Client, PAGE_ITEMS, Page, Remote, Request};
use crate::time::now;
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

    #[command(flatten)]
    server: ServerOptions,
}

impl Ls {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let (versions, unnamed) = match Remote::of(ui, &self.server, [self.place.unfit()])? {
            Some(remote) => remote.block_on(of_server(&remote.client))?,
            None => {
                let registry = open(&self.place)?;
                let versions = versions(&registry)?;
                let unnamed = unnamed(&registry)?.iter().map(ToString::to_string).collect();
                (versions.iter().map(VersionObject::from).collect(), unnamed)
            }
        };
        match self.form.output {
            Form::Table => table(ui, &versions, &unnamed)?,
            Form::Json => {
                for version in &versions {
                    ui.result_line(&to_json(version))?;
                }
                for digest in &unnamed {
                    ui.result_line(&to_json(&serde_json::json!({ "digest": digest })))?;
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

/// The versions and the components without a name of a server.
async fn of_server(client: &Client) -> Result<(Vec<VersionObject>, Vec<String>), Problem> {
    let mut names: Vec<String> = Vec::new();
    let limited = |segment| Request::get(&[segment]).query("limit", PAGE_ITEMS);
    let mut take = |page: Page<String>| {
        names.extend(page.items);
        Ok::<_, Problem>(true)
    };
    client.pages(&limited("names"), &mut take).await?;
    let mut versions = Vec::new();
    for name in &names {
        let of_name: Page<VersionObject> = client.call(&Request::get(&["names", name])).await?;
        versions.extend(of_name.items);
    }
    let mut unnamed: Vec<String> = Vec::new();
    let mut take = |page: Page<String>| {
        unnamed.extend(page.items);
        Ok::<_, Problem>(true)
    };
    client.pages(&limited("components"), &mut take).await?;
    Ok((versions, unnamed))
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

fn table(ui: &Ui, versions: &[VersionObject], unnamed: &[String]) -> Result<(), Stop> {
    let rows: Vec<Row> =
        versions.iter().map(cells).chain(unnamed.iter().map(|digest| unnamed_cells(digest))).collect();
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

fn cells(version: &VersionObject) -> Row {
    let state = if version.accepted { "accepted" } else { "asks for more" };
    let age = parse_instant(&version.registered_at).map(|at| elapsed(now().since(at)));
    vec![
        printable(&version.name).into_owned(),
        printable(&version.version).into_owned(),
        short(&version.digest).to_owned(),
        age.unwrap_or_default(),
        printable(&version.registered_by).into_owned(),
        state.to_owned(),
    ]
}

fn unnamed_cells(digest: &str) -> Row {
    let hex = hex(digest).to_owned();
    vec!["–".to_owned(), "–".to_owned(), hex, "–".to_owned(), "–".to_owned(), "no name".to_owned()]
}

fn hex(digest: &str) -> &str {
    digest.strip_prefix("sha256:").unwrap_or(digest)
}

fn short(digest: &str) -> &str {
    let hex = hex(digest);
    hex.get(..DIGITS).unwrap_or(hex)
}
