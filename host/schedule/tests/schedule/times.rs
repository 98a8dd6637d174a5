//! Single schedules: changes of the clock, intervals, missed slots, words and mistakes.

use std::time::Duration;

use hostel_core::{ErrorKind, Missed, Timestamp, When};
use hostel_schedule::{DueSlots, MAX_SLOTS, PUNCTUAL, Timetable, TimetableError};

fn at(text: &str) -> Timestamp {
    let at: jiff::Timestamp = text.parse().unwrap();
    Timestamp::from_unix_nanos(at.as_nanosecond().try_into().unwrap())
}

fn cron(expression: &str, zone: &str) -> Timetable {
    let when = When::Cron { expression: expression.into(), zone: zone.into() };
    Timetable::new(&when).unwrap_or_else(|error| panic!("{error}"))
}

fn every(interval: Duration, anchor: &str) -> Timetable {
    Timetable::new(&When::Every { interval, anchor: at(anchor) }).unwrap()
}

#[track_caller]
fn check_next(timetable: &Timetable, after: &str, expected: &[&str]) {
    let next: Vec<_> = timetable.upcoming(at(after), expected.len());
    let next: Vec<_> = next.iter().map(|slot| timetable.local_text(*slot)).collect();
    assert_eq!(next, expected);
}

#[test]
fn a_time_that_the_clock_skips_is_due_when_it_does() {
    let nightly = cron("30 2 * * *", "Europe/Berlin");
    let expected = ["2026-03-28 02:30:00 +01:00", "2026-03-29 03:00:00 +02:00", "2026-03-30 02:30:00 +02:00"];
    check_next(&nightly, "2026-03-27T12:00:00Z", &expected);
    // Two times that are skipped are due once.
    let twice = cron("15,45 2,3 * * *", "Europe/Berlin");
    let expected = ["2026-03-29 03:00:00 +02:00", "2026-03-29 03:15:00 +02:00", "2026-03-29 03:45:00 +02:00"];
    check_next(&twice, "2026-03-28T12:00:00Z", &expected);
    // What is due whenever the clock shows it is not due while the clock does not.
    let often = cron("*/30 2 * * *", "Europe/Berlin");
    check_next(&often, "2026-03-28T12:00:00Z", &["2026-03-30 02:00:00 +02:00"]);
    // A whole day was skipped.
    let apia = cron("30 2 30 12 *", "Pacific/Apia");
    check_next(&apia, "2011-12-20T00:00:00Z", &["2011-12-31 00:00:00 +14:00", "2012-12-30 02:30:00 +14:00"]);
}

#[test]
fn a_time_that_the_clock_repeats_is_due_once() {
    let nightly = cron("30 2 * * *", "Europe/Berlin");
    let expected = ["2026-10-25 02:30:00 +02:00", "2026-10-26 02:30:00 +01:00"];
    check_next(&nightly, "2026-10-24T12:00:00Z", &expected);
    // Seen from between the two.
    check_next(&nightly, "2026-10-25T00:45:00Z", &expected[1..]);
    check_next(&nightly, "2026-10-25T01:15:00Z", &expected[1..]);
    let list = cron("0,30 2 * * *", "Europe/Berlin");
    check_next(
        &list,
        "2026-10-24T12:00:00Z",
        &["2026-10-25 02:00:00 +02:00", "2026-10-25 02:30:00 +02:00", "2026-10-26 02:00:00 +01:00"],
    );
    // What is due whenever the clock shows it is due twice.
    let often = cron("*/30 2 * * *", "Europe/Berlin");
    let expected = [
        "2026-10-25 02:00:00 +02:00",
        "2026-10-25 02:30:00 +02:00",
        "2026-10-25 02:00:00 +01:00",
        "2026-10-25 02:30:00 +01:00",
        "2026-10-26 02:00:00 +01:00",
    ];
    check_next(&often, "2026-10-24T12:00:00Z", &expected);
}

#[test]
fn intervals_do_not_depend_on_the_clock() {
    let quarter = every(Duration::from_secs(900), "2026-01-01T00:05:00Z");
    // 02:00 to 03:00 in Berlin, twice.
    let slots = quarter.upcoming(at("2026-10-25T00:00:00Z"), 8);
    let steps: Vec<_> = slots.windows(2).map(|pair| pair[1].since(pair[0]).as_secs()).collect();
    assert_eq!((slots[0], steps), (at("2026-10-25T00:05:00Z"), vec![900; 7]));
    // Before the anchor too, and never at the instant itself.
    check_next(
        &quarter,
        "2025-12-31T23:40:00Z",
        &["2025-12-31 23:50:00 +00:00", "2026-01-01 00:05:00 +00:00"],
    );
    check_next(&quarter, "2026-01-01T00:05:00Z", &["2026-01-01 00:20:00 +00:00"]);
}

#[test]
fn expressions_may_have_seconds_and_years() {
    let seconds = cron("*/20 30 2 * * *", "UTC");
    let expected = ["2026-01-01 02:30:00 +00:00", "2026-01-01 02:30:20 +00:00", "2026-01-01 02:30:40 +00:00"];
    check_next(&seconds, "2026-01-01T00:00:00Z", &expected);
    check_next(&seconds, "2026-01-01T02:30:00.5Z", &expected[1..]);
    let year = cron("0 0 0 29 2 * 2026-2034", "UTC");
    assert_eq!(year.upcoming(at("2026-01-01T00:00:00Z"), 5).len(), 2);
    assert_eq!(year.next_after(at("2032-03-01T00:00:00Z")), None);
    let late = Timestamp::from_unix_nanos(u64::MAX);
    assert_eq!(cron("* * * * *", "UTC").next_after(late), None);
    assert_eq!(every(Duration::from_secs(1), "2026-01-01T00:00:00Z").next_after(late), None);
}

#[test]
fn special_days() {
    let check = |expression, expected: [&str; 2]| {
        let expected = expected.map(|day| format!("{day} 00:00:00 +00:00"));
        let expected: Vec<_> = expected.iter().map(String::as_str).collect();
        check_next(&cron(expression, "UTC"), "2026-01-01T00:00:00Z", &expected);
    };
    check("0 0 L * *", ["2026-01-31", "2026-02-28"]);
    check("0 0 LW * *", ["2026-01-30", "2026-02-27"]);
    check("0 0 1W * *", ["2026-02-02", "2026-03-02"]);
    check("0 0 * * FRI#2", ["2026-01-09", "2026-02-13"]);
    check("0 0 * * FRI#L", ["2026-01-30", "2026-02-27"]);
    check("0 0 * * MON#5", ["2026-03-30", "2026-06-29"]);
    check("0 0 13 * +FRI", ["2026-02-13", "2026-03-13"]);
    check("0 0 13 * FRI", ["2026-01-02", "2026-01-09"]);
    check("0 0 * * SAT-SUN", ["2026-01-03", "2026-01-04"]);
    check("@monthly", ["2026-02-01", "2026-03-01"]);
    check("@Weekly", ["2026-01-04", "2026-01-11"]);
}

#[test]
fn missed_slots_fire_as_the_policy_says() {
    let hourly = cron("0 * * * *", "UTC");
    let check = |missed, most, last: &str, now: &str, slots: &[&str], next: &str| {
        let due = hourly.due_slots(at(last), at(now), missed, most);
        let slots = slots.iter().map(|slot| at(slot)).collect();
        assert_eq!(due, DueSlots { slots, next: Some(at(next)) }, "{missed} after {last} at {now}");
    };
    let (last, now, next) = ("2026-01-01T00:00:00Z", "2026-01-01T03:30:00Z", "2026-01-01T04:00:00Z");
    let all = ["2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z", "2026-01-01T03:00:00Z"];
    check(Missed::Last, 10, last, now, &all[2..], next);
    check(Missed::All, 10, last, now, &all, next);
    check(Missed::All, 2, last, now, &all[..2], all[2]);
    check(Missed::None, 10, last, now, &[], next);
    // A slot that is due just now is not missed.
    let punctual = "2026-01-01T03:00:09Z";
    check(Missed::None, 10, last, punctual, &all[2..], next);
    check(Missed::None, 10, last, all[2], &all[2..], next);
    for missed in Missed::ALL {
        // Nothing is due twice, also when the clock was set back.
        check(missed, 10, now, now, &[], next);
        check(missed, 10, now, "2026-01-01T00:30:00Z", &[], next);
        check(missed, 10, now, "2026-01-01T03:59:59.999Z", &[], next);
    }
    let late = at("2026-01-01T03:00:00Z").after(PUNCTUAL + Duration::from_nanos(1));
    assert_eq!(hourly.due_slots(at(last), late, Missed::None, 10).slots, []);
}

#[test]
fn years_of_missed_slots_take_no_time() {
    let seconds = cron("* * 2 * * *", "Europe/Berlin");
    let (last, now) = (at("2020-01-01T00:00:00Z"), at("2026-10-25T12:00:00Z"));
    let newest = at("2026-10-25T01:59:59Z");
    assert_eq!(seconds.due_slots(last, now, Missed::Last, 1).slots, [newest]);
    assert_eq!(seconds.due_slots(last, now, Missed::All, usize::MAX).slots.len(), MAX_SLOTS);
    let every = every(Duration::from_secs(7), "2020-01-01T00:00:00Z");
    let newest = every.due_slots(last, now, Missed::Last, 1).slots[0];
    assert!(now.since(newest) < Duration::from_secs(7) && every.next_after(newest).unwrap() > now);
}

#[test]
fn schedules_are_described() {
    let check = |expression, expected: &str| {
        assert_eq!(cron(expression, "Europe/Berlin").describe(), format!("{expected} (Europe/Berlin)"));
    };
    check("30 2 * * *", "At 02:30");
    check("0 9 * * MON-FRI", "At 09:00, on Monday, Tuesday, Wednesday, Thursday, and Friday");
    check("*/15 * * * *", "Every 15 minutes");
    check("0 0 L * *", "At 00:00, on the last day of the month");
    assert_eq!(every(Duration::from_secs(5_400), "2026-01-01T00:00:00Z").describe(), "Every 1h 30m");
}

#[test]
fn mistakes_are_shown_at_their_place() {
    let check = |expression: &str, lines: [&str; 3]| {
        let when = When::Cron { expression: expression.into(), zone: "UTC".into() };
        let error = Timetable::new(&when).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert_eq!(
            error.to_string(),
            format!("invalid cron expression, {}\n  {}\n  {}", lines[0], lines[1], lines[2])
        );
    };
    let never = "expected a date that exists, this one never comes";
    check("0 0 30 2 *", [&format!("column 5: {never}"), "0 0 30 2 *", "    ^^^^^^"]);
    check("0 0 0 31 2,4 * *", [&format!("column 7: {never}"), "0 0 0 31 2,4 * *", "      ^^^^^^^^^^"]);
    check("0 0 0 29 2 * 2027", [&format!("column 7: {never}"), "0 0 0 29 2 * 2027", "      ^^^^^^^^^^^"]);
    check("0 24 * * *", ["column 3: expected the hour, 0 to 23", "0 24 * * *", "  ^^"]);
    check("  0   24 * * * ", ["column 7: expected the hour, 0 to 23", "  0   24 * * * ", "      ^^"]);
    check("é * * * *", ["column 1: expected the minute, 0 to 59", "é * * * *", "^"]);
    check("* * * é-2 *", ["column 7: expected the month, 1 to 12, or JAN to DEC", "* * * é-2 *", "      ^"]);
    check("0\u{202e} * * * *", ["column 1: expected the minute, 0 to 59", "0\u{fffd} * * * *", "^^"]);
    let fields = "minute, hour, day of the month, month, day of the week; 6 with seconds in front, 7 with years at the end";
    check("", [&format!("column 1: expected 5 fields, found 0: {fields}"), "", "^"]);
    check("* * * *", [&format!("column 8: expected 5 fields, found 4: {fields}"), "* * * *", "       ^"]);
    check(
        "* * * * * * * *",
        [&format!("column 15: expected 5 fields, found 8: {fields}"), "* * * * * * * *", "              ^"],
    );
    let names = "@yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly";
    check(" @reboot", [&format!("column 2: expected one of {names}"), " @reboot", " ^^^^^^^"]);
    let long = "*".repeat(257);
    check(&long, ["column 1: it has 257 bytes, expected at most 256", "*****…", "^^^^^"]);
}

#[test]
fn other_mistakes() {
    let when = |interval| When::Every { interval, anchor: at("2026-01-01T00:00:00Z") };
    for interval in
        [Duration::ZERO, Duration::from_millis(999), Duration::from_hours(366 * 24 + 1), Duration::MAX]
    {
        let error = Timetable::new(&when(interval)).unwrap_err();
        assert_eq!(error, TimetableError::Interval { interval });
    }
    let when = When::Cron { expression: "0 0 * * *".into(), zone: "Mars/Olympus".into() };
    assert!(matches!(Timetable::new(&when), Err(TimetableError::Zone { .. })));
}
