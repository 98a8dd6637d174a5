//! Instants and durations, as all shapes write them.

use std::time::Duration;

use hostel::Timestamp;

/// An instant in RFC 3339: `2026-11-21T15:22:01.5Z`.
pub fn instant(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_nanosecond(at.unix_nanos().into());
    // Every instant of the host is within the calendar.
    at.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

/// Reads an instant in RFC 3339, with any offset; `None` if the text is none, or before 1970.
pub fn parse_instant(text: &str) -> Option<Timestamp> {
    let at = text.parse::<jiff::Timestamp>().ok()?;
    u64::try_from(at.as_nanosecond()).ok().map(Timestamp::from_unix_nanos)
}

/// A duration in whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A duration in milliseconds with three digits after the point: finer digits are noise.
pub(crate) fn exact_millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_have_as_many_digits_as_they_need() {
        let check = |nanos, expected: &str| assert_eq!(instant(Timestamp::from_unix_nanos(nanos)), expected);
        check(0, "1970-01-01T00:00:00Z");
        check(1_795_274_521_500_000_000, "2026-11-21T15:22:01.5Z");
        check(1_795_274_521_000_000_001, "2026-11-21T15:22:01.000000001Z");
    }

    #[test]
    fn instants_are_read_with_any_offset() {
        let at = Timestamp::from_unix_nanos(1_795_274_521_500_000_000);
        assert_eq!(parse_instant("2026-11-21T15:22:01.5Z"), Some(at));
        assert_eq!(parse_instant("2026-11-21T16:22:01.5+01:00"), Some(at));
        assert_eq!((parse_instant("1969-01-01T00:00:00Z"), parse_instant("tomorrow")), (None, None));
    }

    #[test]
    fn durations_are_in_milliseconds() {
        assert_eq!(millis(Duration::from_micros(1_999)), 1);
        assert_eq!(millis(Duration::MAX), u64::MAX);
        assert_eq!(exact_millis(Duration::from_nanos(1_234_567)), 1.235);
    }
}
