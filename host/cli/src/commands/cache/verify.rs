//! `hostel cache verify`

use std::sync::Arc;

use clap::Args;
use hostel::{Different, Verification};
use serde_json::json;

use super::{Form, FormOptions, short_task};
use crate::exit::Exit;
use crate::options::HostOptions;
use crate::problem::{Problem, Stop};
use crate::ui::Ui;
use crate::ui::text::{counted, printable};

/// How many reasons are told for results that were not compared.
const TOLD_REASONS: usize = 5;

/// Compute results again, and compare: is what is kept what would come out?
#[derive(Args, Debug)]
#[command(after_help = "\
Nothing that is kept is changed. A result can be computed again if its inputs were kept
with it (up to 64 KiB), if its component was compiled with this data directory, if its
policy counts no flow run, and if what it read is as it was.

The exit code is 1 if a result differs that was kept as a function of its inputs (auto).")]
pub(crate) struct Verify {
    /// How many results to compute again, chosen by lot
    #[arg(long, value_name = "N", default_value_t = 20)]
    sample: usize,

    #[command(flatten)]
    form: FormOptions,

    #[command(flatten)]
    host: HostOptions,
}

impl Verify {
    pub(super) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let host = self.host.host(ui)?.build()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime =
            runtime.map_err(|error| Problem::new(Exit::HostFailed, format!("no runtime: {error}")))?;
        let verification = runtime.block_on(host.verify_cache(self.sample)).map_err(Problem::from)?;
        match self.form.output {
            Form::Table => tell(ui, &verification)?,
            Form::Json => ui.result_line(&json(&verification).to_string())?,
        }
        ui.flush()?;
        let lies = verification.different.iter().any(|different| different.policy.is_observed());
        Ok(if lies { Exit::RunFailed } else { Exit::Completed })
    }
}

fn tell(ui: &Ui, verification: &Verification) -> Result<(), Stop> {
    let Verification { same, different, skipped, .. } = verification;
    let compared = counted((same + different.len()) as u64, "result");
    let differ = match different.len() {
        0 => "all came out as they are kept".to_owned(),
        differ => format!("{differ} came out otherwise"),
    };
    ui.result_line(&format!("{compared} computed again: {differ}"))?;
    for Different { key, task, policy, kept, found, .. } in different {
        ui.result_line(&format!("  {key}  {}  ({policy})", short_task(task)))?;
        ui.result_line(&format!("    kept:  {}", printable(kept)))?;
        ui.result_line(&format!("    found: {}", printable(found)))?;
    }
    ui.flush()?;
    if !skipped.is_empty() {
        ui.note(&format!("{} not compared:", counted(skipped.len() as u64, "result")));
    }
    for skipped in skipped.iter().take(TOLD_REASONS) {
        ui.note(&format!("  {}: {}", skipped.key, printable(&skipped.because)));
    }
    Ok(())
}

fn json(verification: &Verification) -> serde_json::Value {
    let different = verification.different.iter().map(|different| {
        json!({
            "key": different.key.to_string(),
            "task": *different.task,
            "policy": different.policy.to_string(),
            "kept": different.kept,
            "found": different.found,
        })
    });
    let skipped = verification
        .skipped
        .iter()
        .map(|skipped| json!({"key": skipped.key.to_string(), "because": skipped.because}));
    json!({
        "same": verification.same,
        "different": different.collect::<Vec<_>>(),
        "skipped": skipped.collect::<Vec<_>>(),
    })
}
