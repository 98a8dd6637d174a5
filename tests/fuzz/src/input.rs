//! What targets make of bytes.

use std::fmt::{Debug, Display};
use std::str::FromStr;

/// Returns the lines of a text, whatever the bytes are: `None` for a line that is not there or is no text.
pub(crate) fn lines<const COUNT: usize>(bytes: &[u8]) -> [Option<&str>; COUNT] {
    let mut lines = bytes.splitn(COUNT, |byte| *byte == b'\n');
    std::array::from_fn(|_| lines.next().and_then(|line| str::from_utf8(line).ok()))
}

/// Reads a text, and asserts of what it is read as that it is written and read as the same, and always written so; of an
/// error, that it says something.
pub(crate) fn read<T>(text: &str) -> Option<T>
where
    T: FromStr<Err: Display> + Display + PartialEq + Debug,
{
    let value: T = match text.parse() {
        Ok(value) => value,
        Err(error) => {
            assert!(!error.to_string().is_empty(), "an error says nothing");
            return None;
        }
    };
    let written = value.to_string();
    let again = written.parse().unwrap_or_else(|error| panic!("{text:?} is written as {written:?}: {error}"));
    assert_eq!(value, again, "{text:?} is written as {written:?}, which is something else");
    assert_eq!(again.to_string(), written, "{text:?} is written in two ways");
    Some(value)
}
