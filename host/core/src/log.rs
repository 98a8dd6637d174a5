//! Lines of a run's log, and instants.

use std::time::{Duration, SystemTime};

/// An instant, in nanoseconds since 1970-01-01 UTC. Callers with a clock create it; this crate has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The instant at these nanoseconds since 1970-01-01 UTC; the range ends in the year 2554.
    pub const fn from_unix_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since 1970-01-01 UTC.
    pub const fn unix_nanos(self) -> u64 {
        self.0
    }

    /// The instant `time` later, or the last one of the range.
    pub fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// The time from `earlier` to here; zero if the clock was set back in between.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl From<SystemTime> for Timestamp {
    /// Instants before 1970 count as 1970.
    fn from(time: SystemTime) -> Self {
        let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX))
    }
}

/// The source of a line of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogStream {
    /// The guest's standard output.
    Stdout,
    /// The guest's standard error.
    Stderr,
    /// A message that the guest logged through `hostel:task/context`, with a level and fields.
    Log,
    /// A remark of the host, such as that the log was cut.
    Host,
}

impl LogStream {
    /// `stdout`, `stderr`, `log` or `host`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Log => "log",
            Self::Host => "host",
        }
    }
}

/// The severity of a line, from the lowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// Details for debugging.
    Debug,
    /// Normal operation; every line printed on stdout or stderr has this level.
    Info,
    /// Something is wrong, and the run continues; remarks of the host have this level.
    Warn,
    /// Something went wrong.
    Error,
}

impl LogLevel {
    /// `debug`, `info`, `warn` or `error`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// One line that a run printed or logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// The time when the line was complete.
    pub at: Timestamp,
    /// Its source.
    pub stream: LogStream,
    /// Its severity.
    pub level: LogLevel,
    /// The line without its line break; bytes that are not UTF-8 are replaced by U+FFFD.
    pub text: String,
    /// Names and values that the guest logged with the line, in its order; a value may contain line breaks.
    pub fields: Vec<(String, String)>,
}
