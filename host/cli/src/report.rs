//! The outcome of a run as text: the state line, and details of a failure.

use std::time::Duration;

use hostel::{
    Event, Failure, Frame, Outcome, RunId, ScriptFailure, State, TaskFuture, Transition, Trap, count_text,
    duration_text,
};
use hostel_wire::{attempt_count, failure_text, printable};

use crate::ui::Ui;
use crate::ui::color::Paint;

/// The number of innermost frames of a backtrace that are shown; those of a deep recursion are all alike.
const INNER_FRAMES: usize = 20;

/// Options of a report.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Telling {
    /// Only problems.
    pub(crate) quiet: bool,
    /// The log was already written, so a failure need not repeat its end.
    pub(crate) log_was_shown: bool,
    /// The run has a name, which the report shows.
    pub(crate) name: bool,
    /// The timeout of the run with all its attempts.
    pub(crate) run_timeout: Option<Duration>,
}

/// Writes the outcome of a run to stderr.
pub(crate) fn ended(ui: &Ui, run: &TaskFuture, telling: Telling) {
    let Some(outcome) = run.try_outcome() else { return };
    let paint = ui.note_paint();
    let line = state_line(run, &outcome, telling.name);
    match &*outcome {
        Outcome::Completed(_) => {
            if !telling.quiet {
                ui.note(&paint.good(line));
            }
        }
        Outcome::Failed(failure) => {
            ui.note(&paint.bad(line));
            explain(ui, failure, telling);
            if let (true, Some(ScriptFailure::Thrown { traceback, .. })) =
                (run.task().is_script(), ScriptFailure::of(failure))
            {
                traceback.lines().for_each(|line| ui.note(&format!("  {}", printable(line))));
            }
        }
        Outcome::Crashed { .. } => ui.note(&paint.bad(line)),
        Outcome::Cancelled => ui.note(&paint.warn(line)),
    }
}

/// The outcome of a run on one line: `Failed in 12 ms (4 attempts): returned the error …`.
fn state_line(run: &TaskFuture, outcome: &Outcome, name: bool) -> String {
    let state = run.state();
    let history = run.history();
    let took = duration_text(took(&history));
    let tries = match attempt_count(run) {
        0 | 1 => String::new(),
        attempts => format!(" ({} attempts)", count_text(attempts as u64)),
    };
    let line = match outcome {
        Outcome::Completed(_) => match producer(&history) {
            Some(producer) => format!("{state} (made by run {producer})"),
            None => format!("{state} in {took}{tries}"),
        },
        Outcome::Failed(Failure::TimedOut { after }) => {
            format!("{state} after {}{tries}", duration_text(*after))
        }
        Outcome::Failed(failure) => {
            let script = run.task().is_script().then(|| ScriptFailure::of(failure)).flatten();
            let text = script.map_or_else(|| failure_text(failure), |script| script.to_string());
            format!("{state} in {took}{tries}: {}", printable(&text))
        }
        Outcome::Crashed { reason } => format!("{state} in {took}{tries}: {reason}"),
        Outcome::Cancelled => format!("{state} after {took}{tries}"),
    };
    if name { format!("{}: {line}", printable(&run.name())) } else { line }
}

/// The run that produced the cached value.
fn producer(history: &[Transition]) -> Option<RunId> {
    history.iter().rev().find_map(|transition| match transition.cause {
        Some(Event::CacheHit { producer }) => Some(producer),
        _ => None,
    })
}

/// Writes the details of a failure.
fn explain(ui: &Ui, failure: &Failure, telling: Telling) {
    let paint = ui.note_paint();
    if let Failure::Trap(Trap { backtrace, .. }) = failure {
        show_backtrace(ui, paint, backtrace);
    }
    if !telling.log_was_shown && !failure.stderr_tail().is_empty() {
        ui.note(&format!("  {}", paint.dim("end of stderr:")));
        failure.stderr_tail().iter().for_each(|line| ui.note(&format!("    {}", printable(line))));
    }
    if let Some(hint) = hint(failure, telling.run_timeout) {
        ui.hint(&hint);
    }
}

fn show_backtrace(ui: &Ui, paint: Paint, frames: &[Frame]) {
    if frames.is_empty() {
        return;
    }
    ui.note(&format!("  {}", paint.dim("backtrace, innermost first:")));
    for (depth, frame) in frames.iter().take(INNER_FRAMES).enumerate() {
        let name = frame.function.as_deref().map(printable);
        let name = name.unwrap_or_else(|| format!("function {}", frame.index).into());
        let source = frame
            .source
            .as_deref()
            .map(|source| format!(" {}", paint.dim(format!("at {}", printable(source)))));
        ui.note(&format!("  {depth:>4}: {name}{}", source.unwrap_or_default()));
    }
    let more = frames.len().saturating_sub(INNER_FRAMES);
    if more > 0 {
        ui.note(&format!("        {}", paint.dim(format!("and {more} more"))));
    }
}

/// A hint for a failure that an option can prevent.
fn hint(failure: &Failure, run_timeout: Option<Duration>) -> Option<String> {
    match failure {
        Failure::TimedOut { after } => {
            let option = if run_timeout == Some(*after) { "--run-timeout" } else { "--timeout" };
            Some(format!("allow more time with {option}"))
        }
        // The message of a limit already names its option.
        Failure::Limit { .. }
        | Failure::Error(_)
        | Failure::Trap(_)
        | Failure::Exit { .. }
        | Failure::Upstream { .. } => None,
    }
}

/// The time from the first execution, or the submission, to the last state.
fn took(history: &[Transition]) -> Duration {
    let began = history.iter().find(|transition| transition.state == State::Running);
    match (began.or(history.first()), history.last()) {
        (Some(began), Some(ended)) => ended.at.since(began.at),
        _ => Duration::ZERO,
    }
}
