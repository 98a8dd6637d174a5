//! `hostel limits rm`

use std::sync::Arc;

use clap::Args;
use hostel::journal::{Journal, LimitScope, RunLimit};

use super::{scope, told};
use crate::commands::runs::open;
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::problem::Stop;
use crate::ui::Ui;

/// Remove a limit
#[derive(Args, Debug)]
pub(crate) struct Rm {
    /// queue:NAME or tag:NAME
    #[arg(value_name = "SCOPE", value_parser = scope)]
    scope: LimitScope,

    #[command(flatten)]
    host: HostOptions,
}

impl Rm {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        open(&self.host)?.set_limit(&self.scope, RunLimit::default())?;
        told(ui, &format!("{} has no limit", self.scope))
    }
}
