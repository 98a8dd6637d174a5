//! What a task may use up, each limit with a default, an upper bound and its own failure.

use std::fmt;
use std::time::Duration;

use crate::ErrorKind;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// What one attempt may use up. Everything has a bound; only time is unlimited unless a timeout is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Linear memory of all its modules together, in bytes. Default 256 MiB, at most 4 GiB.
    pub memory_bytes: u64,
    /// Wall time of one attempt. Default none, at most a year.
    pub timeout: Option<Duration>,
    /// Elements of all its tables together. Default and at most 100,000.
    pub table_elements: u64,
    /// Bytes of log kept for one run, all its streams together, with 32 for each line and each field; what comes after
    /// is cut, with a mark, and the guest goes on. Default 1 MiB, at most 1 GiB.
    pub log_bytes: u64,
    /// Bytes that the arguments take in the host, a little more than in canonical form. Default 256 MiB, at most 2 GiB.
    pub input_bytes: u64,
    /// Bytes of memory the host may need to hold the result. Default 256 MiB, at most 2 GiB.
    pub result_bytes: u64,
}

impl Limits {
    /// The upper bounds.
    pub const MAX: Self = Self {
        memory_bytes: 4 * GIB,
        timeout: Some(Duration::from_secs(366 * 24 * 60 * 60)),
        table_elements: 100_000,
        log_bytes: GIB,
        input_bytes: 2 * GIB,
        result_bytes: 2 * GIB,
    };

    /// Checks every limit against its bounds.
    ///
    /// # Errors
    ///
    /// [`LimitsError`] for the first limit that is zero or over its upper bound.
    pub fn validate(&self) -> Result<(), LimitsError> {
        let max = Self::MAX;
        let nanos = |time: Option<Duration>| {
            time.map_or(1, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
        };
        let checks = [
            ("memory", self.memory_bytes, max.memory_bytes, Unit::Bytes),
            ("timeout", nanos(self.timeout), nanos(max.timeout), Unit::Time),
            ("table elements", self.table_elements, max.table_elements, Unit::Count),
            ("log", self.log_bytes, max.log_bytes, Unit::Bytes),
            ("input", self.input_bytes, max.input_bytes, Unit::Bytes),
            ("result", self.result_bytes, max.result_bytes, Unit::Bytes),
        ];
        let wrong = checks.into_iter().find(|&(_, value, most, _)| value == 0 || value > most);
        wrong.map_or(Ok(()), |(limit, value, most, unit)| {
            Err(LimitsError { limit, value: unit.text(value), most: unit.text(most) })
        })
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 256 * MIB,
            timeout: None,
            table_elements: 100_000,
            log_bytes: MIB,
            input_bytes: 256 * MIB,
            result_bytes: 256 * MIB,
        }
    }
}

/// A limit is zero or over its upper bound.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the limit `{limit}` cannot be {value}: expected more than zero and at most {most}")]
pub struct LimitsError {
    limit: &'static str,
    value: String,
    most: String,
}

impl LimitsError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

/// A limit that an attempt reached, and where it stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// A growth of linear memory was refused, and the guest could not go on without it.
    Memory {
        /// [`Limits::memory_bytes`] of the run.
        allowed_bytes: u64,
    },
    /// A growth of a table was refused, and the guest could not go on without it.
    TableElements {
        /// [`Limits::table_elements`] of the run.
        allowed: u64,
    },
    /// The result was larger than allowed.
    Result {
        /// [`Limits::result_bytes`] of the run.
        allowed_bytes: u64,
    },
    /// The guest's calls nested too deeply for its stack.
    Stack {
        /// The stack's size, which is the same for all tasks.
        allowed_bytes: u64,
    },
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Memory { allowed_bytes } => {
                write!(
                    f,
                    "memory of {} is not enough (raise it with the limit `memory`)",
                    bytes_text(allowed_bytes)
                )
            }
            Self::TableElements { allowed } => write!(f, "tables may hold {allowed} elements together"),
            Self::Result { allowed_bytes } => {
                write!(
                    f,
                    "the result is over {} (raise it with the limit `result`)",
                    bytes_text(allowed_bytes)
                )
            }
            Self::Stack { allowed_bytes } => {
                write!(f, "calls nest too deeply for a stack of {}", bytes_text(allowed_bytes))
            }
        }
    }
}

/// A number of bytes as people write it: `256 MiB`, `1.5 KiB`, `17 bytes`.
pub fn bytes_text(bytes: u64) -> String {
    let (unit, name) = match bytes {
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

enum Unit {
    Bytes,
    Count,
    Time,
}

impl Unit {
    fn text(&self, value: u64) -> String {
        match self {
            Self::Bytes => bytes_text(value),
            Self::Count => value.to_string(),
            Self::Time => format!("{:?}", Duration::from_nanos(value)),
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
            "the limit `timeout` cannot be 0ns: expected more than zero and at most 31622400s",
        );
        check(
            |l| l.timeout = Some(Duration::MAX),
            "the limit `timeout` cannot be 18446744073.709551615s: expected more than zero and at most 31622400s",
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
            "the limit `table elements` cannot be 100001: expected more than zero and at most 100000",
        );
    }

    #[test]
    fn bytes_are_written_as_people_write_them() {
        let check = |bytes, expected: &str| assert_eq!(bytes_text(bytes), expected);
        check(0, "0 bytes");
        check(1023, "1023 bytes");
        check(1024, "1 KiB");
        check(1536, "1.5 KiB");
        check(256 * MIB, "256 MiB");
        check(u64::MAX, "17179869184 GiB");
    }
}
