//! `hostel components show`

use std::sync::Arc;

use clap::Args;
use hostel::bytes_text;
use hostel::registry::ComponentRef;
use hostel_wire::{RegisteredObject, VersionObject, printable};

use super::super::cache::{Form, FormOptions, Place};
use super::{failed, open, reference};
use crate::exit::Exit;
use crate::options::server::ServerOptions;
use crate::output::to_json;
use crate::problem::Stop;
use crate::remote::{Remote, Request};
use crate::ui::Ui;
use crate::ui::color::Paint;

/// Show a component: its versions, its functions, and what it may ask for
#[derive(Args, Debug)]
pub(crate) struct Show {
    /// The component: NAME, NAME@VERSION or sha256:DIGEST
    #[arg(value_name = "COMPONENT", value_parser = reference)]
    component: ComponentRef,

    #[command(flatten)]
    form: FormOptions,

    #[command(flatten)]
    place: Place,

    #[command(flatten)]
    server: ServerOptions,
}

impl Show {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let object = match Remote::of(ui, &self.server, [self.place.unfit()])? {
            Some(remote) => remote.call(&Request::get(&["components", &self.component.to_string()]))?,
            None => {
                let component = open(&self.place)?.component(&self.component).map_err(failed)?;
                RegisteredObject::from(&component)
            }
        };
        ui.result_line(&match self.form.output {
            Form::Table => text(&object, ui.paint),
            Form::Json => to_json(&object),
        })?;
        ui.flush()?;
        Ok(Exit::Completed)
    }
}

fn text(object: &RegisteredObject, paint: Paint) -> String {
    let mut lines = vec![
        format!("{}  {}", paint.dim("digest"), object.digest),
        format!("{}    {}", paint.dim("size"), bytes_text(object.size_bytes)),
        format!("{}   {}", paint.dim("added"), object.added_at),
    ];
    lines.extend(object.script.iter().flat_map(|script| {
        let language = format!("{}  {}", paint.dim("language"), printable(&script.language));
        let runtime = format!("{}  {}", paint.dim("runtime"), printable(&script.runtime));
        [language, format!("{}  {}", paint.dim("file"), printable(&script.file)), runtime]
    }));
    lines.extend([String::new(), paint.bold("Versions")]);
    lines.extend(object.versions.iter().flat_map(version_lines));
    if object.versions.is_empty() {
        lines.push("  none".to_owned());
    }
    lines.extend([String::new(), paint.bold("Functions")]);
    let exports = object.exports.iter();
    lines.extend(
        exports.map(|export| format!("  {}: {}", printable(&export.export), printable(&export.signature))),
    );
    lines.extend([String::new(), paint.bold("May ask for")]);
    lines.push(match object.capabilities.as_slice() {
        [] => "  nothing; it can only compute and return".to_owned(),
        capabilities => format!("  {}", capabilities.join(", ")),
    });
    lines.join("\n")
}

fn version_lines(version: &VersionObject) -> Vec<String> {
    let state = match (&version.accepted_at, &version.accepted_by) {
        (Some(at), Some(by)) => format!("accepted {at} by {}", printable(by)),
        (Some(_), None) => "accepted".to_owned(),
        (None, _) => "asks for more, not accepted".to_owned(),
    };
    let by = printable(&version.registered_by);
    let first = format!("  {}@{}  {} by {by}, {state}", version.name, version.version, version.registered_at);
    let grants = version.grants.iter().map(|grant| format!("    {}", printable(grant)));
    std::iter::once(first).chain(grants).collect()
}
