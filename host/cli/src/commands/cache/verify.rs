//! `hostel cache verify`

use std::sync::Arc;

use clap::Args;
use hostel::{Different, Host, Verification, VerifyOptions};
use hostel_wire::{VerificationObject, printable};

use super::{Form, FormOptions, Place, short_task, tell_of_none};
use crate::exit::Exit;
use crate::output::to_json;
use crate::problem::{Problem, Stop};
use crate::runtime;
use crate::ui::Ui;
use crate::ui::text::counted;

/// The number of results that were not compared for which the reason is shown.
const TOLD_REASONS: usize = 5;

/// Compute a sample of cached results again, and compare
#[derive(Args, Debug)]
#[command(after_help = "\
This changes no cached result. A result can be computed again if its inputs were stored with it (up
to 64 KiB), its component was compiled with this data directory, its policy counts no flow run, and
everything that it read is unchanged.

The exit code is 1 if a result differs that was stored as a function of its inputs (auto).")]
pub(crate) struct Verify {
    /// How many results to compute again, chosen at random
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = sample, allow_hyphen_values = true)]
    sample: usize,

    /// Choose only among results that came from a remote cache
    #[arg(long)]
    from_remote: bool,

    #[command(flatten)]
    form: FormOptions,

    #[command(flatten)]
    place: Place,
}

impl Verify {
    pub(super) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        let results = self.place.open()?;
        // A host would create the directory.
        let is_empty = !results.dir().is_dir();
        let verification = if is_empty { Verification::default() } else { self.verify()? };
        match self.form.output {
            Form::Table if is_empty => tell_of_none(ui, &results),
            Form::Table => report(ui, &verification)?,
            Form::Json => ui.result_line(&to_json(&VerificationObject::from(&verification)))?,
        }
        ui.flush()?;
        let lies = verification.different.iter().any(|different| different.policy.is_observed());
        Ok(if lies { Exit::RunFailed } else { Exit::Completed })
    }

    fn verify(&self) -> Result<Verification, Stop> {
        let host = Host::builder().data_dir(self.place.data_dir()?).build()?;
        let runtime = runtime::on_this_thread()?;
        let options = VerifyOptions::new(self.sample);
        let options = if self.from_remote { options.only_from_remote() } else { options };
        Ok(runtime.block_on(host.verify_cache(options)).map_err(Problem::from)?)
    }
}

fn report(ui: &Ui, verification: &Verification) -> Result<(), Stop> {
    let Verification { same, different, skipped, .. } = verification;
    let compared = counted((same + different.len()) as u64, "result");
    ui.result_line(&match (same, different.len()) {
        (0, 0) => "no result was computed again".to_owned(),
        (_, 0) => format!("{compared} computed again: all match"),
        (_, differ) => format!("{compared} computed again: {differ} different"),
    })?;
    for Different { key, task, policy, kept, found, .. } in different {
        ui.result_line(&format!("  {key}  {}  ({policy})", printable(&short_task(task))))?;
        ui.result_line(&format!("    cached:   {}", printable(kept)))?;
        ui.result_line(&format!("    computed: {}", printable(found)))?;
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

/// Parses the number of results to compute again.
fn sample(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "expected a number of results, 1 or more".to_owned())
}
