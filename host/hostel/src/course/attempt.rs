//! The attempts of a run: ordering them, polling them, and handling their reports.

use std::sync::{Arc, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use hostel_core::{Event, Failure, LogLine, Observation, Outcome, Progress, Receipt, State};
use hostel_engine::{Echo, LogBook, OnStdout, OnStopped};

use super::end::{self, finish};
use super::{cancel, keep, paused, retry, waker};
use crate::attempts::{Guest, Order, Report, Watch};
use crate::calls::call_safely;
use crate::events::EventKind;
use crate::run::{Cell, Inputs, Run};
use crate::runner::Polled;
use crate::script_call;

/// Begins an attempt, unless the run has ended.
pub(super) fn begin(run: &Arc<Run>) -> Option<Guest> {
    let (order, state) = order(run)?;
    end::call_hooks(run, state);
    Some(run.task().attempts().begin(order, watch(run)))
}

/// The guest of a run.
pub(super) fn guest(run: &Run) -> MutexGuard<'_, Option<Guest>> {
    run.guest().lock().unwrap_or_else(PoisonError::into_inner)
}

/// Polls the guest once.
pub(super) fn poll(run: &Arc<Run>) -> Polled {
    let mut guest = guest(run);
    let Some(future) = guest.as_mut() else {
        return Polled::Gone;
    };
    let waker = waker(run);
    let mut context = Context::from_waker(&waker);
    let Poll::Ready(result) = future.as_mut().poll(&mut context) else {
        drop(guest);
        return paused(run);
    };
    // The instance is dropped before the outcome becomes visible.
    *guest = None;
    drop(guest);
    ended(run, result.map_err(|error| error.to_string()))
}

/// Drops a guest whose poll panicked. This is a bug in the host, not a failure of the guest.
pub(super) fn crash(run: &Arc<Run>, reason: String) -> Polled {
    drop(guest(run).take());
    if run.state().is_executing() {
        return ended(run, Err(reason));
    }
    finish(run, Event::Crashed, Outcome::Crashed { reason });
    Polled::Ended
}

/// The attempt has ended by itself, or crashed for this reason. The run ends, or waits for its next attempt.
fn ended(run: &Arc<Run>, result: Result<Report, String>) -> Polled {
    let (outcome, observation) = match result {
        Ok(Report { outcome, observation, receipt }) => {
            run.cell().receipt = Some(receipt);
            (script_call::checked(run.task().key(), outcome), observation)
        }
        // Its resource use was reported when the guest was dropped.
        Err(reason) => (Outcome::Crashed { reason }, Observation::default()),
    };
    if run.is_cancelling() {
        cancel::stopped(run);
        return Polled::Ended;
    }
    let outcome = with_run_timeout(run, outcome);
    if let Some(delay) = retry::delay_after(run, &outcome) {
        if !retry::plan(run, outcome, delay) {
            return Polled::Ended;
        }
        run.scheduler().retry(run, delay);
        return Polled::Gone;
    }
    keep::keep(run, &outcome, observation);
    if !finish(run, end::last_event(&outcome), outcome) {
        // The run was asked to stop since the check above.
        cancel::stopped(run);
    }
    Polled::Ended
}

/// Records the beginning of an attempt, and orders the attempt. `None` if the run has ended.
fn order(run: &Arc<Run>) -> Option<(Order, State)> {
    let (spec, stdin) = (run.task().spec(), &run.task().options().stdin);
    let mut cell = run.cell();
    let Inputs::Values(inputs) = &cell.inputs else { return None };
    let inputs = Arc::clone(inputs);
    run.apply(&mut cell, Event::Started).ok()?;
    cell.attempts += 1;
    if spec.run_timeout.is_some() {
        cell.began.get_or_insert_with(|| run.scheduler().now());
    }
    let log = Arc::new(log(run, &cell));
    cell.log = Some(Arc::clone(&log));
    let ends_at = cell.began.zip(spec.run_timeout).and_then(|(began, after)| began.checked_add(after));
    let order = Order {
        run: run.id(),
        number: cell.attempts,
        name: cell.name.clone(),
        seed: cell.cache.key.or_else(|| run.task().seed(&inputs)),
        inputs,
        limits: spec.limits,
        grants: Arc::clone(&spec.grants),
        determinism: spec.determinism,
        stdin: stdin.clone(),
        ends_at: ends_at.and_then(|ends_at| run.scheduler().instant(ends_at)),
        log,
    };
    Some((order, cell.state))
}

/// The log of the next attempt. Lines of earlier attempts count towards its limits.
fn log(run: &Arc<Run>, cell: &Cell) -> LogBook {
    let options = run.task().options();
    let limits = options.spec.limits;
    let log = LogBook::new(limits.log_bytes, echo(run)).max_lines(limits.log_lines);
    let log = match &options.on_stdout {
        Some(on_stdout) => log.on_stdout(safe(on_stdout)),
        None => log,
    };
    log.after(cell.logged(LogBook::kept_bytes), cell.logged(LogBook::kept_lines))
}

/// The callbacks for each line: the task's echo, and the listeners of the host's events.
fn echo(run: &Arc<Run>) -> Option<Echo> {
    let echo = run.task().options().echo.clone();
    if !run.host().events.were_asked_for() {
        let echo = echo?;
        return Some(Arc::new(move |line: &LogLine| call_safely(|| echo(line))));
    }
    let run = Arc::downgrade(run);
    Some(Arc::new(move |line: &LogLine| {
        if let Some(run) = run.upgrade() {
            run.publish(&run.cell(), || EventKind::Log(line.clone()));
        }
        echo.iter().for_each(|echo| call_safely(|| echo(line)));
    }))
}

/// The callbacks of the run while an attempt executes.
fn watch(run: &Arc<Run>) -> Watch {
    let task = run.task();
    let on_progress = task.reports_progress().then(|| {
        let run = Arc::downgrade(run);
        Arc::new(move |progress| run.upgrade().iter().for_each(|run| progressed(run, &progress))) as _
    });
    let on_touch = task.spec().cache.is_observed().then(|| {
        let run = Arc::downgrade(run);
        Arc::new(move || run.upgrade().iter().for_each(|run| keep::touched(run))) as _
    });
    let on_stopped: Weak<dyn OnStopped> = Arc::<Run>::downgrade(run);
    Watch { on_progress, on_touch, on_stopped }
}

impl OnStopped for Run {
    fn stopped(&self, receipt: Receipt) {
        self.cell().receipt = Some(Box::new(receipt));
    }
}

fn progressed(run: &Run, progress: &Progress) {
    let mut cell = run.cell();
    cell.progress = Some(progress.clone());
    run.publish(&cell, || EventKind::Progress(progress.clone()));
}

/// The run timeout, if that is what stopped the attempt.
fn with_run_timeout(run: &Run, outcome: Outcome) -> Outcome {
    match (&outcome, run.task().spec().run_timeout) {
        (Outcome::Failed(Failure::TimedOut { .. }), Some(after))
            if run.time_left() == Some(Duration::ZERO) =>
        {
            Outcome::Failed(Failure::TimedOut { after })
        }
        _ => outcome,
    }
}

/// The same callback, with panics caught.
fn safe(on_stdout: &OnStdout) -> OnStdout {
    let on_stdout = Arc::clone(on_stdout);
    Arc::new(move |piece| call_safely(|| on_stdout(piece)))
}
