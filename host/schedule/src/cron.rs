//! Cron expressions: their text, and the instants at which they are due in a time zone.
//!
//! croner parses an expression and finds the civil times that match it. Which instants they are is decided here, because a clock
//! that is put forward or back makes that a question of the expression: see [`Cron::next`].

use std::ops::Range;

use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::civil::{DateTime, date};
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::error::CronTextError;
use crate::field::{FIELDS, Mistake};

/// The longest expression, in bytes.
const MAX_BYTES: usize = 256;

/// The most civil times that are passed over because the clock repeats them: a day of seconds. No zone was ever put back further.
const MAX_REPEATED: usize = 86_400;

/// The most changes of a zone's clock that are passed over in search of a time: more than there are until the year 2554, the end of
/// [`hostel_core::Timestamp`].
const MAX_CHANGES: usize = 10_000;

/// The most fields, and how many an expression without seconds and years has.
const SHORT: usize = 5;

/// Short forms of expressions.
const NICKNAMES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// A cron expression that is due at least once.
#[derive(Clone, Debug)]
pub(crate) struct Cron {
    pattern: croner::Cron,
    /// Whether seconds, minutes and hours are all numbers, so that it names times of the day.
    is_of_times: bool,
}

impl Cron {
    /// Reads an expression: five fields (minute, hour, day of the month, month, day of the week), six with seconds in front, seven
    /// with years at the end, or a nickname such as `@daily`.
    pub(crate) fn read(text: &str) -> Result<Self, CronTextError> {
        let wrong = |at, problem: &str| CronTextError::new(text, at, problem);
        if text.len() > MAX_BYTES {
            let start: String = text.chars().take(SHORT).collect();
            let problem = format!("it has {} bytes, expected at most {MAX_BYTES}", text.len());
            return Err(CronTextError::new(&(start.clone() + "…"), 0..start.len(), problem));
        }
        let fields = numbers(text)?;
        let [seconds, minutes, hours, ..] = fields.as_slice() else {
            return Err(wrong(0..text.len(), "expected 5 to 7 fields"));
        };
        let is_of_times = [seconds, minutes, hours].iter().all(|field| !field.contains('*'));
        let parser = CronParser::builder().seconds(Seconds::Required).year(Year::Required).build();
        let pattern = parser.parse(&fields.join(" "));
        let pattern = pattern.map_err(|error| wrong(0..text.len(), &error.to_string()))?;
        let cron = Self { pattern, is_of_times };
        match cron.next_civil(date(1970, 1, 1).at(0, 0, 0, 0), true) {
            Some(_) => Ok(cron),
            None => Err(wrong(dates(text), "expected a date that exists, this one never comes")),
        }
    }

    /// The first instant after `after` at which it is due; `None` if there is none in the calendar.
    ///
    /// - An expression without `*` in its seconds, minutes and hours names times of the day, and each date has each of them once:
    ///   a time that the clock skips is due when the clock has been put forward, and one that it repeats is due the first time.
    /// - Any other expression is due whenever the clock shows a time that matches, which may be never or twice.
    ///
    /// The rule is that of cronie (<https://man7.org/linux/man-pages/man8/cron.8.html>).
    pub(crate) fn next(&self, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
        if self.is_of_times { self.next_time(zone, after) } else { self.next_match(zone, after) }
    }

    fn next_time(&self, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
        // Later civil times never become earlier instants, so nothing before this one is missed.
        let mut civil = zone.to_datetime(after);
        for _ in 0..MAX_REPEATED {
            civil = self.next_civil(civil, false)?;
            let at = first_instant(zone, civil)?;
            if at > after {
                return Some(at);
            }
        }
        None
    }

    /// Between two changes of the clock there is one instant for each civil time.
    fn next_match(&self, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
        let (mut from, mut inclusive) = (after, false);
        for _ in 0..MAX_CHANGES {
            let offset = zone.to_offset(from);
            let civil = self.next_civil(offset.to_datetime(from), inclusive)?;
            let at = offset.to_timestamp(civil).ok()?;
            match zone.following(from).next().map(|change| change.timestamp()) {
                Some(change) if change <= at => (from, inclusive) = (change, true),
                Some(_) | None => return Some(at),
            }
        }
        None
    }

    fn next_civil(&self, from: DateTime, inclusive: bool) -> Option<DateTime> {
        self.pattern.find_next_occurrence(&from, inclusive).ok()
    }

    /// The expression in words: `At 02:30, on Monday`.
    pub(crate) fn describe(&self) -> String {
        let text = self.pattern.describe();
        let text = text.trim_end_matches('.');
        text.strip_prefix("At every ").map_or_else(|| text.to_owned(), |rest| format!("Every {rest}"))
    }
}

/// The first instant at which a clock shows this time; for a time that it skips, the instant at which it does so.
fn first_instant(zone: &TimeZone, civil: DateTime) -> Option<Timestamp> {
    match zone.to_ambiguous_timestamp(civil).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(civil).ok(),
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(civil).ok(),
        AmbiguousOffset::Gap { after, .. } => {
            let just_before = after.to_timestamp(civil).ok()?;
            zone.following(just_before).next().map(|change| change.timestamp())
        }
    }
}

/// The seven fields, without names.
fn numbers(text: &str) -> Result<Vec<String>, CronTextError> {
    let text_of_error =
        |Mistake { at, expected }| CronTextError::new(text, at, format!("expected {expected}"));
    let fields = fields(text);
    let expanded = match fields.as_slice() {
        [(at, name)] if name.starts_with('@') => nickname(name, *at).map_err(text_of_error)?,
        _ => return read_fields(&fields, text.trim_end().len()).map_err(text_of_error),
    };
    read_fields(&self::fields(expanded), expanded.len()).map_err(text_of_error)
}

fn nickname(name: &str, at: usize) -> Result<&'static str, Mistake> {
    let found = NICKNAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, expression)| *expression).ok_or_else(|| {
        let names = NICKNAMES.map(|(name, _)| name).join(", ");
        Mistake { at: at..at + name.len(), expected: format!("one of {names}") }
    })
}

/// `end` is the end of the last field.
fn read_fields(fields: &[(usize, &str)], end: usize) -> Result<Vec<String>, Mistake> {
    let count = fields.len();
    if !(SHORT..=FIELDS.len()).contains(&count) {
        let at = fields.get(FIELDS.len()).map_or(end, |(at, _)| *at);
        let expected = format!(
            "5 fields, found {count}: minute, hour, day of the month, month, day of the week; 6 with seconds in front, 7 with \
             years at the end"
        );
        return Err(Mistake { at: at..end.max(at), expected });
    }
    let first = usize::from(count == SHORT);
    let read = FIELDS.iter().skip(first).zip(fields).map(|(field, (at, text))| field.read(text, *at));
    let mut all: Vec<_> = read.collect::<Result<_, _>>()?;
    if first == 1 {
        all.insert(0, "0".to_owned());
    }
    if all.len() < FIELDS.len() {
        all.push("*".to_owned());
    }
    Ok(all)
}

/// The parts between blanks, and where each begins.
fn fields(text: &str) -> Vec<(usize, &str)> {
    let mut at = 0;
    let parts = text.split(|character: char| character.is_ascii_whitespace()).map(|part| {
        let begin = at;
        at += part.len() + 1;
        (begin, part)
    });
    parts.filter(|(_, part)| !part.is_empty()).collect()
}

/// The place of the fields that make a date.
fn dates(text: &str) -> Range<usize> {
    let fields = fields(text);
    let times = if fields.len() == SHORT { 2 } else { 3 };
    let begin = fields.get(times).map_or(0, |(at, _)| *at);
    begin..text.trim_end().len()
}
