//! How many runs were submitted when, by the states that they have now.

use std::time::Duration;

use crate::{ErrorKind, RunCounts, State, Timestamp};

/// The most intervals of a histogram.
pub const MAX_BUCKETS: u64 = 2_000;

/// Which histogram to return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistogramRequest {
    /// From when on; rounded down to a whole interval.
    pub from: Timestamp,
    /// Until when; rounded up to a whole interval.
    pub until: Timestamp,
    /// The length of an interval: whole minutes, at least one. Intervals begin at multiples of it since 1970.
    pub interval: Duration,
}

/// The runs that were submitted in one interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// When the interval begins.
    pub from: Timestamp,
    /// How many there still are, by state. None are counted as removed.
    pub counts: RunCounts,
}

/// A histogram that no journal returns.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HistogramError {
    /// The interval is no whole number of minutes.
    #[error("an interval of {interval:?}: expected whole minutes, at least one")]
    Interval {
        /// The interval.
        interval: Duration,
    },
    /// There are too many intervals.
    #[error("a histogram of {count} intervals: expected at most {MAX_BUCKETS}")]
    TooMany {
        /// How many there are.
        count: u64,
    },
}

impl HistogramError {
    /// Always [`ErrorKind::Invalid`].
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

/// Nanoseconds.
const MINUTE: u64 = 60_000_000_000;

/// The minute of a time, counted from 1970; for drivers, which store a count for each minute and state. Times after the year 2262 are in
/// one minute.
pub fn minute_of(time: Timestamp) -> u64 {
    time.unix_nanos().min(i64::MAX.cast_unsigned()) / MINUTE
}

impl HistogramRequest {
    /// The minutes from the first one on, and before the last one; for drivers.
    ///
    /// # Errors
    ///
    /// [`HistogramError`].
    pub fn minutes(&self) -> Result<(u64, u64), HistogramError> {
        let error = HistogramError::Interval { interval: self.interval };
        let nanos = self.interval.as_nanos();
        if nanos == 0 || !nanos.is_multiple_of(u128::from(MINUTE)) {
            return Err(error);
        }
        let each = u64::try_from(nanos / u128::from(MINUTE)).map_err(|_| error)?;
        let first = minute_of(self.from) / each;
        let last = self.until.unix_nanos().min(i64::MAX.cast_unsigned()).div_ceil(MINUTE).div_ceil(each);
        let count = last.saturating_sub(first);
        if count > MAX_BUCKETS {
            return Err(HistogramError::TooMany { count });
        }
        Ok((first * each, last.saturating_mul(each)))
    }

    /// The intervals that have runs, from the counts of minutes in ascending order; for drivers.
    pub fn group(&self, minutes: impl IntoIterator<Item = (u64, State, u64)>) -> Vec<Bucket> {
        let each = u64::try_from(self.interval.as_nanos() / u128::from(MINUTE)).unwrap_or(u64::MAX).max(1);
        let mut buckets: Vec<Bucket> = Vec::new();
        for (minute, state, count) in minutes {
            let from = Timestamp::from_unix_nanos((minute / each * each).saturating_mul(MINUTE));
            match buckets.last_mut().filter(|last| last.from == from) {
                Some(last) => last.counts.add(state, count),
                None => buckets.push(Bucket { from, counts: RunCounts::of_parts([(state, count)], 0) }),
            }
        }
        buckets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn minute(minute: u64) -> Timestamp {
        Timestamp::from_unix_nanos(minute * MINUTE)
    }

    #[test]
    fn minutes_are_grouped() {
        let interval = Duration::from_secs(600);
        let request = HistogramRequest { from: minute(15), until: minute(31), interval };
        assert_eq!(request.minutes(), Ok((10, 40)));
        let buckets = request.group([
            (10, State::Failed, 1),
            (10, State::Completed, 4),
            (19, State::Failed, 2),
            (30, State::Pending, 7),
        ]);
        assert_eq!(buckets.iter().map(|bucket| bucket.from).collect::<Vec<_>>(), [minute(10), minute(30)]);
        assert_eq!((buckets[0].counts.of(State::Failed), buckets[0].counts.total()), (3, 7));
    }

    #[test]
    fn what_is_too_fine_is_refused() {
        let check = |seconds, until| {
            let interval = Duration::from_secs(seconds);
            HistogramRequest { from: minute(0), until, interval }.minutes().map_err(|error| error.to_string())
        };
        let whole = "expected whole minutes, at least one";
        assert_eq!(check(0, minute(1)), Err(format!("an interval of 0ns: {whole}")));
        assert_eq!(check(90, minute(1)), Err(format!("an interval of 90s: {whole}")));
        assert_eq!(check(60, minute(MAX_BUCKETS)), Ok((0, MAX_BUCKETS)));
        let many = "a histogram of 2001 intervals: expected at most 2000";
        assert_eq!(check(60, minute(MAX_BUCKETS + 1)), Err(many.to_owned()));
        assert_eq!(check(u64::MAX / 60 * 60, Timestamp::from_unix_nanos(u64::MAX)), Ok((0, u64::MAX / 60)));
    }
}
