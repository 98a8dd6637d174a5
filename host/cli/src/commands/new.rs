//! `hostel new`

use std::path::Path;
use std::sync::Arc;

use clap::Args;

use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::problem::Stop;
use crate::project::{self, Name, Template, tools};
use crate::ui::Ui;

#[derive(Args, Debug)]
#[command(after_help = "\
The directory is created in the current one, completely or not at all. The command then prints how
to build and run the project, and which required tools are missing. Missing tools do not stop it.

Examples:
  hostel new math --lang python && cd math && hostel run tasks.py#hello World
  hostel new math --lang rust")]
pub(crate) struct New {
    /// The name of the project and its directory: words of a-z and 0-9, each of which begins with a letter, joined by -
    #[arg(value_name = "NAME")]
    name: String,

    /// The language, and whether the project is a script, which needs no build, or a component
    #[arg(long, value_name = "LANG", value_enum)]
    lang: Template,

    #[command(flatten)]
    host: HostOptions,
}

impl New {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let name = Name::parse(&self.name)?;
        project::make(Path::new(""), &name, self.lang)?;
        for missing in tools::missing(ui, self.lang, &name, &self.host) {
            ui.note(&missing.what);
            missing.hints.iter().for_each(|hint| ui.hint(hint));
        }
        ui.result_line(&format!("{name} has one task, hello. Build, run and test it:"))?;
        ui.result_line(&format!("  cd {name}"))?;
        for command in self.lang.commands() {
            ui.result_line(&format!("  {}", name.fill(command)))?;
        }
        ui.flush()?;
        if let Some(dir) = self.host.named() {
            ui.hint(&format!("hostel run needs --data-dir {} as well", dir.display()));
        }
        Ok(Exit::Completed)
    }
}
