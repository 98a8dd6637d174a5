//! The limits of a task, each with a default, an upper bound and its own failure.

use std::fmt;
use std::time::Duration;

use crate::{ErrorKind, duration_text};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;

const DAY: Duration = Duration::from_hours(24);
const A_YEAR: Duration = Duration::from_hours(366 * 24);

/// The limits of one attempt; those of the log apply to a run, all its attempts together. All resources are limited except
/// time and fuel, which are unlimited unless a limit is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Linear memory of all its modules together, in bytes. Default 256 MiB, at most 4 GiB.
    pub memory_bytes: u64,
    /// Wall time of one attempt. Default none, at most a year.
    pub timeout: Option<Duration>,
    /// How long the guest may wait without a break, asleep or for others, without computing. Default none, at most a year.
    pub idle_timeout: Option<Duration>,
    /// How much it may compute, in wasmtime's fuel: about one unit for each instruction. Default none, at most 10¹⁸. Only an
    /// engine that counts fuel enforces it.
    pub fuel: Option<u64>,
    /// Elements of all its tables together. Default and at most 100,000.
    pub table_elements: u64,
    /// Core instances that make up its instance. Default and at most 128.
    pub instances: u64,
    /// Handles of resources that are alive at once, the guest's own and the host's. Default 100,000, at most 1,000,000.
    pub handles: u64,
    /// Calls of async functions, streams, futures and sets to wait for that are alive at once. Default 1,000, at most
    /// 10,000.
    pub subtasks: u64,
    /// Bytes of log stored for one run, all its attempts and streams together, with 32 for each line and each field. The
    /// rest is cut and marked, and the guest continues. Default 1 MiB, at most 1 GiB.
    pub log_bytes: u64,
    /// Lines of log stored for one run, cut in the same way. Default 100,000, at most 10,000,000.
    pub log_lines: u64,
    /// Bytes that the arguments take in the host, a little more than in canonical form, together with the bytes that a
    /// program reads from a stream as its standard input. Default 256 MiB, at most 2 GiB.
    pub input_bytes: u64,
    /// Bytes of memory the host may need to hold the result. Default 256 MiB, at most 2 GiB.
    pub result_bytes: u64,
    /// Files, directories, streams and listings that are open at once, in addition to the granted directories. Further ones
    /// are refused. Default 256, at most 10,000.
    pub open_files: u64,
    /// Bytes written to files, or added by extending them. Further ones are refused. The guest may create 1,000 files,
    /// directories and links, and one more for each 4 KiB. Default 1 GiB, at most 1 TiB.
    pub written_bytes: u64,
    /// Sockets and HTTP requests that are open at once. Further ones are refused. Default 64, at most 1,000.
    pub sockets: u64,
    /// Bytes received and sent over sockets and HTTP together. Further ones are refused. Default 1 GiB, at most 1 TiB.
    pub network_bytes: u64,
}

impl Limits {
    /// The upper bounds.
    pub const MAX: Self = Self {
        memory_bytes: 4 * GIB,
        timeout: Some(A_YEAR),
        idle_timeout: Some(A_YEAR),
        fuel: Some(1_000_000_000_000_000_000),
        table_elements: 100_000,
        instances: 128,
        handles: 1_000_000,
        subtasks: 10_000,
        log_bytes: GIB,
        log_lines: 10_000_000,
        input_bytes: 2 * GIB,
        result_bytes: 2 * GIB,
        open_files: 10_000,
        written_bytes: TIB,
        sockets: 1_000,
        network_bytes: TIB,
    };

    /// Checks every limit against its bounds.
    ///
    /// # Errors
    ///
    /// [`LimitsError`] for the first limit that is zero or over its upper bound.
    pub fn validate(&self) -> Result<(), LimitsError> {
        let both = LimitKind::ALL.into_iter().map(|kind| (kind, kind.of(self), kind.of(&Self::MAX)));
        let mut set = both.filter_map(|(kind, value, most)| Some((kind, value?, most?)));
        let wrong = set.find(|&(_, value, most)| value == 0 || value > most);
        wrong.map_or(Ok(()), |(kind, value, most)| {
            let unit = kind.unit();
            Err(LimitsError { limit: kind, value: unit.text(value), most: unit.text(most) })
        })
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 256 * MIB,
            timeout: None,
            idle_timeout: None,
            fuel: None,
            table_elements: 100_000,
            instances: 128,
            handles: 100_000,
            subtasks: 1_000,
            log_bytes: MIB,
            log_lines: 100_000,
            input_bytes: 256 * MIB,
            result_bytes: 256 * MIB,
            open_files: 256,
            written_bytes: GIB,
            sockets: 64,
            network_bytes: GIB,
        }
    }
}

/// A limit is zero or over its upper bound.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.named(&format!("the limit `{}`", self.limit.name())))]
pub struct LimitsError {
    limit: LimitKind,
    value: String,
    most: String,
}

impl LimitsError {
    /// Which limit it is.
    pub const fn limit(&self) -> LimitKind {
        self.limit
    }

    /// The error as text, with another name for the limit, such as that of its option.
    pub fn named(&self, name: &str) -> String {
        format!("{name} cannot be {}: {}", self.value, self.expected())
    }

    /// The values that the limit can have: `expected more than zero and at most 4 GiB`.
    pub fn expected(&self) -> String {
        format!("expected more than zero and at most {}", self.most)
    }

    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

/// The kind of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LimitKind {
    /// [`Limits::memory_bytes`].
    Memory,
    /// [`Limits::timeout`]. A run that reaches it is [`TimedOut`](crate::Failure::TimedOut), and does not fail with a limit.
    Timeout,
    /// [`Limits::idle_timeout`].
    IdleTimeout,
    /// [`Limits::fuel`].
    Fuel,
    /// [`Limits::table_elements`].
    TableElements,
    /// [`Limits::instances`].
    Instances,
    /// [`Limits::handles`].
    Handles,
    /// [`Limits::subtasks`].
    Subtasks,
    /// [`Limits::log_bytes`].
    Log,
    /// [`Limits::log_lines`].
    LogLines,
    /// [`Limits::input_bytes`].
    Input,
    /// [`Limits::result_bytes`].
    Result,
    /// [`Limits::open_files`].
    OpenFiles,
    /// [`Limits::written_bytes`].
    Written,
    /// [`Limits::sockets`].
    Sockets,
    /// [`Limits::network_bytes`].
    Network,
    /// The depth of the guest's calls, in bytes of its stack, which is the same for all tasks.
    Stack,
    /// The memory of all runs of a host together, in bytes. One may hold at most four fifths of it.
    HostMemory,
}

impl LimitKind {
    /// The kinds in [`Limits`], in its order.
    pub const ALL: [Self; 16] = [
        Self::Memory,
        Self::Timeout,
        Self::IdleTimeout,
        Self::Fuel,
        Self::TableElements,
        Self::Instances,
        Self::Handles,
        Self::Subtasks,
        Self::Log,
        Self::LogLines,
        Self::Input,
        Self::Result,
        Self::OpenFiles,
        Self::Written,
        Self::Sockets,
        Self::Network,
    ];

    /// Its name in reports, such as `open files`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Timeout => "timeout",
            Self::IdleTimeout => "idle timeout",
            Self::Fuel => "fuel",
            Self::TableElements => "table elements",
            Self::Instances => "instances",
            Self::Handles => "handles",
            Self::Subtasks => "subtasks",
            Self::Log => "log",
            Self::LogLines => "log lines",
            Self::Input => "input",
            Self::Result => "result",
            Self::OpenFiles => "open files",
            Self::Written => "written",
            Self::Sockets => "sockets",
            Self::Network => "network",
            Self::Stack => "stack",
            Self::HostMemory => "host memory",
        }
    }

    /// Its option on the command line and in `hostel.toml`, without dashes; `None` if it cannot be raised.
    pub const fn option(self) -> Option<&'static str> {
        Some(match self {
            Self::Memory => "max-memory",
            Self::Timeout => "timeout",
            Self::IdleTimeout => "idle-timeout",
            Self::Fuel => "max-fuel",
            Self::Handles => "max-handles",
            Self::Subtasks => "max-subtasks",
            Self::Log => "max-log",
            Self::LogLines => "max-log-lines",
            Self::Input => "max-input",
            Self::Result => "max-result",
            Self::OpenFiles => "max-open-files",
            Self::Written => "max-written",
            Self::Sockets => "max-sockets",
            Self::Network => "max-network",
            Self::HostMemory => "max-host-memory",
            Self::TableElements | Self::Instances | Self::Stack => return None,
        })
    }

    /// Its value in bytes, nanoseconds or a count; `None` if there is no limit.
    pub fn of(self, limits: &Limits) -> Option<u64> {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        match self {
            Self::Memory => Some(limits.memory_bytes),
            Self::Timeout => limits.timeout.map(nanos),
            Self::IdleTimeout => limits.idle_timeout.map(nanos),
            Self::Fuel => limits.fuel,
            Self::TableElements => Some(limits.table_elements),
            Self::Instances => Some(limits.instances),
            Self::Handles => Some(limits.handles),
            Self::Subtasks => Some(limits.subtasks),
            Self::Log => Some(limits.log_bytes),
            Self::LogLines => Some(limits.log_lines),
            Self::Input => Some(limits.input_bytes),
            Self::Result => Some(limits.result_bytes),
            Self::OpenFiles => Some(limits.open_files),
            Self::Written => Some(limits.written_bytes),
            Self::Sockets => Some(limits.sockets),
            Self::Network => Some(limits.network_bytes),
            Self::Stack | Self::HostMemory => None,
        }
    }

    const fn unit(self) -> Unit {
        match self {
            Self::Memory
            | Self::Log
            | Self::Input
            | Self::Result
            | Self::Written
            | Self::Network
            | Self::Stack
            | Self::HostMemory => Unit::Bytes,
            Self::Timeout | Self::IdleTimeout => Unit::Time,
            Self::Fuel
            | Self::TableElements
            | Self::Instances
            | Self::Handles
            | Self::Subtasks
            | Self::LogLines
            | Self::OpenFiles
            | Self::Sockets => Unit::Count,
        }
    }
}

/// A limit that an attempt reached, with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    /// Its kind.
    pub kind: LimitKind,
    /// Its value: bytes, nanoseconds or a count, as for [`LimitKind::of`].
    pub allowed: u64,
}

impl Limit {
    /// The limit of this kind in `limits`; 0 if none is set.
    pub fn of(kind: LimitKind, limits: &Limits) -> Self {
        Self { kind, allowed: kind.of(limits).unwrap_or_default() }
    }
}

impl fmt::Display for Limit {
    /// Writes the exceeded limit, and the option that raises it, if there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let allowed = self.kind.unit().text(self.allowed);
        match self.kind {
            LimitKind::Memory => write!(f, "memory of {allowed} is not enough"),
            LimitKind::Timeout => write!(f, "it took more than {allowed}"),
            LimitKind::IdleTimeout => write!(f, "it waited for more than {allowed} without computing"),
            LimitKind::Fuel => write!(f, "fuel of {allowed} is not enough"),
            LimitKind::TableElements => write!(f, "all tables together may hold {allowed} elements"),
            LimitKind::Instances => write!(f, "it may have {allowed} core instances"),
            LimitKind::Handles => write!(f, "it may hold {allowed} handles at once"),
            LimitKind::Subtasks => write!(f, "it may have {allowed} subtasks at once"),
            LimitKind::Log => write!(f, "the log is over {allowed}"),
            LimitKind::LogLines => write!(f, "the log is over {allowed} lines"),
            LimitKind::Input => write!(f, "the input is over {allowed}"),
            LimitKind::Result => write!(f, "the result is over {allowed}"),
            LimitKind::OpenFiles => write!(f, "it may have {allowed} files open at once"),
            LimitKind::Written => write!(f, "it may write {allowed} to files"),
            LimitKind::Sockets => write!(f, "it may have {allowed} sockets and requests at once"),
            LimitKind::Network => write!(f, "it may send and receive {allowed} over the network"),
            LimitKind::Stack => write!(f, "calls nest too deeply for a stack of {allowed}"),
            LimitKind::HostMemory => write!(
                f,
                "the memory of all runs together, {allowed}, has not enough left (one run may hold at most four fifths \
                 of it)"
            ),
        }?;
        match self.kind.option() {
            Some(option) => write!(f, " (raise it with --{option})"),
            None => Ok(()),
        }
    }
}

/// A number of bytes as text: `256 MiB`, `1.5 KiB`, `17 bytes`.
pub fn bytes_text(bytes: u64) -> String {
    let (unit, name) = match bytes {
        TIB.. => (TIB, "TiB"),
        GIB.. => (GIB, "GiB"),
        MIB.. => (MIB, "MiB"),
        KIB.. => (KIB, "KiB"),
        _ => return format!("{bytes} bytes"),
    };
    let tenths = (u128::from(bytes) * 10 + u128::from(unit) / 2) / u128::from(unit);
    match tenths % 10 {
        0 => format!("{} {name}", tenths / 10),
        tenth => format!("{}.{tenth} {name}", tenths / 10),
    }
}

/// A count with separated thousands: `1,000,000`.
pub fn count_text(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The time of a limit: in days if it is several whole ones, and `0 s` if it is zero.
fn time_text(time: Duration) -> String {
    let days = time.as_secs() / DAY.as_secs();
    match days {
        0 if time.is_zero() => "0 s".to_owned(),
        2.. if time == DAY * u32::try_from(days).unwrap_or(u32::MAX) => format!("{} days", count_text(days)),
        _ => duration_text(time),
    }
}

enum Unit {
    Bytes,
    Count,
    Time,
}

impl Unit {
    fn text(&self, value: u64) -> String {
        match self {
            Self::Bytes => bytes_text(value),
            Self::Count => count_text(value),
            Self::Time => time_text(Duration::from_nanos(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_and_the_bounds_are_allowed() {
        assert_eq!(Limits::default().validate(), Ok(()));
        assert_eq!(Limits::MAX.validate(), Ok(()));
    }

    #[test]
    fn each_limit_is_refused_at_zero_and_over_its_bound() {
        let check = |change: fn(&mut Limits), expected: &str| {
            let mut limits = Limits::default();
            change(&mut limits);
            assert_eq!(limits.validate().unwrap_err().to_string(), expected);
        };
        check(
            |l| l.memory_bytes = 0,
            "the limit `memory` cannot be 0 bytes: expected more than zero and at most 4 GiB",
        );
        check(
            |l| l.memory_bytes = 5 * GIB,
            "the limit `memory` cannot be 5 GiB: expected more than zero and at most 4 GiB",
        );
        check(
            |l| l.timeout = Some(Duration::ZERO),
            "the limit `timeout` cannot be 0 s: expected more than zero and at most 366 days",
        );
        check(
            |l| l.timeout = Some(Duration::MAX),
            "the limit `timeout` cannot be 5124095 h 34 min: expected more than zero and at most 366 days",
        );
        check(
            |l| l.log_bytes = 0,
            "the limit `log` cannot be 0 bytes: expected more than zero and at most 1 GiB",
        );
        check(
            |l| l.input_bytes = 0,
            "the limit `input` cannot be 0 bytes: expected more than zero and at most 2 GiB",
        );
        check(
            |l| l.result_bytes = 0,
            "the limit `result` cannot be 0 bytes: expected more than zero and at most 2 GiB",
        );
        check(
            |l| l.table_elements = 100_001,
            "the limit `table elements` cannot be 100,001: expected more than zero and at most 100,000",
        );
    }

    #[test]
    fn every_limit_that_a_run_has_has_a_bound_and_a_name_of_its_own() {
        let mut names: Vec<_> = LimitKind::ALL.iter().map(|kind| kind.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), LimitKind::ALL.len());
        for kind in LimitKind::ALL {
            assert!(kind.of(&Limits::MAX).is_some(), "{kind:?}");
        }
    }

    #[test]
    fn a_limit_says_what_was_not_enough_and_how_to_raise_it() {
        let check = |kind, allowed, expected: &str| {
            assert_eq!(Limit { kind, allowed }.to_string(), expected);
        };
        check(LimitKind::Memory, 256 * MIB, "memory of 256 MiB is not enough (raise it with --max-memory)");
        check(LimitKind::Fuel, 1_000_000, "fuel of 1,000,000 is not enough (raise it with --max-fuel)");
        check(
            LimitKind::IdleTimeout,
            1_500_000_000,
            "it waited for more than 1.5 s without computing (raise it with --idle-timeout)",
        );
        check(
            LimitKind::HostMemory,
            GIB,
            "the memory of all runs together, 1 GiB, has not enough left (one run may hold at most four fifths \
             of it) (raise it with --max-host-memory)",
        );
        check(LimitKind::Stack, MIB, "calls nest too deeply for a stack of 1 MiB");
    }

    #[test]
    fn an_error_says_which_limit_it_is_under_any_name() {
        let error =
            Limits { idle_timeout: Some(Duration::ZERO), ..Limits::default() }.validate().unwrap_err();
        assert_eq!(error.limit(), LimitKind::IdleTimeout);
        let expected = "cannot be 0 s: expected more than zero and at most 366 days";
        assert_eq!(error.named("--idle-timeout"), format!("--idle-timeout {expected}"));
        assert_eq!(error.to_string(), format!("the limit `idle timeout` {expected}"));
    }

    #[test]
    fn counts_have_their_thousands_apart() {
        let texts = [0, 7, 999, 1_000, 12_345, 1_000_000].map(count_text);
        assert_eq!(texts, ["0", "7", "999", "1,000", "12,345", "1,000,000"]);
    }

    #[test]
    fn times_are_written_in_days_where_they_are_days() {
        let check = |time, expected: &str| assert_eq!(time_text(time), expected);
        check(Duration::ZERO, "0 s");
        check(Duration::from_millis(50), "50 ms");
        check(DAY, "24 h 0 min");
        check(DAY * 2, "2 days");
        check(DAY * 2 + Duration::from_hours(1), "49 h 0 min");
        check(A_YEAR, "366 days");
    }

    #[test]
    fn bytes_are_written_as_people_write_them() {
        let check = |bytes, expected: &str| assert_eq!(bytes_text(bytes), expected);
        check(0, "0 bytes");
        check(1023, "1023 bytes");
        check(1024, "1 KiB");
        check(1536, "1.5 KiB");
        check(256 * MIB, "256 MiB");
        check(u64::MAX, "16777216 TiB");
    }
}
