//! Small texts: ages, counts, and guests' texts escaped for a terminal.

use std::borrow::Cow;
use std::time::Duration;

use hostel::{Timestamp, count_text, is_deceptive};

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

/// An instant in RFC 3339: `2026-11-21T15:22:01.5Z`.
pub(crate) fn instant(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_nanosecond(at.unix_nanos().into());
    // Every instant of the host is within the calendar.
    at.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

/// A count with its noun: `1 run`, `2 runs`.
pub(crate) fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", count_text(number))
}

/// Text of a guest or a file, escaped so that it cannot control the terminal or disguise its content: control characters
/// except tabs, and characters that are invisible or reorder others, are written as escapes.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let is_unsafe = |character: char| is_deceptive(character) && character != '\t';
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unsafe(character) {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

/// The same on one line.
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
    fn a_guest_cannot_steer_the_terminal() {
        assert_eq!(printable("plain\ttext ä"), "plain\ttext ä");
        assert_eq!(printable("\u{1b}[2Jgone\r"), "\\u{1b}[2Jgone\\r");
        assert_eq!(printable("\u{9b}2J"), "\\u{9b}2J");
    }

    #[test]
    fn a_guest_shows_nothing_that_is_not_there() {
        assert_eq!(printable("evil\u{202e}txt.exe"), "evil\\u{202e}txt.exe");
        for unseen in
            ['\u{200b}', '\u{200f}', '\u{2028}', '\u{202a}', '\u{2066}', '\u{2069}', '\u{feff}', '\u{e0041}']
        {
            assert_eq!(printable(&unseen.to_string()), unseen.escape_unicode().to_string());
        }
    }

    #[test]
    fn a_field_shows_where_its_value_ends() {
        assert_eq!(field("id", "a-7/ä"), "id=a-7/ä");
        assert_eq!(field("text", "two words"), "text=\"two words\"");
        assert_eq!(field("text", "a \"b\"\n\u{1b}"), "text=\"a \\\"b\\\"\\n\\u{1b}\"");
        assert_eq!(field("empty\n", ""), "empty\\n=\"\"");
    }
}
