//! Numbers with a fraction or an exponent that a float has as an integer only because it is rounded: `1e-400` is 0, and
//! `0.99999999999999999999` is 1.
//!
//! A float may be rounded, and an integer may not. So parsed JSON has an object of one member in place of such a number, with a key that
//! no JSON text can have, and the text of the number.

use std::fmt;
use std::ops::Range;

use serde::ser::{Serialize, Serializer};
use serde_json::Value as Json;

use crate::value::whole::is_rounded_to_whole;

/// The key of the object.
const KEY: &str = "$hostel::rounded";

/// Returns the text of the number that this replaces, if it does.
pub(super) fn rounded(json: &Json) -> Option<&str> {
    let object = json.as_object().filter(|object| object.len() == 1)?;
    object.get(KEY)?.as_str()
}

/// Replaces the numbers in parsed JSON that are rounded to integers. `text` is what it was parsed from.
pub(super) fn replace_rounded(text: &str, json: &mut Json) {
    let numbers = json_numbers(text).filter_map(|place| text.get(place)).enumerate();
    let mut left = numbers.filter(|(_, number)| is_rounded_to_whole(number));
    if let Some(next) = left.next() {
        Replace { left, next: Some(next), seen: 0 }.json(json);
    }
}

/// The numbers that are still to be replaced: their places among all numbers, and their texts.
struct Replace<'t, I: Iterator<Item = (usize, &'t str)>> {
    left: I,
    next: Option<I::Item>,
    /// How many numbers came before.
    seen: usize,
}

impl<'t, I: Iterator<Item = (usize, &'t str)>> Replace<'t, I> {
    /// Objects keep the order of their members, so numbers come in the order of the text.
    fn json(&mut self, json: &mut Json) {
        match json {
            Json::Number(_) => {
                if let Some((_, number)) = self.next.filter(|(place, _)| *place == self.seen) {
                    *json = Json::Object([(KEY.to_owned(), Json::from(number))].into_iter().collect());
                    self.next = self.left.next();
                }
                self.seen += 1;
            }
            Json::Array(items) => items.iter_mut().for_each(|item| self.json(item)),
            Json::Object(members) => members.values_mut().for_each(|member| self.json(member)),
            Json::Null | Json::Bool(_) | Json::String(_) => {}
        }
    }
}

/// The places of the numbers in a text that is JSON, in their order. Keys and texts have none.
///
/// ```
/// # use hostel_core::json_numbers;
/// let text = r#"{"1": [-2.5e3, "4"], "b": 6}"#;
/// let numbers: Vec<_> = json_numbers(text).filter_map(|place| text.get(place)).collect();
/// assert_eq!(numbers, ["-2.5e3", "6"]);
/// ```
pub fn json_numbers(json: &str) -> impl Iterator<Item = Range<usize>> {
    let bytes = json.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = bytes.get(at..)?;
            match rest.first()? {
                b'"' => at += length_of_text(rest),
                b'-' | b'0'..=b'9' => {
                    let start = at;
                    at += rest.iter().take_while(|byte| is_of_number(**byte)).count();
                    return Some(start..at);
                }
                _ => at += 1,
            }
        }
    })
}

const fn is_of_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
}

/// Returns the length of the text in quotes at the beginning.
fn length_of_text(json: &[u8]) -> usize {
    let mut is_escaped = false;
    let inside = json.iter().skip(1).take_while(|byte| {
        let is_end = **byte == b'"' && !is_escaped;
        is_escaped = **byte == b'\\' && !is_escaped;
        !is_end
    });
    inside.count() + 2
}

/// Parsed JSON, written with its rounded numbers as floats.
pub(super) struct AsFloats<'a>(pub(super) &'a Json);

impl Serialize for AsFloats<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Json::Array(items) => to.collect_seq(items.iter().map(AsFloats)),
            Json::Object(members) => match rounded(self.0).and_then(|number| number.parse::<f64>().ok()) {
                Some(number) => to.serialize_f64(number),
                None => to.collect_map(members.iter().map(|(key, member)| (key, AsFloats(member)))),
            },
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => self.0.serialize(to),
        }
    }
}

impl fmt::Display for AsFloats<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if has_rounded(self.0) {
            f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
        } else {
            // Piece by piece, however long it is.
            write!(f, "{}", self.0)
        }
    }
}

fn has_rounded(json: &Json) -> bool {
    match json {
        Json::Array(items) => items.iter().any(has_rounded),
        Json::Object(members) => rounded(json).is_some() || members.values().any(has_rounded),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> Vec<&str> {
        json_numbers(text).map(|place| &text[place]).collect()
    }

    #[test]
    fn numbers_are_found_beside_texts() {
        assert_eq!(numbers("-1.5E+2"), ["-1.5E+2"]);
        assert_eq!(numbers(r#"{"a\"1": [1, "\\", 2, "3\\\"4"], "5": 6.0}"#), ["1", "2", "6.0"]);
        assert_eq!(numbers(r#""1"#), [""; 0]);
        assert_eq!(numbers(""), [""; 0]);
    }
}
