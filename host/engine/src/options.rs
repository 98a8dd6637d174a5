//! The options of an attempt.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use hostel_core::{Determinism, Grants, Limits, Progress, Receipt, RunId};

use crate::log::LogBook;
use crate::observe::OnTouch;
use crate::stdin::Stdin;

/// Called when a guest reports its progress, on the thread that runs the guest, which waits meanwhile: it must not
/// block, and should store the last report rather than all.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// Is notified of attempts that were stopped.
pub trait OnStopped: Send + Sync {
    /// Called once for an attempt that was dropped before it ended, with its resource use. The call is made on the
    /// thread that drops the attempt: it must not block.
    fn stopped(&self, receipt: Receipt);
}

/// The options of an attempt.
#[derive(Clone)]
#[non_exhaustive]
pub struct AttemptOptions {
    /// Its limits.
    pub limits: Limits,
    /// The log for what it prints.
    pub log: Arc<LogBook>,
    /// Its run, which the guest can query.
    pub run: RunId,
    /// The number of the attempt in its run, counted from 1.
    pub number: u32,
    /// The name of the run, for guests that query it; with `None` it is derived from the task's name.
    pub name: Option<Arc<str>>,
    /// Called when the guest reports progress.
    pub on_progress: Option<OnProgress>,
    /// Its permissions.
    pub grants: Arc<Grants>,
    /// The standard input of a program if its argument `stdin` is none; functions have none.
    pub stdin: Option<Stdin>,
    /// The clock and randomness of the guest.
    pub determinism: Determinism,
    /// The seed of insecure randomness, such as the seeds of hash maps, and with [`hostel_core::Randomness::Key`] of all
    /// randomness. `None` takes the system's randomness, which is a touch.
    pub seed_of: Option<[u8; 32]>,
    /// Called when the result is no longer a function of the inputs.
    pub on_touch: Option<OnTouch>,
    /// Notified of the resource use of the attempt if it is dropped before it ends, or lost to an error.
    pub on_stopped: Option<Weak<dyn OnStopped>>,
    /// When it must have ended, including the time that it waits for room.
    pub ends_at: Option<Instant>,
}

impl AttemptOptions {
    /// The first attempt of no run in particular, with a log of its own and no grants.
    pub fn new(limits: Limits) -> Self {
        let log = Arc::new(LogBook::new(limits.log_bytes, None).max_lines(limits.log_lines));
        Self::granted(limits, log, Arc::default())
    }

    /// The same, with this log and these permissions.
    pub fn granted(limits: Limits, log: Arc<LogBook>, grants: Arc<Grants>) -> Self {
        let run = RunId::from_bytes([0; 16]);
        Self {
            limits,
            log,
            run,
            number: 1,
            name: None,
            on_progress: None,
            grants,
            stdin: None,
            determinism: Determinism::default(),
            seed_of: None,
            on_touch: None,
            on_stopped: None,
            ends_at: None,
        }
    }

    /// Uses this log.
    #[must_use]
    pub fn log(self, log: Arc<LogBook>) -> Self {
        Self { log, ..self }
    }

    /// Makes it attempt `number` of `run`.
    #[must_use]
    pub fn attempt_of(self, run: RunId, number: u32) -> Self {
        Self { run, number, ..self }
    }

    /// Names the run.
    #[must_use]
    pub fn name(self, name: Arc<str>) -> Self {
        Self { name: Some(name), ..self }
    }

    /// Calls `on_progress` whenever the guest reports progress.
    #[must_use]
    pub fn on_progress(self, on_progress: OnProgress) -> Self {
        Self { on_progress: Some(on_progress), ..self }
    }

    /// Sets the permissions.
    #[must_use]
    pub fn grants(self, grants: Arc<Grants>) -> Self {
        Self { grants, ..self }
    }

    /// Gives a program this standard input, unless its argument `stdin` is given. Reading it is a touch.
    #[must_use]
    pub fn stdin(self, stdin: Stdin) -> Self {
        Self { stdin: Some(stdin), ..self }
    }

    /// Gives the guest these clocks and this randomness.
    #[must_use]
    pub fn determinism(self, determinism: Determinism) -> Self {
        Self { determinism, ..self }
    }

    /// Derives the guest's insecure randomness from the key of its result, see
    /// [`RandomBytes`](hostel_core::RandomBytes). A seed in [`AttemptOptions::determinism`] takes precedence over the key.
    #[must_use]
    pub fn seed_of(self, key: [u8; 32]) -> Self {
        Self { seed_of: Some(key), ..self }
    }

    /// Calls `on_touch` once, at the first touch. From then on other runs cannot share the result and need not wait for it.
    #[must_use]
    pub fn on_touch(self, on_touch: OnTouch) -> Self {
        Self { on_touch: Some(on_touch), ..self }
    }

    /// Notifies `on_stopped`, if it still exists, of the attempt's resource use if it is dropped before it ends or is
    /// lost to an [`AttemptError`](crate::AttemptError). Otherwise [`Attempted::receipt`](crate::Attempted::receipt)
    /// has it.
    #[must_use]
    pub fn on_stopped(self, on_stopped: Weak<dyn OnStopped>) -> Self {
        Self { on_stopped: Some(on_stopped), ..self }
    }

    /// Ends it at this moment at the latest, in addition to its timeout. Waiting for room counts.
    #[must_use]
    pub fn ends_at(self, ends_at: Instant) -> Self {
        Self { ends_at: Some(ends_at), ..self }
    }

    /// The remaining time from now on.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let left = self.ends_at.map(|end| end.saturating_duration_since(Instant::now()));
        [self.limits.timeout, left].into_iter().flatten().min()
    }
}

impl fmt::Debug for AttemptOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            limits,
            log,
            run,
            number,
            name,
            grants,
            stdin,
            determinism,
            seed_of,
            on_progress: _,
            on_touch: _,
            on_stopped: _,
            ends_at: _,
        } = self;
        let mut options = f.debug_struct("AttemptOptions");
        options.field("limits", limits).field("log", log).field("run", run).field("number", number);
        options.field("name", name).field("grants", grants).field("determinism", determinism);
        options.field("stdin", stdin).field("seed_of", seed_of).finish_non_exhaustive()
    }
}
