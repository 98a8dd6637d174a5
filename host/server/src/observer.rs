//! What happens to runs, as numbers: events are followed while the server runs, and counted and timed by their kinds. Runs that end may
//! become spans.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use hostel::journal::{Journal, JournalEvent, RunChange};
use hostel::{Event, JournalChanges, RunId, State, Timestamp};

use crate::app::App;
use crate::metrics::Metrics;
use crate::problem::Answer;

/// The most events that are read at once.
const BATCH: usize = 500;

/// The time after a failure to begin, as with a disk that is full.
const PAUSE: Duration = Duration::from_secs(5);

/// The most runs whose waiting, or whose attempt, is being timed. Those beyond it are counted and not timed.
const TIMED: usize = 50_000;

/// When runs came to where they are.
#[derive(Debug, Default)]
struct Clocks {
    /// Since when each waits for a worker.
    waiting: HashMap<RunId, Timestamp>,
    /// Since when the attempt of each executes.
    executing: HashMap<RunId, Timestamp>,
}

/// Follows the events of the journal until `end` completes, and then to the last one. Those before the start of the server do not
/// count.
///
/// # Cancel safety
///
/// Dropping the future ends the counting.
pub(crate) async fn observe(app: Arc<App>, end: impl Future<Output = ()>) {
    let (mut changes, mut after) = loop {
        match beginning(&app).await {
            Ok(beginning) => break beginning,
            Err(problem) => tracing::warn!("events are not counted yet: {}", problem.detail()),
        }
        tokio::time::sleep(PAUSE).await;
    };
    let mut clocks = Clocks::default();
    let mut end = pin!(end.fuse());
    let mut is_ending = false;
    loop {
        changes.mark_known();
        match app.journal(move |journal| journal.events(after, BATCH)).await {
            Ok(events) if !events.is_empty() => {
                after = events.last().map_or(after, |event| event.seq);
                for event in &events {
                    clocks.take(event, &app.metrics);
                    if ends(event) {
                        app.spans.run_ended(event.run);
                    }
                }
            }
            Ok(_) | Err(_) if is_ending => return,
            // What cannot be read now is read after the next change.
            Ok(_) | Err(_) => tokio::select! {
                () = changes.changed() => {}
                () = &mut end => is_ending = true,
            },
        }
    }
}

/// Whether the run has ended with this event. A rollback comes later.
fn ends(event: &JournalEvent) -> bool {
    let is_event = matches!(event.change, RunChange::Event(cause) if cause != Event::RolledBack);
    is_event && event.state.is_terminal()
}

/// The changes of the journal, and the number of its last event.
async fn beginning(app: &App) -> Answer<(JournalChanges, u64)> {
    Ok((app.host.journal_changes()?, app.journal(Journal::last_event).await?))
}

impl Clocks {
    fn take(&mut self, event: &JournalEvent, metrics: &Metrics) {
        metrics.happened(event.change.name());
        let run = event.run;
        if event.state != State::Pending
            && let Some(since) = self.waiting.remove(&run)
            && event.state.is_executing()
        {
            metrics.waited(event.at.since(since));
        }
        if !event.state.is_executing()
            && let Some(since) = self.executing.remove(&run)
        {
            metrics.executed(event.at.since(since));
        }
        if event.state == State::Pending && self.waiting.len() < TIMED {
            self.waiting.entry(run).or_insert(event.at);
        }
        if event.state.is_executing() && self.executing.len() < TIMED {
            self.executing.entry(run).or_insert(event.at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_and_executing_are_timed() {
        let (metrics, mut clocks) = (Metrics::default(), Clocks::default());
        let mut take = |seq: u64, state: State, change: RunChange, seconds: u64| {
            let at = Timestamp::from_unix_nanos(seconds * 1_000_000_000);
            let run = RunId::from_bytes([1; 16]);
            clocks.take(&JournalEvent { seq, run, version: seq, state, at, change }, &metrics);
        };
        take(1, State::Pending, RunChange::Born, 10);
        take(2, State::Running, RunChange::Event(Event::Started), 12);
        take(3, State::Running, RunChange::Named, 12);
        take(4, State::Completed, RunChange::Event(Event::Completed), 15);
        assert!(clocks.waiting.is_empty() && clocks.executing.is_empty());
        let text = metrics.encoded();
        for line in [
            "hostel_queue_wait_seconds_sum 2.0",
            "hostel_attempt_seconds_sum 3.0",
            "hostel_events_total{kind=\"Completed\"} 1",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }
}
