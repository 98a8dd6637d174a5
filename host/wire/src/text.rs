//! Texts of guests, files and the system, made safe to show and easy to read.

use std::borrow::Cow;
use std::error::Error;

use hostel::is_deceptive;

/// Text of a guest or a file, escaped so that it cannot disguise its content where it is shown: control characters except
/// tabs, and characters that are invisible or reorder others, are written as escapes.
pub fn printable(text: &str) -> Cow<'_, str> {
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

/// An error with its causes, on one line; a cause that the text already contains is left out.
pub fn message(error: &dyn Error) -> String {
    let mut message = without_number(&error.to_string());
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = without_number(&error.to_string());
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        cause = error.source();
    }
    message
}

/// The system's messages without their numbers: `(os error 2)`.
pub fn without_number(text: &str) -> String {
    let mut pieces = text.split(" (os error ");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| text + piece.split_once(')').map_or(piece, |(_number, rest)| rest))
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[test]
    fn a_guest_cannot_steer_what_shows_its_text() {
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
    fn the_systems_numbers_are_left_out() {
        assert_eq!(without_number("no room (os error 28); compiling again"), "no room; compiling again");
        assert_eq!(without_number("no room"), "no room");
    }

    #[test]
    fn causes_are_named_once() {
        #[derive(Debug)]
        struct Chain(&'static str, Option<Box<Chain>>);

        impl fmt::Display for Chain {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.0)
            }
        }

        impl Error for Chain {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                self.1.as_ref().map(|cause| &**cause as _)
            }
        }

        let chain = |texts: [&'static str; 3]| {
            let [outer, middle, inner] = texts;
            Chain(outer, Some(Box::new(Chain(middle, Some(Box::new(Chain(inner, None)))))))
        };
        assert_eq!(message(&chain(["a", "b", "c (os error 2)"])), "a: b: c");
        assert_eq!(message(&chain(["no a: b", "b", "c"])), "no a: b: c");
    }
}
