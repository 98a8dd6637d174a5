//! Text that a guest chose, shortened for messages and records: names, locations, reasons.

use std::fmt::{self, Write};

/// The maximum length of the name of a function or a file in a record.
const MAX_NAME_BYTES: usize = 500;

/// The maximum length of an explanation of an invalid component: it quotes names from the component.
pub(crate) const MAX_REASON_BYTES: usize = 2_000;

/// The demangled name of a function.
pub(crate) fn demangled(name: &str) -> String {
    let mut text = Cut::new(MAX_NAME_BYTES);
    // A short mangled name may demangle to a very long one, so it must be cut while it is written. The error is the cut.
    let _ = write!(text, "{:#}", rustc_demangle::demangle(name));
    text.finish()
}

/// A file name with a line number.
pub(crate) fn location(file: &str, line: u32) -> String {
    format!("{}:{line}", shortened(file.to_owned(), MAX_NAME_BYTES))
}

/// The first `max_bytes` of a text, with a mark if it was cut.
pub(crate) fn shortened(text: String, max_bytes: usize) -> String {
    if text.len() <= max_bytes {
        return text;
    }
    let mut cut = Cut::new(max_bytes);
    let _ = cut.write_str(&text);
    cut.finish()
}

/// An error and its causes on one line.
pub(crate) fn one_line(error: &wasmtime::Error) -> String {
    format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text that takes at most `max_bytes`.
struct Cut {
    text: String,
    max_bytes: usize,
    is_cut: bool,
}

impl Cut {
    fn new(max_bytes: usize) -> Self {
        Self { text: String::new(), max_bytes, is_cut: false }
    }

    fn finish(mut self) -> String {
        if self.is_cut {
            self.text.push('…');
        }
        self.text
    }
}

impl Write for Cut {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = self.max_bytes - self.text.len();
        let end = more.floor_char_boundary(room);
        self.text.push_str(more.get(..end).unwrap_or_default());
        if end == more.len() {
            return Ok(());
        }
        self.is_cut = true;
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_demangled_and_cut() {
        assert_eq!(
            demangled("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE"),
            "core::fmt::Write::write_fmt"
        );
        assert_eq!(demangled("plain"), "plain");
        let long = demangled(&"ö".repeat(1_000_000));
        assert_eq!(long, format!("{}…", "ö".repeat(MAX_NAME_BYTES / 2)));
        assert_eq!(location("/src/main.rs", 7), "/src/main.rs:7");
    }

    #[test]
    fn a_short_mangled_name_of_a_very_long_one_is_cut() {
        // Each tuple is twice the one before it, by reference.
        let mut name = "_RIC1aTuuE".to_owned();
        let mut place = 5;
        for _ in 0..40 {
            let next = name.len() - 2;
            let back = format!("B{}_", base62(place));
            name.push_str(&format!("T{back}{back}E"));
            place = next;
        }
        name.push('E');
        assert!(demangled(&name).len() <= MAX_NAME_BYTES + "…".len());
    }

    /// As mangled names count: nothing is 0, `0` is 1.
    fn base62(number: usize) -> String {
        const DIGITS: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let Some(mut left) = number.checked_sub(1) else { return String::new() };
        let mut digits = vec![DIGITS[left % 62] as char];
        while left >= 62 {
            left /= 62;
            digits.insert(0, DIGITS[left % 62] as char);
        }
        digits.into_iter().collect()
    }
}
