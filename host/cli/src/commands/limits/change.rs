//! `hostel limits set`, `rm`, `pause` and `resume`

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hostel::grammar;
use hostel::journal::{Journal, LimitScope, Pause, Rate, RunLimit};

use super::scope;
use crate::commands::runs::open;
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::options::tag_limits;
use crate::problem::{Problem, Stop};
use crate::time::now;
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

/// Remove a limit
#[derive(Args, Debug)]
pub(crate) struct Rm {
    /// queue:NAME or tag:NAME
    #[arg(value_name = "SCOPE", value_parser = scope)]
    scope: LimitScope,

    #[command(flatten)]
    host: HostOptions,
}

/// Start no more runs
#[derive(Args, Debug)]
#[command(name = "pause")]
pub(crate) struct PauseRuns {
    /// queue:NAME or tag:NAME
    #[arg(value_name = "SCOPE", value_parser = scope)]
    scope: LimitScope,

    /// Resume by itself after this time [default: never]
    #[arg(long = "for", id = "span", value_name = "TIME", value_parser = grammar::age)]
    span: Option<Duration>,

    /// Why, for those who look
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,

    #[command(flatten)]
    host: HostOptions,
}

/// Start runs again
#[derive(Args, Debug)]
pub(crate) struct Resume {
    /// queue:NAME or tag:NAME
    #[arg(value_name = "SCOPE", value_parser = scope)]
    scope: LimitScope,

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

impl Rm {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        open(&self.host)?.set_limit(&self.scope, RunLimit::default())?;
        told(ui, &format!("{} has no limit", self.scope))
    }
}

impl PauseRuns {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let until = self.span.map(|span| now().after(span));
        let pause = Pause { until, reason: self.reason.as_str().into() };
        open(&self.host)?.pause(&self.scope, pause)?;
        told(ui, &format!("paused {}", self.scope))
    }
}

impl Resume {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        open(&self.host)?.resume(&self.scope)?;
        told(ui, &format!("resumed {}", self.scope))
    }
}

fn told(ui: &Ui, text: &str) -> Result<Exit, Stop> {
    ui.result_line(text)?;
    ui.flush()?;
    Ok(Exit::Completed)
}

fn rate(text: &str) -> Result<Rate, String> {
    let rate = tag_limits::rate(text)?;
    let rate = Rate { starts: rate.runs, per: rate.per };
    let limit = RunLimit { max_running: None, rate: Some(rate) };
    limit.check().map(|()| rate).map_err(|error| error.to_string())
}
