//! The scheduler's clock.

use std::time::{Duration, Instant};

/// The time since the scheduler started.
pub(crate) struct Clock {
    epoch: Instant,
    /// In tests, a time set by hand in place of the system's.
    #[cfg(test)]
    manual: Option<std::sync::Mutex<Duration>>,
}

impl Clock {
    pub(crate) fn system() -> Self {
        Self {
            epoch: Instant::now(),
            #[cfg(test)]
            manual: None,
        }
    }

    /// A clock that stands still until it is set.
    #[cfg(test)]
    pub(crate) fn manual() -> Self {
        Self { epoch: Instant::now(), manual: Some(std::sync::Mutex::default()) }
    }

    /// Sets a manual clock.
    #[cfg(test)]
    pub(crate) fn set(&self, now: Duration) {
        if let Some(manual) = &self.manual {
            *manual.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = now;
        }
    }

    /// The time since the scheduler started.
    pub(crate) fn now(&self) -> Duration {
        #[cfg(test)]
        if let Some(manual) = &self.manual {
            return *manual.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        self.epoch.elapsed()
    }

    /// The instant of a time of this clock; `None` if it is out of range.
    pub(crate) fn instant(&self, at: Duration) -> Option<Instant> {
        self.epoch.checked_add(at)
    }
}
