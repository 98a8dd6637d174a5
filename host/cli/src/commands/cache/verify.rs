//! `hostel cache verify`

use std::sync::Arc;

use clap::Args;
use hostel::{Different, Host, Verification, VerifyOptions};
use serde::Serialize;

use super::{Form, FormOptions, Place, short_task, tell_of_none};
use crate::exit::Exit;
use crate::problem::{Problem, Stop};
use crate::states::to_json;
use crate::ui::Ui;
use crate::ui::text::{counted, printable};

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

#[derive(Serialize)]
struct Object<'a> {
    same: usize,
    different: Vec<DifferentObject<'a>>,
    skipped: Vec<SkippedObject<'a>>,
}

#[derive(Serialize)]
struct DifferentObject<'a> {
    key: String,
    task: &'a str,
    policy: String,
    kept: &'a str,
    found: &'a str,
}

#[derive(Serialize)]
struct SkippedObject<'a> {
    key: String,
    because: &'a str,
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
            Form::Json => ui.result_line(&to_json(&Object::new(&verification)))?,
        }
        ui.flush()?;
        let lies = verification.different.iter().any(|different| different.policy.is_observed());
        Ok(if lies { Exit::RunFailed } else { Exit::Completed })
    }

    fn verify(&self) -> Result<Verification, Stop> {
        let host = Host::builder().data_dir(self.place.data_dir()?).build()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime =
            runtime.map_err(|error| Problem::new(Exit::HostFailed, format!("no runtime: {error}")))?;
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

impl<'a> Object<'a> {
    fn new(verification: &'a Verification) -> Self {
        let different = verification.different.iter().map(|different| DifferentObject {
            key: different.key.to_string(),
            task: &different.task,
            policy: different.policy.to_string(),
            kept: &different.kept,
            found: &different.found,
        });
        let skipped = verification.skipped.iter();
        let skipped =
            skipped.map(|skipped| SkippedObject { key: skipped.key.to_string(), because: &skipped.because });
        Self { same: verification.same, different: different.collect(), skipped: skipped.collect() }
    }
}

/// Parses the number of results to compute again.
fn sample(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "expected a number of results, 1 or more".to_owned())
}
