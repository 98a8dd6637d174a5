//! Whether another attempt follows a failed one, and when.

use std::sync::Arc;
use std::time::Duration;

use hostel_core::{Event, Outcome};

use super::cancel;
use crate::calls;
use crate::options::Options;
use crate::run::{EndedAttempt, Run, Step, now};

/// The delay before the next attempt; `None` if there is no further attempt.
pub(super) fn delay_after(run: &Run, outcome: &Outcome) -> Option<Duration> {
    let Options { spec, retry_if, .. } = run.task().options();
    if spec.retry.retries == 0 {
        return None;
    }
    let attempts = run.cell().attempts;
    if !spec.retry.retries_after(attempts, outcome) {
        return None;
    }
    let delay = spec.retry.delay_before(attempts, run.host().random());
    let in_time = run.time_left().is_none_or(|left| delay < left);
    let wanted = match (retry_if, outcome) {
        (Some(retry_if), Outcome::Failed(failure)) => calls::ask(|| retry_if(failure)).unwrap_or(false),
        _ => true,
    };
    (in_time && wanted).then_some(delay)
}

/// Plans the next attempt. `false` if the run was asked to stop, and has therefore ended.
pub(super) fn plan(run: &Arc<Run>, outcome: Outcome, delay: Duration) -> bool {
    let mut cell = run.cell();
    let at = now();
    if run.apply_at(&mut cell, Event::RetryPlanned { due: at.after(delay) }, at).is_err() {
        drop(cell);
        cancel::stopped(run);
        return false;
    }
    cell.step = Step::Slot;
    if let Some(log) = cell.log.take() {
        let receipt = cell.receipt.take();
        cell.ended_attempts.push(EndedAttempt::new(outcome, log, receipt));
    }
    true
}
