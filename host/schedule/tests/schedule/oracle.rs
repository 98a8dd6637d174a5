//! Cron expressions in the time zones of the database, beside an oracle that looks at every minute.
//!
//! The oracle knows no cron: each expression stands beside a table of the minutes of a day and of the days that it means. A few
//! zones are tried each time, chosen at random; with `HOSTEL_ALL_ZONES=1` all of them, which takes minutes.

use hostel_core::{Timestamp, When};
use hostel_schedule::{Timetable, zones};
use jiff::civil::{Date, Weekday, date};
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// Zones that are always tried: the clock changes by an hour, half an hour, two hours, at midnight, for Ramadan, and never.
const ALWAYS: [&str; 6] =
    ["Europe/Berlin", "Australia/Lord_Howe", "Antarctica/Troll", "Africa/Cairo", "Africa/Casablanca", "UTC"];

/// How many others are tried.
const CHOSEN: usize = 3;

const MINUTES_OF_DAY: i64 = 24 * 60;
const NANOS_OF_MINUTE: u64 = 60_000_000_000;

/// The three years, and some days before them, in which only the oracle's clock runs.
const BEGIN: Date = date(2026, 1, 1);
const END: Date = date(2029, 1, 1);
const WARM_UP_DAYS: i64 = 3;

struct Pattern {
    expression: &'static str,
    /// Whether it names times of the day, of which each date has each one once.
    of_times: bool,
    minutes: fn(hour: i64, minute: i64) -> bool,
    days: fn(Date) -> bool,
}

const PATTERNS: [Pattern; 10] = [
    Pattern { expression: "30 2 * * *", of_times: true, minutes: |h, m| (h, m) == (2, 30), days: |_| true },
    Pattern { expression: "@daily", of_times: true, minutes: |h, m| (h, m) == (0, 0), days: |_| true },
    Pattern { expression: "0 * * * *", of_times: false, minutes: |_, m| m == 0, days: |_| true },
    Pattern {
        expression: "*/15 1-3 * * *",
        of_times: false,
        minutes: |h, m| (1..=3).contains(&h) && m % 15 == 0,
        days: |_| true,
    },
    Pattern {
        expression: "15,45 0-4 * * ?",
        of_times: true,
        minutes: |h, m| h <= 4 && [15, 45].contains(&m),
        days: |_| true,
    },
    Pattern {
        expression: "0 12 L * *",
        of_times: true,
        minutes: |h, m| (h, m) == (12, 0),
        days: |day| day.tomorrow().unwrap().day() == 1,
    },
    Pattern {
        expression: "0 9 * * MON#1,FRIL",
        of_times: true,
        minutes: |h, m| (h, m) == (9, 0),
        days: |day| {
            let (is_first, is_last) = (day.day() <= 7, day.day() + 7 > day.days_in_month());
            day.weekday() == Weekday::Monday && is_first || day.weekday() == Weekday::Friday && is_last
        },
    },
    Pattern {
        expression: "59 23 15W * *",
        of_times: true,
        minutes: |h, m| (h, m) == (23, 59),
        days: |day| match (day.day(), day.weekday()) {
            (15, weekday) => weekday != Weekday::Saturday && weekday != Weekday::Sunday,
            // The 15th is the Saturday after, or the Sunday before.
            (14, weekday) => weekday == Weekday::Friday,
            (16, weekday) => weekday == Weekday::Monday,
            _ => false,
        },
    },
    Pattern {
        expression: "5 1 1,15 * SUN",
        of_times: true,
        minutes: |h, m| (h, m) == (1, 5),
        days: |day| [1, 15].contains(&day.day()) || day.weekday() == Weekday::Sunday,
    },
    Pattern {
        expression: "*/20 * 25-31 mar,oct +Sun",
        of_times: false,
        minutes: |_, m| m % 20 == 0,
        days: |day| [3, 10].contains(&day.month()) && day.day() >= 25 && day.weekday() == Weekday::Sunday,
    },
];

/// Minutes since 1970 at the beginning of a day in UTC.
fn minutes_of(day: Date) -> i64 {
    i64::from(day.since(date(1970, 1, 1)).unwrap().get_days()) * MINUTES_OF_DAY
}

/// The minutes of a zone: since 1970 in UTC, and on the clock.
fn clock(zone: &TimeZone) -> Vec<(i64, i64)> {
    let minutes = minutes_of(BEGIN) - WARM_UP_DAYS * MINUTES_OF_DAY..minutes_of(END);
    let shown = minutes.map(|minute| {
        let offset = zone.to_offset(jiff::Timestamp::from_second(minute * 60).unwrap()).seconds();
        assert_eq!(offset % 60, 0, "today's clocks differ by whole minutes");
        (minute, minute + i64::from(offset / 60))
    });
    shown.collect()
}

struct Oracle {
    minutes: Vec<bool>,
    /// From the day on that is `first_day` since 1970.
    days: Vec<bool>,
    first_day: i64,
}

impl Oracle {
    fn new(pattern: &Pattern) -> Self {
        let minutes = (0..MINUTES_OF_DAY).map(|minute| (pattern.minutes)(minute / 60, minute % 60));
        let first_day = minutes_of(BEGIN) / MINUTES_OF_DAY - WARM_UP_DAYS - 1;
        let first = BEGIN.checked_sub(jiff::Span::new().days(WARM_UP_DAYS + 1)).unwrap();
        let days = first.series(jiff::Span::new().days(1)).take_while(|day| *day <= END);
        let days = days.map(pattern.days).chain([false]);
        Self { minutes: minutes.collect(), days: days.collect(), first_day }
    }

    fn matches(&self, shown: i64) -> bool {
        let (day, minute) = (shown.div_euclid(MINUTES_OF_DAY), shown.rem_euclid(MINUTES_OF_DAY));
        let day = usize::try_from(day - self.first_day).unwrap();
        self.minutes[usize::try_from(minute).unwrap()] && self.days[day]
    }

    /// The minutes at which a pattern is due.
    fn slots(&self, of_times: bool, clock: &[(i64, i64)]) -> Vec<i64> {
        let mut latest_shown = clock[0].1;
        let mut slots = Vec::new();
        for (minute, shown) in &clock[1..] {
            let is_due = if of_times {
                // Empty while the clock repeats itself, and longer than one where it was put forward.
                (latest_shown + 1..=*shown).any(|shown| self.matches(shown))
            } else {
                self.matches(*shown)
            };
            latest_shown = latest_shown.max(*shown);
            if is_due && *minute >= minutes_of(BEGIN) {
                slots.push(*minute);
            }
        }
        slots
    }
}

fn check(name: &str, seed: u64) {
    let zone = TimeZoneDatabase::bundled().get(name).unwrap();
    let clock = clock(&zone);
    for pattern in &PATTERNS {
        let expression = pattern.expression;
        let when = When::Cron { expression: expression.into(), zone: name.into() };
        let timetable = Timetable::new(&when).unwrap();
        let expected = Oracle::new(pattern).slots(pattern.of_times, &clock);
        let mut last =
            Timestamp::from_unix_nanos(u64::try_from(minutes_of(BEGIN)).unwrap() * NANOS_OF_MINUTE - 1);
        for (index, minute) in expected.iter().enumerate() {
            let slot = timetable.next_after(last).unwrap();
            let expected = Timestamp::from_unix_nanos(u64::try_from(*minute).unwrap() * NANOS_OF_MINUTE);
            assert_eq!(
                timetable.local_text(slot),
                timetable.local_text(expected),
                "slot {index} of `{expression}` in {name}, seed {seed}"
            );
            last = slot;
        }
        let next = timetable.next_after(last).unwrap();
        let end = u64::try_from(minutes_of(END)).unwrap() * NANOS_OF_MINUTE;
        assert!(
            next.unix_nanos() >= end,
            "`{expression}` in {name} has no slot at {}",
            timetable.local_text(next)
        );
    }
}

#[test]
fn every_slot_is_where_the_clock_shows_it() {
    let mut names = zones();
    assert!(names.len() > 500, "the database is compiled in");
    names.sort();
    let seed = fastrand::u64(..);
    if std::env::var_os("HOSTEL_ALL_ZONES").is_none() {
        let chosen = fastrand::Rng::with_seed(seed).choose_multiple(names, CHOSEN);
        names = ALWAYS.iter().map(|name| (*name).to_owned()).chain(chosen).collect();
    }
    names.iter().for_each(|name| check(name, seed));
}
