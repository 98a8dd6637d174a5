//! `hostel components diff`

use std::sync::Arc;

use clap::Args;
use hostel::registry::{ComponentDiff, ComponentRef};
use hostel_wire::{DiffObject, printable};

use super::super::cache::{Form, FormOptions, Place};
use super::{failed, open, reference};
use crate::exit::Exit;
use crate::options::server::ServerOptions;
use crate::output::to_json;
use crate::problem::{Problem, Stop};
use crate::remote::{Remote, Request};
use crate::ui::Ui;
use crate::ui::color::Paint;

/// Show how two components differ: what they ask for, and their functions
#[derive(Args, Debug)]
#[command(after_help = "\
Lines with + are in the newer one only, lines with - in the older one only. The capabilities and the
grants come first, then the functions.

Examples:
  hostel components diff acme.math acme.math@2.0.0-rc.1")]
pub(crate) struct Diff {
    /// The older one: NAME, NAME@VERSION or sha256:DIGEST
    #[arg(value_name = "OLD", value_parser = reference)]
    old: ComponentRef,

    /// The newer one
    #[arg(value_name = "NEW", value_parser = reference)]
    new: ComponentRef,

    #[command(flatten)]
    form: FormOptions,

    #[command(flatten)]
    place: Place,

    #[command(flatten)]
    server: ServerOptions,
}

impl Diff {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let diff = match Remote::of(ui, &self.server, [self.place.unfit()])? {
            Some(remote) => {
                let request = Request::get(&["components", &self.old.to_string(), "diff"]);
                remote.call(&request.query("with", &self.new))?
            }
            None => self.here()?,
        };
        match self.form.output {
            Form::Table => {
                diff.lines().iter().try_for_each(|line| ui.result_line(&coloured(line, ui.paint)))?;
            }
            Form::Json => ui.result_line(&to_json(&diff))?,
        }
        ui.flush()?;
        if diff.is_empty() && self.form.output == Form::Table {
            ui.note("they ask for the same, and have the same functions");
        }
        Ok(Exit::Completed)
    }

    fn here(&self) -> Result<DiffObject, Problem> {
        let registry = open(&self.place)?;
        let (old, old_grants) = registry.side(&self.old).map_err(failed)?;
        let (new, new_grants) = registry.side(&self.new).map_err(failed)?;
        Ok(DiffObject::from(&ComponentDiff::between((&old, &old_grants), (&new, &new_grants))))
    }
}

fn coloured(line: &str, paint: Paint) -> String {
    let text = printable(line);
    if line.starts_with('+') { paint.good(text) } else { paint.bad(text) }
}
