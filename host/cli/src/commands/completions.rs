//! `hostel completions`

use std::sync::Arc;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::command::CommandLine;
use crate::exit::Exit;
use crate::problem::Stop;
use crate::ui::Ui;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  hostel completions bash > ~/.local/share/bash-completion/completions/hostel
  hostel completions zsh > \"${fpath[1]}/_hostel\"
  hostel completions fish > ~/.config/fish/completions/hostel.fish")]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut CommandLine::command(), "hostel", &mut script);
        ui.result(&[&script])?;
        ui.flush()?;
        Ok(Exit::Completed)
    }
}
