//! The attempts of a run, derived from its history.

use std::sync::Arc;
use std::time::Duration;

use hostel_core::{
    Event, Failure, LogLine, MAX_FAILURE_CHARS, Outcome, Receipt, Timestamp, Transition, Value,
    excerpt_within,
};
use hostel_engine::LogBook;

/// One execution of a run, in its own instance.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Attempt {
    /// The number of the attempt, counted from 1.
    pub number: u32,
    /// The time at which it began.
    pub began_at: Timestamp,
    /// The time at which it ended; `None` while it executes.
    pub ended_at: Option<Timestamp>,
    /// Its outcome; `None` while it executes. If another attempt followed, a typed error of more than [`Attempt::MAX_ERROR_BYTES`] is a text with
    /// its beginning.
    pub outcome: Option<Arc<Outcome>>,
    /// The lines that it has printed and logged.
    pub log: Vec<LogLine>,
    /// The bytes that a program has printed to stdout, unless it completed: then they are in its result. After the
    /// attempt has ended, at most as long as the limit of its log. Empty for functions.
    pub stdout: Vec<u8>,
    /// Its resource use; `None` while it executes.
    pub receipt: Option<Receipt>,
}

/// An attempt that another one followed.
pub(crate) struct EndedAttempt {
    pub(crate) outcome: Arc<Outcome>,
    pub(crate) log: Arc<LogBook>,
    pub(crate) receipt: Option<Box<Receipt>>,
}

/// The parts of an attempt that are not in the run's history.
pub(crate) struct AttemptView<'a> {
    pub(crate) outcome: Option<&'a Arc<Outcome>>,
    pub(crate) log: Option<&'a Arc<LogBook>>,
    pub(crate) receipt: Option<&'a Receipt>,
}

impl EndedAttempt {
    /// An attempt with this outcome, of which a long typed error is shortened.
    pub(crate) fn new(outcome: Outcome, log: Arc<LogBook>, receipt: Option<Box<Receipt>>) -> Self {
        let outcome = Arc::new(shortened(&outcome).unwrap_or(outcome));
        Self { outcome, log, receipt }
    }

    fn view(&self) -> AttemptView<'_> {
        let Self { outcome, log, receipt } = self;
        AttemptView { outcome: Some(outcome), log: Some(log), receipt: receipt.as_deref() }
    }
}

/// If the outcome is a long typed error, a failure with its beginning as a text.
fn shortened(outcome: &Outcome) -> Option<Outcome> {
    let Outcome::Failed(Failure::Error(error)) = outcome else { return None };
    if error.footprint() <= Attempt::MAX_ERROR_BYTES {
        return None;
    }
    let beginning = if let Value::String(text) = error {
        excerpt_within(text, MAX_FAILURE_CHARS)
    } else {
        excerpt_within(error, MAX_FAILURE_CHARS)
    };
    Some(Outcome::Failed(Failure::Error(Value::String(beginning))))
}

impl Attempt {
    /// How many bytes the typed error of an attempt has at most that another one followed, as [`Value::footprint`] counts them.
    pub const MAX_ERROR_BYTES: usize = 16 << 10;

    /// The duration of the attempt; `None` while it executes.
    pub fn duration(&self) -> Option<Duration> {
        Some(self.ended_at?.since(self.began_at))
    }

    /// The attempts of a run. Each begins with an [`Event::Started`], and ends with the next event other than a request
    /// to cancel.
    pub(crate) fn all(history: &[Transition], ended: &[EndedAttempt], last: AttemptView<'_>) -> Vec<Self> {
        let mut attempts: Vec<Self> = Vec::new();
        for transition in history {
            match transition.cause {
                Some(Event::Started) => attempts.push(Self::begun(transition.at, attempts.len())),
                Some(Event::CancelRequested) | None => {}
                Some(_) => {
                    if let Some(attempt) = attempts.last_mut() {
                        attempt.ended_at.get_or_insert(transition.at);
                    }
                }
            }
        }
        for (attempt, view) in attempts.iter_mut().zip(ended.iter().map(EndedAttempt::view).chain([last])) {
            let has_ended = attempt.ended_at.is_some();
            attempt.outcome = view.outcome.filter(|_| has_ended).cloned();
            attempt.log = view.log.map(|log| log.lines()).unwrap_or_default();
            attempt.stdout = view.log.map(|log| log.stdout()).unwrap_or_default();
            attempt.receipt = view.receipt.filter(|_| has_ended).cloned();
        }
        attempts
    }

    fn begun(at: Timestamp, earlier: usize) -> Self {
        Self {
            number: u32::try_from(earlier + 1).unwrap_or(u32::MAX),
            began_at: at,
            ended_at: None,
            outcome: None,
            log: Vec::new(),
            stdout: Vec::new(),
            receipt: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_errors_of_earlier_attempts_are_shortened() {
        let kept = |letters: usize| {
            let error = Failure::Error(Value::String("a".repeat(letters)));
            let attempt = EndedAttempt::new(Outcome::Failed(error), Arc::new(LogBook::new(0, None)), None);
            let Outcome::Failed(Failure::Error(Value::String(error))) = &*attempt.outcome else { panic!() };
            error.clone()
        };
        assert_eq!(kept(1_000), "a".repeat(1_000));
        let shortened = kept(Attempt::MAX_ERROR_BYTES);
        assert_eq!(shortened, format!("{}…", "a".repeat(MAX_FAILURE_CHARS)));
    }
}
