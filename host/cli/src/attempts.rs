//! A line for each failed attempt of a run that is followed by another attempt.

use std::time::Duration;

use hostel::{Attempt, Event, EventKind, Events, State, TaskFuture, count_text, duration_text};
use hostel_wire::{AttemptObject, cause, parse_instant};

use crate::ui::Ui;

/// Stop reporting after this many failed attempts.
const MOST_TOLD: usize = 100;

/// Reports the attempts of one run.
pub(crate) struct Attempts<'a> {
    ui: &'a Ui,
    run: &'a TaskFuture,
    /// The maximum number of attempts.
    most: u32,
    told: usize,
}

impl<'a> Attempts<'a> {
    pub(crate) const fn new(ui: &'a Ui, run: &'a TaskFuture, most: u32) -> Self {
        Self { ui, run, most, told: 0 }
    }

    /// Reports each failed attempt as soon as the next one is planned. This never completes: the caller knows when the run
    /// has ended.
    pub(crate) async fn follow(&mut self, mut events: Events) {
        while self.told < MOST_TOLD {
            let Some(event) = events.next().await else { break };
            let awaits_retry =
                |kind| matches!(kind, EventKind::State(to) if to.state == State::AwaitingRetry);
            // After missed events, check the attempts.
            if event.map_or(true, |event| awaits_retry(event.kind)) {
                self.tell();
            }
        }
        std::future::pending().await
    }

    /// Reports the failed attempts that have not been reported yet.
    pub(crate) fn tell(&mut self) {
        let history = self.run.history();
        let waits = history.iter().filter_map(|transition| match transition.cause {
            Some(Event::RetryPlanned { due }) => Some(due.since(transition.at)),
            _ => None,
        });
        let attempts = self.run.attempts();
        for (attempt, wait) in attempts.iter().zip(waits).skip(self.told) {
            if self.told == MOST_TOLD {
                return;
            }
            self.ui.note(&self.line(attempt, wait));
            self.told += 1;
            if self.told == MOST_TOLD {
                self.ui.note("further attempts are not reported, except the last");
            }
        }
    }

    fn line(&self, attempt: &Attempt, wait: Duration) -> String {
        let cause = attempt.outcome.as_deref().and_then(cause).unwrap_or_default();
        line(self.ui, (attempt.number, self.most), attempt.duration().unwrap_or_default(), &cause, wait)
    }
}

/// Reports the failed attempts of a run that a server has executed, except the last.
pub(crate) fn tell_received(ui: &Ui, attempts: &[AttemptObject], most: u32) {
    let millis = |millis: Option<f64>| Duration::try_from_secs_f64(millis.unwrap_or_default() / 1e3);
    for (attempt, next) in attempts.iter().zip(attempts.iter().skip(1)).take(MOST_TOLD) {
        let Some(error) = &attempt.error else { continue };
        let took = millis(attempt.duration_ms).unwrap_or_default();
        let [began, next] = [attempt, next].map(|attempt| parse_instant(&attempt.began_at));
        let wait = next.zip(began).map(|(next, began)| next.since(began.after(took))).unwrap_or_default();
        ui.note(&line(ui, (attempt.number, most), took, &error.message, wait));
    }
}

/// The line for a failed attempt, by its number and the maximum number.
fn line(ui: &Ui, (number, most): (u32, u32), took: Duration, cause: &str, wait: Duration) -> String {
    let number = format!("attempt {} of {}", count_text(number.into()), count_text(most.into()));
    let took = duration_text(took);
    let next = if wait.is_zero() { "at once".to_owned() } else { format!("in {}", duration_text(wait)) };
    let failed = ui.note_paint().warn(format!("{number} failed in {took}"));
    format!("{failed}: {cause}; next {next}")
}
