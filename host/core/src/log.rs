//! What a run printed, line by line, and the instants at which things happened.

use std::time::{Duration, SystemTime};

/// An instant, in nanoseconds since 1970-01-01 UTC. Made by whoever has a clock; nothing in this crate does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Takes nanoseconds since 1970-01-01 UTC; reaches to the year 2554.
    pub const fn from_unix_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since 1970-01-01 UTC.
    pub const fn unix_nanos(self) -> u64 {
        self.0
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

/// Where a line of a log comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogStream {
    /// The guest's standard output.
    Stdout,
    /// The guest's standard error.
    Stderr,
    /// The host's own remark, such as that the log was cut.
    Host,
}

impl LogStream {
    /// `stdout`, `stderr` or `host`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Host => "host",
        }
    }
}

/// One line that a run printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When the line was complete.
    pub at: Timestamp,
    /// Where it was printed.
    pub stream: LogStream,
    /// The line without its line break; bytes that are not UTF-8 are replaced by U+FFFD.
    pub text: String,
}
