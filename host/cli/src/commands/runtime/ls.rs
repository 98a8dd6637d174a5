//! `hostel runtime ls`

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use hostel::Language;
use serde_json::json;

use crate::commands::cache::{Form, FormOptions};
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::output::to_json;
use crate::problem::Stop;
use crate::registered;
use crate::ui::Ui;

/// List the installed runtimes
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hostel runtime ls
  hostel runtime ls --output json | jq -r .digest")]
pub(crate) struct Ls {
    #[command(flatten)]
    form: FormOptions,

    #[command(flatten)]
    host: HostOptions,
}

impl Ls {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let mut are_any = false;
        for language in Language::ALL {
            let located = registered::locate(ui, Path::new(&language.runtime_name()), &self.host, true)?;
            if let Some(digest) = located.digest() {
                are_any = true;
                ui.result_line(&match self.form.output {
                    Form::Table => format!("{:<6}  {digest}", language.name()),
                    Form::Json => {
                        to_json(&json!({ "language": language.name(), "digest": digest.to_string() }))
                    }
                })?;
            }
        }
        ui.flush()?;
        if !are_any {
            ui.note("no runtime is installed");
        }
        Ok(Exit::Completed)
    }
}
