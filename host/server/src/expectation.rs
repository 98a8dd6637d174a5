//! What was expected in place of a part of a request, in words that are not those of a library.

use serde_json::Value as Json;

/// A part of the request that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mismatch {
    /// What was expected.
    pub(crate) expected: String,
    /// What was found, if anything.
    pub(crate) found: Option<String>,
}

impl Mismatch {
    /// Both in one line.
    pub(crate) fn message(&self) -> String {
        let Self { expected, found } = self;
        match found {
            Some(found) => format!("expected {expected}, found {found}"),
            None => format!("expected {expected}"),
        }
    }
}

/// The mismatch of which an error of serde about JSON speaks; `found` is the value at its place.
pub(crate) fn of_json(error: &str, found: Option<&Json>) -> Mismatch {
    if let Some(member) = error.strip_prefix("missing field ").and_then(quoted) {
        return Mismatch { expected: format!("the member {member:?}"), found: None };
    }
    let expected = error.rsplit_once("expected ").map_or(error, |(_, expected)| expected);
    // The place in a text that is not there any more.
    let expected = expected.split(" at line ").next().unwrap_or(expected);
    Mismatch { expected: expected_words(expected), found: found.map(found_words) }
}

/// The mismatch of which an error about a parameter of a query speaks.
pub(crate) fn of_query(error: &str, found: Option<&str>) -> Mismatch {
    let found = found.map(|found| format!("{:?}", found.chars().take(100).collect::<String>()));
    let expected = if error.starts_with("invalid digit") || error.starts_with("cannot parse integer") {
        "a whole number of 0 or more"
    } else if error.contains("too large") {
        "a smaller number"
    } else if error.contains("`true` or `false`") {
        "true or false"
    } else if error.starts_with("missing field") {
        "a value"
    } else if error.starts_with("duplicate field") {
        return Mismatch { expected: "it once".to_owned(), found: Some("it several times".to_owned()) };
    } else {
        let expected = error.rsplit_once("expected ").map_or("another value", |(_, expected)| expected);
        return Mismatch { expected: expected_words(expected), found };
    };
    Mismatch { expected: expected.to_owned(), found }
}

/// The name between the first two backquotes of a text.
pub(crate) fn quoted(text: &str) -> Option<&str> {
    text.split('`').nth(1)
}

fn expected_words(expected: &str) -> String {
    let words = match expected.trim() {
        "a string" | "string" | "str" => "a text",
        "a sequence" => "a list",
        "a map" => "an object",
        "a boolean" => "true or false",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number within its range",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number of 0 or more within its range",
        "f32" | "f64" => "a number",
        "unit" => "null",
        structure if structure.starts_with("struct ") => "an object",
        other => return other.replace('`', "\""),
    };
    words.to_owned()
}

/// A value in words, shortened.
fn found_words(json: &Json) -> String {
    match json {
        Json::Null => "null".to_owned(),
        Json::Bool(truth) => truth.to_string(),
        Json::Number(number) => format!("the number {number}"),
        Json::String(text) => format!("the text {:?}", text.chars().take(100).collect::<String>()),
        Json::Array(items) => format!("a list of {}", items.len()),
        Json::Object(members) => format!("an object of {}", members.len()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_word_of_a_library_is_left() {
        let check = |error: &str, found: Json, expected: &str| {
            assert_eq!(of_json(error, Some(&found)).message(), expected);
        };
        check(
            "invalid type: integer `1`, expected a sequence",
            json!(1),
            "expected a list, found the number 1",
        );
        check(
            "invalid type: map, expected a string",
            json!({ "a": 1 }),
            "expected a text, found an object of 1",
        );
        check(
            "invalid value: integer `-1`, expected u32",
            json!(-1),
            "expected a whole number of 0 or more within its range, found the number -1",
        );
        check(
            "unknown variant `x`, expected `json` or `wave`",
            json!("x"),
            "expected \"json\" or \"wave\", found the text \"x\"",
        );
        assert_eq!(of_json("missing field `task`", None).message(), "expected the member \"task\"");
        assert_eq!(
            of_query("invalid digit found in string", Some("x")).message(),
            "expected a whole number of 0 or more, found \"x\""
        );
    }
}
