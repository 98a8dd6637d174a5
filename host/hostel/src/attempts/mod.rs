//! The port between runs and the executors of their attempts.
//!
//! A run orders an attempt, and receives a report when it has ended. Attempts execute in this process ([`InProcess`]).
//! The port allows other executors, and tests of runs without guests.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Instant;

use hostel_core::{CacheKey, Determinism, Grants, Limits, Progress, RunId, Value};
use hostel_engine::{AttemptError, AttemptOptions, Attempted, Function, LogBook, OnStopped, Stdin};

use crate::error::SubmitError;

/// An executor of a task's attempts.
pub(crate) trait Attempts: Send + Sync {
    /// Whether attempts of the task can be ordered at all.
    fn check(&self) -> Result<(), SubmitError>;

    /// Begins an attempt. It makes progress while the future is polled, and stops when the future is dropped.
    fn begin(&self, order: Order, watch: Watch) -> Guest;
}

/// An executing attempt.
pub(crate) type Guest = Pin<Box<dyn Future<Output = Result<Report, AttemptError>> + Send>>;

/// How an attempt ended by itself: its outcome, its observed effects, and its resource use.
pub(crate) type Report = Attempted;

/// The order of one attempt.
pub(crate) struct Order {
    /// The run.
    pub(crate) run: RunId,
    /// The number of the attempt, from 1.
    pub(crate) number: u32,
    /// The run's name, if it has one from a template.
    pub(crate) name: Option<Arc<str>>,
    /// The inputs, in normal form.
    pub(crate) inputs: Arc<Vec<Value>>,
    /// The limits of the attempt.
    pub(crate) limits: Limits,
    /// The permissions of the attempt.
    pub(crate) grants: Arc<Grants>,
    /// The sources of its clocks and random numbers.
    pub(crate) determinism: Determinism,
    /// The seed of its random numbers, if they are derived from a key.
    pub(crate) seed: Option<CacheKey>,
    /// The stream that a program reads as its standard input.
    pub(crate) stdin: Option<Stdin>,
    /// The deadline, including the time that it waits for memory before it begins.
    pub(crate) ends_at: Option<Instant>,
    /// Its log.
    pub(crate) log: Arc<LogBook>,
}

/// The callbacks of an attempt. They are called on the thread that polls it, and must not block.
pub(crate) struct Watch {
    /// Called with each report of progress.
    pub(crate) on_progress: Option<Arc<dyn Fn(Progress) + Send + Sync>>,
    /// Called once, with the first side effect that no key covers.
    pub(crate) on_touch: Option<Arc<dyn Fn() + Send + Sync>>,
    /// Called with its resource use if it is dropped before it ended, or crashes.
    pub(crate) on_stopped: Weak<dyn OnStopped>,
}

/// Executes attempts in this process, each in a fresh instance.
pub(crate) struct InProcess(pub(crate) Function);

impl Attempts for InProcess {
    fn check(&self) -> Result<(), SubmitError> {
        if self.0.component().is_surface() {
            return Err(SubmitError::NotLoaded);
        }
        self.0.missing().map_or(Ok(()), |missing| Err(SubmitError::NotLinked(missing.clone())))
    }

    fn begin(&self, order: Order, watch: Watch) -> Guest {
        let Order { run, number, name, inputs, limits, grants, determinism, seed, stdin, ends_at, log } =
            order;
        let mut options = AttemptOptions::granted(limits, log, grants);
        (options.run, options.number, options.name) = (run, number, name);
        (options.determinism, options.seed_of) = (determinism, seed.map(|seed| *seed.as_bytes()));
        (options.stdin, options.ends_at) = (stdin, ends_at);
        (options.on_progress, options.on_touch) = (watch.on_progress, watch.on_touch);
        options.on_stopped = Some(watch.on_stopped);
        let (function, options) = (self.0.clone(), Arc::new(options));
        Box::pin(async move { function.attempt(&inputs, &options).await })
    }
}
