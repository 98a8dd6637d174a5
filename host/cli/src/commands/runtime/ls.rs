//! `hostel runtime ls`

use std::path::Path;
use std::sync::Arc;

use clap::Args;

use crate::exit::Exit;
use crate::loaded::Language;
use crate::options::data_dir::HostOptions;
use crate::problem::Stop;
use crate::registered;
use crate::ui::Ui;

/// List the installed runtimes
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hostel runtime ls")]
pub(crate) struct Ls {
    #[command(flatten)]
    host: HostOptions,
}

impl Ls {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let mut are_any = false;
        for language in Language::ALL {
            let located = registered::locate(ui, Path::new(&language.component_name()), &self.host, true)?;
            if let Some(digest) = located.digest() {
                are_any = true;
                ui.result_line(&format!("{:<6}  {digest}", language.name()))?;
            }
        }
        ui.flush()?;
        if !are_any {
            ui.note("no runtime is installed");
        }
        Ok(Exit::Completed)
    }
}
