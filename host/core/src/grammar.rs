//! The text grammar of options: one function for each form of value.
//!
//! The command line, `hostel.toml` and [`TaskSpec::set`](crate::TaskSpec::set) use the same functions.
//! Options whose type implements [`FromStr`](std::str::FromStr) ([`RetryOn`](crate::RetryOn), [`CachePolicy`](crate::CachePolicy),
//! [`Clock`](crate::Clock), [`HttpGrant`](crate::HttpGrant) and others) have no function here.

use std::borrow::Cow;
use std::time::Duration;

use jiff::SignedDuration;

use crate::{DirGrant, ErrorKind, Limits, RetryDelay, RetryError, RetryPolicy, Tag, check_tag};

/// Long durations are given in days.
pub const DAY: Duration = Duration::from_hours(24);

/// A text that is no value of an option. Displays the expected form: `expected true or false`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{expected}")]
pub struct OptionTextError {
    expected: Cow<'static, str>,
}

impl OptionTextError {
    /// An error that displays this text: the expected form.
    pub fn new(expected: impl Into<Cow<'static, str>>) -> Self {
        Self { expected: expected.into() }
    }

    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl From<OptionTextError> for String {
    fn from(error: OptionTextError) -> Self {
        error.expected.into_owned()
    }
}

/// The result of a function of this module.
pub type Read<T> = Result<T, OptionTextError>;

fn expected<T>(expected: impl Into<Cow<'static, str>>) -> Read<T> {
    Err(OptionTextError::new(expected))
}

/// Parses a duration: `200ms`, `1.5s`, `2m`, `1h30m`.
///
/// # Errors
///
/// [`OptionTextError`] if the text is no duration, or a negative one.
pub fn duration(text: &str) -> Read<Duration> {
    let duration = text.parse::<SignedDuration>().ok().and_then(|duration| Duration::try_from(duration).ok());
    duration.map_or_else(|| expected("expected a number and a unit, such as 200ms, 1.5s or 2m"), Ok)
}

/// Parses an age: a duration, or a whole number of days or weeks: `30d`, `4w`.
///
/// # Errors
///
/// [`OptionTextError`] if the text is neither.
pub fn age(text: &str) -> Read<Duration> {
    long(text).map_or_else(|| expected("expected a number and a unit, such as 12h, 30d or 4w"), Ok)
}

/// Parses a timeout: a duration, or a whole number of days or weeks.
///
/// # Errors
///
/// [`OptionTextError`] if the text is neither.
pub fn timeout(text: &str) -> Read<Duration> {
    long(text).map_or_else(|| expected("expected a number and a unit, such as 200ms, 1.5s, 2m or 30d"), Ok)
}

fn long(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u64); 2] = [("d", 1), ("w", 7)];
    let days = UNITS.iter().find_map(|(unit, days)| {
        let number: u64 = text.trim().strip_suffix(unit)?.trim_end().parse().ok()?;
        number.checked_mul(*days)?.checked_mul(DAY.as_secs())
    });
    days.map(Duration::from_secs).or_else(|| duration(text).ok())
}

/// Parses a whole number, which may have commas or underscores between its digits: `1000000`, `1,000,000`.
///
/// # Errors
///
/// [`OptionTextError`] if the text is anything else, or more than 64 bits.
pub fn number(text: &str) -> Read<u64> {
    let digits = text.trim().replace([',', '_'], "");
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = Some(digits).filter(|_| is_number).and_then(|digits| digits.parse().ok());
    number.map_or_else(|| expected("expected a whole number, such as 500 or 1,000,000"), Ok)
}

/// Parses a size in bytes: `64MiB`, `1GB`, `512 KiB`, or a bare number of bytes.
///
/// # Errors
///
/// [`OptionTextError`] if the text is anything else, or more than 64 bits.
pub fn bytes(text: &str) -> Read<u64> {
    const UNITS: [(&str, u64); 10] = [
        ("", 1),
        ("B", 1),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
    ];
    let text = text.trim();
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim_start();
    let factor = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
    let product = |(number, (_, factor)): (u64, &(&str, u64))| number.checked_mul(*factor);
    let bytes = number.parse().ok().zip(factor).and_then(product);
    bytes.map_or_else(
        || expected("expected a number of bytes with or without a unit, such as 64MiB or 1GiB"),
        Ok,
    )
}

/// Parses the number of retries.
///
/// # Errors
///
/// [`OptionTextError`] if the text is no number up to [`RetryPolicy::MAX_RETRIES`].
pub fn retries(text: &str) -> Read<u32> {
    let policy = |retries| RetryPolicy { retries, ..RetryPolicy::default() };
    let retries = text.parse().ok().filter(|&retries| policy(retries).validate().is_ok());
    retries.map_or_else(
        || expected(format!("expected a whole number from 0 to {}", RetryPolicy::MAX_RETRIES)),
        Ok,
    )
}

/// Parses the waits before retries: `1s`, `1s,10s,1m` or `exp:1s`.
///
/// # Errors
///
/// [`OptionTextError`] if the text is anything else, or a wait is longer than [`RetryPolicy::MAX_DELAY`].
pub fn retry_delay(text: &str) -> Read<RetryDelay> {
    let time = |text: &str| {
        let wrong = "expected a time such as 1s, several such as 1s,10s,1m, or exp:1s to double it each time";
        duration(text.trim()).map_err(|_| OptionTextError::new(wrong))
    };
    let delay = match text.strip_prefix("exp:") {
        Some(first) => RetryDelay::Exponential(time(first)?),
        None => match text.split(',').map(time).collect::<Result<Vec<Duration>, _>>()?.as_slice() {
            [only] => RetryDelay::Fixed(*only),
            several => RetryDelay::List(several.to_vec()),
        },
    };
    valid_retries(&RetryPolicy { delay: delay.clone(), ..RetryPolicy::default() })?;
    Ok(delay)
}

/// Parses the jitter of waits, as a fraction of them.
///
/// # Errors
///
/// [`OptionTextError`] if the text is no number from 0 to [`RetryPolicy::MAX_JITTER`].
pub fn retry_jitter(text: &str) -> Read<f64> {
    let wrong = || OptionTextError::new(format!("expected a number from 0 to {}", RetryPolicy::MAX_JITTER));
    let jitter = text.parse().map_err(|_| wrong())?;
    valid_retries(&RetryPolicy { jitter, ..RetryPolicy::default() })?;
    Ok(jitter)
}

fn valid_retries(policy: &RetryPolicy) -> Read<()> {
    policy.validate().map_err(|error| {
        OptionTextError::new(match error {
            RetryError::Delay { .. } => {
                format!("expected at most {} days", RetryPolicy::MAX_DELAY.as_secs() / DAY.as_secs())
            }
            RetryError::Jitter { .. } => format!("expected a number from 0 to {}", RetryPolicy::MAX_JITTER),
            RetryError::Retries { .. } | RetryError::NoDelays => error.to_string(),
        })
    })
}

/// Parses the timeout of a whole run.
///
/// # Errors
///
/// [`OptionTextError`] if the text is no duration, zero, or more than a year.
pub fn run_timeout(text: &str) -> Read<Duration> {
    let most = Limits::MAX.timeout.unwrap_or(Duration::MAX);
    let timeout = Some(timeout(text)?).filter(|timeout| !timeout.is_zero() && *timeout <= most);
    let days = most.as_secs() / DAY.as_secs();
    timeout.map_or_else(|| expected(format!("expected more than zero and at most {days} days")), Ok)
}

/// Parses the age at which cached results expire.
///
/// # Errors
///
/// [`OptionTextError`] if the text is no age, or zero.
pub fn cache_expiration(text: &str) -> Read<Duration> {
    let age = Some(age(text)?).filter(|age| !age.is_zero());
    age.map_or_else(|| expected("expected more than zero; to use no cached result, use --refresh-cache"), Ok)
}

/// Parses a tag, as [`check_tag`] allows it.
///
/// # Errors
///
/// [`OptionTextError`] with the reason why the text is no tag.
pub fn tag(text: &str) -> Read<Tag> {
    check_tag(text).map_err(|error| OptionTextError::new(error.to_string()))?;
    Ok(text.into())
}

/// Parses a directory to grant: `HOST[::GUEST][:ro|:rw]`.
///
/// # Errors
///
/// [`OptionTextError`] if one of the paths is missing.
pub fn dir(text: &str) -> Read<DirGrant> {
    let grant = text.parse::<DirGrant>();
    grant.map_err(|error| OptionTextError::new(format!("{error}, optionally followed by :ro or :rw")))
}

/// Parses a priority; a higher one goes first.
///
/// # Errors
///
/// [`OptionTextError`] if the text is no whole number of 32 bits.
pub fn priority(text: &str) -> Read<i32> {
    let wrong = || expected(format!("expected a whole number from {} to {}", i32::MIN, i32::MAX));
    text.parse().map_or_else(|_| wrong(), Ok)
}

/// Parses `true` or `false`.
///
/// # Errors
///
/// [`OptionTextError`] if the text is neither.
pub fn flag(text: &str) -> Read<bool> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => expected("expected true or false"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn durations_are_read() {
        let check =
            |text, millis: u64| assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        check("200ms", 200);
        check("1.5s", 1_500);
        check("2m", 120_000);
        check("1h30m", 5_400_000);
        check("0s", 0);
        for wrong in ["", "5", "-1s", "s", "1 fortnight", "1.5"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ages_are_read() {
        let check = |text, hours: u64| assert_eq!(age(text), Ok(Duration::from_hours(hours)), "{text}");
        check("12h", 12);
        check("30d", 30 * 24);
        check("4 w", 4 * 7 * 24);
        check("0s", 0);
        for wrong in ["", "d", "1.5d", "-1d", "1y", "99999999999999999999d", "18446744073709551615w"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
        assert!(cache_expiration("0s").is_err() && cache_expiration("1d") == Ok(DAY));
    }

    #[test]
    fn a_timeout_may_be_of_days() {
        assert_eq!(timeout("366d"), Ok(DAY * 366));
        assert_eq!(timeout("2w"), Ok(DAY * 14));
        assert_eq!(timeout("1.5s"), Ok(Duration::from_millis(1_500)));
        assert!(timeout("5").is_err_and(|error| error.to_string().contains("200ms, 1.5s, 2m or 30d")));
        assert_eq!(run_timeout("366d"), Ok(DAY * 366));
        assert!(run_timeout("367d").is_err() && run_timeout("0s").is_err());
    }

    #[test]
    fn numbers_are_read() {
        let check = |text, expected: u64| assert_eq!(number(text), Ok(expected), "{text}");
        check("0", 0);
        check("1,000,000", 1_000_000);
        check(" 1_000 ", 1_000);
        for wrong in ["", "-1", "+1", "1.5", "1k", "99999999999999999999"] {
            assert!(number(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_are_read() {
        let check = |text, expected: u64| assert_eq!(bytes(text), Ok(expected), "{text}");
        check("1000", 1_000);
        check("64MiB", 64 << 20);
        check("64 mib", 64 << 20);
        check("1GB", 1_000_000_000);
        check("17B", 17);
        check("1TiB", 1 << 40);
        check("2 TB", 2_000_000_000_000);
        for wrong in ["", "MiB", "1.5GiB", "-1", "1 stone", "99999999999GiB"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn delays_are_read() {
        let check = |text, expected: RetryDelay| assert_eq!(retry_delay(text), Ok(expected), "{text}");
        check("1s", secs(1).into());
        check("0s", secs(0).into());
        check("1s,10s, 1m", [secs(1), secs(10), secs(60)].into());
        check("exp:1.5s", RetryDelay::Exponential(Duration::from_millis(1_500)));
        check("8784h", RetryPolicy::MAX_DELAY.into());
        for wrong in ["", "1", "-1s", "1s,", "exp:", "exp:1s,2s", "exp", "8785h", "exp:8785h", "1s,8785h"] {
            assert!(retry_delay(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_of_retries_are_read_within_their_bounds() {
        assert_eq!([retries("0"), retries("10000")], [Ok(0), Ok(10_000)]);
        for wrong in ["", "-1", "1.5", "10001", "99999999999", "many"] {
            assert!(retries(wrong).is_err(), "{wrong}");
        }
        let jitters = ["0", "0.3", "10"].map(retry_jitter);
        assert_eq!(jitters, [Ok(0.0), Ok(0.3), Ok(10.0)]);
        for wrong in ["", "-0.1", "10.1", "NaN", "inf", "much"] {
            assert!(retry_jitter(wrong).is_err(), "{wrong}");
        }
    }
}
