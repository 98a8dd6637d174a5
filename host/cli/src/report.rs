//! How a run ended, in words: the state line, and for a failure what helps to understand it.

use std::time::Duration;

use hostel::{Event, Failure, Frame, Limit, Outcome, State, TaskFuture, Transition, Trap};

use crate::ui::Ui;
use crate::ui::color::Paint;
use crate::ui::text::{duration, printable};

/// How many frames of a backtrace are shown from its inner end; those of a deep recursion are all alike.
const INNER_FRAMES: usize = 20;

/// What to tell of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Telling {
    /// Only what went wrong.
    pub(crate) quiet: bool,
    /// The log was written as it came, so a failure need not repeat its end.
    pub(crate) log_was_shown: bool,
}

/// Writes how a run ended to stderr.
pub(crate) fn ended(ui: &Ui, run: &TaskFuture, telling: Telling) {
    let Some(outcome) = run.try_outcome() else { return };
    let history = run.history();
    match &*outcome {
        Outcome::Completed(_) => {
            if !telling.quiet {
                ui.note(&ui.note_paint().good(completed(&history)));
            }
        }
        Outcome::Failed(failure) => failed(ui, run, failure, &history, telling),
        Outcome::Crashed { reason } => {
            let line = format!("{} in {}: {reason}", State::Crashed, duration(took(&history)));
            ui.note(&ui.note_paint().bad(line));
        }
        Outcome::Cancelled => {
            let line = format!("{} after {}", State::Cancelled, duration(took(&history)));
            ui.note(&ui.note_paint().warn(line));
        }
    }
}

/// What one line can say of how a run failed, without its state.
pub(crate) fn cause(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Completed(_) => None,
        Outcome::Failed(failure) => Some(printable(&failure.to_string()).into_owned()),
        Outcome::Crashed { reason } => Some(format!("crashed: {}", printable(reason))),
        Outcome::Cancelled => Some("cancelled".to_owned()),
    }
}

fn completed(history: &[Transition]) -> String {
    let producer = history.iter().rev().find_map(|transition| match transition.cause {
        Some(Event::CacheHit { producer }) => Some(producer),
        _ => None,
    });
    match producer {
        Some(producer) => format!("{} (made by run {producer})", State::Cached),
        None => format!("{} in {}", State::Completed, duration(took(history))),
    }
}

fn failed(ui: &Ui, run: &TaskFuture, failure: &Failure, history: &[Transition], telling: Telling) {
    let paint = ui.note_paint();
    let state = run.state();
    let line = if let Failure::TimedOut { after } = failure {
        format!("{state} after {}", duration(*after))
    } else {
        format!("{state} in {}: {}", duration(took(history)), printable(&failure.to_string()))
    };
    ui.note(&paint.bad(line));
    if let Failure::Trap(Trap { backtrace, .. }) = failure {
        show_backtrace(ui, paint, backtrace);
    }
    if !telling.log_was_shown && !failure.stderr_tail().is_empty() {
        ui.note(&format!("  {}", paint.dim("the end of its stderr:")));
        failure.stderr_tail().iter().for_each(|line| ui.note(&format!("    {}", printable(line))));
    }
    if let Some(hint) = hint(failure) {
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

/// What to do about a failure, where the command line can do something.
fn hint(failure: &Failure) -> Option<String> {
    match failure {
        Failure::Limit { limit, .. } => match limit {
            Limit::Memory { .. } => Some("allow more with --max-memory".to_owned()),
            Limit::Result { .. } => Some("allow larger results with --max-result".to_owned()),
            Limit::TableElements { .. } | Limit::Stack { .. } => None,
        },
        Failure::TimedOut { .. } => Some("give it longer with --timeout".to_owned()),
        Failure::Error(_) | Failure::Trap(_) | Failure::Exit { .. } | Failure::Upstream { .. } => None,
    }
}

/// From when the run first executed, or was accepted, to its last state.
fn took(history: &[Transition]) -> Duration {
    let began = history.iter().find(|transition| transition.state == State::Running);
    match (began.or(history.first()), history.last()) {
        (Some(began), Some(ended)) => ended.at.since(began.at),
        _ => Duration::ZERO,
    }
}
