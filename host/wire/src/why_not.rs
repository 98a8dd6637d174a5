//! Why something cannot be done with a run, in the words of the command line and of a server alike.

use hostel::journal::JournalEntry;
use hostel::{Event, Origin};

/// Why a run cannot be [retried](hostel::journal::Journal::retry); `None` if it can be.
pub fn why_not_retried(entry: &JournalEntry) -> Option<String> {
    let (run, state) = (entry.run(), entry.state());
    let what = match Origin::of(entry.record().spec()) {
        Origin::Worker => None,
        Origin::Program => Some("was not executed by a worker"),
        Origin::Map => Some("is a map"),
    };
    if let Some(what) = what {
        return Some(format!("run {run} {what}: it cannot be retried"));
    }
    if state.apply(Event::RetryRequested).is_ok() {
        return None;
    }
    if !state.is_terminal() {
        return Some(format!("run {run} has not ended: it is {state}"));
    }
    Some(format!("run {run} is {state}: expected a run that failed, crashed or was cancelled"))
}
