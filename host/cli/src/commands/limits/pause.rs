//! `hostel limits pause`

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hostel::grammar;
use hostel::journal::{Journal, LimitScope, Pause};

use super::{scope, told};
use crate::commands::runs::open;
use crate::exit::Exit;
use crate::options::data_dir::HostOptions;
use crate::problem::Stop;
use crate::time::{FARTHEST, now};
use crate::ui::Ui;

/// Start no more runs
#[derive(Args, Debug)]
#[command(name = "pause")]
pub(crate) struct PauseRuns {
    /// queue:NAME or tag:NAME
    #[arg(value_name = "SCOPE", value_parser = scope)]
    scope: LimitScope,

    /// Resume by itself after this time [default: never]
    #[arg(long = "for", id = "span", value_name = "TIME", value_parser = span)]
    span: Option<Duration>,

    /// Why, for those who look
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,

    #[command(flatten)]
    host: HostOptions,
}

impl PauseRuns {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let until = self.span.map(|span| now().after(span));
        let pause = Pause { until, reason: self.reason.as_str().into() };
        open(&self.host)?.pause(&self.scope, pause)?;
        told(ui, &format!("paused {}", self.scope))
    }
}

/// Reads the length of a pause.
fn span(text: &str) -> Result<Duration, String> {
    let span = grammar::age(text)?;
    if span.is_zero() {
        return Err("a pause of no time pauses nothing: expected more than 0s".to_owned());
    }
    if span > FARTHEST { Err("it is more than ten years".to_owned()) } else { Ok(span) }
}
