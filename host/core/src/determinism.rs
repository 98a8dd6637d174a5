//! Clocks and randomness that repeat in every attempt, for tasks that must be functions of their inputs.

use std::fmt::{self, Display};
use std::str::FromStr;
use std::time::Duration;

use crate::{ErrorKind, Timestamp};

/// The clock and the source of randomness for a guest. The defaults are the real ones.
///
/// Using a virtual one is not an observed effect: an attempt that reads a fixed clock is reproducible, and the clock is one
/// of the [facts](Self::facts) in its cache key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Determinism {
    /// The guest's clock.
    pub clock: Clock,
    /// The source of its random numbers.
    pub randomness: Randomness,
}

impl Determinism {
    /// Virtual clocks, and randomness that follows from the key: results are functions of their key by construction.
    ///
    /// Not for values that must be unpredictable or unique: keys, tokens, passwords, ids.
    pub const DETERMINISTIC: Self = Self { clock: Clock::Virtual, randomness: Randomness::Key };

    /// Each choice other than the real one as text, sorted, such as `clock fixed:2026-01-01T00:00:00Z` and
    /// `random seed:42`, for the cache key.
    pub fn facts(&self) -> Vec<String> {
        let clock = (self.clock != Clock::Real).then(|| format!("clock {}", self.clock));
        let randomness = (self.randomness != Randomness::Real).then(|| format!("random {}", self.randomness));
        clock.into_iter().chain(randomness).collect()
    }
}

/// A guest's clock. As text: `real`, `virtual`, or `fixed:` and an RFC 3339 instant,
/// `fixed:2026-01-01T00:00:00Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Clock {
    /// The host's clocks.
    #[default]
    Real,
    /// Always this instant on the wall clock, and a constant on the monotonic clock. Sleeping takes as long as usual, so a
    /// guest that sleeps until its clock reaches a later time sleeps for ever.
    Fixed(Timestamp),
    /// A clock of the attempt's own, which only the guest moves. It begins at [`Clock::VIRTUAL_START`]. Each reading, of
    /// the wall clock or the monotonic one, and each check whether a timer has ended moves both by
    /// [`Clock::VIRTUAL_STEP`]. A sleep moves them by its length, and takes as long as usual. Loops that wait for a later
    /// time end, and timers end in the order in which they are due.
    Virtual,
}

impl Clock {
    /// The start of virtual clocks: 2026-01-01T00:00:00Z.
    pub const VIRTUAL_START: Timestamp = Timestamp::from_unix_nanos(1_767_225_600_000_000_000);

    /// The step by which each reading moves a virtual clock.
    pub const VIRTUAL_STEP: Duration = Duration::from_micros(1);
}

/// The source of a guest's random numbers. As text: `real`, `key`, or `seed:` and a number, `seed:42`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Randomness {
    /// The host's system.
    #[default]
    Real,
    /// [`RandomBytes`](crate::RandomBytes) of this seed: the same numbers in every attempt. They are predictable, so do not
    /// use them for secrets.
    Seeded(u64),
    /// [`RandomBytes`](crate::RandomBytes) of the run's cache key: runs with the same key see the same numbers, and runs with
    /// other keys see different ones. They are predictable, so do not use them for secrets.
    Key,
}

/// The error for a text that is not a clock, or not a source of randomness.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseDeterminismError {
    /// It is not a clock.
    #[error(
        "invalid clock `{text}`: expected `real`, `virtual`, or `fixed:` and an instant, such as fixed:2026-01-01T00:00:00Z"
    )]
    Clock {
        /// The text.
        text: String,
    },
    /// It is a clock fixed at an instant out of range.
    #[error("invalid clock `{text}`: expected an instant between 1970 and 2554")]
    OutOfRange {
        /// The text.
        text: String,
    },
    /// It is not a source of randomness.
    #[error(
        "invalid randomness `{text}`: expected `real`, `key`, or `seed:` and a number from 0 to {}",
        u64::MAX
    )]
    Randomness {
        /// The text.
        text: String,
    },
}

impl ParseDeterminismError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl FromStr for Clock {
    type Err = ParseDeterminismError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "real" => return Ok(Self::Real),
            "virtual" => return Ok(Self::Virtual),
            _ => {}
        }
        let instant = text.strip_prefix("fixed:").and_then(|instant| instant.parse::<jiff::Timestamp>().ok());
        let instant = instant.ok_or_else(|| ParseDeterminismError::Clock { text: text.to_owned() })?;
        let nanos = u64::try_from(instant.as_nanosecond());
        let nanos = nanos.map_err(|_| ParseDeterminismError::OutOfRange { text: text.to_owned() })?;
        Ok(Self::Fixed(Timestamp::from_unix_nanos(nanos)))
    }
}

impl Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = match self {
            Self::Real => return f.write_str("real"),
            Self::Virtual => return f.write_str("virtual"),
            Self::Fixed(instant) => instant.unix_nanos(),
        };
        match jiff::Timestamp::from_nanosecond(nanos.into()) {
            Ok(instant) => write!(f, "fixed:{instant}"),
            // Every 64-bit number is in that range.
            Err(_) => write!(f, "fixed:{nanos}"),
        }
    }
}

impl FromStr for Randomness {
    type Err = ParseDeterminismError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "real" => return Ok(Self::Real),
            "key" => return Ok(Self::Key),
            _ => {}
        }
        let digits = text.strip_prefix("seed:").filter(|seed| seed.bytes().all(|byte| byte.is_ascii_digit()));
        let seed = digits.and_then(|seed| seed.parse().ok());
        seed.map(Self::Seeded).ok_or_else(|| ParseDeterminismError::Randomness { text: text.to_owned() })
    }
}

impl Display for Randomness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Real => f.write_str("real"),
            Self::Key => f.write_str("key"),
            Self::Seeded(seed) => write!(f, "seed:{seed}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_read_and_written() {
        let check = |text: &str, written: &str| {
            let clock: Clock = text.parse().unwrap();
            assert_eq!(clock.to_string(), written);
            assert_eq!(written.parse(), Ok(clock));
        };
        check("real", "real");
        check("virtual", "virtual");
        check("fixed:2026-01-01T00:00:00Z", "fixed:2026-01-01T00:00:00Z");
        check("fixed:2026-01-01T02:00:00.5+02:00", "fixed:2026-01-01T00:00:00.5Z");
        check("fixed:1970-01-01T00:00:00Z", "fixed:1970-01-01T00:00:00Z");
        let last = Clock::Fixed(Timestamp::from_unix_nanos(u64::MAX));
        assert_eq!(last.to_string().parse(), Ok(last));
    }

    #[test]
    fn what_is_no_clock_is_refused() {
        let check = |text: &str, expected: &str| {
            assert_eq!(
                text.parse::<Clock>().unwrap_err().to_string(),
                format!("invalid clock `{text}`: {expected}")
            );
        };
        let form =
            "expected `real`, `virtual`, or `fixed:` and an instant, such as fixed:2026-01-01T00:00:00Z";
        check("", form);
        check("2026-01-01T00:00:00Z", form);
        check("fixed:2026-01-01", form);
        check("fixed:", form);
        check("fixed:1969-12-31T23:59:59Z", "expected an instant between 1970 and 2554");
        check("fixed:2600-01-01T00:00:00Z", "expected an instant between 1970 and 2554");
    }

    #[test]
    fn randomness_is_read_and_written() {
        for (text, randomness) in [
            ("real", Randomness::Real),
            ("key", Randomness::Key),
            ("seed:0", Randomness::Seeded(0)),
            ("seed:18446744073709551615", Randomness::Seeded(u64::MAX)),
        ] {
            assert_eq!(text.parse(), Ok(randomness));
            assert_eq!(randomness.to_string(), text);
        }
        for text in ["", "42", "seed:", "seed:-1", "seed:+1", "seed:18446744073709551616", "seed:a"] {
            let expected = format!(
                "invalid randomness `{text}`: expected `real`, `key`, or `seed:` and a number from 0 to 18446744073709551615"
            );
            assert_eq!(text.parse::<Randomness>().unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn only_what_is_virtual_is_a_fact() {
        assert!(Determinism::default().facts().is_empty());
        let clock = "fixed:2026-01-01T00:00:00Z".parse().unwrap();
        let both = Determinism { clock, randomness: Randomness::Seeded(42) };
        assert_eq!(both.facts(), ["clock fixed:2026-01-01T00:00:00Z", "random seed:42"]);
        assert_eq!(Determinism { clock, ..Determinism::default() }.facts().len(), 1);
        assert_eq!(Determinism::DETERMINISTIC.facts(), ["clock virtual", "random key"]);
    }

    #[test]
    fn virtual_clocks_begin_at_a_fixed_instant() {
        let start = "fixed:2026-01-01T00:00:00Z".parse();
        assert_eq!(start, Ok(Clock::Fixed(Clock::VIRTUAL_START)));
    }
}
