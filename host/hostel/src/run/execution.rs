//! The attempts of a run: made ready, begun, ended, and followed by another.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use hostel_core::{Event, Failure, LogLine, Observation, Outcome, Progress, Receipt};
use hostel_engine::{AttemptOptions, Attempted, Echo, LogBook, OnStdout};

use super::{Cell, Guest, Run, now};
use crate::attempt::Past;
use crate::calls::{self, call_safely};
use crate::events::EventKind;
use crate::inputs::Inputs;

impl Run {
    /// Begins an attempt, unless the run has ended.
    pub(crate) fn begin(&self) -> Option<Guest> {
        let options = self.task.options();
        let mut cell = self.cell();
        self.apply(&mut cell, Event::Started).ok()?;
        let state = cell.state;
        cell.attempts += 1;
        if options.run_timeout.is_some() {
            cell.began.get_or_insert_with(Instant::now);
        }
        let limits = options.limits;
        let ends_at = cell.began.zip(options.run_timeout).and_then(|(began, after)| began.checked_add(after));
        let logged = |kept: fn(&LogBook) -> u64| cell.past.iter().map(|past| kept(&past.log)).sum();
        let log = LogBook::new(limits.log_bytes, self.echo()).max_lines(limits.log_lines);
        let log = match &options.on_stdout {
            Some(on_stdout) => log.on_stdout(safe(on_stdout)),
            None => log,
        };
        let log = Arc::new(log.after(logged(LogBook::kept_bytes), logged(LogBook::kept_lines)));
        cell.log = Some(Arc::clone(&log));
        let Inputs::Values(inputs) = &cell.inputs else { return None };
        let inputs = Arc::clone(inputs);
        let attempt = AttemptOptions::new(limits)
            .log(log)
            .attempt_of(self.id, cell.attempts)
            .grants(Arc::clone(&options.grants))
            .determinism(options.determinism);
        let attempt = match &cell.name {
            Some(name) => attempt.name(Arc::clone(name)),
            None => attempt,
        };
        let attempt = match ends_at {
            Some(ends_at) => attempt.ends_at(ends_at),
            None => attempt,
        };
        let attempt = match cell.key.or_else(|| self.task.seed(&inputs)) {
            Some(key) => attempt.seed_of(*key.as_bytes()),
            None => attempt,
        };
        drop(cell);
        let attempt = match &options.stdin {
            Some(stdin) => attempt.stdin(stdin.clone()),
            None => attempt,
        };
        self.call_hooks(state);
        let attempt = self.noticing_touches(self.reporting(attempt.on_stopped(self.job.clone())));
        let function = self.task.function().clone();
        Some(Box::pin(async move { function.attempt(&inputs, &attempt).await }))
    }

    /// The attempt came to its end by itself, or was lost for this reason. If another one is to follow: after how long.
    pub(crate) fn end(&self, result: Result<Attempted, String>) -> Option<Duration> {
        let (outcome, observation) = match result {
            Ok(Attempted { outcome, observation, receipt }) => {
                self.cell().receipt = Some(receipt);
                (outcome, observation)
            }
            // What it had used up was told when it was dropped.
            Err(reason) => (Outcome::Crashed { reason }, Observation::default()),
        };
        if self.is_cancelling() {
            self.stopped();
            return None;
        }
        let outcome = self.told_of_run_timeout(outcome);
        if let Some(delay) = self.delay_of_retry(&outcome) {
            return self.plan_retry(outcome, delay);
        }
        self.keep(&outcome, observation);
        let event = match &outcome {
            Outcome::Completed(_) => Event::Completed,
            Outcome::Failed(Failure::TimedOut { .. }) => Event::TimedOut,
            Outcome::Failed(Failure::Upstream { .. }) => Event::UpstreamFailed,
            Outcome::Failed(_) => Event::Failed,
            Outcome::Crashed { .. } => Event::Crashed,
            Outcome::Cancelled => Event::Cancelled,
        };
        if !self.finish(event, outcome) {
            // Someone asked it to stop since the look above.
            self.stopped();
        }
        None
    }

    /// The attempt's guest was dropped because the run is to be cancelled.
    pub(crate) fn stopped(&self) {
        self.finish(Event::Cancelled, Outcome::Cancelled);
    }

    /// The host made a mistake that ended the attempt.
    pub(crate) fn crashed(&self, reason: String) {
        self.finish(Event::Crashed, Outcome::Crashed { reason });
    }

    /// How long the run may still take, if its time is limited and it has begun.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let run_timeout = self.task.options().run_timeout?;
        time_left(&self.cell(), Some(run_timeout))
    }

    /// Whoever is to hear of each line: the task's echo, and those who listen to the host.
    fn echo(&self) -> Option<Echo> {
        let echo = self.task.options().echo.clone();
        if !self.task.shared().events.were_asked_for() {
            let echo = echo?;
            return Some(Arc::new(move |line: &LogLine| call_safely(|| echo(line))));
        }
        let job = Weak::clone(&self.job);
        Some(Arc::new(move |line: &LogLine| {
            if let Some(job) = job.upgrade() {
                let run = job.run();
                run.publish(&run.cell(), || EventKind::Log(line.clone()));
            }
            echo.iter().for_each(|echo| call_safely(|| echo(line)));
        }))
    }

    /// The attempt was stopped, having used up this.
    pub(crate) fn stopped_with(&self, receipt: Receipt) {
        self.cell().receipt = Some(Box::new(receipt));
    }

    /// Has an attempt's reports of progress come here.
    fn reporting(&self, attempt: AttemptOptions) -> AttemptOptions {
        if !self.task.reports_progress() {
            return attempt;
        }
        let job = Weak::clone(&self.job);
        attempt.on_progress(Arc::new(move |progress: Progress| {
            if let Some(job) = job.upgrade() {
                job.run().progressed(progress);
            }
        }))
    }

    /// Has an attempt tell when it touches what no key has, so that nobody waits for its value any longer.
    fn noticing_touches(&self, attempt: AttemptOptions) -> AttemptOptions {
        if !self.task.options().cache.is_observed() {
            return attempt;
        }
        let job = Weak::clone(&self.job);
        attempt.on_touch(Arc::new(move || {
            let Some(job) = job.upgrade() else { return };
            let run = job.run();
            run.task.seems_pure(false);
            if let Some(key) = run.key() {
                run.task.shared().flights.give_up(&run.flight_key(key), run.id);
            }
        }))
    }

    fn progressed(&self, progress: Progress) {
        let mut cell = self.cell();
        cell.progress = Some(progress.clone());
        self.publish(&cell, || EventKind::Progress(progress));
    }

    /// A timeout of the run, if it was that which stopped the attempt.
    fn told_of_run_timeout(&self, outcome: Outcome) -> Outcome {
        match (&outcome, self.task.options().run_timeout) {
            (Outcome::Failed(Failure::TimedOut { .. }), Some(after))
                if self.time_left() == Some(Duration::ZERO) =>
            {
                Outcome::Failed(Failure::TimedOut { after })
            }
            _ => outcome,
        }
    }

    /// How long to wait before the next attempt; `None` if this one was the last.
    fn delay_of_retry(&self, outcome: &Outcome) -> Option<Duration> {
        let options = self.task.options();
        if options.retry.retries == 0 {
            return None;
        }
        let attempts = self.cell().attempts;
        if !options.retry.retries_after(attempts, outcome) {
            return None;
        }
        let delay = options.retry.delay_before(attempts, self.task.shared().random());
        let in_time = self.time_left().is_none_or(|left| delay < left);
        let wanted = match (&options.retry_if, outcome) {
            (Some(retry_if), Outcome::Failed(failure)) => calls::ask(|| retry_if(failure)).unwrap_or(false),
            _ => true,
        };
        (in_time && wanted).then_some(delay)
    }

    fn plan_retry(&self, outcome: Outcome, delay: Duration) -> Option<Duration> {
        let mut cell = self.cell();
        let at = now();
        if self.apply_at(&mut cell, Event::RetryPlanned { due: at.after(delay) }, at).is_err() {
            drop(cell);
            // Someone asked it to stop.
            self.stopped();
            return None;
        }
        if let Some(log) = cell.log.take() {
            let receipt = cell.receipt.take();
            cell.past.push(Past { outcome: Arc::new(outcome), log, receipt });
        }
        Some(delay)
    }

    pub(super) fn out_of_time(&self) {
        let after = self.task.options().run_timeout.unwrap_or_default();
        self.finish(Event::TimedOut, Outcome::Failed(Failure::TimedOut { after }));
    }
}

fn time_left(cell: &Cell, run_timeout: Option<Duration>) -> Option<Duration> {
    Some(run_timeout?.saturating_sub(cell.began?.elapsed()))
}

/// The same, if a panic in it is to change nothing.
fn safe(on_stdout: &OnStdout) -> OnStdout {
    let on_stdout = Arc::clone(on_stdout);
    Arc::new(move |piece| call_safely(|| on_stdout(piece)))
}
