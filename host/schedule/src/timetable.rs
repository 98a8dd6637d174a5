//! When a schedule is due: its next slots, and those that passed.

use std::time::Duration;

use hostel_core::{Missed, Schedule, Timestamp, When};
use jiff::SignedDuration;
use jiff::tz::TimeZone;

use crate::cron::Cron;
use crate::{TimetableError, zone};

/// The most slots that are returned at once.
pub const MAX_SLOTS: usize = 1_000;

/// A slot that is not older than this is due just now, and not missed: a program that is busy may look so late.
pub const PUNCTUAL: Duration = Duration::from_secs(10);

/// The times at which a schedule is due. Making one reads the expression and looks up the zone, which takes microseconds.
#[derive(Clone, Debug)]
pub struct Timetable(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Cron {
        cron: Box<Cron>,
        zone: TimeZone,
    },
    /// Both in nanoseconds.
    Every {
        interval: i128,
        anchor: i128,
    },
}

/// The slots of a schedule that are due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueSlots {
    /// The slots to fire, in order.
    pub slots: Vec<Timestamp>,
    /// The next slot after them, and after those that the policy lets pass. It may be due already, if there are more than were
    /// asked for.
    pub next: Option<Timestamp>,
}

impl Timetable {
    /// The times of a schedule.
    ///
    /// # Errors
    ///
    /// [`TimetableError`] for a text that is no cron expression, for one that never fires, for an unknown time zone, and for an
    /// interval out of its range.
    pub fn new(when: &When) -> Result<Self, TimetableError> {
        Ok(Self(match when {
            When::Cron { expression, zone } => {
                Kind::Cron { cron: Cron::read(expression)?.into(), zone: zone::find(zone)? }
            }
            When::Every { interval, anchor } => {
                let fits = (Schedule::MIN_INTERVAL..=Schedule::MAX_INTERVAL).contains(interval);
                let nanos = i128::try_from(interval.as_nanos()).ok().filter(|_| fits);
                let interval = nanos.ok_or(TimetableError::Interval { interval: *interval })?;
                Kind::Every { interval, anchor: anchor.unix_nanos().into() }
            }
        }))
    }

    /// The first slot after an instant; `None` if there is none before the year 2554.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        match &self.0 {
            Kind::Cron { cron, zone } => {
                let after = jiff::Timestamp::from_nanosecond(after.unix_nanos().into()).ok()?;
                instant(cron.next(zone, after)?.as_nanosecond())
            }
            Kind::Every { interval, anchor } => {
                let passed = (i128::from(after.unix_nanos()) - anchor).div_euclid(*interval);
                instant(anchor + (passed + 1) * interval)
            }
        }
    }

    /// The next slots after an instant, at most `count` and [`MAX_SLOTS`].
    pub fn upcoming(&self, after: Timestamp, count: usize) -> Vec<Timestamp> {
        let slots = std::iter::successors(self.next_after(after), |slot| self.next_after(*slot));
        slots.take(count.min(MAX_SLOTS)).collect()
    }

    /// The slots to fire now: of those after `last` (the last slot that fired or was left out) and not after `now`, the ones that the
    /// policy asks for. At most `most` and [`MAX_SLOTS`] at once; `next` then is the first of the others. A clock that was set
    /// back has no slots until it has passed `last` again.
    pub fn due_slots(&self, last: Timestamp, now: Timestamp, missed: Missed, most: usize) -> DueSlots {
        let slots = match missed {
            Missed::All => {
                let mut slots = self.upcoming(last, most);
                slots.retain(|slot| *slot <= now);
                slots
            }
            Missed::Last => self.latest(last, now).into_iter().take(most).collect(),
            Missed::None => {
                self.latest(last.max(before(now, PUNCTUAL)), now).into_iter().take(most).collect()
            }
        };
        let passed = match (missed, slots.last()) {
            (Missed::All, newest) => newest.copied().unwrap_or(last),
            (Missed::Last | Missed::None, _) => last.max(now),
        };
        DueSlots { slots, next: self.next_after(passed) }
    }

    /// The last slot after `after` and not after `now`. The range is halved until it is shorter than a second, so that it does
    /// not matter how many slots are in it.
    fn latest(&self, after: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let mut found = self.next_after(after).filter(|slot| *slot <= now)?;
        let mut end = now;
        while end.since(found) >= Schedule::MIN_INTERVAL {
            let middle = found.after(end.since(found) / 2);
            match self.next_after(middle).filter(|slot| *slot <= now) {
                Some(slot) => found = slot,
                None => end = middle,
            }
        }
        Some(found)
    }

    /// The schedule in words: `At 02:30, on Monday (Europe/Berlin)`, `Every 5m`.
    pub fn describe(&self) -> String {
        match &self.0 {
            Kind::Cron { cron, zone } => {
                format!("{} ({})", cron.describe(), zone.iana_name().unwrap_or("UTC"))
            }
            Kind::Every { interval, .. } => {
                let interval = SignedDuration::try_from_nanos_i128(*interval).unwrap_or_default();
                format!("Every {interval:#}")
            }
        }
    }

    /// An instant on the clock of the schedule's time zone, and UTC for intervals: `2026-03-29 03:00:00 +02:00`.
    pub fn local_text(&self, at: Timestamp) -> String {
        let zone = match &self.0 {
            Kind::Cron { zone, .. } => zone.clone(),
            Kind::Every { .. } => TimeZone::UTC,
        };
        let at = jiff::Timestamp::from_nanosecond(at.unix_nanos().into()).unwrap_or_default();
        at.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
    }
}

fn instant(nanos: i128) -> Option<Timestamp> {
    u64::try_from(nanos).ok().map(Timestamp::from_unix_nanos)
}

fn before(at: Timestamp, time: Duration) -> Timestamp {
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    Timestamp::from_unix_nanos(at.unix_nanos().saturating_sub(nanos))
}
