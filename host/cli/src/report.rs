//! The outcome of a run as text: the state line, and details of a failure.

use std::borrow::Cow;
use std::time::Duration;

use hostel::{
    Event, Failure, Frame, Outcome, RunId, ScriptFailure, State, TaskFuture, Transition, Trap, count_text,
    duration_text, grammar,
};
use hostel_wire::{
    ErrorObject, FrameObject, RunAnswerObject, StateObject, StoredRunObject, attempt_count, parse_instant,
    printable,
};

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

/// How a run has ended, whether it was executed here or by a server.
pub(crate) struct Ending<'a> {
    name: String,
    /// The name of its state.
    state: String,
    took: Duration,
    attempts: usize,
    /// The run that made the value, if it was cached.
    made_by: Option<String>,
    end: End<'a>,
}

enum End<'a> {
    Completed,
    Failed(Failed<'a>),
    Crashed { reason: String },
    Cancelled,
}

struct Failed<'a> {
    /// Why, in one line.
    cause: String,
    timed_out_after: Option<Duration>,
    /// Of an exception of a script.
    traceback: String,
    backtrace: Cow<'a, [Frame]>,
    /// The last lines on stderr.
    stderr: &'a [String],
}

/// Writes the outcome of a run to stderr.
pub(crate) fn ended(ui: &Ui, run: &TaskFuture, telling: Telling) {
    if let Some(outcome) = run.try_outcome() {
        tell(ui, &Ending::of_run(run, &outcome), telling);
    }
}

/// The same, for a run that has ended anywhere.
pub(crate) fn tell(ui: &Ui, ending: &Ending<'_>, telling: Telling) {
    let paint = ui.note_paint();
    let line = ending.line(telling.name);
    match &ending.end {
        End::Completed => {
            if !telling.quiet {
                ui.note(&paint.good(line));
            }
        }
        End::Failed(failed) => {
            ui.note(&paint.bad(line));
            explain(ui, failed, telling);
            failed.traceback.lines().for_each(|line| ui.note(&format!("  {}", printable(line))));
        }
        End::Crashed { .. } => ui.note(&paint.bad(line)),
        End::Cancelled => ui.note(&paint.warn(line)),
    }
}

impl<'a> Ending<'a> {
    fn of_run(run: &TaskFuture, outcome: &'a Outcome) -> Self {
        let history = run.history();
        Self {
            name: run.name().to_string(),
            state: run.state().to_string(),
            took: took(&history),
            attempts: attempt_count(run),
            made_by: producer(&history).map(|producer| producer.to_string()),
            end: match outcome {
                Outcome::Completed(_) => End::Completed,
                Outcome::Failed(failure) => End::Failed(Failed::of(failure, run.script_failure())),
                Outcome::Crashed { reason } => End::Crashed { reason: reason.clone() },
                Outcome::Cancelled => End::Cancelled,
            },
        }
    }

    /// A run that a server has executed.
    pub(crate) fn of_answer(answer: &'a RunAnswerObject<'_>) -> Self {
        let StoredRunObject { run, history, cached_from, .. } = &answer.run;
        Self {
            name: run.name.clone().unwrap_or_default(),
            state: run.state.to_string(),
            took: took_by(history),
            attempts: run.attempt_count,
            made_by: cached_from.clone(),
            end: match &run.error {
                None => End::Completed,
                Some(error) if error.kind == "cancelled" => End::Cancelled,
                Some(error) if error.kind == "crash" => {
                    let reason = error.message.strip_prefix("crashed: ").unwrap_or(&error.message);
                    End::Crashed { reason: reason.to_owned() }
                }
                Some(error) => End::Failed(Failed::received(error)),
            },
        }
    }

    /// On one line: `Failed in 12 ms (4 attempts): returned the error …`.
    fn line(&self, name: bool) -> String {
        let (state, took) = (&self.state, duration_text(self.took));
        let tries = match self.attempts {
            0 | 1 => String::new(),
            attempts => format!(" ({} attempts)", count_text(attempts as u64)),
        };
        let line = match &self.end {
            End::Completed => match &self.made_by {
                Some(producer) => format!("{state} (made by run {producer})"),
                None => format!("{state} in {took}{tries}"),
            },
            End::Failed(Failed { timed_out_after: Some(after), .. }) => {
                format!("{state} after {}{tries}", duration_text(*after))
            }
            End::Failed(failed) => format!("{state} in {took}{tries}: {}", printable(&failed.cause)),
            End::Crashed { reason } => format!("{state} in {took}{tries}: {}", printable(reason)),
            End::Cancelled => format!("{state} after {took}{tries}"),
        };
        if name { format!("{}: {line}", printable(&self.name)) } else { line }
    }
}

impl<'a> Failed<'a> {
    fn of(failure: &'a Failure, script: Option<ScriptFailure>) -> Self {
        let (timed_out_after, backtrace) = match failure {
            Failure::TimedOut { after } => (Some(*after), None),
            Failure::Trap(Trap { backtrace, .. }) => (None, Some(backtrace)),
            // The message of a limit already names its option.
            Failure::Limit { .. } | Failure::Error(_) | Failure::Exit { .. } | Failure::Upstream { .. } => {
                (None, None)
            }
        };
        let cause = script.as_ref().map_or_else(|| failure.to_string(), ToString::to_string);
        let traceback = match script {
            Some(ScriptFailure::Thrown { traceback, .. }) => traceback,
            _ => String::new(),
        };
        Self {
            cause,
            timed_out_after,
            traceback,
            backtrace: Cow::Borrowed(backtrace.map_or(&[], |frames| frames)),
            stderr: failure.stderr_tail(),
        }
    }

    /// A failure as a server answers it.
    fn received(error: &'a ErrorObject) -> Self {
        let after = error.message.strip_prefix("timed out after ").filter(|_| error.kind == "timeout");
        Self {
            cause: error.message.clone(),
            timed_out_after: after.and_then(|after| grammar::duration(after).ok()),
            traceback: String::new(),
            backtrace: error.backtrace.iter().map(FrameObject::frame).collect(),
            stderr: &error.stderr,
        }
    }
}

/// The run that produced the cached value.
fn producer(history: &[Transition]) -> Option<RunId> {
    history.iter().rev().find_map(|transition| match transition.cause {
        Some(Event::CacheHit { producer }) => Some(producer),
        _ => None,
    })
}

/// Writes the details of a failure.
fn explain(ui: &Ui, failed: &Failed<'_>, telling: Telling) {
    let paint = ui.note_paint();
    show_backtrace(ui, paint, &failed.backtrace);
    if !telling.log_was_shown && !failed.stderr.is_empty() {
        ui.note(&format!("  {}", paint.dim("end of stderr:")));
        failed.stderr.iter().for_each(|line| ui.note(&format!("    {}", printable(line))));
    }
    if let Some(after) = failed.timed_out_after {
        let option = if telling.run_timeout == Some(after) { "--run-timeout" } else { "--timeout" };
        ui.hint(&format!("allow more time with {option}"));
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

/// The time from the first execution, or the submission, to the last state.
fn took(history: &[Transition]) -> Duration {
    let began = history.iter().find(|transition| transition.state == State::Running);
    match (began.or(history.first()), history.last()) {
        (Some(began), Some(ended)) => ended.at.since(began.at),
        _ => Duration::ZERO,
    }
}

/// The same, from what a server answers.
fn took_by(history: &[StateObject]) -> Duration {
    let began = history.iter().find(|entry| entry.state == State::Running.name());
    let at = |entry: Option<&StateObject>| entry.and_then(|entry| parse_instant(&entry.at));
    match (at(began.or(history.first())), at(history.last())) {
        (Some(began), Some(ended)) => ended.since(began),
        _ => Duration::ZERO,
    }
}
