//! One field of a cron expression: what may stand in it, and its form without names.

use std::ops::Range;

/// A mistake in an expression: which bytes, and what was expected there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) at: Range<usize>,
    pub(crate) expected: String,
}

/// A field, by what may stand in it.
#[derive(Debug)]
pub(crate) struct Field {
    /// Its noun in messages.
    pub(crate) name: &'static str,
    least: u16,
    most: u16,
    /// Names of its values, and the value of the first.
    names: &'static [&'static str],
    first_name: u16,
    specials: Specials,
}

#[derive(Debug, PartialEq, Eq)]
enum Specials {
    None,
    DayOfMonth,
    DayOfWeek,
    Year,
}

const MONTHS: &[&str] = &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// Sunday has two numbers; this is the one at the end of a range.
const SUNDAY_AT_THE_END: u16 = 7;

/// No month has a weekday more often.
const WEEKS: u16 = 5;

/// All fields, from seconds to years.
pub(crate) const FIELDS: [Field; 7] = [
    Field::of_numbers("second", 0, 59),
    Field::of_numbers("minute", 0, 59),
    Field::of_numbers("hour", 0, 23),
    Field { specials: Specials::DayOfMonth, ..Field::of_numbers("day of the month", 1, 31) },
    Field { names: MONTHS, first_name: 1, ..Field::of_numbers("month", 1, 12) },
    Field { names: DAYS, specials: Specials::DayOfWeek, ..Field::of_numbers("day of the week", 0, 7) },
    Field { specials: Specials::Year, ..Field::of_numbers("year", 1970, 2554) },
];

impl Field {
    const fn of_numbers(name: &'static str, least: u16, most: u16) -> Self {
        Self { name, least, most, names: &[], first_name: 0, specials: Specials::None }
    }

    /// Checks the text of the field, which begins at byte `at` of the expression. Returns it with numbers in place of names.
    pub(crate) fn read(&self, text: &str, at: usize) -> Result<String, Mistake> {
        if text == "*" || text == "?" && self.is_of_days() {
            return Ok("*".to_owned());
        }
        // A weekday with a plus has to match as well as the day of the month, instead of either.
        if let Some(rest) = text.strip_prefix('+').filter(|_| self.specials == Specials::DayOfWeek) {
            return Ok(format!("+{}", self.read_list(rest, at + 1)?));
        }
        self.read_list(text, at)
    }

    fn is_of_days(&self) -> bool {
        matches!(self.specials, Specials::DayOfMonth | Specials::DayOfWeek)
    }

    fn read_list(&self, text: &str, mut at: usize) -> Result<String, Mistake> {
        let mut items = Vec::new();
        for item in text.split(',') {
            items.push(self.read_item(item, at)?);
            at += item.len() + 1;
        }
        let has = |wanted: &str| items.iter().any(|item| item == wanted);
        if has("L") && has("LW") {
            let expected = "`L` or `LW`, not both".to_owned();
            return Err(Mistake { at: at - text.len() - 1..at - 1, expected });
        }
        Ok(items.join(","))
    }

    /// One item of a list: a value, a range, either with a step, or what only fields of days have.
    fn read_item(&self, item: &str, at: usize) -> Result<String, Mistake> {
        if let Some((range, step)) = item.split_once('/') {
            let step_at = at + range.len() + 1;
            return Ok(format!("{}/{}", self.read_stepped(range, at)?, self.read_step(step, step_at)?));
        }
        if item.contains('-') {
            return self.read_range(item, at);
        }
        self.read_special(item, at).unwrap_or_else(|| self.value(item, at).map(|value| value.to_string()))
    }

    fn read_stepped(&self, range: &str, at: usize) -> Result<String, Mistake> {
        match range {
            // croner would count from the year 1.
            "*" if self.specials == Specials::Year => Ok(format!("{}-{}", self.least, self.most)),
            "*" => Ok("*".to_owned()),
            range if range.contains('-') => self.read_range(range, at),
            range => {
                let expected = format!("`*` or a range before the `/`, such as {}-{}", self.least, self.most);
                Err(mistake(range, at, expected))
            }
        }
    }

    /// A step that leads out of the field would be a mistake that nobody notices: `*/90` minutes is every hour.
    fn read_step(&self, step: &str, at: usize) -> Result<u16, Mistake> {
        let most = self.most - self.least;
        let number = number(step).filter(|number| (1..=most).contains(number));
        number.ok_or_else(|| mistake(step, at, format!("a step of 1 to {most}")))
    }

    fn read_range(&self, item: &str, at: usize) -> Result<String, Mistake> {
        let (first, last) = item.split_once('-').unwrap_or((item, ""));
        let last_at = at + first.len() + 1;
        let (first, mut end) = (self.value(first, at)?, self.value(last, last_at)?);
        if end == 0 && self.specials == Specials::DayOfWeek {
            end = SUNDAY_AT_THE_END;
        }
        if first > end {
            return Err(mistake(
                item,
                at,
                "a range from a lower to a higher value; write two of them".to_owned(),
            ));
        }
        Ok(format!("{first}-{end}"))
    }

    /// `L`, `LW` and `15W` among the days of the month; `FRI#2` and `FRIL` among the days of the week.
    fn read_special(&self, item: &str, at: usize) -> Option<Result<String, Mistake>> {
        let upper = item.to_ascii_uppercase();
        let value = |end: usize| item.get(..end).map(|text| self.value(text, at));
        match self.specials {
            Specials::DayOfMonth if upper == "L" || upper == "LW" => Some(Ok(upper)),
            Specials::DayOfMonth if upper.ends_with('W') => {
                Some(value(item.len() - 1)?.map(|value| format!("{value}W")))
            }
            Specials::DayOfWeek if upper == "L" => {
                Some(Err(mistake(item, at, "a day before the `L`, such as FRIL".to_owned())))
            }
            Specials::DayOfWeek if upper.contains('#') => {
                let (_, nth) = upper.split_once('#')?;
                Some(self.read_nth(value(item.len() - nth.len() - 1)?, nth, at + item.len() - nth.len()))
            }
            Specials::DayOfWeek if upper.ends_with('L') => {
                Some(value(item.len() - 1)?.map(|value| format!("{value}#L")))
            }
            Specials::None | Specials::DayOfMonth | Specials::DayOfWeek | Specials::Year => None,
        }
    }

    fn read_nth(&self, day: Result<u16, Mistake>, nth: &str, at: usize) -> Result<String, Mistake> {
        let day = day?;
        let is_nth = nth == "L" || number(nth).is_some_and(|nth| (1..=WEEKS).contains(&nth));
        let expected = || format!("1 to {WEEKS} or L after the `#`, such as FRI#2");
        if is_nth { Ok(format!("{day}#{nth}")) } else { Err(mistake(nth, at, expected())) }
    }

    /// A number in the field's range, or a name.
    fn value(&self, text: &str, at: usize) -> Result<u16, Mistake> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let named = named.and_then(|place| u16::try_from(place).ok()).map(|place| place + self.first_name);
        let found = named.or_else(|| number(text)).filter(|value| (self.least..=self.most).contains(value));
        found.ok_or_else(|| mistake(text, at, self.expected()))
    }

    /// The values of the field, in words.
    fn expected(&self) -> String {
        let Self { name, least, most, names, .. } = self;
        match (names.first(), names.last()) {
            (Some(first), Some(last)) => format!("the {name}, {least} to {most}, or {first} to {last}"),
            _ => format!("the {name}, {least} to {most}"),
        }
    }
}

/// A mistake in a part of an expression; an empty part is marked at its place.
fn mistake(text: &str, at: usize, expected: String) -> Mistake {
    Mistake { at: at..at + text.len(), expected }
}

fn number(text: &str) -> Option<u16> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str) -> &'static Field {
        const ALL: &[Field] = &FIELDS;
        ALL.iter().find(|field| field.name == name).unwrap()
    }

    #[test]
    fn fields_are_read_without_names() {
        let check = |name, text: &str, expected: &str| {
            assert_eq!(field(name).read(text, 0).as_deref(), Ok(expected), "{text}");
        };
        check("minute", "*", "*");
        check("minute", "00,15-20,30-59/10,*/7", "0,15-20,30-59/10,*/7");
        check("month", "jan-Mar,12", "1-3,12");
        check("day of the month", "?", "*");
        check("day of the month", "l", "L");
        check("day of the month", "LW,1", "LW,1");
        check("day of the month", "15w", "15W");
        check("day of the week", "FRI-SUN", "5-7");
        check("day of the week", "7,0", "7,0");
        check("day of the week", "fri#2,5L,SATL,1#l", "5#2,5#L,6#L,1#L");
        check("day of the week", "+FRI", "+5");
        check("year", "2026-2030/2,*/4", "2026-2030/2,1970-2554/4");
    }

    #[test]
    fn mistakes_have_a_place() {
        let check = |name, text: &str, at: Range<usize>, expected: &str| {
            let mistake = field(name).read(text, 0).unwrap_err();
            assert_eq!((mistake.at, mistake.expected.as_str()), (at, expected), "{text}");
        };
        check("minute", "60", 0..2, "the minute, 0 to 59");
        check("minute", "5,,6", 2..2, "the minute, 0 to 59");
        check("minute", "5,", 2..2, "the minute, 0 to 59");
        check("minute", "+5", 0..2, "the minute, 0 to 59");
        check("minute", "?", 0..1, "the minute, 0 to 59");
        check("minute", "1,*", 2..3, "the minute, 0 to 59");
        check("minute", "*/0", 2..3, "a step of 1 to 59");
        check("minute", "*/90", 2..4, "a step of 1 to 59");
        check("minute", "*/5/5", 2..5, "a step of 1 to 59");
        check("hour", "0/10", 0..1, "`*` or a range before the `/`, such as 0-23");
        check("hour", "1,17-9", 2..6, "a range from a lower to a higher value; write two of them");
        check("hour", "1-2-3", 2..5, "the hour, 0 to 23");
        check("hour", "1-", 2..2, "the hour, 0 to 23");
        check("month", "JANUARY", 0..7, "the month, 1 to 12, or JAN to DEC");
        check("day of the month", "32W", 0..2, "the day of the month, 1 to 31");
        check("day of the month", "L,LW", 0..4, "`L` or `LW`, not both");
        check("day of the week", "L", 0..1, "a day before the `L`, such as FRIL");
        check("day of the week", "FRI#6", 4..5, "1 to 5 or L after the `#`, such as FRI#2");
        check("day of the week", "MON-FRI#1", 4..9, "the day of the week, 0 to 7, or SUN to SAT");
        check("year", "1969", 0..4, "the year, 1970 to 2554");
        check("minute", "5é", 0..3, "the minute, 0 to 59");
    }
}
