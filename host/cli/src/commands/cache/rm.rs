//! `hostel cache rm`

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Args;
use hostel::{Removed, ResultCache};
use hostel_wire::EntryDetail;

use super::{Place, results_text, unknown};
use crate::exit::Exit;
use crate::options::server::{ServerOptions, Unfit};
use crate::problem::{Problem, Stop};
use crate::remote::{Page, Remote, Request};
use crate::ui::Ui;
use crate::ui::text::counted;

/// Remove cached results, so that they are computed again
#[derive(Args, Debug)]
#[command(after_help = "\
If one of the keys does not exist, none is removed.

Examples:
  hostel cache rm 3f9a c01d
  hostel cache rm --from-remote")]
pub(crate) struct Rm {
    /// The keys, or unique prefixes of them
    #[arg(value_name = "KEY", required_unless_present = "from_remote")]
    keys: Vec<String>,

    /// Remove all results that came from a remote cache
    #[arg(long, conflicts_with = "keys")]
    from_remote: bool,

    #[command(flatten)]
    place: Place,

    #[command(flatten)]
    server: ServerOptions,
}

impl Rm {
    pub(crate) fn execute(&self, ui: &Arc<Ui>) -> Result<Exit, Stop> {
        if let Some(remote) = Remote::of(ui, &self.server, [self.place.unfit(), self.unfit()])? {
            return self.on(ui, &remote);
        }
        let results = self.place.open()?;
        let Removed { entries, bytes, .. } =
            if self.from_remote { results.remove_from_remote()? } else { self.remove_keys(&results)? };
        ui.result_line(&format!("removed {}", results_text(entries, bytes)))?;
        ui.flush()?;
        Ok(Exit::Completed)
    }

    fn unfit(&self) -> Unfit {
        let because = "a server removes results by their keys";
        Unfit { option: "--from-remote", is_given: self.from_remote, because }
    }

    /// On a server, after all keys were found.
    fn on(&self, ui: &Ui, remote: &Remote) -> Result<Exit, Stop> {
        let mut found = BTreeMap::new();
        for key in &self.keys {
            let entries: Page<EntryDetail> = remote.call(&Request::get(&["cache", key]))?;
            entries.items.into_iter().for_each(|entry| *found.entry(entry.entry.key).or_insert(0) += 1);
        }
        for key in found.keys() {
            remote.send(&Request::delete(&["cache", key]))?;
        }
        ui.result_line(&format!("removed {}", counted(found.values().sum(), "result")))?;
        ui.flush()?;
        Ok(Exit::Completed)
    }

    fn remove_keys(&self, results: &ResultCache) -> Result<Removed, Problem> {
        let keys = self.keys.iter().map(|key| results.find(key));
        let mut keys = keys.collect::<Result<Vec<_>, _>>().map_err(|error| unknown(results, error))?;
        keys.sort();
        keys.dedup();
        let mut all = Removed::default();
        for key in keys {
            let removed = results.remove(&key.to_string())?;
            all.entries += removed.entries;
            all.bytes += removed.bytes;
        }
        Ok(all)
    }
}
