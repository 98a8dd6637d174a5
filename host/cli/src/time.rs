//! Points in time on the command line.

use std::time::{Duration, SystemTime};

use hostel::{Timestamp, grammar};

/// The farthest that a run may be delayed: ten years. A time beyond it is a mistake.
pub(crate) const FARTHEST: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

/// The time.
pub(crate) fn now() -> Timestamp {
    SystemTime::now().into()
}

/// Reads a time in the future.
pub(crate) fn at(text: &str) -> Result<Timestamp, String> {
    read(text, now())
}

/// Reads how much later something is to happen.
pub(crate) fn later(text: &str) -> Result<Duration, String> {
    let later = grammar::age(text)?;
    if later > FARTHEST { Err("it is more than ten years".to_owned()) } else { Ok(later) }
}

fn read(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let expected = "expected a time such as 2026-12-24T18:00:00Z or 2026-12-24T19:00:00+01:00";
    let at = text.parse::<jiff::Timestamp>().map_err(|_| expected.to_owned())?;
    let nanos = u64::try_from(at.as_nanosecond()).map_err(|_| "it is in the past".to_owned())?;
    let at = Timestamp::from_unix_nanos(nanos);
    if at < now {
        return Err("it is in the past: expected a later time, or no --at to begin now".to_owned());
    }
    if at.since(now) > FARTHEST {
        return Err("it is more than ten years away".to_owned());
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_the_future_and_not_absurd() {
        let now = Timestamp::from_unix_nanos(1_795_274_521_000_000_000);
        let check = |text: &str, expected: Result<u64, &str>| {
            let found = read(text, now).map(Timestamp::unix_nanos);
            match expected {
                Ok(nanos) => assert_eq!(found, Ok(nanos), "{text}"),
                Err(part) => {
                    assert!(found.clone().is_err_and(|error| error.contains(part)), "{text}: {found:?}")
                }
            }
        };
        check("2026-11-21T15:22:02Z", Ok(1_795_274_522_000_000_000));
        check("2026-11-21T16:22:02+01:00", Ok(1_795_274_522_000_000_000));
        check("2026-11-21T15:22:00Z", Err("in the past"));
        check("1960-01-01T00:00:00Z", Err("in the past"));
        check("2096-01-01T00:00:00Z", Err("more than ten years away"));
        check("tomorrow", Err("expected a time such as"));
        check("2026-11-21", Err("expected a time such as"));
    }
}
