//! `hostel limits set`

use std::sync::Arc;

use clap::Args;
use hostel::journal::{Journal, LimitScope, Rate, RunLimit};

use super::{scope, told};
use crate::commands::runs::open;
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::options::tag_limits;
use crate::problem::{Problem, Stop};
use crate::ui::Ui;

/// Set a limit, in place of an earlier one
#[derive(Args, Debug)]
pub(crate) struct Set {
    /// queue:NAME or tag:NAME
    #[arg(value_name = "SCOPE", value_parser = scope)]
    scope: LimitScope,

    /// Execute at most this many runs at once; 0 for none
    #[arg(long, value_name = "N")]
    max_running: Option<u32>,

    /// Start at most so many runs in a time: 10/1s
    #[arg(long, value_name = "N/TIME", value_parser = rate)]
    rate: Option<Rate>,

    #[command(flatten)]
    host: HostOptions,
}

impl Set {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        if self.max_running.is_none() && self.rate.is_none() {
            let problem = Problem::invalid("nothing is limited");
            return Err(problem.hint("expected --max-running, --rate, or both").into());
        }
        let limit = RunLimit { max_running: self.max_running, rate: self.rate };
        open(&self.host)?.set_limit(&self.scope, limit)?;
        told(ui, &format!("limited {}", self.scope))
    }
}

fn rate(text: &str) -> Result<Rate, String> {
    let rate = tag_limits::rate(text)?;
    let rate = Rate { starts: rate.runs, per: rate.per };
    let limit = RunLimit { max_running: None, rate: Some(rate) };
    limit.check().map(|()| rate).map_err(|error| error.to_string())
}
