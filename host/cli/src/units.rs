//! Parses durations and sizes: `1.5s`, `64MiB`.

use std::time::Duration;

use jiff::SignedDuration;

/// A day, for the longest times.
pub(crate) const DAY: Duration = Duration::from_hours(24);

/// Parses a duration: `200ms`, `1.5s`, `2m`, `1h30m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    text.parse::<SignedDuration>()
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| "expected a number and a unit, such as 200ms, 1.5s or 2m".to_owned())
}

/// Parses an age: a duration, or a number of days or weeks: `30d`, `4w`.
pub(crate) fn age(text: &str) -> Result<Duration, String> {
    long(text).ok_or_else(|| "expected a number and a unit, such as 12h, 30d or 4w".to_owned())
}

/// Parses a timeout: a duration, or a number of days or weeks.
pub(crate) fn timeout(text: &str) -> Result<Duration, String> {
    long(text).ok_or_else(|| "expected a number and a unit, such as 200ms, 1.5s, 2m or 30d".to_owned())
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
pub(crate) fn number(text: &str) -> Result<u64, String> {
    let digits = text.trim().replace([',', '_'], "");
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = Some(digits).filter(|_| is_number).and_then(|digits| digits.parse().ok());
    number.ok_or_else(|| "expected a whole number, such as 500 or 1,000,000".to_owned())
}

/// Parses a size: `64MiB`, `1GB`, `512 KiB`, or a bare number of bytes.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
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
    number
        .parse()
        .ok()
        .zip(factor)
        .and_then(|(number, (_, factor)): (u64, _)| number.checked_mul(*factor))
        .ok_or_else(|| "expected a number of bytes with or without a unit, such as 64MiB or 1GiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

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
    }

    #[test]
    fn a_timeout_may_be_of_days() {
        assert_eq!(timeout("366d"), Ok(DAY * 366));
        assert_eq!(timeout("2w"), Ok(DAY * 14));
        assert_eq!(timeout("1.5s"), Ok(Duration::from_millis(1_500)));
        assert!(timeout("5").is_err_and(|expected| expected.contains("200ms, 1.5s, 2m or 30d")));
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
}
