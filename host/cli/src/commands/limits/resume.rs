//! `hostel limits resume`

use std::sync::Arc;

use clap::Args;
use hostel::journal::{Journal, LimitScope};

use super::{scope, told};
use crate::commands::runs::open;
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::problem::Stop;
use crate::ui::Ui;

/// Start runs again
#[derive(Args, Debug)]
pub(crate) struct Resume {
    /// queue:NAME or tag:NAME
    #[arg(value_name = "SCOPE", value_parser = scope)]
    scope: LimitScope,

    #[command(flatten)]
    host: HostOptions,
}

impl Resume {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        open(&self.host)?.resume(&self.scope)?;
        told(ui, &format!("resumed {}", self.scope))
    }
}
