//! Small texts: ages, counts, and guests' texts on one line.

use std::time::Duration;

use hostel::{count_text, is_deceptive};
use hostel_wire::printable;

/// An age in its largest unit: `12 s`, `3 min`, `5 h`, `2 d`.
pub(crate) fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A count with its noun: `1 run`, `2 runs`.
pub(crate) fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", count_text(number))
}

/// [`printable`] text on one line.
pub(crate) fn one_line(text: &str) -> String {
    text.lines().map(printable).collect::<Vec<_>>().join("\\n")
}

/// A field of a log, as `name=value`; a value that is not one plain word is quoted.
pub(crate) fn field(name: &str, value: &str) -> String {
    let is_plain =
        |character: char| !character.is_whitespace() && !is_deceptive(character) && character != '"';
    match !value.is_empty() && value.chars().all(is_plain) {
        true => format!("{}={value}", printable(name)),
        false => format!("{}={value:?}", printable(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_one_unit() {
        let texts = [0, 59, 60, 3599, 3600, 86_399, 86_400, 864_000].map(Duration::from_secs).map(elapsed);
        assert_eq!(texts, ["0 s", "59 s", "1 min", "59 min", "1 h", "23 h", "1 d", "10 d"]);
    }

    #[test]
    fn one_is_no_plural() {
        assert_eq!([counted(1, "run"), counted(2, "run")], ["1 run", "2 runs"]);
    }

    #[test]
    fn a_field_shows_where_its_value_ends() {
        assert_eq!(field("id", "a-7/ä"), "id=a-7/ä");
        assert_eq!(field("text", "two words"), "text=\"two words\"");
        assert_eq!(field("text", "a \"b\"\n\u{1b}"), "text=\"a \\\"b\\\"\\n\\u{1b}\"");
        assert_eq!(field("empty\n", ""), "empty\\n=\"\"");
    }
}
